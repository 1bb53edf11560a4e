// What operators ask about shared mailboxes and quota.
#include "common/rights.h"
#include "server/node/await.h"
#include "server/node/node.h"
#include "server/node/outcome.h"

namespace twinspool::node {

using proto::UserReply;

namespace {

/// A mailbox of `user`, as he himself looks at it.
Result<MailboxState> FindMailbox(store::Store& store, const std::string& user,
                                 const std::string& mailbox) {
  ASSIGN_OR_RETURN(const UserRef owner, store.users().Find(user));
  return Await<MailboxState>([&](Done<MailboxState> done) {
    store.mail_store().FindMailbox(owner.id, mailbox, std::move(done));
  });
}

struct GivenRights {
  RightsChange change = RightsChange::kReplace;
  Rights rights = 0;
};

/// "lr", "+s", "-w".
Result<GivenRights> ParseGiven(std::string_view text) {
  GivenRights given;
  if (text.starts_with('+') || text.starts_with('-')) {
    given.change = text.front() == '+' ? RightsChange::kAdd : RightsChange::kRemove;
    text.remove_prefix(1);
  }
  ASSIGN_OR_RETURN(given.rights, ParseRights(text));
  return given;
}

}  // namespace

UserReply Node::UserQuota(const proto::UserQuotaRequest& request) {
  const auto limit = [](bool there, std::uint64_t value) {
    return there ? std::optional(value) : std::nullopt;
  };
  const auto set = Await<Unit>([&](const Done<Unit>& done) {
    store_->users().SetQuota(request.name(), request.use_default(),
                             limit(request.has_bytes_max(), request.bytes_max()),
                             limit(request.has_messages_max(), request.messages_max()), done);
  });
  return ReplyFor<UserReply>(set.status(), "quota of " + request.name() + " set");
}

UserReply Node::AclSet(const proto::AclSetRequest& request) {
  const auto mailbox = FindMailbox(*store_, request.user(), request.mailbox());
  if (!mailbox.ok()) {
    return ReplyFor<UserReply>(mailbox.status(), "");
  }
  const Result<GivenRights> given = ParseGiven(request.rights());
  if (!given.ok()) {
    return ReplyFor<UserReply>(given.status(), "");
  }
  const auto set = Await<Unit>([&](Done<Unit> done) {
    store_->mail_store().SetAcl(mailbox->ref, request.identifier(), given->change, given->rights,
                                std::move(done));
  });
  return ReplyFor<UserReply>(set.status(), "rights of " + request.identifier() + " to " +
                                               request.mailbox() + " of " + request.user() +
                                               " set");
}

UserReply Node::AclList(const proto::AclListRequest& request,
                        const std::function<bool(const proto::AclInfo&)>& sink) {
  const auto mailbox = FindMailbox(*store_, request.user(), request.mailbox());
  if (!mailbox.ok()) {
    return ReplyFor<UserReply>(mailbox.status(), "");
  }
  const auto entries = Await<std::vector<AclEntry>>(
      [&](auto done) { store_->mail_store().GetAcl(mailbox->ref, std::move(done)); });
  if (!entries.ok()) {
    return ReplyFor<UserReply>(entries.status(), "");
  }
  for (const AclEntry& entry : *entries) {
    proto::AclInfo shown;
    shown.set_identifier(entry.identifier);
    shown.set_rights(RightsText(entry.rights));
    if (!sink(shown)) {
      break;
    }
  }
  return ReplyFor<UserReply>(OkStatus(), "");
}

}  // namespace twinspool::node
