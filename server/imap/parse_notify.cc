// NOTIFY (RFC 5465 §8).
#include <algorithm>
#include <iterator>
#include <utility>

#include "common/limits.h"
#include "server/imap/parse_parts.h"

namespace twinspool::imap {
namespace {

struct EventName {
  std::string_view name;
  NotifyEvents bit;
};
constexpr EventName kEventNames[] = {{"MESSAGENEW", kNotifyMessageNew},
                                     {"MESSAGEEXPUNGE", kNotifyMessageExpunge},
                                     {"FLAGCHANGE", kNotifyFlagChange},
                                     {"MAILBOXNAME", kNotifyMailboxName},
                                     {"SUBSCRIPTIONCHANGE", kNotifySubscriptionChange},
                                     {"MAILBOXMETADATACHANGE", kNotifyMailboxMetadata},
                                     {"SERVERMETADATACHANGE", kNotifyServerMetadata}};
constexpr NotifyEvents kOfMessages = kNotifyMessageNew | kNotifyMessageExpunge | kNotifyFlagChange;
constexpr NotifyEvents kBoth = kNotifyMessageNew | kNotifyMessageExpunge;

Status ParseEvent(Cursor* in, NotifyGroup* group, bool* unknown) {
  ASSIGN_OR_RETURN(const std::string name, in->Word());
  const auto* known = std::find_if(std::begin(kEventNames), std::end(kEventNames),
                                   [&](const EventName& one) { return one.name == name; });
  if (known == std::end(kEventNames)) {
    *unknown = true;
    return OkStatus();
  }
  group->events = static_cast<NotifyEvents>(group->events | known->bit);
  if (known->bit != kNotifyMessageNew || !in->Follows(" (")) {
    return OkStatus();
  }
  TRY(in->Space());
  return ParseFetchItems(in, &group->items);
}

/// RFC 5465 §5, §6.1.
Status CheckGroup(const NotifyGroup& group) {
  const NotifyEvents both = group.events & kBoth;
  if (both != 0 && both != kBoth) {
    return InvalidArgument("MessageNew and MessageExpunge go together");
  }
  if ((group.events & kNotifyFlagChange) != 0 && both == 0) {
    return InvalidArgument("FlagChange needs MessageNew and MessageExpunge");
  }
  const bool selected = group.which.scope == SearchScope::kSelected;
  if (selected && (group.events & ~kOfMessages) != 0) {
    return InvalidArgument("of the selected mailbox only events of messages are told");
  }
  if (!selected && !group.items.empty()) {
    return InvalidArgument("FETCH items are told of the selected mailbox only");
  }
  return OkStatus();
}

/// "(" which SP events ")"
Status ParseGroup(Cursor* in, NotifyGroup* group, bool* unknown) {
  TRY(in->Expect('('));
  group->delayed = in->Follows("SELECTED-DELAYED");
  TRY(ParseSearchSource(in, limits::kNotifyNamesMax, &group->which));
  if (group->which.scope == SearchScope::kSubtreeOne) {
    return InvalidArgument("SUBTREE-ONE is for ESEARCH");
  }
  TRY(in->Space());
  if (!in->TryWord("NONE")) {
    const Status none = in->Expected("at least one event");
    bool any = false;
    TRY(ParseParenthesised(in, [&] {
      any = true;
      return ParseEvent(in, group, unknown);
    }));
    TRY(any ? OkStatus() : none);
  }
  TRY(in->Expect(')'));
  return *unknown ? OkStatus() : CheckGroup(*group);
}

}  // namespace

Result<CommandBody> ParseNotify(Cursor* in) {
  cmd::Notify notify;
  TRY(in->Space());
  if (in->TryWord("NONE")) {
    return CommandBody(std::move(notify));
  }
  if (!in->TryWord("SET")) {
    return in->Expected("SET or NONE");
  }
  TRY(in->Space());
  notify.status = in->TryWord("STATUS");
  if (notify.status) {
    TRY(in->Space());
  }
  do {
    if (notify.groups.size() == limits::kNotifyGroupsMax) {
      return InvalidArgument("too many event groups in one command");
    }
    TRY(ParseGroup(in, &notify.groups.emplace_back(), &notify.unknown_event));
  } while (in->TryChar(' '));
  const auto selected = std::count_if(
      notify.groups.begin(), notify.groups.end(),
      [](const NotifyGroup& one) { return one.which.scope == SearchScope::kSelected; });
  if (selected > 1) {
    return InvalidArgument("SELECTED or SELECTED-DELAYED is given once");
  }
  return CommandBody(std::move(notify));
}

}  // namespace twinspool::imap
