#include "server/store/users.h"

#include <array>
#include <utility>

#include "server/store/engine.h"
#include "server/store/mailbox_ops.h"
#include "server/store/reader.h"
#include "server/store/visibility.h"
#include "server/store/write_calls.h"

namespace twinspool::store {
namespace {

constexpr std::array<std::pair<const char*, SpecialUse>, 5> kUsualFolders = {{
    {"Drafts", kUseDrafts},
    {"Sent", kUseSent},
    {"Trash", kUseTrash},
    {"Junk", kUseJunk},
    {"Archive", kUseArchive},
}};

void AddUserItem(StoreTxn& txn, UserId user, Modseq modseq, const proto::UserHeader& header) {
  proto::UserItem* item = txn.Add(user)->mutable_user();
  item->set_modseq(modseq.value());
  item->set_header(header.SerializeAsString());
}

void SetLogin(const MadeCredentials& login, Modseq modseq, proto::UserHeader* header) {
  header->set_password_hash(login.password_hash);
  header->mutable_scram()->Assign(login.scram.begin(), login.scram.end());
  header->set_password_modseq(modseq.value());
}

}  // namespace

Result<UserRef> UserAdmin::MakeUser(StoreTxn& txn, const UserRef& user,
                                    const MadeCredentials& login) {
  MailboxWriter writer(txn, path_.random, user.id);
  // UIDVALIDITY starts at the present second, so that a name that is given out again does not
  // repeat values that clients remember; from there on it counts.
  const auto first = static_cast<std::uint32_t>(txn.now_s());
  ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user.id));
  proto::UserHeader header;
  header.set_name(user.name);
  header.set_created_modseq(modseq.value());
  header.set_created_ns(txn.now_ns());
  SetLogin(login, modseq, &header);
  proto::UserItem* item = txn.Add(user.id)->mutable_user();
  item->set_modseq(modseq.value());
  ASSIGN_OR_RETURN(const MailboxState inbox, writer.Make("INBOX", 0, first));
  header.set_inbox_id(std::string(inbox.ref.id.bytes()));
  item->set_header(header.SerializeAsString());
  for (const auto& [name, use] : kUsualFolders) {
    TRY(writer.Make(name, use, first).status());
    ASSIGN_OR_RETURN(const Modseq subscribed, txn.NextModseq(user.id));
    proto::MiscItem* subscription = txn.Add(user.id)->mutable_misc();
    subscription->set_kind(proto::MiscItem::SUBSCRIPTION);
    subscription->set_key(name);
    subscription->set_modseq(subscribed.value());
  }
  return user;
}

Result<MadeCredentials> UserAdmin::MakeLogin(const std::string& password) {
  if (password.empty()) {
    return MadeCredentials{};
  }
  return credentials_.Make(password);
}

Result<UserRef> UserAdmin::Find(const std::string& name) {
  ASSIGN_OR_RETURN(const std::string folded, credentials_.FoldName(name));
  ASSIGN_OR_RETURN(const auto row, path_.engine.Get(Family::kUsers, UserNameKey(folded)));
  if (!row) {
    return NotFound("there is no user named " + folded);
  }
  return UserRef{UserId::FromBytes(*row), folded};
}

std::string UserAdmin::NameOf(UserId user) {
  const auto header = ReadUserHeader(path_.engine, user, nullptr);
  return header.ok() && *header ? (*header)->name() : user.ToHex();
}

void UserAdmin::Add(const std::string& name, const std::string& password, Done<UserRef> done) {
  const Result<std::string> folded = credentials_.FoldName(name);
  if (!folded.ok()) {
    return done(folded.status());
  }
  const Result<MadeCredentials> login = MakeLogin(password);
  if (!login.ok()) {
    return done(login.status());
  }
  const UserRef user{path_.random.NewId<UserId>(), *folded};
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (being_made_.contains(user.name) || Find(user.name).ok()) {
      return done(AlreadyExists("there is a user named " + user.name + " already"));
    }
    being_made_.insert(user.name);
  }
  const Done<UserRef> made = [this, user, done = std::move(done)](Result<UserRef> result) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      being_made_.erase(user.name);
    }
    done(std::move(result));
  };
  RunTxn<UserRef>(path_, user.id, Admission::kSmall, made,
                  [&](StoreTxn& txn) { return MakeUser(txn, user, *login); });
}

void UserAdmin::SetPassword(const std::string& name, const std::string& password,
                            const Done<Unit>& done) {
  const Result<UserRef> user = Find(name);
  if (!user.ok()) {
    return done(user.status());
  }
  const Result<MadeCredentials> login = MakeLogin(password);
  if (!login.ok()) {
    return done(login.status());
  }
  RunTxn<Unit>(path_, user->id, Admission::kSmall, done, [&](StoreTxn& txn) -> Result<Unit> {
    ASSIGN_OR_RETURN(const HeadUser* head, LiveUser(txn, user->id));
    ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user->id));
    proto::UserHeader header = head->header->decoded;
    SetLogin(*login, modseq, &header);
    AddUserItem(txn, user->id, modseq, header);
    return Unit{};
  });
}

void UserAdmin::Delete(const std::string& name, const Done<Unit>& done) {
  const Result<UserRef> user = Find(name);
  if (!user.ok()) {
    return done(user.status());
  }
  // The first part makes the user go; what his mailboxes are too many for follows.
  PartedWrite<Unit> write{user->id, {}, Admission::kFree, {}};
  write.part = [this, id = user->id](StoreTxn& txn, Uid from, Unit*) -> Result<std::optional<Uid>> {
    if (from == Uid(1)) {
      ASSIGN_OR_RETURN(const HeadUser* head, LiveUser(txn, id));
      proto::UserHeader header = head->header->decoded;
      header.set_deleted_ns(txn.now_ns());
      header.clear_password_hash();
      header.clear_scram();
      header.clear_app_passwords();
      ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(id));
      AddUserItem(txn, id, modseq, header);
    }
    ASSIGN_OR_RETURN(const bool more, MailboxWriter(txn, path_.random, id).DeleteSome());
    return more ? std::optional(from.Next()) : std::nullopt;
  };
  write.Run(path_, Unit{}, done);
}

Result<std::vector<UserListing>> UserAdmin::List() {
  const auto view = path_.visibility.view();
  if (view == nullptr) {
    return Unavailable("this node has nothing to show yet: it waits for the other one");
  }
  const Snapshot* snapshot = view->snapshot.get();
  const std::string prefix = UserNameKey("");
  std::vector<UserListing> users;
  RowIterator it = path_.engine.Iterate(Family::kUsers, KeyRange::Prefix(prefix), snapshot);
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    UserListing line;
    line.user = {UserId::FromBytes(it.value()), std::string(it.key().substr(prefix.size()))};
    ASSIGN_OR_RETURN(const auto row,
                     path_.engine.Get(Family::kUsers, UserStateKey(line.user.id), snapshot));
    if (row) {
      ASSIGN_OR_RETURN(const UserState state, DecodeUserState(*row));
      line.mailboxes = state.mailboxes;
      line.messages = state.messages;
      line.bytes = state.bytes;
    }
    users.push_back(std::move(line));
  }
  TRY(it.status());
  return users;
}

}  // namespace twinspool::store
