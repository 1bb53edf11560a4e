// MailStore: the waist of the server. All that a shell (IMAP, LMTP, …) can ask for, and nothing
// else.
//
// Shells see users, mailboxes and messages; they know nothing of RocksDB, replication or roles. The
// interface is made of plain values, so that it can also be served over gRPC to a detached shell.
//
// Completions. Every call takes a Done<T>, called exactly once: perhaps before the call returns,
// perhaps later on a thread of the store. A shell hands in completions that hop to its own thread.
// No call blocks on a peer or on a sync.
//
// What a success means. A write's success is *acked*: durable here and, as the pair's mode asks, on
// the standby; it is visible to every reader before the completion runs. Reads answer from the
// visible snapshot only: no client ever sees what a failover could take back.
//
// Errors a shell must know:
//   * kUnavailable: nothing was done (writes blocked, queues full); IMAP NO [UNAVAILABLE], LMTP 451
//   * kOutcomeUnknown: enqueued but not acked in time; the connection is closed without an answer
//   * kFenced: this node is not primary (any more); BYE
//   * kOverQuota, kNotFound, kAlreadyExists, kLimit, kInvalidArgument, kPermissionDenied: as they
//   say
//
// Reading is pulling: ReadIndex and Fetch answer one bounded batch and say where to go on. The
// store holds no lock, snapshot or worker between two batches, however slow the client is.
//
// Implementations: store::LocalMailStore (the real one), MemoryMailStore in tests/support (the
// model).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/limits.h"
#include "common/status.h"
#include "common/types.h"
#include "common/uid_set.h"
#include "server/mail_values.h"

namespace twinspool {

template <typename T>
using Done = std::function<void(Result<T>)>;
/// For calls that answer nothing but success.
struct Unit {};

// --- writing
// --------------------------------------------------------------------------------------------

/// A body on its way in. Small ones stay in memory; larger ones are staged in the store chunk by
/// chunk, invisible until a message refers to them. Destroying an unused stage abandons it. Used by
/// one session; not thread-safe.
class BodyStage {
 public:
  virtual ~BodyStage() = default;
  /// Takes the next octets. `done` runs when more may come (back-pressure); one call at a time.
  virtual void Write(std::string octets, Done<Unit> done) = 0;
  virtual std::uint64_t size() const = 0;
};

struct AppendMessage {
  std::unique_ptr<BodyStage> body;
  FlagList flags;
  std::optional<std::int64_t> internal_date;  // nothing: now
  std::int16_t zone_minutes = 0;
};

struct AppendResult {
  UidValidity uid_validity;
  UidSet uids;                 // in the order of the messages, rising
  Modseq modseq;               // the highest of them
  std::vector<BodyNo> bodies;  // of the messages, where the store says so
};

enum class FlagChange { kReplace, kAdd, kRemove };

struct StoreRequest {
  UidSet uids;
  FlagChange change = FlagChange::kReplace;
  FlagList flags;
  /// UNCHANGEDSINCE (RFC 7162 §3.1.3): messages changed after it are left alone and reported.
  std::optional<Modseq> unchanged_since;
  /// What the asker knows; 0: it does not matter.
  Modseq known = {};
};

struct StoreResult {
  /// Really changed, with the modseq each part got (a large STORE is several transactions).
  std::vector<std::pair<UidSet, Modseq>> changed;
  UidSet modified;  // refused by unchanged_since
  UidSet news;      // of the others: had been changed after StoreRequest::known
  UidSet missing;   // expunged or never there: skipped
};

struct ExpungeResult {
  UidSet expunged;
  Modseq modseq;
};

struct CopyResult {
  UidValidity uid_validity;  // of the destination
  /// source[i] -> destination[i], in source order; expunged sources are skipped.
  std::vector<std::pair<Uid, Uid>> pairs;
};

enum class LoginService : std::uint8_t { kImap, kPop3 };

struct LoginRequest {
  std::string user;
  std::string password;
  /// Of the client, as net::SessionHost::peer_address names it; empty: not known.
  std::string address;
  LoginService service = LoginService::kImap;
};

/// What is known of a client that has not logged in yet.
struct LoginClient {
  LoginService service = LoginService::kImap;
  std::string address;  // as in LoginRequest
  /// Channel binding "tls-exporter" of its connection (RFC 9266); empty: there is none.
  std::string tls_exporter;
  /// Mail addresses, then the common name, of its verified certificate; empty: it showed none.
  std::vector<std::string> certificate_names;
};

struct LoginStart {
  std::string mechanism;  // a name of SASL, in upper case
  LoginClient client;
};

/// What the client's octets came to: either a challenge for it, perhaps an empty one, or the end.
struct LoginStep {
  std::string challenge;
  std::optional<UserRef> user;  // logged in; there is no challenge then
};

/// One run of a SASL mechanism (RFC 4422). Of one session; not thread-safe. Destroying it, also
/// while a step is under way, calls it off; that step's completion may still come.
class LoginExchange {
 public:
  virtual ~LoginExchange() = default;
  /// For a client that sent no initial response: mostly empty.
  virtual const std::string& first_challenge() const = 0;
  /// The client's next octets, decoded; one call at a time. Whatever is not OK ends the exchange:
  /// kInvalidArgument: not a message of this mechanism; kUnauthenticated: refused, no matter why;
  /// kPermissionDenied: the client is who it says, but may not act for the user that it names;
  /// kLimit, kUnavailable as of MailStore::Authenticate.
  virtual void Step(std::string octets, Done<LoginStep> done) = 0;
};

struct DeliverRequest {
  UserRef user;
  std::string sender;     // MAIL FROM
  std::string recipient;  // RCPT TO as given
  std::unique_ptr<BodyStage> body;
};

struct DeliverResult {
  Uid uid;
  bool duplicate = false;  // a retry of a delivery that is stored already
  BodyNo body;             // where the store says so
};

/// Keeps a watch alive; destroying it ends it (a wake-up already under way may still arrive).
class Watch {
 public:
  virtual ~Watch() = default;
};

/// What became visible about a user's mail since his watch was asked last.
struct UserNews {
  /// Mailboxes of which anything changed: messages, flags, name. Each once, in no order.
  std::vector<MailboxId> mailboxes;
  /// Entries of METADATA that were set or removed; a nil id: of the user's view of the server.
  std::vector<std::pair<MailboxId, std::string>> annotations;
  /// The answer of ListMailboxes may be another one.
  bool listing = false;
  /// More happened than is remembered (limits::kUserNewsMax): any mailbox, any entry and the
  /// listing may have changed.
  bool overflow = false;
};

/// A watch of all that is a user's. Any thread.
class UserWatch : public Watch {
 public:
  /// Takes what is known; the next change wakes again.
  virtual UserNews Take() = 0;
};

// --- the interface
// ----------------------------------------------------------------------------------------

class MailStore {
 public:
  virtual ~MailStore() = default;

  // People.
  /// kUnauthenticated does not tell an unknown user from a wrong password, nor does its timing.
  /// kLimit: the address, or the name from such an address, has failed too often lately; nothing
  /// was checked. kUnavailable: too many checks wait.
  virtual void Authenticate(LoginRequest login, Done<UserRef> done) = 0;
  /// Mechanisms of SASL that such a client may use; to be offered on a connection that is secure
  /// enough for passwords only.
  virtual std::vector<std::string> LoginMechanisms(const LoginClient& client) = 0;
  /// kNotFound: not one of those.
  virtual Result<std::unique_ptr<LoginExchange>> StartLogin(LoginStart start) = 0;
  /// The user that mail for `address` goes to: whole, then local part in configured domains, then
  /// without "+detail". kNotFound: 550.
  virtual void FindRecipient(std::string address, Done<UserRef> done) = 0;

  // Mailboxes. Names are UTF-8 in NFC with '/' between levels; "INBOX" (any case) is the inbox.
  // What others share lies below "Other Users/NAME" (itself NAME's INBOX), what belongs to nobody
  // below "Shared/NAME". The state that a name leads to has the user as its viewer, and his rights;
  // kNotFound when he has none.
  /// Every mailbox and subscription of the user and all that others let him look up, sorted by
  /// name, INBOX first.
  virtual void ListMailboxes(UserId user, Done<std::vector<MailboxListing>> done) = 0;
  virtual void FindMailbox(UserId user, std::string name, Done<MailboxState> done) = 0;
  /// The state alone, without entries. kNotFound once deleted.
  virtual void GetState(MailboxRef mailbox, Done<MailboxState> done) = 0;
  /// Missing parents are made too.
  virtual void CreateMailbox(UserId user, std::string name, SpecialUse use,
                             Done<MailboxState> done) = 0;
  virtual void DeleteMailbox(UserId user, std::string name, Done<Unit> done) = 0;
  /// With all children, as one commit. Renaming INBOX moves its mail and leaves a new, empty INBOX.
  virtual void RenameMailbox(UserId user, std::string from, std::string to, Done<Unit> done) = 0;
  virtual void Subscribe(UserId user, std::string name, bool subscribed, Done<Unit> done) = 0;
  /// All annotations of a mailbox, or of the owner's view of the server (a nil id), sorted by
  /// entry. Private ones are each viewer's own.
  virtual void GetAnnotations(MailboxRef mailbox, Done<std::vector<Annotation>> done) = 0;
  /// All changes or none. kLimit: there would be too many.
  virtual void SetAnnotations(MailboxRef mailbox, std::vector<Annotation> changes,
                              Done<Unit> done) = 0;
  /// Who has been given which rights to a mailbox, sorted by identifier; takes kRightAdminister, as
  /// SetAcl does.
  virtual void GetAcl(MailboxRef mailbox, Done<std::vector<AclEntry>> done) = 0;
  /// No rights left: the identifier's line goes. kInvalidArgument: the identifier is no user of
  /// this server, or the owner, whose rights cannot be changed; kLimit: too many identifiers.
  virtual void SetAcl(MailboxRef mailbox, std::string identifier, RightsChange change,
                      Rights rights, Done<Unit> done) = 0;
  virtual void GetQuota(UserId owner, Done<QuotaState> done) = 0;
  /// Gives a mailbox its special uses (0: none) and makes `changes` besides, all or none.
  virtual void SetSpecialUse(UserId user, MailboxId mailbox, SpecialUse use,
                             std::vector<Annotation> changes, Done<Unit> done) = 0;

  // Reading.
  virtual void ReadIndex(MailboxRef mailbox, IndexQuery query, Done<IndexBatch> done) = 0;
  /// The live UIDs from `from` on; `state` and `uids` come from one snapshot. Far cheaper than
  /// ReadIndex: a page of messages that all live is not looked into.
  virtual void ReadUids(MailboxRef mailbox, Uid from, Done<UidBatch> done) = 0;
  virtual void Fetch(MailboxRef mailbox, FetchRequest request, Done<FetchBatch> done) = 0;
  /// One bounded piece of a search through texts, exact whether or not they are ready; searches of
  /// all sessions take turns and leave room for other reads. Messages in UID order, expunged ones
  /// too.
  virtual void SearchText(MailboxRef mailbox, TextQuery query, Done<TextBatch> done) = 0;
  /// Octets [offset, offset + length) of a body; shorter at its end.
  virtual void ReadBody(UserId owner, BodyNo body, std::uint64_t offset, std::size_t length,
                        Done<std::string> done) = 0;

  // Writing.
  /// `size` as announced (0: unknown). Refuses at once what would not fit, also not in the quota.
  virtual Result<std::unique_ptr<BodyStage>> StageBody(UserId owner, std::uint64_t size) = 0;
  /// All messages or none (MULTIAPPEND, RFC 3502).
  virtual void Append(MailboxRef mailbox, std::vector<AppendMessage> messages,
                      Done<AppendResult> done) = 0;
  /// Appends to `to` and expunges `old` from `from`, both or neither (RFC 8508). kNotFound also
  /// when the old message has gone.
  virtual void Replace(MailboxRef to, AppendMessage message, MailboxRef from, Uid old,
                       Done<AppendResult> done) = 0;
  virtual void StoreFlags(MailboxRef mailbox, StoreRequest request, Done<StoreResult> done) = 0;
  /// Expunges those of `uids` (nothing: all) that carry \Deleted.
  virtual void Expunge(MailboxRef mailbox, std::optional<UidSet> uids,
                       Done<ExpungeResult> done) = 0;
  /// A keyword that the target has no room for is left out.
  virtual void Copy(MailboxRef from, UidSet uids, MailboxRef to, Done<CopyResult> done) = 0;
  /// Each message is in exactly one of both at every moment (RFC 6851).
  virtual void Move(MailboxRef from, UidSet uids, MailboxRef to, Done<CopyResult> done) = 0;
  virtual void Deliver(DeliverRequest request, Done<DeliverResult> done) = 0;

  // News.
  /// Calls `wake` (any thread, must not block) after something about the mailbox became visible;
  /// several changes may share one call. Deletion of the mailbox wakes too.
  virtual std::unique_ptr<Watch> WatchMailbox(MailboxRef mailbox, std::function<void()> wake) = 0;
  /// The same for everything of a user's; UserWatch::Take tells what it was. `wake` is called once,
  /// and again for what becomes visible after Take.
  virtual std::unique_ptr<UserWatch> WatchUser(UserId user, std::function<void()> wake) = 0;

  /// Whether this node answers clients now: OK, or kFenced with the sentence for BYE / 421.
  virtual Status Serving() = 0;
  virtual std::uint64_t message_bytes_max() const = 0;
};

}  // namespace twinspool
