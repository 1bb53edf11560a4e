#include "server/imap/imap_url.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "common/utf8.h"
#include "server/imap/parse_parts.h"

namespace twinspool::imap {
namespace {

constexpr std::string_view kUid = ";UID=";
constexpr std::string_view kUidValidity = ";UIDVALIDITY=";
constexpr std::string_view kSection = "/;SECTION=";
constexpr std::string_view kPartial = "/;PARTIAL=";

Status Wrong(std::string_view what) {
  return InvalidArgument("The URL " + std::string(what));
}

int HexDigit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

Result<std::string> PercentDecoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
      const int low = high < 0 ? -1 : HexDigit(text[i + 2]);
      if (low < 0) {
        return Wrong("has a '%' without two digits behind it");
      }
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (c == '\0') {
      return Wrong("holds NUL");
    }
    out.push_back(c);
  }
  return out;
}

/// Where `word` begins in `text`, in any case; npos: nowhere.
std::size_t FindWord(std::string_view text, std::string_view word) {
  const auto at = std::search(text.begin(), text.end(), word.begin(), word.end(),
                              [](char a, char b) { return AsciiUpper(a) == AsciiUpper(b); });
  return at == text.end() ? std::string_view::npos : static_cast<std::size_t>(at - text.begin());
}

Result<std::uint32_t> Number(std::string_view text, bool zero_too) {
  const CommandText line{std::string(text), {}};
  Cursor in(line, true);
  const Result<std::uint32_t> number = zero_too ? in.Number() : in.NzNumber();
  if (!number.ok() || !in.AtEnd()) {
    return Wrong("has a number that is none");
  }
  return number;
}

Result<Partial> ReadPartial(std::string_view text) {
  const std::size_t dot = std::min(text.find('.'), text.size());
  Partial partial;
  ASSIGN_OR_RETURN(partial.offset, Number(text.substr(0, dot), true));
  partial.length = std::numeric_limits<std::uint32_t>::max();
  if (dot < text.size()) {
    ASSIGN_OR_RETURN(partial.length, Number(text.substr(dot + 1), false));
  }
  return partial;
}

Result<Section> ReadSection(std::string_view text) {
  ASSIGN_OR_RETURN(std::string decoded, PercentDecoded(text));
  const CommandText line{std::move(decoded) + "]", {}};
  Cursor in(line, true);
  Result<Section> section = ParseSection(&in);
  if (text.empty() || !section.ok() || !in.AtEnd()) {
    return Wrong("names no section");
  }
  return section;
}

/// Segments of a path, decoded, behind those of `names`; "." and ".." as RFC 3986 §5.2.4 has it.
Status Walk(std::string_view path, std::vector<std::string>* names) {
  while (true) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view segment = path.substr(0, end);
    if (segment == "..") {
      if (!names->empty()) {
        names->pop_back();
      }
    } else if (segment != ".") {
      ASSIGN_OR_RETURN(names->emplace_back(), PercentDecoded(segment));
    }
    if (end == path.size()) {
      return OkStatus();
    }
    path.remove_prefix(end + 1);
  }
}

/// The mailbox that `path` names, seen from `base`.
Result<std::string> MailboxAt(std::string_view path, const std::optional<std::string>& base) {
  std::vector<std::string> names;
  if (path.starts_with('/')) {
    path.remove_prefix(1);
  } else if (base) {
    for (std::size_t at = 0, end = 0; (end = base->find('/', at)) != std::string::npos;
         at = end + 1) {
      names.push_back(base->substr(at, end - at));
    }
  }
  TRY(Walk(path, &names));
  std::string mailbox;
  for (const std::string& name : names) {
    mailbox += mailbox.empty() ? "" : "/";
    mailbox += name;
  }
  if (mailbox.empty() || !IsUtf8(mailbox)) {
    return Wrong("names no mailbox");
  }
  return mailbox;
}

/// Takes what stands behind `word` up to the next "/;", if it stands next in *rest.
std::optional<std::string_view> TakePart(std::string_view word, std::string_view* rest) {
  if (FindWord(*rest, word) != 0) {
    return std::nullopt;
  }
  rest->remove_prefix(word.size());
  const std::size_t end = std::min(rest->find("/;"), rest->size());
  const std::string_view part = rest->substr(0, end);
  rest->remove_prefix(end);
  return part;
}

Status ReadMailbox(std::string_view path, const std::optional<std::string>& selected,
                   ImapUrl* url) {
  if (const std::size_t at = FindWord(path, kUidValidity); at != path.npos) {
    ASSIGN_OR_RETURN(const std::uint32_t number,
                     Number(path.substr(at + kUidValidity.size()), false));
    url->uid_validity = UidValidity(number);
    path = path.substr(0, at);
  }
  if (path.find(';') != path.npos) {
    return Wrong("has something before the UID that is not known here");
  }
  if (path.empty() || path == "/") {
    return selected && !url->uid_validity ? OkStatus() : Wrong("names no mailbox");
  }
  ASSIGN_OR_RETURN(url->mailbox, MailboxAt(path, selected));
  return OkStatus();
}

}  // namespace

bool NeedsBase(std::string_view url) {
  return !url.starts_with('/') || FindWord(url, "/;UID=") == 0;
}

Result<ImapUrl> ParseImapUrl(std::string_view url, const std::optional<std::string>& selected) {
  const bool printable =
      std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (!printable || url.find_first_of("?#") != url.npos || url.starts_with("//")) {
    return Wrong("is none of a message here");
  }
  const std::size_t at = FindWord(url, kUid);
  const std::string_view path = url.substr(0, std::min(at, url.size()));
  if (at == url.npos || (!path.empty() && !path.ends_with('/')) ||
      path.substr(0, path.find('/')).find(':') != path.npos) {
    return Wrong("is none of a message here");
  }
  ImapUrl parsed;
  TRY(ReadMailbox(path.size() > 1 ? path.substr(0, path.size() - 1) : path, selected, &parsed));
  std::string_view rest = url.substr(at);
  ASSIGN_OR_RETURN(const std::uint32_t uid, Number(*TakePart(kUid, &rest), false));
  parsed.uid = Uid(uid);
  if (const auto section = TakePart(kSection, &rest)) {
    ASSIGN_OR_RETURN(parsed.section, ReadSection(*section));
  }
  if (const auto partial = TakePart(kPartial, &rest)) {
    ASSIGN_OR_RETURN(parsed.partial, ReadPartial(*partial));
  }
  if (!rest.empty()) {
    return Wrong("goes on with something that is not known here");
  }
  return parsed;
}

}  // namespace twinspool::imap
