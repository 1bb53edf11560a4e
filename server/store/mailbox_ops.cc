#include "server/store/mailbox_ops.h"

#include <algorithm>

#include "common/limits.h"
#include "server/store/access.h"
#include "server/store/names.h"

namespace twinspool::store {
namespace {

void AddMailboxItem(StoreTxn& txn, UserId user, MailboxId id, Modseq modseq,
                    const proto::MailboxHeader& header) {
  proto::MailboxItem* item = txn.Add(user)->mutable_mailbox();
  item->set_mailbox_id(std::string(id.bytes()));
  item->set_modseq(modseq.value());
  item->set_header(header.SerializeAsString());
}

}  // namespace

Result<const HeadUser*> LiveUser(StoreTxn& txn, UserId user) {
  ASSIGN_OR_RETURN(const HeadUser* head, txn.edit().User(user));
  if (!head->exists()) {
    return NotFound("no such user");
  }
  return head;
}

Result<const HeadMailbox*> LiveMailbox(StoreTxn& txn, MailboxRef ref) {
  TRY(LiveUser(txn, ref.owner).status());
  ASSIGN_OR_RETURN(const HeadMailbox* mailbox, txn.edit().Mailbox(ref.owner, ref.id));
  if (!mailbox->exists()) {
    return NotFound("the mailbox does not exist (any more)");
  }
  return mailbox;
}

Result<std::optional<MailboxId>> FindByName(StoreTxn& txn, UserId user, const std::string& name) {
  ASSIGN_OR_RETURN(const auto row,
                   txn.edit().Row(user, Family::kMailboxes, MailboxNameKey(user, name)));
  return row ? std::optional(MailboxId::FromBytes(*row)) : std::nullopt;
}

Result<std::uint32_t> MailboxWriter::NextValidity() {
  ASSIGN_OR_RETURN(const HeadUser* user, txn_.edit().User(user_));
  last_validity_ = std::max(last_validity_, user->state.uid_validity) + 1;
  return last_validity_;
}

Result<MailboxState> MailboxWriter::Make(const std::string& name, SpecialUse use,
                                         std::uint32_t first_validity) {
  ASSIGN_OR_RETURN(const std::uint32_t next, NextValidity());
  last_validity_ = std::max(next, first_validity);
  ASSIGN_OR_RETURN(const Modseq modseq, txn_.NextModseq(user_));
  const auto id = random_.NewId<MailboxId>();
  proto::MailboxHeader header;
  header.set_name(name);
  header.set_uid_validity(last_validity_);
  header.set_special_use(use);
  header.set_created_modseq(modseq.value());
  AddMailboxItem(txn_, user_, id, modseq, header);
  MailboxState state;
  state.ref = {user_, id};
  state.name = name;
  state.uid_validity = UidValidity(last_validity_);
  state.uid_next = Uid(1);
  state.highest_modseq = modseq;
  state.use = use;
  state.keywords = std::make_shared<const std::vector<std::string>>();
  return state;
}

Result<std::vector<std::string>> MailboxWriter::MissingParents(const std::string& name) {
  std::vector<std::string> missing;
  for (const std::string& parent : ParentNames(name)) {
    ASSIGN_OR_RETURN(const auto existing, FindByName(txn_, user_, parent));
    if (!existing) {
      missing.push_back(parent);
    }
  }
  return missing;
}

Status MailboxWriter::MakeAll(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const auto above, Above(names.front()));
    TRY(MakeBelow(above, name, 0).status());
  }
  return OkStatus();
}

// --- what others may do

Result<std::optional<MailboxId>> MailboxWriter::Above(const std::string& name) {
  std::vector<std::string> parents = ParentNames(name);
  if (!viewer_.nil()) {
    parents.insert(parents.begin(), "INBOX");
  }
  for (auto parent = parents.rbegin(); parent != parents.rend(); ++parent) {
    ASSIGN_OR_RETURN(const auto id, FindByName(txn_, user_, *parent));
    if (id) {
      return id;
    }
  }
  return std::optional<MailboxId>();
}

Status MailboxWriter::MayCreate(const std::string& name) {
  if (viewer_.nil()) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(const auto above, Above(name));
  if (!above) {
    return NotFound("there is nothing to make a mailbox below");
  }
  return OpenMailbox(txn_, {user_, *above, viewer_}, kRightCreate).status();
}

Status MailboxWriter::MayDelete(MailboxId id) {
  return OpenMailbox(txn_, {user_, id, viewer_}, kRightDeleteMailbox).status();
}

Result<MailboxState> MailboxWriter::MakeBelow(const std::optional<MailboxId>& above,
                                              const std::string& name, SpecialUse use) {
  ASSIGN_OR_RETURN(MailboxState made, Make(name, use, 0));
  if (above) {
    TRY(InheritAcl(txn_, user_, *above, made.ref.id));
  }
  return made;
}

Status MailboxWriter::CheckRoom(std::size_t more) {
  ASSIGN_OR_RETURN(const HeadUser* user, txn_.edit().User(user_));
  if (user->state.mailboxes + more > limits::kMailboxesPerUserMax) {
    return LimitExceeded("the user has too many mailboxes");
  }
  return OkStatus();
}

Result<MailboxState> MailboxWriter::Create(const std::string& name, SpecialUse use) {
  TRY(LiveUser(txn_, user_).status());
  ASSIGN_OR_RETURN(const auto existing, FindByName(txn_, user_, name));
  TRY(MayCreate(name));
  if (existing) {
    return AlreadyExists("a mailbox of this name exists");
  }
  ASSIGN_OR_RETURN(const auto above, Above(name));
  ASSIGN_OR_RETURN(const std::vector<std::string> parents, MissingParents(name));
  TRY(CheckRoom(parents.size() + 1));
  TRY(MakeAll(parents));
  return MakeBelow(above, name, use);
}

Status MailboxWriter::MakeTombstone(const HeadMailbox& mailbox) {
  ASSIGN_OR_RETURN(const Modseq modseq, txn_.NextModseq(user_));
  proto::MailboxHeader header = mailbox.header->decoded;
  header.set_deleted_modseq(modseq.value());
  header.set_deleted_ns(txn_.now_ns());
  AddMailboxItem(txn_, user_, mailbox.id, modseq, header);
  return OkStatus();
}

Status MailboxWriter::Undelete(MailboxId id, const std::string& name) {
  TRY(LiveUser(txn_, user_).status());
  ASSIGN_OR_RETURN(const HeadMailbox* mailbox, txn_.edit().Mailbox(user_, id));
  if (mailbox->header == nullptr || mailbox->exists()) {
    return NotFound("there is no deleted mailbox of this id");
  }
  proto::MailboxHeader header = mailbox->header->decoded;
  ASSIGN_OR_RETURN(const std::string target,
                   CanonicalMailboxName(name.empty() ? header.name() : name));
  ASSIGN_OR_RETURN(const auto taken, FindByName(txn_, user_, target));
  if (taken) {
    return AlreadyExists("a mailbox named " + target + " exists; say another name");
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> parents, MissingParents(target));
  TRY(CheckRoom(parents.size() + 1));
  TRY(MakeAll(parents));
  ASSIGN_OR_RETURN(const Modseq modseq, txn_.NextModseq(user_));
  header.set_name(target);
  header.clear_deleted_modseq();
  header.clear_deleted_ns();
  AddMailboxItem(txn_, user_, id, modseq, header);
  return OkStatus();
}

Status MailboxWriter::CheckNoChildren(const std::string& name) {
  bool found = false;
  TRY(txn_.edit().ScanRows(user_, Family::kMailboxes, MailboxNameKey(user_, name + "/"),
                           [&](std::string_view, std::string_view) {
                             found = true;
                             return false;
                           }));
  return found ? Conflict("there are mailboxes below it; delete them first") : OkStatus();
}

Status MailboxWriter::Delete(const std::string& name, bool with_children) {
  TRY(LiveUser(txn_, user_).status());
  ASSIGN_OR_RETURN(const auto id, FindByName(txn_, user_, name));
  if (!id) {
    return NotFound("no mailbox of this name");
  }
  TRY(MayDelete(*id));
  if (name == "INBOX") {
    return PermissionDenied("INBOX cannot be deleted");
  }
  if (!with_children) {
    TRY(CheckNoChildren(name));
  }
  ASSIGN_OR_RETURN(const HeadMailbox* mailbox, txn_.edit().Mailbox(user_, *id));
  return MakeTombstone(*mailbox);
}

Result<bool> MailboxWriter::DeleteSome() {
  std::vector<MailboxId> mailboxes;
  bool more = false;
  TRY(txn_.edit().ScanRows(user_, Family::kMailboxes, MailboxNamePrefix(user_),
                           [&](std::string_view, std::string_view id) {
                             more = mailboxes.size() == limits::kMailboxesPerDelete;
                             if (!more) {
                               mailboxes.push_back(MailboxId::FromBytes(id));
                             }
                             return !more;
                           }));
  for (const MailboxId id : mailboxes) {
    ASSIGN_OR_RETURN(const HeadMailbox* mailbox, txn_.edit().Mailbox(user_, id));
    TRY(MakeTombstone(*mailbox));
  }
  return more;
}

Result<std::vector<MailboxWriter::Moving>> MailboxWriter::Subtree(const std::string& from,
                                                                  const std::string& to) {
  ASSIGN_OR_RETURN(const auto top, FindByName(txn_, user_, from));
  if (!top) {
    return NotFound("no mailbox of this name");
  }
  std::vector<Moving> moving = {{*top, to}};
  if (from == "INBOX") {
    return moving;
  }
  const std::size_t cut = MailboxNamePrefix(user_).size() + from.size();
  TRY(txn_.edit().ScanRows(
      user_, Family::kMailboxes, MailboxNameKey(user_, from + "/"),
      [&](std::string_view key, std::string_view value) {
        moving.push_back({MailboxId::FromBytes(value), to + std::string(key.substr(cut))});
        return true;
      }));
  return moving;
}

Status MailboxWriter::MoveOne(MailboxId id, const std::string& target,
                              std::optional<SpecialUse> use) {
  ASSIGN_OR_RETURN(const HeadMailbox* mailbox, txn_.edit().Mailbox(user_, id));
  ASSIGN_OR_RETURN(const Modseq modseq, txn_.NextModseq(user_));
  proto::MailboxHeader header = mailbox->header->decoded;
  proto::NamePeriod* period = header.add_name_history();
  period->set_name(header.name());
  period->set_from_modseq(mailbox->modseq.value());
  if (header.name_history_size() > static_cast<int>(limits::kNameHistoryMax)) {
    header.mutable_name_history()->erase(header.name_history().begin());
  }
  header.set_name(target);
  header.set_special_use(use.value_or(static_cast<SpecialUse>(header.special_use())));
  AddMailboxItem(txn_, user_, id, modseq, header);
  return OkStatus();
}

Status MailboxWriter::Rename(const std::string& from, const std::string& to) {
  TRY(LiveUser(txn_, user_).status());
  if (from != "INBOX" && to.starts_with(from + "/")) {
    return InvalidArgument("a mailbox cannot move below itself");
  }
  ASSIGN_OR_RETURN(const std::vector<Moving> moving, Subtree(from, to));
  TRY(MayDelete(moving.front().id));
  if (from == "INBOX" && !viewer_.nil()) {
    return PermissionDenied("only its owner can rename an INBOX");
  }
  TRY(MayCreate(to));
  for (const Moving& one : moving) {
    TRY(CanonicalMailboxName(one.target).status());
    ASSIGN_OR_RETURN(const auto taken, FindByName(txn_, user_, one.target));
    if (taken) {
      return AlreadyExists("a mailbox named " + one.target + " exists");
    }
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> parents, MissingParents(to));
  TRY(CheckRoom(parents.size() + (from == "INBOX" ? 1 : 0)));
  for (const Moving& one : moving) {
    TRY(MoveOne(one.id, one.target));
  }
  TRY(MakeAll(parents));
  return from == "INBOX" ? RenewInbox().status() : OkStatus();
}

Result<MailboxId> MailboxWriter::RenewInbox() {
  ASSIGN_OR_RETURN(const MailboxState inbox, Make("INBOX", 0, 0));
  ASSIGN_OR_RETURN(const HeadUser* user, txn_.edit().User(user_));
  proto::UserHeader header = user->header->decoded;
  header.set_inbox_id(std::string(inbox.ref.id.bytes()));
  ASSIGN_OR_RETURN(const Modseq modseq, txn_.NextModseq(user_));
  proto::UserItem* item = txn_.Add(user_)->mutable_user();
  item->set_modseq(modseq.value());
  item->set_header(header.SerializeAsString());
  return inbox.ref.id;
}

Status MailboxWriter::SetUse(MailboxId id, SpecialUse use) {
  ASSIGN_OR_RETURN(const HeadMailbox* mailbox, LiveMailbox(txn_, {user_, id}));
  if (mailbox->header->decoded.special_use() == use) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(const Modseq modseq, txn_.NextModseq(user_));
  proto::MailboxHeader header = mailbox->header->decoded;
  header.set_special_use(use);
  AddMailboxItem(txn_, user_, id, modseq, header);
  return OkStatus();
}

Status MailboxWriter::Subscribe(const std::string& name, bool subscribed) {
  ASSIGN_OR_RETURN(const HeadUser* user, LiveUser(txn_, user_));
  const std::string key = MiscKey(user_, proto::MiscItem::SUBSCRIPTION, name);
  ASSIGN_OR_RETURN(const auto row, txn_.edit().Row(user_, Family::kMisc, key));
  bool now = false;
  if (row) {
    ASSIGN_OR_RETURN(const MiscRow misc, DecodeMiscRow(*row));
    now = !misc.deleted;
  }
  if (now == subscribed) {
    return OkStatus();
  }
  if (subscribed && user->state.subscriptions >= limits::kSubscriptionsPerUserMax) {
    return LimitExceeded("the user has too many subscriptions");
  }
  ASSIGN_OR_RETURN(const Modseq modseq, txn_.NextModseq(user_));
  proto::MiscItem* item = txn_.Add(user_)->mutable_misc();
  item->set_kind(proto::MiscItem::SUBSCRIPTION);
  item->set_key(name);
  item->set_modseq(modseq.value());
  item->set_deleted(!subscribed);
  if (!subscribed) {
    item->set_value(EncodeDeletedAt(txn_.now_s()));
  }
  return OkStatus();
}

}  // namespace twinspool::store
