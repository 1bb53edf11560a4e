// Sequence sets, flag lists and STATUS items.
#include "server/imap/parse_parts.h"

#include <algorithm>
#include <utility>

#include "common/limits.h"

namespace twinspool::imap {
namespace {

Result<std::uint32_t> SequenceNumber(Cursor* in) {
  if (in->TryChar('*')) {
    return kStar;
  }
  return in->NzNumber();
}

struct NamedBit {
  std::string_view name;
  std::uint16_t bit;
};

constexpr NamedBit kSystemFlagNames[] = {{"SEEN", kSeen},
                                         {"ANSWERED", kAnswered},
                                         {"FLAGGED", kFlagged},
                                         {"DELETED", kDeleted},
                                         {"DRAFT", kDraft}};

constexpr NamedBit kStatusItemNames[] = {{"MESSAGES", kStatusMessages},
                                         {"RECENT", kStatusRecent},
                                         {"UIDNEXT", kStatusUidNext},
                                         {"UIDVALIDITY", kStatusUidValidity},
                                         {"UNSEEN", kStatusUnseen},
                                         {"SIZE", kStatusSize},
                                         {"HIGHESTMODSEQ", kStatusHighestModseq},
                                         {"APPENDLIMIT", kStatusAppendLimit},
                                         {"MAILBOXID", kStatusMailboxId},
                                         {"DELETED", kStatusDeleted},
                                         {"DELETED-STORAGE", kStatusDeletedStorage}};

Status ParseFlag(Cursor* in, FlagList* flags) {
  if (in->TryChar('\\')) {
    for (const NamedBit& flag : kSystemFlagNames) {
      if (in->TryWord(flag.name)) {
        flags->system = static_cast<SystemFlags>(flags->system | flag.bit);
        return OkStatus();
      }
    }
    return in->Expected("one of \\Seen \\Answered \\Flagged \\Deleted \\Draft");
  }
  ASSIGN_OR_RETURN(std::string keyword, in->Atom());
  if (keyword.size() > limits::kKeywordBytesMax) {
    return InvalidArgument("a keyword must not be longer than " +
                           std::to_string(limits::kKeywordBytesMax) + " octets");
  }
  flags->keywords.push_back(std::move(keyword));
  return OkStatus();
}

}  // namespace

Result<SequenceSet> ParseSequenceSet(Cursor* in) {
  SequenceSet set;
  set.saved = in->TryChar('$');
  if (set.saved) {
    return set;
  }
  do {
    SequenceRange range;
    ASSIGN_OR_RETURN(range.first, SequenceNumber(in));
    range.last = range.first;
    if (in->TryChar(':')) {
      ASSIGN_OR_RETURN(range.last, SequenceNumber(in));
    }
    set.ranges.push_back(range);
  } while (in->TryChar(','));
  return set;
}

Result<PartialRange> ParsePartialRange(Cursor* in) {
  PartialRange range;
  range.from_end = in->TryChar('-');
  ASSIGN_OR_RETURN(range.first, in->NzNumber());
  TRY(in->Expect(':'));
  if (range.from_end) {
    TRY(in->Expect('-'));
  }
  ASSIGN_OR_RETURN(range.last, in->NzNumber());
  if (range.first > range.last) {
    std::swap(range.first, range.last);
  }
  return range;
}

Result<UidSet> ParseUidSet(Cursor* in) {
  ASSIGN_OR_RETURN(SequenceSet written, ParseSequenceSet(in));
  if (written.saved) {
    return InvalidArgument("'$' has no place in a set of known messages");
  }
  for (SequenceRange& range : written.ranges) {
    if (range.first == kStar || range.last == kStar) {
      return InvalidArgument("'*' has no place in a set of known messages");
    }
    if (range.first > range.last) {
      std::swap(range.first, range.last);
    }
  }
  // Rising order keeps UidSet::Add cheap whatever the client sent.
  std::sort(written.ranges.begin(), written.ranges.end(),
            [](const SequenceRange& a, const SequenceRange& b) { return a.first < b.first; });
  UidSet set;
  for (const SequenceRange& range : written.ranges) {
    set.Add(range.first, range.last);
  }
  return set;
}

Result<FlagList> ParseFlagList(Cursor* in) {
  FlagList flags;
  TRY(ParseParenthesised(in, [&] { return ParseFlag(in, &flags); }));
  return flags;
}

Result<FlagList> ParseStoreFlags(Cursor* in) {
  if (in->Peek() == '(') {
    return ParseFlagList(in);
  }
  FlagList flags;
  do {
    TRY(ParseFlag(in, &flags));
  } while (in->TryChar(' '));
  return flags;
}

Result<StatusItems> ParseStatusItems(Cursor* in) {
  StatusItems items = 0;
  TRY(ParseParenthesised(in, [&] {
    for (const NamedBit& item : kStatusItemNames) {
      if (in->TryWord(item.name)) {
        items = static_cast<StatusItems>(items | item.bit);
        return OkStatus();
      }
    }
    return in->Expected("a STATUS item");
  }));
  if (items == 0) {
    return InvalidArgument("STATUS needs at least one item");
  }
  return items;
}

}  // namespace twinspool::imap
