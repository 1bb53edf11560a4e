// UserAdmin: making, changing and deleting users. Ordinary transactions of the user concerned; the
// results reach `done` once acked, like any write's.
//
// A user's name is free again once his deletion is acked. His mailboxes are deleted with him in one
// commit; the purge and collection jobs then take messages and octets (jobs.h).
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "server/mail_store.h"
#include "server/store/credentials.h"
#include "server/store/txn.h"

namespace twinspool::store {

class Snapshot;

struct UserListing {
  UserRef user;
  bool has_password = false;
  std::uint32_t app_passwords = 0;
  std::int64_t last_imap_login_s = 0;  // seconds since 1970, to some minutes; 0: none is known
  std::int64_t last_pop3_login_s = 0;
  std::uint32_t mailboxes = 0;
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  bool shared = false;  // a namespace of nobody's
  QuotaLimits quota;    // his own or the configuration's
};

/// Thread-safe. Calls hash passwords and lock stripes: not for threads that move bytes.
class UserAdmin {
 public:
  UserAdmin(const WritePath& path, Credentials& credentials)
      : path_(path), credentials_(credentials) {}

  /// With INBOX and the usual folders (Drafts, Sent, Trash, Junk, Archive), subscribed. An empty
  /// password allows no login. kAlreadyExists; kInvalidArgument for what cannot be a name or a
  /// password.
  void Add(const std::string& name, const std::string& password, Done<UserRef> done);
  /// A namespace that belongs to nobody: no login, INBOX alone, no quota but its own. Users see it
  /// below "Shared/" as far as they are given rights.
  void AddShared(const std::string& name, Done<UserRef> done);
  /// Changes the user's own quota; `use_default`: he has none from now on, the configuration's
  /// holds. What is not given stays; 0: no limit. kNotFound, kInvalidArgument.
  void SetQuota(const std::string& name, bool use_default, std::optional<std::uint64_t> bytes,
                std::optional<std::uint64_t> messages, const Done<Unit>& done);
  /// An empty password allows no login from now on. kNotFound, kInvalidArgument.
  void SetPassword(const std::string& name, const std::string& password, const Done<Unit>& done);
  void Delete(const std::string& name, const Done<Unit>& done);

  /// Makes a password for one device or program; `done` gets it, and nobody can read it again.
  /// kNotFound; kAlreadyExists: the user has one of this label; kInvalidArgument; kLimit.
  void AddAppPassword(const std::string& name, const std::string& label, Done<std::string> done);
  /// From the moment that `done` is told it lets nobody in. kNotFound.
  void RemoveAppPassword(const std::string& name, const std::string& label, const Done<Unit>& done);
  /// In the order in which they were made, acked or not. kNotFound.
  Result<std::vector<proto::AppPassword>> AppPasswords(const std::string& name);

  // What a former primary had done and gives back (take_back.h). `done` gets the outcome once
  // acked.
  /// Under his id, with the usual mailboxes and this header's login. OK when he is there already;
  /// kAlreadyExists when another one has the name.
  void MakeAgain(UserId user, const proto::UserHeader& header, std::function<void(Status)> done);
  /// kConflict when anything of him is newer than `until`, or that is not known (0). kNotFound.
  void DeleteUntouched(UserId user, Modseq until, std::function<void(Status)> done);
  /// kConflict when the password was set since the one of `password_modseq`. kNotFound.
  void SetLoginUntouched(UserId user, Modseq password_modseq, const proto::UserHeader& header,
                         std::function<void(Status)> done);

  /// In the order of names, as visible now; kUnavailable while nothing is.
  Result<std::vector<UserListing>> List();

  /// The newest user under this name in any spelling, acked or not. kNotFound, kInvalidArgument.
  Result<UserRef> Find(const std::string& name);
  /// Also of a user just deleted; the id in hex digits when nothing is known of it.
  std::string NameOf(UserId user);

 private:
  /// `allowed` is asked in the first transaction.
  void DeleteInParts(UserId user, std::function<Status(StoreTxn&, const HeadUser&)> allowed,
                     const Done<Unit>& done);
  /// UIDVALIDITY of his mailboxes begins `lead` above the present second.
  void Register(const UserRef& user, const MadeCredentials& login, std::uint32_t lead,
                Done<UserRef> done, proto::UserHeader::Kind kind = proto::UserHeader::PERSON);
  Result<UserRef> MakeUser(StoreTxn& txn, const UserRef& user, const MadeCredentials& login,
                           std::uint32_t lead, proto::UserHeader::Kind kind);
  Status AddQuota(const Snapshot* snapshot, UserListing* line);
  /// Changes the header of a user, as a change of what one logs in by.
  template <typename T>
  void ChangeLogin(const std::string& name, const Done<T>& done,
                   const std::function<Result<T>(proto::UserHeader*, std::int64_t now_ns)>& change);
  /// Nothing is made of an empty password.
  Result<MadeCredentials> MakeLogin(const std::string& password);

  const WritePath& path_;
  Credentials& credentials_;
  std::mutex mutex_;
  std::set<std::string> being_made_;  // names whose first transaction is under way
};

}  // namespace twinspool::store
