#include "server/store/recount.h"

#include "server/store/parts.h"

namespace twinspool::store {
namespace {

Status FirstDamage(const ObjectParts& parts) {
  return DataLoss(parts.object.ToString() + ": " + parts.Describe());
}

}  // namespace

Result<std::optional<MailboxRow>> RecountMailbox(const RowView& view, const MailboxRow& stored,
                                                 MailboxId mailbox) {
  ASSIGN_OR_RETURN(const auto header, view.MailboxHeader(stored.owner, mailbox));
  if (!header) {
    return std::optional<MailboxRow>();
  }
  ASSIGN_OR_RETURN(ObjectParts parts, ReadParts(view, {stored.owner, mailbox}));
  return parts.mailbox_counted ? Result<std::optional<MailboxRow>>(parts.mailbox_counted)
                               : FirstDamage(parts);
}

Result<UserState> RecountUser(const RowView& view, UserId user) {
  ASSIGN_OR_RETURN(ObjectParts parts, ReadParts(view, {user, MailboxId()}));
  TRY(parts.totals);
  return parts.user_counted ? Result<UserState>(*parts.user_counted) : FirstDamage(parts);
}

}  // namespace twinspool::store
