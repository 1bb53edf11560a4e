// What operators ask about mail that users expunged or deleted.
#include <charconv>
#include <string_view>

#include "server/node/await.h"
#include "server/node/node.h"
#include "server/node/outcome.h"

namespace twinspool::node {

using proto::UserReply;

namespace {

Result<MailboxState> FindMailbox(store::Store& store, const std::string& user,
                                 const std::string& mailbox) {
  ASSIGN_OR_RETURN(const UserRef owner, store.users().Find(user));
  return Await<MailboxState>([&](Done<MailboxState> done) {
    store.mail_store().FindMailbox(owner.id, mailbox, std::move(done));
  });
}

/// "1:5,9"; nothing: all.
Result<std::optional<UidSet>> ParseUids(std::string_view text) {
  if (text.empty()) {
    return std::optional<UidSet>();
  }
  const auto wrong = [] { return InvalidArgument("UIDs are written as 1:5,9"); };
  UidSet uids;
  while (!text.empty()) {
    const std::string_view range = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), range.size() + 1));
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    const char* const end = range.data() + range.size();
    std::from_chars_result read = std::from_chars(range.data(), end, first);
    last = first;
    if (read.ec == std::errc() && read.ptr != end && *read.ptr == ':') {
      read = std::from_chars(read.ptr + 1, end, last);
    }
    if (read.ec != std::errc() || read.ptr != end || first == 0 || last < first) {
      return wrong();
    }
    uids.Add(first, last);
  }
  return std::optional(std::move(uids));
}

}  // namespace

UserReply Node::ExpungedList(const proto::ExpungedListRequest& request,
                             const std::function<bool(const proto::ExpungedInfo&)>& sink) {
  const auto mailbox = FindMailbox(*store_, request.user(), request.mailbox());
  if (!mailbox.ok()) {
    return ReplyFor<UserReply>(mailbox.status(), "");
  }
  for (Uid from(1);;) {
    const auto found = store_->recovery().ListExpunged(mailbox->ref, from);
    if (!found.ok() || found->empty()) {
      return ReplyFor<UserReply>(found.status(), "");
    }
    for (const store::ExpungedMessage& message : *found) {
      proto::ExpungedInfo shown;
      shown.set_uid(message.uid.value());
      shown.set_expunged_s(message.expunged_s);
      shown.set_internal_date(message.record.internal_date);
      shown.set_size(message.record.size);
      shown.set_guid(message.record.guid.ToHex());
      if (!sink(shown)) {
        return ReplyFor<UserReply>(OkStatus(), "");
      }
    }
    from = found->back().uid.Next();
  }
}

UserReply Node::ExpungedRestore(const proto::RestoreRequest& request) {
  const auto mailbox = FindMailbox(*store_, request.user(), request.mailbox());
  if (!mailbox.ok()) {
    return ReplyFor<UserReply>(mailbox.status(), "");
  }
  const auto uids = ParseUids(request.uids());
  if (!uids.ok()) {
    return ReplyFor<UserReply>(uids.status(), "");
  }
  const auto restored = Await<std::uint64_t>([&](const Done<std::uint64_t>& done) {
    store_->recovery().RestoreExpunged(mailbox->ref, *uids, done);
  });
  return ReplyFor<UserReply>(restored.status(), std::to_string(restored.ok() ? *restored : 0) +
                                                    " messages are back in " + request.mailbox() +
                                                    " of " + request.user());
}

UserReply Node::MailboxDeleted(const proto::MailboxListRequest& request,
                               const std::function<bool(const proto::DeletedInfo&)>& sink) {
  const auto user = store_->users().Find(request.user());
  if (!user.ok()) {
    return ReplyFor<UserReply>(user.status(), "");
  }
  const auto found = store_->recovery().ListDeleted(user->id);
  for (std::size_t i = 0; found.ok() && i < found->size(); ++i) {
    const store::DeletedMailbox& mailbox = (*found)[i];
    proto::DeletedInfo shown;
    shown.set_mailbox_id(mailbox.id.ToHex());
    shown.set_name(mailbox.name);
    shown.set_deleted_s(mailbox.deleted_s);
    shown.set_messages(mailbox.messages);
    if (!sink(shown)) {
      break;
    }
  }
  return ReplyFor<UserReply>(found.status(), "");
}

UserReply Node::MailboxRestore(const proto::RestoreRequest& request) {
  const auto user = store_->users().Find(request.user());
  if (!user.ok()) {
    return ReplyFor<UserReply>(user.status(), "");
  }
  std::string_view digits = request.mailbox();
  digits.remove_prefix(digits.starts_with('F') ? 1 : 0);
  const auto id = MailboxId::FromHex(digits);
  if (!id) {
    return ReplyFor<UserReply>(
        InvalidArgument("a deleted mailbox goes by its id; see: twinspoolctl mailbox deleted " +
                        request.user()),
        "");
  }
  const auto restored = Await<Unit>([&](const Done<Unit>& done) {
    store_->recovery().RestoreMailbox(user->id, *id, request.as_name(), done);
  });
  return ReplyFor<UserReply>(restored.status(), "the mailbox is back");
}

}  // namespace twinspool::node
