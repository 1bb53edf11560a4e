// LIST with its extensions (RFC 5258, RFC 5819, RFC 6154), and LSUB.
#include <utility>

#include "common/limits.h"
#include "server/imap/parse_parts.h"

namespace twinspool::imap {
namespace {

Status ParseSelectOption(Cursor* in, ListSelect* select) {
  struct Option {
    std::string_view name;
    ListSelect bit;
  };
  constexpr Option kOptions[] = {{"SUBSCRIBED", kSelectSubscribed},
                                 {"REMOTE", kSelectRemote},
                                 {"RECURSIVEMATCH", kSelectRecursiveMatch},
                                 {"SPECIAL-USE", kSelectSpecialUse}};
  for (const Option& option : kOptions) {
    if (in->TryWord(option.name)) {
      *select = static_cast<ListSelect>(*select | option.bit);
      return OkStatus();
    }
  }
  return in->Expected("a selection option of LIST");
}

/// RFC 9590 §4: "(" ["(" options ")" SP] entries ")", or the entries alone.
Status ParseMetadata(Cursor* in, cmd::GetMetadata* metadata) {
  if (in->Follows("((")) {
    TRY(in->Expect('('));
    TRY(ParseMetadataOptions(in, metadata));
    TRY(in->Space());
    TRY(ParseMetadataEntries(in, &metadata->entries));
    return in->Expect(')');
  }
  return ParseMetadataEntries(in, &metadata->entries);
}

Status ParseReturnOption(Cursor* in, cmd::List* list) {
  struct Option {
    std::string_view name;
    ListReturn bit;
  };
  constexpr Option kOptions[] = {
      {"SUBSCRIBED", kListReturnSubscribed},  {"CHILDREN", kListReturnChildren},
      {"SPECIAL-USE", kListReturnSpecialUse}, {"STATUS", kListReturnStatus},
      {"METADATA", kListReturnMetadata},      {"MYRIGHTS", kListReturnMyRights}};
  for (const Option& option : kOptions) {
    if (!in->TryWord(option.name)) {
      continue;
    }
    list->returns = static_cast<ListReturn>(list->returns | option.bit);
    if (option.bit == kListReturnStatus) {
      TRY(in->Space());
      ASSIGN_OR_RETURN(const StatusItems items, ParseStatusItems(in));
      list->status = static_cast<StatusItems>(list->status | items);
    }
    if (option.bit == kListReturnMetadata) {
      TRY(in->Space());
      return ParseMetadata(in, &list->metadata);
    }
    return OkStatus();
  }
  return in->Expected("a return option of LIST");
}

Status ParseSelection(Cursor* in, cmd::List* list) {
  list->extended = true;
  TRY(ParseParenthesised(in, [&] { return ParseSelectOption(in, &list->select); }));
  const bool recursive = (list->select & kSelectRecursiveMatch) != 0;
  if (recursive && (list->select & kSelectSubscribed) == 0) {
    return InvalidArgument("RECURSIVEMATCH needs SUBSCRIBED beside it");
  }
  return in->Space();
}

Status ParsePattern(Cursor* in, cmd::List* list) {
  if (list->patterns.size() == limits::kListPatternsMax) {
    return InvalidArgument("LIST takes at most " + std::to_string(limits::kListPatternsMax) +
                           " patterns");
  }
  ASSIGN_OR_RETURN(std::string pattern, in->ListPattern());
  list->patterns.push_back(std::move(pattern));
  return OkStatus();
}

Status ParsePatterns(Cursor* in, cmd::List* list) {
  if (in->Peek() != '(') {
    return ParsePattern(in, list);
  }
  list->extended = true;
  TRY(ParseParenthesised(in, [&] { return ParsePattern(in, list); }));
  return list->patterns.empty() ? in->Expected("at least one mailbox pattern") : OkStatus();
}

}  // namespace

Result<CommandBody> ParseList(Cursor* in) {
  cmd::List list;
  TRY(in->Space());
  if (in->Peek() == '(') {
    TRY(ParseSelection(in, &list));
  }
  // The reference is a name in grammar, but clients write patterns and empty strings there.
  ASSIGN_OR_RETURN(list.reference, in->ListPattern());
  TRY(in->Space());
  TRY(ParsePatterns(in, &list));
  if (in->TryChar(' ')) {
    list.extended = true;
    if (!in->TryWord("RETURN")) {
      return in->Expected("RETURN");
    }
    TRY(in->Space());
    TRY(ParseParenthesised(in, [&] { return ParseReturnOption(in, &list); }));
  }
  return CommandBody(std::move(list));
}

Result<CommandBody> ParseLsub(Cursor* in) {
  cmd::Lsub lsub;
  TRY(in->Space());
  ASSIGN_OR_RETURN(lsub.reference, in->ListPattern());
  TRY(in->Space());
  ASSIGN_OR_RETURN(lsub.pattern, in->ListPattern());
  return CommandBody(std::move(lsub));
}

}  // namespace twinspool::imap
