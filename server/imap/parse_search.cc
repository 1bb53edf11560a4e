// SEARCH, SORT and THREAD: the program (RFC 3501 §6.4.4, RFC 5032, RFC 7162, RFC 8474, RFC 8514),
// RETURN (RFC 4731, RFC 5182, RFC 5267, RFC 9394), criteria and algorithms (RFC 5256, RFC 5957).
#include <algorithm>
#include <iterator>
#include <utility>

#include "common/limits.h"
#include "server/imap/date.h"
#include "server/imap/parse_parts.h"

namespace twinspool::imap {
namespace {

enum class Argument { kNone, kString, kAtom, kDate, kNumber, kNzNumber };

// A key that is a word with at most one argument.
struct KeyName {
  std::string_view name;
  SearchOp op;
  Argument argument = Argument::kNone;
  SystemFlags flags = 0;
  std::string_view field = {};
};

constexpr KeyName kKeyNames[] = {
    {"ALL", SearchOp::kAll},
    {"ANSWERED", SearchOp::kFlag, Argument::kNone, kAnswered},
    {"DELETED", SearchOp::kFlag, Argument::kNone, kDeleted},
    {"DRAFT", SearchOp::kFlag, Argument::kNone, kDraft},
    {"FLAGGED", SearchOp::kFlag, Argument::kNone, kFlagged},
    {"SEEN", SearchOp::kFlag, Argument::kNone, kSeen},
    {"UNANSWERED", SearchOp::kNoFlag, Argument::kNone, kAnswered},
    {"UNDELETED", SearchOp::kNoFlag, Argument::kNone, kDeleted},
    {"UNDRAFT", SearchOp::kNoFlag, Argument::kNone, kDraft},
    {"UNFLAGGED", SearchOp::kNoFlag, Argument::kNone, kFlagged},
    {"UNSEEN", SearchOp::kNoFlag, Argument::kNone, kSeen},
    {"NEW", SearchOp::kNew},
    {"OLD", SearchOp::kOld},
    {"RECENT", SearchOp::kRecent},
    {"KEYWORD", SearchOp::kKeyword, Argument::kAtom},
    {"UNKEYWORD", SearchOp::kUnkeyword, Argument::kAtom},
    {"BEFORE", SearchOp::kBefore, Argument::kDate},
    {"ON", SearchOp::kOn, Argument::kDate},
    {"SINCE", SearchOp::kSince, Argument::kDate},
    {"SENTBEFORE", SearchOp::kSentBefore, Argument::kDate},
    {"SENTON", SearchOp::kSentOn, Argument::kDate},
    {"SENTSINCE", SearchOp::kSentSince, Argument::kDate},
    {"SAVEDBEFORE", SearchOp::kSavedBefore, Argument::kDate},
    {"SAVEDON", SearchOp::kSavedOn, Argument::kDate},
    {"SAVEDSINCE", SearchOp::kSavedSince, Argument::kDate},
    {"SAVEDATESUPPORTED", SearchOp::kAll},
    {"OLDER", SearchOp::kOlder, Argument::kNzNumber},
    {"YOUNGER", SearchOp::kYounger, Argument::kNzNumber},
    {"LARGER", SearchOp::kLarger, Argument::kNumber},
    {"SMALLER", SearchOp::kSmaller, Argument::kNumber},
    {"BCC", SearchOp::kHeader, Argument::kString, 0, "Bcc"},
    {"CC", SearchOp::kHeader, Argument::kString, 0, "Cc"},
    {"FROM", SearchOp::kHeader, Argument::kString, 0, "From"},
    {"SUBJECT", SearchOp::kHeader, Argument::kString, 0, "Subject"},
    {"TO", SearchOp::kHeader, Argument::kString, 0, "To"},
    {"BODY", SearchOp::kBody, Argument::kString},
    {"TEXT", SearchOp::kText, Argument::kString},
    {"EMAILID", SearchOp::kEmailId, Argument::kAtom},
    {"THREADID", SearchOp::kThreadId, Argument::kAtom},
};

// Parses one program and counts its keys.
class ProgramParser {
 public:
  explicit ProgramParser(Cursor* in) : in_(in) {}

  // Keys separated by spaces, until something else follows.
  Result<SearchKey> Keys(int depth) {
    SearchKey all;
    all.op = SearchOp::kAnd;
    do {
      TRY(AddKey(&all, depth));
    } while (in_->TryChar(' '));
    return all;
  }

 private:
  Status AddKey(SearchKey* parent, int depth) {
    ASSIGN_OR_RETURN(SearchKey key, Key(depth));
    parent->children.push_back(std::move(key));
    return OkStatus();
  }

  Result<SearchKey> Key(int depth) {
    if (depth > limits::kSearchDepthMax || ++keys_ > limits::kSearchKeysMax) {
      return InvalidArgument("the search program is nested too deep or has too many keys");
    }
    const char c = in_->Peek();
    if (c == '(') {
      return List(depth);
    }
    if (c == '*' || c == '$' || (c >= '0' && c <= '9')) {
      return Set(SearchOp::kSequence);
    }
    return Named(depth);
  }

  Result<SearchKey> List(int depth) {
    TRY(in_->Expect('('));
    ASSIGN_OR_RETURN(SearchKey list, Keys(depth + 1));
    TRY(in_->Expect(')'));
    return list;
  }

  Result<SearchKey> Set(SearchOp op) {
    SearchKey key;
    key.op = op;
    ASSIGN_OR_RETURN(key.set, ParseSequenceSet(in_));
    return key;
  }

  Result<SearchKey> Named(int depth) {
    const Status unknown = in_->Expected("a search key");
    ASSIGN_OR_RETURN(const std::string name, in_->Word());
    for (const KeyName& known : kKeyNames) {
      if (known.name == name) {
        return Simple(known);
      }
    }
    TRY(name.empty() || in_->AtEnd() ? unknown : in_->Space());
    if (name == "NOT") {
      return Not(depth);
    }
    if (name == "OR") {
      return Or(depth);
    }
    if (name == "UID") {
      return Set(SearchOp::kUid);
    }
    if (name == "HEADER") {
      return Header();
    }
    return name == "MODSEQ" ? ModseqKey() : Result<SearchKey>(unknown);
  }

  Result<SearchKey> Simple(const KeyName& known) {
    SearchKey key;
    key.op = known.op;
    key.flags = known.flags;
    key.field = known.field;
    if (known.argument != Argument::kNone) {
      TRY(in_->Space());
      TRY(TakeArgument(known.argument, &key));
    }
    return key;
  }

  Status TakeArgument(Argument argument, SearchKey* key) {
    switch (argument) {
      case Argument::kNone:
        break;
      case Argument::kString: {
        ASSIGN_OR_RETURN(key->text, in_->Astring());
        break;
      }
      case Argument::kAtom: {
        ASSIGN_OR_RETURN(key->text, in_->Atom());
        break;
      }
      case Argument::kDate:
        return TakeDate(key);
      case Argument::kNumber: {
        ASSIGN_OR_RETURN(key->number, in_->Number63());
        break;
      }
      case Argument::kNzNumber: {
        ASSIGN_OR_RETURN(key->number, in_->NzNumber());
        break;
      }
    }
    return OkStatus();
  }

  Status TakeDate(SearchKey* key) {
    Status expected = in_->Expected("a date such as 1-Feb-2024");
    ASSIGN_OR_RETURN(const std::string text, in_->Astring());
    const std::optional<std::int32_t> day = ParseDate(text);
    if (!day) {
      return expected;
    }
    key->day = *day;
    return OkStatus();
  }

  Result<SearchKey> Not(int depth) {
    SearchKey key;
    key.op = SearchOp::kNot;
    TRY(AddKey(&key, depth + 1));
    return key;
  }

  // Clients write long alternatives as OR a OR b OR c d; kept as one node, the chain is not deep.
  Result<SearchKey> Or(int depth) {
    SearchKey key;
    key.op = SearchOp::kOr;
    bool chained = true;
    while (chained) {
      TRY(AddKey(&key, depth + 1));
      TRY(in_->Space());
      chained = in_->TryWord("OR");
      if (chained) {
        TRY(in_->Space());
      }
    }
    TRY(AddKey(&key, depth + 1));
    return key;
  }

  Result<SearchKey> Header() {
    SearchKey key;
    key.op = SearchOp::kHeader;
    ASSIGN_OR_RETURN(key.field, in_->Astring());
    TRY(in_->Space());
    ASSIGN_OR_RETURN(key.text, in_->Astring());
    return key;
  }

  // [entry-name SP entry-type SP] number (RFC 7162 §3.1.5).
  Result<SearchKey> ModseqKey() {
    SearchKey key;
    key.op = SearchOp::kModseq;
    if (in_->Peek() == '"') {
      TRY(in_->String().status());
      TRY(in_->Space());
      if (!in_->TryWord("PRIV") && !in_->TryWord("SHARED") && !in_->TryWord("ALL")) {
        return in_->Expected("priv, shared or all");
      }
      TRY(in_->Space());
    }
    ASSIGN_OR_RETURN(key.number, in_->Number63());
    return key;
  }

  Cursor* in_;
  std::size_t keys_ = 0;
};

struct ReturnName {
  std::string_view name;
  SearchReturn bit;
};
constexpr ReturnName kReturnNames[] = {{"MIN", kReturnMin},   {"MAX", kReturnMax},
                                       {"ALL", kReturnAll},   {"COUNT", kReturnCount},
                                       {"SAVE", kReturnSave}, {"PARTIAL", kReturnPartial}};

/// UPDATE [SP items], or CONTEXT, which is a hint only (RFC 5267, RFC 5465 §7).
Status ParseContextOption(Cursor* in, cmd::Search* search) {
  if (in->TryWord("CONTEXT")) {
    return OkStatus();
  }
  if (!in->TryWord("UPDATE")) {
    return in->Expected("MIN, MAX, ALL, COUNT, SAVE, PARTIAL, UPDATE or CONTEXT");
  }
  if (search->update) {
    return InvalidArgument("UPDATE is given once");
  }
  search->update = true;
  if (!in->Follows(" (")) {
    return OkStatus();
  }
  TRY(in->Space());
  return ParseFetchItems(in, &search->update_items);
}

Status ParseReturnOption(Cursor* in, cmd::Search* search) {
  const auto* option = std::find_if(std::begin(kReturnNames), std::end(kReturnNames),
                                    [in](const ReturnName& one) { return in->TryWord(one.name); });
  if (option == std::end(kReturnNames)) {
    return ParseContextOption(in, search);
  }
  search->returns = static_cast<SearchReturn>(search->returns | option->bit);
  if (option->bit != kReturnPartial) {
    return OkStatus();
  }
  if (search->partial) {
    return InvalidArgument("PARTIAL is given once");
  }
  TRY(in->Space());
  ASSIGN_OR_RETURN(search->partial, ParsePartialRange(in));
  return OkStatus();
}

Status ParseReturn(Cursor* in, cmd::Search* search) {
  search->esearch = true;
  TRY(in->Space());
  TRY(ParseParenthesised(in, [&] { return ParseReturnOption(in, search); }));
  if (search->partial && (search->returns & kReturnAll) != 0) {
    return InvalidArgument("PARTIAL and ALL exclude each other");
  }
  if (search->returns == 0 && !search->update) {
    search->returns = kReturnAll;
  }
  return in->Space();
}

Status ParseCharset(Cursor* in, cmd::Search* search) {
  ASSIGN_OR_RETURN(const std::string charset, in->Astring());
  search->charset = AsciiUpper(charset);
  return in->Space();
}

struct ScopeName {
  std::string_view name;
  SearchScope scope;
};
constexpr ScopeName kScopeNames[] = {
    {"SELECTED", SearchScope::kSelected},     {"SELECTED-DELAYED", SearchScope::kSelected},
    {"INBOXES", SearchScope::kInboxes},       {"PERSONAL", SearchScope::kPersonal},
    {"SUBSCRIBED", SearchScope::kSubscribed}, {"MAILBOXES", SearchScope::kMailboxes},
    {"SUBTREE", SearchScope::kSubtree},       {"SUBTREE-ONE", SearchScope::kSubtreeOne}};

/// mailbox, or "(" mailbox *(SP mailbox) ")"
Status ParseMailboxes(Cursor* in, std::size_t names_max, std::vector<std::string>* mailboxes) {
  const auto one = [&]() -> Status {
    if (mailboxes->size() == names_max) {
      return InvalidArgument("too many mailboxes in one command");
    }
    ASSIGN_OR_RETURN(mailboxes->emplace_back(), in->Mailbox());
    return OkStatus();
  };
  if (in->Peek() != '(') {
    return one();
  }
  TRY(ParseParenthesised(in, one));
  return mailboxes->empty() ? in->Expected("at least one mailbox") : OkStatus();
}

Status ParseSource(Cursor* in, std::vector<SearchSource>* sources) {
  if (sources->size() == limits::kListPatternsMax) {
    return InvalidArgument("too many sources in one command");
  }
  return ParseSearchSource(in, limits::kListPatternsMax, &sources->emplace_back());
}

/// [IN (source *(SP source)) SP]
Status ParseSources(Cursor* in, std::vector<SearchSource>* sources) {
  if (!in->TryWord("IN")) {
    sources->emplace_back();  // the selected mailbox
    return OkStatus();
  }
  TRY(in->Space());
  TRY(ParseParenthesised(in, [&] { return ParseSource(in, sources); }));
  return sources->empty() ? in->Expected("which mailboxes to search") : in->Space();
}

struct SortKeyName {
  std::string_view name;
  SortKey key;
};
constexpr SortKeyName kSortKeyNames[] = {{"ARRIVAL", SortKey::kArrival},
                                         {"CC", SortKey::kCc},
                                         {"DATE", SortKey::kDate},
                                         {"FROM", SortKey::kFrom},
                                         {"SIZE", SortKey::kSize},
                                         {"SUBJECT", SortKey::kSubject},
                                         {"TO", SortKey::kTo},
                                         {"DISPLAYFROM", SortKey::kDisplayFrom},
                                         {"DISPLAYTO", SortKey::kDisplayTo}};

/// [REVERSE SP] key
Status ParseCriterion(Cursor* in, SortCriterion* criterion) {
  criterion->reverse = in->TryWord("REVERSE");
  if (criterion->reverse) {
    TRY(in->Space());
  }
  for (const SortKeyName& known : kSortKeyNames) {
    if (in->TryWord(known.name)) {
      criterion->key = known.key;
      return OkStatus();
    }
  }
  return in->Expected("a sort key");
}

/// A key that was named before decides nothing any more, so each is kept once.
Status ParseCriteria(Cursor* in, std::vector<SortCriterion>* criteria) {
  const auto one = [&]() -> Status {
    SortCriterion next;
    TRY(ParseCriterion(in, &next));
    const bool known = std::any_of(criteria->begin(), criteria->end(),
                                   [&](const SortCriterion& had) { return had.key == next.key; });
    if (!known) {
      criteria->push_back(next);
    }
    return OkStatus();
  };
  TRY(ParseParenthesised(in, one));
  return criteria->empty() ? in->Expected("a sort key") : OkStatus();
}

}  // namespace

Status ParseSearchSource(Cursor* in, std::size_t names_max, SearchSource* source) {
  const Status unknown = in->Expected("which mailboxes");
  ASSIGN_OR_RETURN(const std::string name, in->Word());
  const auto* known = std::find_if(std::begin(kScopeNames), std::end(kScopeNames),
                                   [&](const ScopeName& one) { return one.name == name; });
  if (known == std::end(kScopeNames)) {
    return unknown;
  }
  source->scope = known->scope;
  if (source->scope < SearchScope::kMailboxes) {
    return OkStatus();
  }
  TRY(in->Space());
  return ParseMailboxes(in, names_max, &source->mailboxes);
}

Result<CommandBody> ParseSearch(Cursor* in, bool uid) {
  cmd::Search search;
  search.uid = uid;
  TRY(in->Space());
  if (in->TryWord("RETURN")) {
    TRY(ParseReturn(in, &search));
  }
  if (in->TryWord("CHARSET")) {
    TRY(in->Space());
    TRY(ParseCharset(in, &search));
  }
  ASSIGN_OR_RETURN(search.program, ProgramParser(in).Keys(1));
  return CommandBody(std::move(search));
}

Result<CommandBody> ParseMultiSearch(Cursor* in) {
  cmd::MultiSearch multi;
  multi.search.uid = true;
  multi.search.esearch = true;
  multi.search.returns = kReturnAll;
  TRY(in->Space());
  TRY(ParseSources(in, &multi.sources));
  if (in->TryWord("RETURN")) {
    multi.search.returns = 0;
    TRY(ParseReturn(in, &multi.search));
    if (multi.search.update) {
      return InvalidArgument("UPDATE is for SEARCH and SORT");
    }
  }
  if (in->TryWord("CHARSET")) {
    TRY(in->Space());
    TRY(ParseCharset(in, &multi.search));
  }
  ASSIGN_OR_RETURN(multi.search.program, ProgramParser(in).Keys(1));
  return CommandBody(std::move(multi));
}

Result<CommandBody> ParseSort(Cursor* in, bool uid) {
  cmd::Sort sort;
  sort.search.uid = uid;
  TRY(in->Space());
  if (in->TryWord("RETURN")) {
    TRY(ParseReturn(in, &sort.search));
  }
  TRY(ParseCriteria(in, &sort.criteria));
  TRY(in->Space());
  TRY(ParseCharset(in, &sort.search));
  ASSIGN_OR_RETURN(sort.search.program, ProgramParser(in).Keys(1));
  return CommandBody(std::move(sort));
}

Result<CommandBody> ParseThread(Cursor* in, bool uid) {
  cmd::Thread thread;
  thread.search.uid = uid;
  TRY(in->Space());
  if (in->TryWord("ORDEREDSUBJECT")) {
    thread.algorithm = ThreadAlgorithm::kOrderedSubject;
  } else if (in->TryWord("REFS")) {
    thread.algorithm = ThreadAlgorithm::kRefs;
  } else if (!in->TryWord("REFERENCES")) {
    return in->Expected("ORDEREDSUBJECT, REFERENCES or REFS");
  }
  TRY(in->Space());
  TRY(ParseCharset(in, &thread.search));
  ASSIGN_OR_RETURN(thread.search.program, ProgramParser(in).Keys(1));
  return CommandBody(std::move(thread));
}

Result<CommandBody> ParseCancelUpdate(Cursor* in) {
  cmd::CancelUpdate cancel;
  do {
    TRY(in->Space());
    ASSIGN_OR_RETURN(cancel.tags.emplace_back(), in->String());
  } while (in->Peek() == ' ');
  return CommandBody(std::move(cancel));
}

}  // namespace twinspool::imap
