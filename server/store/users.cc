#include "server/store/users.h"

#include <algorithm>
#include <array>
#include <utility>

#include "common/limits.h"
#include "common/utf8.h"
#include "server/store/engine.h"
#include "server/store/last_login.h"
#include "server/store/mailbox_ops.h"
#include "server/store/quota.h"
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

MadeCredentials LoginOf(const proto::UserHeader& header) {
  return {header.password_hash(),
          {header.scram().begin(), header.scram().end()},
          {header.app_passwords().begin(), header.app_passwords().end()}};
}

bool SameLogin(const proto::UserHeader& one, const proto::UserHeader& other) {
  return one.password_hash() == other.password_hash() &&
         std::equal(one.app_passwords().begin(), one.app_passwords().end(),
                    other.app_passwords().begin(), other.app_passwords().end(),
                    [](const auto& a, const auto& b) { return a.hash() == b.hash(); });
}

Status CheckLabel(const std::string& label) {
  const bool printable = std::none_of(label.begin(), label.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (label.empty() || label.size() > limits::kAppPasswordLabelBytesMax || !printable ||
      !IsUtf8(label)) {
    return InvalidArgument("a label has 1 to " + std::to_string(limits::kAppPasswordLabelBytesMax) +
                           " bytes of printable UTF-8");
  }
  return OkStatus();
}

Result<std::int64_t> LastLogin(Engine& engine, UserId user, LoginService service,
                               const Snapshot* snapshot) {
  const std::string key = MiscKey(user, proto::MiscItem::LAST_LOGIN, LastLoginKey(service));
  ASSIGN_OR_RETURN(const auto row, engine.Get(Family::kMisc, key, snapshot));
  return row ? LastLoginOf(*row) : 0;
}

auto FindLabel(proto::UserHeader* header, const std::string& label) {
  auto* all = header->mutable_app_passwords();
  return std::find_if(all->begin(), all->end(),
                      [&](const proto::AppPassword& one) { return one.label() == label; });
}

}  // namespace

Result<UserRef> UserAdmin::MakeUser(StoreTxn& txn, const UserRef& user,
                                    const MadeCredentials& login, std::uint32_t lead,
                                    proto::UserHeader::Kind kind) {
  MailboxWriter writer(txn, path_.random, user.id);
  // UIDVALIDITY starts at the present second, so that a name that is given out again does not
  // repeat values that clients remember; from there on it counts.
  const auto first = static_cast<std::uint32_t>(txn.now_s()) + lead;
  ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user.id));
  proto::UserHeader header;
  header.set_name(user.name);
  header.set_kind(kind);
  header.set_created_modseq(modseq.value());
  header.set_created_ns(txn.now_ns());
  SetLogin(login, modseq, &header);
  header.mutable_app_passwords()->Assign(login.app_passwords.begin(), login.app_passwords.end());
  proto::UserItem* item = txn.Add(user.id)->mutable_user();
  item->set_modseq(modseq.value());
  ASSIGN_OR_RETURN(const MailboxState inbox, writer.Make("INBOX", 0, first));
  header.set_inbox_id(std::string(inbox.ref.id.bytes()));
  item->set_header(header.SerializeAsString());
  for (const auto& [name, use] : kUsualFolders) {
    if (kind != proto::UserHeader::PERSON) {
      break;
    }
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
  Register({path_.random.NewId<UserId>(), *folded}, *login, 0, std::move(done));
}

void UserAdmin::Register(const UserRef& user, const MadeCredentials& login, std::uint32_t lead,
                         Done<UserRef> done, proto::UserHeader::Kind kind) {
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
                  [&](StoreTxn& txn) { return MakeUser(txn, user, login, lead, kind); });
}

void UserAdmin::AddShared(const std::string& name, Done<UserRef> done) {
  const Result<std::string> folded = credentials_.FoldName(name);
  if (!folded.ok()) {
    return done(folded.status());
  }
  Register({path_.random.NewId<UserId>(), *folded}, MadeCredentials{}, 0, std::move(done),
           proto::UserHeader::SHARED);
}

void UserAdmin::SetQuota(const std::string& name, bool use_default,
                         std::optional<std::uint64_t> bytes, std::optional<std::uint64_t> messages,
                         const Done<Unit>& done) {
  const Result<UserRef> user = Find(name);
  if (!user.ok()) {
    return done(user.status());
  }
  RunTxn<Unit>(path_, user->id, Admission::kSmall, done, [&](StoreTxn& txn) -> Result<Unit> {
    TRY(LiveUser(txn, user->id).status());
    ASSIGN_OR_RETURN(QuotaLimits limits, QuotaIn(txn, user->id));
    const auto change = [](std::optional<std::uint64_t> given, std::optional<std::uint64_t>* now) {
      if (given) {
        *now = *given > 0 ? given : std::nullopt;
      }
    };
    change(bytes, &limits.bytes);
    change(messages, &limits.messages);
    TRY(store::SetQuota(txn, user->id, use_default ? std::nullopt : std::optional(limits)));
    return Unit{};
  });
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

template <typename T>
void UserAdmin::ChangeLogin(
    const std::string& name, const Done<T>& done,
    const std::function<Result<T>(proto::UserHeader*, std::int64_t)>& change) {
  const Result<UserRef> user = Find(name);
  if (!user.ok()) {
    return done(user.status());
  }
  RunTxn<T>(path_, user->id, Admission::kSmall, done, [&](StoreTxn& txn) -> Result<T> {
    ASSIGN_OR_RETURN(const HeadUser* head, LiveUser(txn, user->id));
    proto::UserHeader header = head->header->decoded;
    if (header.kind() == proto::UserHeader::SHARED) {
      return InvalidArgument(header.name() + " is a shared namespace: nobody logs in to it");
    }
    ASSIGN_OR_RETURN(T result, change(&header, txn.now_ns()));
    ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user->id));
    header.set_password_modseq(modseq.value());
    AddUserItem(txn, user->id, modseq, header);
    return result;
  });
}

void UserAdmin::AddAppPassword(const std::string& name, const std::string& label,
                               Done<std::string> done) {
  if (const Status bad = CheckLabel(label); !bad.ok()) {
    return done(bad);
  }
  ChangeLogin<std::string>(
      name, done, [&](proto::UserHeader* header, std::int64_t now_ns) -> Result<std::string> {
        if (FindLabel(header, label) != header->mutable_app_passwords()->end()) {
          return AlreadyExists("there is an app password " + label + " already");
        }
        if (static_cast<std::size_t>(header->app_passwords_size()) >= limits::kAppPasswordsMax) {
          return LimitExceeded("the user has too many app passwords: remove one first");
        }
        MadeAppPassword made = credentials_.MakeAppPassword();
        proto::AppPassword* added = header->add_app_passwords();
        added->set_label(label);
        added->set_hash(made.hash);
        added->set_created_ns(now_ns);
        return std::move(made.text);
      });
}

void UserAdmin::RemoveAppPassword(const std::string& name, const std::string& label,
                                  const Done<Unit>& done) {
  ChangeLogin<Unit>(name, done, [&](proto::UserHeader* header, std::int64_t) -> Result<Unit> {
    const auto found = FindLabel(header, label);
    if (found == header->mutable_app_passwords()->end()) {
      return NotFound("there is no app password " + label);
    }
    header->mutable_app_passwords()->erase(found);
    return Unit{};
  });
}

Result<std::vector<proto::AppPassword>> UserAdmin::AppPasswords(const std::string& name) {
  ASSIGN_OR_RETURN(const UserRef user, Find(name));
  ASSIGN_OR_RETURN(const auto header, ReadUserHeader(path_.engine, user.id, nullptr));
  if (!header) {
    return NotFound("there is no user named " + user.name);
  }
  return std::vector<proto::AppPassword>(header->app_passwords().begin(),
                                         header->app_passwords().end());
}

void UserAdmin::Delete(const std::string& name, const Done<Unit>& done) {
  const Result<UserRef> user = Find(name);
  if (!user.ok()) {
    return done(user.status());
  }
  DeleteInParts(
      user->id, [](StoreTxn&, const HeadUser&) { return OkStatus(); }, done);
}

// The first part makes the user go; what his mailboxes are too many for follows.
void UserAdmin::DeleteInParts(UserId user,
                              std::function<Status(StoreTxn&, const HeadUser&)> allowed,
                              const Done<Unit>& done) {
  PartedWrite<Unit> write{user, {}, Admission::kFree, {}};
  write.part = [this, user, allowed = std::move(allowed)](StoreTxn& txn, Uid from,
                                                          Unit*) -> Result<std::optional<Uid>> {
    if (from == Uid(1)) {
      ASSIGN_OR_RETURN(const HeadUser* head, LiveUser(txn, user));
      TRY(allowed(txn, *head));
      proto::UserHeader header = head->header->decoded;
      header.set_deleted_ns(txn.now_ns());
      header.clear_password_hash();
      header.clear_scram();
      header.clear_app_passwords();
      ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user));
      AddUserItem(txn, user, modseq, header);
    }
    ASSIGN_OR_RETURN(const bool more, MailboxWriter(txn, path_.random, user).DeleteSome());
    return more ? std::optional(from.Next()) : std::nullopt;
  };
  write.Run(path_, Unit{}, done);
}

// --- given back by a former primary

void UserAdmin::MakeAgain(UserId user, const proto::UserHeader& header,
                          std::function<void(Status)> done) {
  if (const Result<UserRef> there = Find(header.name()); there.ok() && there->id == user) {
    return done(OkStatus());
  }
  const MadeCredentials login = LoginOf(header);
  // The lead passes over what the other node may have given out for him.
  Register(
      {user, header.name()}, login, limits::kUidValidityJump,
      [done = std::move(done)](const Result<UserRef>& made) { done(made.status()); },
      header.kind());
}

void UserAdmin::DeleteUntouched(UserId user, Modseq until, std::function<void(Status)> done) {
  DeleteInParts(
      user,
      [until](StoreTxn&, const HeadUser& head) {
        return until.value() == 0 || head.state.last_modseq > until
                   ? Conflict("not deleted: something has happened to the user meanwhile")
                   : OkStatus();
      },
      [done = std::move(done)](const Result<Unit>& gone) { done(gone.status()); });
}

void UserAdmin::SetLoginUntouched(UserId user, Modseq password_modseq,
                                  const proto::UserHeader& header,
                                  std::function<void(Status)> done) {
  RunTxn<Unit>(
      path_, user, Admission::kSmall,
      Done<Unit>([done = std::move(done)](const Result<Unit>& set) { done(set.status()); }),
      [&](StoreTxn& txn) -> Result<Unit> {
        ASSIGN_OR_RETURN(const HeadUser* head, LiveUser(txn, user));
        proto::UserHeader next = head->header->decoded;
        if (SameLogin(next, header)) {
          return Unit{};
        }
        if (Modseq(next.password_modseq()) != password_modseq) {
          return Conflict("the password was set anew meanwhile");
        }
        ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user));
        SetLogin(LoginOf(header), modseq, &next);
        *next.mutable_app_passwords() = header.app_passwords();
        AddUserItem(txn, user, modseq, next);
        return Unit{};
      });
}

Status UserAdmin::AddQuota(const Snapshot* snapshot, UserListing* line) {
  ASSIGN_OR_RETURN(const auto header, ReadUserHeader(path_.engine, line->user.id, snapshot));
  line->shared = header && header->kind() == proto::UserHeader::SHARED;
  line->quota = line->shared ? QuotaLimits{} : path_.default_quota;
  ASSIGN_OR_RETURN(
      const auto row,
      path_.engine.Get(Family::kMisc, MiscKey(line->user.id, proto::MiscItem::QUOTA_ROOT, ""),
                       snapshot));
  if (row) {
    ASSIGN_OR_RETURN(const auto own, DecodeQuotaRow(*row));
    line->quota = own.value_or(line->quota);
  }
  return OkStatus();
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
    ASSIGN_OR_RETURN(const auto header, ReadUserHeader(path_.engine, line.user.id, snapshot));
    if (header) {
      line.has_password = !header->password_hash().empty();
      line.app_passwords = static_cast<std::uint32_t>(header->app_passwords_size());
    }
    if (row) {
      ASSIGN_OR_RETURN(const UserState state, DecodeUserState(*row));
      line.mailboxes = state.mailboxes;
      line.messages = state.messages;
      line.bytes = state.bytes;
    }
    TRY(AddQuota(snapshot, &line));
    ASSIGN_OR_RETURN(line.last_imap_login_s,
                     LastLogin(path_.engine, line.user.id, LoginService::kImap, snapshot));
    ASSIGN_OR_RETURN(line.last_pop3_login_s,
                     LastLogin(path_.engine, line.user.id, LoginService::kPop3, snapshot));
    users.push_back(std::move(line));
  }
  TRY(it.status());
  return users;
}

}  // namespace twinspool::store
