// The writer of responses.
#include "server/imap/response.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/check.h"
#include "common/limits.h"
#include "common/utf8.h"
#include "server/imap/cursor.h"
#include "server/imap/date.h"
#include "server/imap/mutf7.h"

namespace twinspool::imap {
namespace {

// Clients read quoted strings into line buffers; longer ones are literals.
constexpr std::size_t kQuotedBytesMax = 1000;

bool IsQuotable(char c) {
  return c >= 0x20 && c < 0x7f;
}

void AppendQuoted(std::string* out, std::string_view text) {
  out->push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out->push_back('\\');
    }
    out->push_back(c);
  }
  out->push_back('"');
}

void AppendRange(std::string* out, std::uint32_t first, std::uint32_t last) {
  AppendNumber(out, first);
  if (last != first) {
    out->push_back(':');
    AppendNumber(out, last);
  }
}

struct BitName {
  std::uint8_t bit;
  std::string_view name;
};

constexpr BitName kSystemFlagNames[] = {{kAnswered, "\\Answered"},
                                        {kFlagged, "\\Flagged"},
                                        {kDeleted, "\\Deleted"},
                                        {kSeen, "\\Seen"},
                                        {kDraft, "\\Draft"}};

constexpr BitName kUseNames[] = {{kUseAll, "\\All"},       {kUseArchive, "\\Archive"},
                                 {kUseDrafts, "\\Drafts"}, {kUseFlagged, "\\Flagged"},
                                 {kUseJunk, "\\Junk"},     {kUseSent, "\\Sent"},
                                 {kUseTrash, "\\Trash"}};

// Appends items with a space between.
class SpaceSeparated {
 public:
  explicit SpaceSeparated(std::string* out) : out_(out) {}
  void Add(std::string_view item) {
    if (!std::exchange(first_, false)) {
      out_->push_back(' ');
    }
    out_->append(item);
  }

 private:
  std::string* out_;
  bool first_ = true;
};

std::string_view ConditionName(Condition condition) {
  switch (condition) {
    case Condition::kOk:
      return "OK";
    case Condition::kNo:
      return "NO";
    case Condition::kBad:
      return "BAD";
    case Condition::kBye:
      return "BYE";
  }
  return "BAD";
}

Refusal Fault(std::string_view error_id) {
  std::string text = "internal error, nothing you did; details are in the server's log";
  if (!error_id.empty()) {
    text += " under ";
    text += error_id;
  }
  return {Condition::kNo, "SERVERBUG", std::move(text)};
}

}  // namespace

void AppendNumber(std::string* out, std::uint64_t value) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out->append(digits, static_cast<std::size_t>(end - digits));
}

void AppendLiteralHead(std::string* out, std::uint64_t size) {
  out->push_back('{');
  AppendNumber(out, size);
  out->append("}\r\n");
}

void AppendString(std::string* out, std::string_view octets) {
  if (octets.size() <= kQuotedBytesMax && std::all_of(octets.begin(), octets.end(), IsQuotable)) {
    AppendQuoted(out, octets);
    return;
  }
  AppendLiteralHead(out, octets.size());
  const std::size_t begin = out->size();
  out->append(octets);
  std::replace(out->begin() + static_cast<std::ptrdiff_t>(begin), out->end(), '\0', '\x80');
}

void AppendAstring(std::string* out, std::string_view text) {
  const bool atom = !text.empty() && std::all_of(text.begin(), text.end(), IsAtomChar) &&
                    !EqualsIgnoreCase(text, "NIL");
  if (atom) {
    out->append(text);
  } else {
    AppendString(out, text);
  }
}

void AppendMailbox(std::string* out, std::string_view name, bool utf8_names) {
  if (!utf8_names) {
    AppendAstring(out, EncodeModifiedUtf7(name));
    return;
  }
  const bool quotable = IsUtf8(name) && name.size() <= kQuotedBytesMax &&
                        std::none_of(name.begin(), name.end(),
                                     [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; });
  if (quotable) {
    AppendQuoted(out, name);
  } else {
    AppendString(out, name);
  }
}

void AppendFlags(std::string* out, SystemFlags system, const KeywordBits& keywords,
                 const std::vector<std::string>& keyword_table) {
  out->push_back('(');
  SpaceSeparated list(out);
  for (const BitName& flag : kSystemFlagNames) {
    if ((system & flag.bit) != 0) {
      list.Add(flag.name);
    }
  }
  if (keywords.Any()) {
    const std::size_t count = std::min(keyword_table.size(), limits::kKeywordsPerMailboxMax);
    for (std::size_t bit = 0; bit < count; ++bit) {
      if (keywords.Test(bit)) {
        list.Add(keyword_table[bit]);
      }
    }
  }
  out->push_back(')');
}

void AppendFlagTable(std::string* out, const std::vector<std::string>& keyword_table) {
  out->push_back('(');
  SpaceSeparated list(out);
  for (const BitName& flag : kSystemFlagNames) {
    list.Add(flag.name);
  }
  for (const std::string& keyword : keyword_table) {
    list.Add(keyword);
  }
  out->push_back(')');
}

namespace {

/// The right that changing a system flag takes (RFC 4314 §4).
Rights RightFor(SystemFlags flag) {
  return flag == kSeen ? kRightSeen : flag == kDeleted ? kRightDeleteMessages : kRightWrite;
}

}  // namespace

void AppendPermanentFlags(std::string* out, const std::vector<std::string>& keyword_table,
                          Rights rights) {
  out->push_back('(');
  SpaceSeparated list(out);
  for (const BitName& flag : kSystemFlagNames) {
    if ((rights & RightFor(static_cast<SystemFlags>(flag.bit))) != 0) {
      list.Add(flag.name);
    }
  }
  if ((rights & kRightWrite) != 0) {
    for (const std::string& keyword : keyword_table) {
      list.Add(keyword);
    }
    if (keyword_table.size() < limits::kKeywordsPerMailboxMax) {
      list.Add("\\*");
    }
  }
  out->push_back(')');
}

void AppendSpecialUse(std::string* out, SpecialUse use) {
  SpaceSeparated list(out);
  for (const BitName& known : kUseNames) {
    if ((use & known.bit) != 0) {
      list.Add(known.name);
    }
  }
}

std::optional<SpecialUse> ReadSpecialUse(std::string_view text) {
  SpecialUse uses = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    const auto* known =
        std::find_if(std::begin(kUseNames), std::end(kUseNames),
                     [&](const BitName& one) { return EqualsIgnoreCase(one.name, word); });
    if (known == std::end(kUseNames) && !word.empty()) {
      return std::nullopt;
    }
    uses = static_cast<SpecialUse>(word.empty() ? uses : uses | known->bit);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return uses;
}

void AppendListLine(std::string* out, std::string_view attributes, std::string_view name,
                    std::string_view old_name, bool utf8_names) {
  ((*out += "* LIST (") += attributes) += ") \"/\" ";
  AppendMailbox(out, name, utf8_names);
  if (!old_name.empty()) {
    AppendMailbox(&(*out += " (\"OLDNAME\" ("), old_name, utf8_names);
    *out += "))";
  }
  *out += "\r\n";
}

void AppendSet(std::string* out, const UidSet& set) {
  bool first = true;
  for (const UidRange& range : set.ranges()) {
    if (!std::exchange(first, false)) {
      out->push_back(',');
    }
    AppendRange(out, range.first, range.last);
  }
}

void AppendNumbersInOrder(std::string* out, const std::vector<Uid>& numbers) {
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t end = i + 1;
    while (end < numbers.size() && numbers[end] == numbers[end - 1].Next()) {
      ++end;
    }
    if (i > 0) {
      out->push_back(',');
    }
    AppendRange(out, numbers[i].value(), numbers[end - 1].value());
    i = end;
  }
}

void AppendInternalDate(std::string* out, std::int64_t seconds, std::int16_t zone_minutes) {
  out->push_back('"');
  AppendDateTime(out, {seconds, zone_minutes});
  out->push_back('"');
}

std::string TooManyMessages() {
  std::string text = "[MESSAGELIMIT ";
  AppendNumber(&text, limits::kAtomicMessagesMax);
  return text + "] Too many messages for one command; nothing was done";
}

void AppendStatusLine(std::string* out, std::string_view tag, Condition condition,
                      std::string_view code, std::string_view text) {
  out->append(tag.empty() ? "*" : tag);
  out->push_back(' ');
  out->append(ConditionName(condition));
  out->push_back(' ');
  if (!code.empty()) {
    out->push_back('[');
    out->append(code);
    out->append("] ");
  }
  for (const char c : text.substr(0, limits::kResponseTextBytesMax)) {
    out->push_back(IsQuotable(c) ? c : '?');
  }
  // The grammar asks for at least one character of text.
  out->append(text.empty() ? ".\r\n" : "\r\n");
}

Refusal RefusalFor(const Status& status, Missing missing, std::string_view error_id) {
  const auto no = [&status](std::string_view code) {
    return Refusal{Condition::kNo, code, std::string(status.message())};
  };
  switch (status.code()) {
    case Code::kOk:
      break;
    case Code::kInvalidArgument:
      return no("CANNOT");
    case Code::kNotFound:
      return no(missing == Missing::kTryCreate ? "TRYCREATE" : "NONEXISTENT");
    case Code::kAlreadyExists:
      return no("ALREADYEXISTS");
    case Code::kConflict:
      return no("");
    case Code::kOverQuota:
      return no("OVERQUOTA");
    case Code::kLimit:
      return no("LIMIT");
    case Code::kPermissionDenied:
      return no("NOPERM");
    case Code::kUnauthenticated:
      return no("AUTHENTICATIONFAILED");
    case Code::kUnavailable:
    case Code::kTimeout:
      return no("UNAVAILABLE");
    case Code::kFenced:
      return {Condition::kBye, "UNAVAILABLE", std::string(status.message()), true};
    case Code::kOutcomeUnknown:
      return {Condition::kBye, "UNAVAILABLE",
              "the outcome of a command is not known yet; connect again and look", true};
    case Code::kDataLoss:
    case Code::kIo:
    case Code::kInternal:
      return Fault(error_id);
  }
  CheckFailed(__FILE__, __LINE__, "RefusalFor needs a Status that is not OK");
}

}  // namespace twinspool::imap
