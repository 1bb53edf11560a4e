#include "server/mime/address.h"

#include <algorithm>
#include <utility>

#include "common/limits.h"
#include "server/mime/ascii.h"

namespace twinspool::mime {
namespace {

constexpr std::string_view kAtomEnds = " \t\r\n()<>@,;:\"";
constexpr std::size_t kRouteBytesMax = 1000;
constexpr std::string_view kDomainEnds = " \t\r\n()<>@,;:\"[";

/// `words` as a local part: the blanks that obsolete syntax allows around dots go.
std::string JoinDots(const std::string& words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool beside_dot = words[i] == ' ' && (out.ends_with('.') || words[i + 1] == '.');
    if (!beside_dot) {
      out.push_back(words[i]);
    }
  }
  return out;
}

class ListParser {
 public:
  ListParser(std::string_view text, std::vector<Address>* out) : text_(text), out_(out) {}

  void Run() {
    while (Skip() && out_->size() < limits::kAddressesMax) {
      Step();
    }
    FinishBare();
    EndGroup();
  }

 private:
  /// Passes white space and comments; false at the end.
  bool Skip() {
    pos_ = SkipCfws(text_, pos_, &comment_);
    return pos_ < text_.size();
  }
  char Peek() const { return pos_ < text_.size() ? text_[pos_] : '\0'; }

  void Step() {
    switch (Peek()) {
      case ',':
        ++pos_;
        FinishBare();
        break;
      case ';':
        ++pos_;
        FinishBare();
        EndGroup();
        break;
      case ':':
        ++pos_;
        StartGroup();
        break;
      case '<':
        ++pos_;
        ReadAngle();
        break;
      case '@':
        ++pos_;
        ReadBareDomain();
        break;
      case '>':
      case ')':
        ++pos_;
        break;
      default:
        ReadWord(&words_);
    }
  }

  /// One atom or quoted string, set off by a blank.
  void ReadWord(std::string* words) {
    if (!words->empty()) {
      words->push_back(' ');
    }
    if (Peek() == '"') {
      ReadQuotedString(text_, &pos_, words);
      return;
    }
    const std::size_t end = std::min(text_.find_first_of(kAtomEnds, pos_), text_.size());
    words->append(text_.substr(pos_, end - pos_));
    pos_ = end;
  }

  std::string ReadDomain() {
    std::string domain;
    while (Skip()) {
      if (Peek() == '[') {
        const std::size_t end = std::min(text_.find_first_of("]\r\n", pos_), text_.size());
        domain.append(text_.substr(pos_, end - pos_));
        domain.push_back(']');
        pos_ = std::min(end + 1, text_.size());
        return domain;
      }
      const std::size_t end = std::min(text_.find_first_of(kDomainEnds, pos_), text_.size());
      const std::string_view label = text_.substr(pos_, end - pos_);
      if (label.empty() || !(domain.empty() || domain.ends_with('.') || label.starts_with('.'))) {
        return domain;  // the next word is not behind a dot: not of the domain
      }
      domain.append(label);
      pos_ = end;
    }
    return domain;
  }

  /// "local@domain" without angle brackets, or a display name that holds an '@'.
  void ReadBareDomain() {
    std::string domain = ReadDomain();
    if (has_bare_) {  // "a@b@c <…>": all of it can only be a name
      words_ += '@' + domain;
      return;
    }
    has_bare_ = true;
    bare_.mailbox = JoinDots(words_);
    bare_.host = std::move(domain);
    words_ += '@' + bare_.host;
  }

  /// What stands behind "<": [route ":"] local "@" domain ">", each part optional.
  void ReadAngle() {
    Address address;
    address.name = std::exchange(words_, {});
    has_bare_ = false;
    if (Skip() && Peek() == '@') {
      ReadRoute(&address);
    }
    std::string local;
    while (Skip() && std::string_view("<>@,;:)").find(Peek()) == std::string_view::npos) {
      ReadWord(&local);
    }
    address.mailbox = JoinDots(local);
    if (Peek() == '@') {
      ++pos_;
      address.host = ReadDomain();
    }
    // Whatever else stands before the bracket closes is lost; a list separator closes it, too.
    pos_ = std::min(text_.find_first_of(">,;", pos_), text_.size());
    if (Peek() == '>') {
      ++pos_;
    }
    comment_ = {};
    out_->push_back(std::move(address));
  }

  void ReadRoute(Address* address) {
    // The look-ahead is bounded, or a list of unclosed routes would cost the square of its length.
    const std::string_view ahead = text_.substr(pos_, kRouteBytesMax);
    const std::size_t end = ahead.find_first_of(":>");
    if (end == std::string_view::npos || ahead[end] != ':') {
      return;
    }
    address->route = ahead.substr(0, end);
    std::erase_if(address->route, IsSpace);
    pos_ += end + 1;
  }

  /// Ends an address that had no angle brackets.
  void FinishBare() {
    Address address = std::exchange(bare_, {});
    std::string words = std::exchange(words_, {});
    const bool has_domain = std::exchange(has_bare_, false);
    const std::string_view comment = std::exchange(comment_, {});
    if (!has_domain && words.empty()) {
      return;
    }
    if (!has_domain) {
      address.mailbox = JoinDots(words);
    }
    address.name = Trim(comment);
    out_->push_back(std::move(address));
  }

  void StartGroup() {
    EndGroup();
    out_->push_back({Address::Kind::kGroupStart, std::exchange(words_, {}), {}, {}, {}});
    has_bare_ = false;
    bare_ = {};
    comment_ = {};
    in_group_ = true;
  }

  void EndGroup() {
    if (std::exchange(in_group_, false)) {
      out_->push_back({Address::Kind::kGroupEnd, {}, {}, {}, {}});
    }
  }

  const std::string_view text_;
  std::vector<Address>* const out_;
  std::size_t pos_ = 0;
  std::string words_;         // words since the last separator
  std::string_view comment_;  // the last comment since then
  Address bare_;              // valid while has_bare_
  bool has_bare_ = false;
  bool in_group_ = false;
};

}  // namespace

void ParseAddressList(std::string_view value, std::vector<Address>* out) {
  ListParser(value.substr(0, limits::kHeaderFieldBytesMax), out).Run();
}

}  // namespace twinspool::mime
