// MemoryMailStore: the whole of MailStore in maps, simple enough to be read as its definition.
//
// It is the model: protocol tests run on it, and the real store is compared with it. It keeps
// everything in memory, does nothing in the background, knows no replication, and sees every change
// at once. Not thread-safe: one thread calls it and runs its completions.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "common/env.h"
#include "common/sasl.h"
#include "server/mail_store.h"

namespace twinspool::testing {

class MemoryMailStore : public MailStore {
 public:
  /// Neither is owned; both must outlive the store.
  MemoryMailStore(Clock& clock, Random& random) : clock_(clock), random_(random) {}

  // --- setting the scene

  /// Makes a user with an empty INBOX. With `folders` also Drafts, Sent, Junk, Trash and Archive.
  UserRef AddUser(std::string name, std::string password, bool folders = false);
  /// A namespace that belongs to nobody.
  UserRef AddShared(std::string name);
  /// As an administrator does it; `rights` replaces what the identifier had.
  void Grant(UserId owner, const std::string& mailbox, const std::string& identifier,
             Rights rights);
  void SetQuota(UserId owner, std::optional<std::uint64_t> bytes,
                std::optional<std::uint64_t> messages);
  /// Forgets expunged messages and raises the purge floor to HIGHESTMODSEQ.
  void Purge(MailboxRef mailbox);
  void AddDomain(std::string domain) { domains_.insert(std::move(domain)); }
  void set_message_bytes_max(std::uint64_t bytes) { message_bytes_max_ = bytes; }
  /// Builds FetchedMessage::summary from a message's octets; without it summaries are empty.
  void set_summarise(std::function<std::string(std::string_view)> fn) {
    summarise_ = std::move(fn);
  }

  /// Texts of longer messages are never at hand (TextBatch::open).
  void set_text_bytes_max(std::size_t bytes) { text_bytes_max_ = bytes; }

  // --- misbehaving

  /// From now on completions wait in a queue for RunCompletions (false: they run inside the call).
  void set_complete_later(bool later) { complete_later_ = later; }
  /// Runs what waits, and what that adds. Answers how many ran.
  std::size_t RunCompletions();
  std::size_t completions_waiting() const { return waiting_.size(); }
  /// The next call of this name ("StoreFlags", "Append", …) does nothing and answers `status`.
  void FailNext(std::string call, Status status) {
    failures_.emplace(std::move(call), std::move(status));
  }
  /// The octets of this message cannot be read any more.
  void DamageBody(MailboxRef mailbox, Uid uid);
  /// Every write answers this until it is set to OK again.
  void set_writes_blocked(Status status) { writes_blocked_ = std::move(status); }
  void set_serving(Status status) { serving_ = std::move(status); }

  /// Calls made so far, by name.
  int calls(const std::string& call) const;

  // --- MailStore
  void Authenticate(LoginRequest login, Done<UserRef> done) override;
  std::vector<std::string> LoginMechanisms(const LoginClient& client) override;
  Result<std::unique_ptr<LoginExchange>> StartLogin(LoginStart start) override;
  void FindRecipient(std::string address, Done<UserRef> done) override;
  void ListMailboxes(UserId user, Done<std::vector<MailboxListing>> done) override;
  void FindMailbox(UserId user, std::string name, Done<MailboxState> done) override;
  void GetState(MailboxRef mailbox, Done<MailboxState> done) override;
  void CreateMailbox(UserId user, std::string name, SpecialUse use,
                     Done<MailboxState> done) override;
  void DeleteMailbox(UserId user, std::string name, Done<Unit> done) override;
  void RenameMailbox(UserId user, std::string from, std::string to, Done<Unit> done) override;
  void Subscribe(UserId user, std::string name, bool subscribed, Done<Unit> done) override;
  void GetAnnotations(MailboxRef mailbox, Done<std::vector<Annotation>> done) override;
  void SetAnnotations(MailboxRef mailbox, std::vector<Annotation> changes,
                      Done<Unit> done) override;
  void GetAcl(MailboxRef mailbox, Done<std::vector<AclEntry>> done) override;
  void SetAcl(MailboxRef mailbox, std::string identifier, RightsChange change, Rights rights,
              Done<Unit> done) override;
  void GetQuota(UserId owner, Done<QuotaState> done) override;
  void SetSpecialUse(UserId user, MailboxId mailbox, SpecialUse use,
                     std::vector<Annotation> changes, Done<Unit> done) override;
  void ReadIndex(MailboxRef mailbox, IndexQuery query, Done<IndexBatch> done) override;
  void ReadUids(MailboxRef mailbox, Uid from, Done<UidBatch> done) override;
  void Fetch(MailboxRef mailbox, FetchRequest request, Done<FetchBatch> done) override;
  void SearchText(MailboxRef mailbox, TextQuery query, Done<TextBatch> done) override;
  void ReadBody(UserId owner, BodyNo body, std::uint64_t offset, std::size_t length,
                Done<std::string> done) override;
  Result<std::unique_ptr<BodyStage>> StageBody(UserId owner, std::uint64_t size) override;
  void Append(MailboxRef mailbox, std::vector<AppendMessage> messages,
              Done<AppendResult> done) override;
  void Replace(MailboxRef to, AppendMessage message, MailboxRef from, Uid old,
               Done<AppendResult> done) override;
  void StoreFlags(MailboxRef mailbox, StoreRequest request, Done<StoreResult> done) override;
  void Expunge(MailboxRef mailbox, std::optional<UidSet> uids, Done<ExpungeResult> done) override;
  void Copy(MailboxRef from, UidSet uids, MailboxRef to, Done<CopyResult> done) override;
  void Move(MailboxRef from, UidSet uids, MailboxRef to, Done<CopyResult> done) override;
  void Deliver(DeliverRequest request, Done<DeliverResult> done) override;
  std::unique_ptr<Watch> WatchMailbox(MailboxRef mailbox, std::function<void()> wake) override;
  std::unique_ptr<UserWatch> WatchUser(UserId user, std::function<void()> wake) override;
  Status Serving() override { return serving_; }
  std::uint64_t message_bytes_max() const override { return message_bytes_max_; }

 private:
  struct Message {
    IndexEntry entry;
    MessageRecord record;
  };
  struct Mailbox {
    MailboxId id;
    std::string name;
    UidValidity uid_validity;
    Uid uid_next{1};
    Modseq highest;
    Modseq purge_floor;
    SpecialUse use = 0;
    std::shared_ptr<const std::vector<std::string>> keywords;
    std::map<std::uint32_t, Message> messages;  // expunged ones included
    std::map<std::string, Rights> acl;          // by identifier, '-' before what is denied
    /// By viewer and UID: his own \Seen, and when he changed it.
    std::map<UserId, std::map<std::uint32_t, std::pair<bool, Modseq>>> seen;
  };
  struct User {
    UserRef ref;
    std::string password;
    std::uint64_t modseq = 0;
    std::uint32_t uid_validity = 0;
    std::map<std::string, MailboxId> names;
    std::map<MailboxId, Mailbox> mailboxes;
    std::set<std::string> subscriptions;
    std::map<MailboxId, std::map<std::string, std::string>> annotations;  // nil: of the server
    std::map<BodyNo, std::string> bodies;
    std::map<Guid, BodyNo> guids;
    bool shared = false;
    std::optional<std::uint64_t> bytes_max;
    std::optional<std::uint64_t> messages_max;
  };
  enum class NewName { kSkip, kAdd, kAddWhileRoom };
  struct Watcher;
  class MemoryWatch;
  class MemoryUserWatch;
  class MemoryStage;
  class MemoryExchange;

  /// A user and one of his mailboxes, or why there is none; who looks at it, and what he may do.
  struct Place {
    User* user = nullptr;
    Mailbox* mailbox = nullptr;
    UserId viewer;  // nil: the owner
    Rights rights = kRightsAll;
    bool own_seen = false;  // \Seen is the viewer's own
  };
  /// A name resolved: whose it is and what he calls it.
  struct Named {
    User* user = nullptr;
    std::string name;
    UserId viewer;
  };

  template <typename T>
  void Complete(const Done<T>& done, Result<T> result);
  void Later(std::function<void()> fn);
  /// Counts the call; not OK when it was told to fail.
  Status Enter(const std::string& call);
  Status EnterWrite(const std::string& call);

  Result<User*> FindUser(UserId id);
  Result<UserRef> Judge(const SaslClaim& claim);
  /// kNotFound without any right, kPermissionDenied without `needed`.
  Result<Place> Find(MailboxRef ref, Rights needed = kRightRead);
  Result<Named> Resolve(UserId id, const std::string& name);
  Result<Place> FindByName(UserId id, const std::string& name);
  User* UserNamed(const std::string& name);
  Rights RightsOf(const Mailbox& mailbox, UserId viewer) const;
  std::string NameFor(const Place& place) const;
  static std::map<std::uint32_t, std::pair<bool, Modseq>>& SeenOf(const Place& place);
  /// The entry as the viewer sees it.
  static IndexEntry Viewed(const Place& place, const IndexEntry& entry);
  /// Notes the viewer's own \Seen of a new message; answers what flags it gets.
  static SystemFlags SplitSeen(const Place& place, Uid uid, SystemFlags flags, Modseq modseq);
  static FlagList Restricted(const Place& place, FlagList flags);
  Status CheckRoom(const User& user, std::uint64_t bytes, std::uint64_t messages) const;
  Status MayCreate(const Named& named);
  Mailbox* Above(const Named& named);
  Mailbox& Make(User& user, const std::string& name, SpecialUse use);
  void MakeParents(User& user, const std::string& name);
  MailboxState StateOf(const Place& place) const;
  Modseq NextModseq(User& user, Mailbox& mailbox);
  void Wake(UserId user, MailboxId id);
  /// Has every watch of the user hear of what `add` adds to his news.
  void TellUser(UserId user, const std::function<void(UserNews*)>& add);
  void TellListing(UserId user) {
    TellUser(user, [](UserNews* news) { news->listing = true; });
  }

  Result<Unit> Annotate(MailboxRef ref, std::vector<Annotation>& changes);
  Result<Unit> Rename(UserId id, const std::string& from, const std::string& to);
  Result<StoreResult> StoreNow(MailboxRef ref, const StoreRequest& request);
  Result<CopyResult> CopyNow(MailboxRef from, const UidSet& uids, MailboxRef to, bool move);
  Result<IndexBatch> IndexNow(MailboxRef ref, const IndexQuery& query);
  Result<FetchBatch> FetchNow(MailboxRef ref, const FetchRequest& request);
  Result<TextBatch> SearchNow(MailboxRef ref, const TextQuery& query);
  Result<AppendResult> AppendNow(MailboxRef ref, std::vector<AppendMessage>& messages);
  Result<DeliverResult> DeliverNow(DeliverRequest& request);
  static void AddLine(const IndexEntry& entry, const IndexQuery& query, IndexBatch* batch);
  FetchedMessage FetchOne(const Place& place, const Message& message, const FetchRequest& request);
  static Result<KeywordBits> BitsOf(Mailbox& mailbox, const FlagList& flags, NewName new_name);
  BodyNo KeepBody(User& user, Modseq modseq, std::string octets, Guid* guid);
  Uid Add(Mailbox& mailbox, Modseq modseq, MessageRecord record, SystemFlags flags,
          KeywordBits bits);
  static void ExpungeOne(Mailbox& mailbox, std::uint32_t uid, Modseq modseq);

  Clock& clock_;
  Random& random_;
  std::map<UserId, User> users_;
  std::set<std::string> domains_;
  std::uint64_t message_bytes_max_ = limits::kMessageBytesMax;
  std::function<std::string(std::string_view)> summarise_;
  std::size_t text_bytes_max_ = limits::kFetchBatchBytes;
  bool complete_later_ = false;
  std::deque<std::function<void()>> waiting_;
  std::multimap<std::string, Status> failures_;
  std::set<BodyNo> damaged_;
  std::map<std::string, int> calls_;
  Status writes_blocked_;
  Status serving_;
  std::vector<std::weak_ptr<Watcher>> watchers_;
  std::vector<MemoryUserWatch*> user_watches_;
  /// (mailbox, GUID, sender, recipient) -> UID and when, in seconds.
  std::map<std::tuple<MailboxId, Guid, std::string, std::string>, std::pair<Uid, std::int64_t>>
      deliveries_;
};

/// The inbox has one spelling, as a whole name and as the first level of one.
std::string Canonical(const std::string& name);
/// SHA-256, as GUIDs are made.
Guid GuidOf(std::string_view octets);

}  // namespace twinspool::testing
