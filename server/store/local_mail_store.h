// LocalMailStore: MailStore over this node's own store. Writes go through StoreTxn on the txn pool,
// reads through StoreReader on the read pool; small ones whose rows are in memory run at once on
// the caller's thread, so that a write changes threads once before the disk: to the commit thread.
//
// Completions: a read's runs on the read pool (or inline), a write's on the thread that advanced
// visibility, a refusal's that nothing depends on wherever it was found.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/executor.h"
#include "common/sasl.h"
#include "server/mail_store.h"
#include "server/store/access.h"
#include "server/store/reader.h"
#include "server/store/search_line.h"
#include "server/store/stage.h"
#include "server/store/txn.h"

namespace twinspool::store {

class Credentials;
class PasswordCheck;
class TextPages;
struct NewMessage;

struct MailStoreOptions {
  std::uint64_t message_bytes_max = limits::kMessageBytesMax;
  /// Make summary and text as soon as a message is stored, not only when they are first asked for.
  bool summarize_on_arrival = true;
  /// DELETE of a mailbox that has others below it leaves those where they are; else kConflict.
  bool delete_with_children = true;
  int txn_threads = 2;
  int read_threads = 2;
  std::size_t queue_max = 50'000;
  /// A user's last login is written down no oftener than this; 0: never.
  std::int64_t last_login_every_s = limits::kLastLoginSeconds;
};

class LocalMailStore final : public MailStore {
 public:
  /// Nothing is owned; all outlive this.
  LocalMailStore(const WritePath& path, TextPages& pages, PasswordCheck& passwords,
                 Credentials& credentials, MailStoreOptions options);
  LocalMailStore(const LocalMailStore&) = delete;
  LocalMailStore& operator=(const LocalMailStore&) = delete;
  ~LocalMailStore() override;
  /// Runs what is queued, then stops the pools: later calls answer kUnavailable.
  void Stop();
  /// How often clients have read, ever. Any thread.
  std::uint64_t reads_begun() const { return reads_begun_.load(std::memory_order_relaxed); }

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
  Status Serving() override;
  std::uint64_t message_bytes_max() const override { return options_.message_bytes_max; }

 private:
  struct Held;     // a snapshot in use
  class Exchange;  // a run of SASL
  /// A name resolved: whose mailbox it is, what he calls it, and who asks if that is another one.
  struct Place {
    UserId owner;
    std::string name;  // canonical
    UserId viewer;
  };
  /// Canonical, the owner's name in it folded.
  Result<std::string> LookupName(std::string_view name) const;
  Result<Place> PlaceOf(UserId user, std::string_view name);
  /// Of an identifier of an access control list.
  Result<AclSubject> SubjectOf(std::string_view identifier, UserId owner);
  /// kOverQuota when so much more surely is too much, as far as that is in memory.
  Status RoomFor(UserId owner, std::uint64_t size);
  /// kFenced or kUnavailable while nothing may be read.
  Result<Held> Hold();
  /// On a thread of the read pool.
  template <typename T>
  void ReadNow(const Done<T>& done, const std::function<Result<T>(StoreReader&)>& read);
  template <typename T>
  void PostRead(Done<T> done, std::function<Result<T>(StoreReader&)> read);
  // local_logins.cc
  /// Who has logged in, if the claim holds.
  void Judge(SaslClaim claim, const LoginClient& client, Done<UserRef> done);
  /// The same for a claim by a token.
  void JudgeToken(SaslClaim claim, const LoginClient& client, Done<UserRef> done);
  /// Has it written down some time, or not at all: nobody waits for it.
  void NoteLogin(UserId user, LoginService service);
  void SplitName(SaslClaim* claim) const;
  /// Folded name of another user that the claim is about, and may be; empty: it is about its own.
  Result<std::string> OtherUser(const SaslClaim& claim) const;
  Result<UserRef> ActAs(const std::string& other, const UserRef& master, const LoginClient& client);
  Result<UserRef> FindUser(const std::string& name);

  /// Tries in memory first, on the caller's thread.
  template <typename T>
  void ReadInline(Done<T> done, std::function<Result<T>(StoreReader&)> read);
  template <typename T>
  void PostWrite(Done<T> done, std::function<void(Done<T>)> write);
  Result<std::vector<NewMessage>> FinishStages(UserId owner, std::vector<AppendMessage>* messages);
  Status StageLargeAppend(UserId owner, std::vector<NewMessage>* messages);
  /// `done`, after having summary and text made of what was stored, where that is wanted.
  Done<AppendResult> Noted(UserId owner, Done<AppendResult> done);
  Done<DeliverResult> Noted(UserId owner, Done<DeliverResult> done);

  const WritePath& path_;
  TextPages& pages_;
  PasswordCheck& passwords_;
  Credentials& credentials_;
  const MailStoreOptions options_;
  std::atomic<std::uint64_t> reads_begun_{0};
  Executor reads_;
  SearchLine searches_;
  Executor txns_;
};

}  // namespace twinspool::store
