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
#include "common/rights.h"
#include "common/status.h"
#include "common/types.h"
#include "common/uid_set.h"

namespace twinspool {

template <typename T>
using Done = std::function<void(Result<T>)>;
/// For calls that answer nothing but success.
struct Unit {};

// --- values
// ---------------------------------------------------------------------------------------------

/// The five system flags (RFC 3501 §2.3.2; \Recent is not kept), as bits.
using SystemFlags = std::uint8_t;
inline constexpr SystemFlags kSeen = 1;
inline constexpr SystemFlags kAnswered = 2;
inline constexpr SystemFlags kFlagged = 4;
inline constexpr SystemFlags kDeleted = 8;
inline constexpr SystemFlags kDraft = 16;

/// Keywords of one message as bits into its mailbox's keyword table (MailboxState::keywords).
struct KeywordBits {
  std::uint64_t words[2] = {0, 0};
  bool Test(std::size_t bit) const { return (words[bit / 64] >> (bit % 64) & 1) != 0; }
  void Set(std::size_t bit) { words[bit / 64] |= std::uint64_t{1} << (bit % 64); }
  void Clear(std::size_t bit) { words[bit / 64] &= ~(std::uint64_t{1} << (bit % 64)); }
  bool Any() const { return (words[0] | words[1]) != 0; }
  bool operator==(const KeywordBits&) const = default;
};
static_assert(limits::kKeywordsPerMailboxMax <= 128);

/// Flags as a client names them. Keywords compare case-insensitively and keep their first spelling.
struct FlagList {
  SystemFlags system = 0;
  std::vector<std::string> keywords;
};

/// What changes about a message: its line in the mailbox's index.
struct IndexEntry {
  Uid uid;
  SystemFlags flags = 0;
  bool expunged = false;
  Modseq modseq;
  KeywordBits keywords;
};

/// What never changes about a message.
struct MessageRecord {
  Guid guid;
  BodyNo body;
  std::uint64_t size = 0;          // octets, CRLF line ends as stored
  std::int64_t internal_date = 0;  // seconds since 1970 UTC
  std::int16_t zone_minutes = 0;   // zone the date was given in, minutes east of UTC
  std::int64_t save_date = 0;      // when it came into this mailbox (RFC 8514)
  Modseq created;
};

/// SPECIAL-USE attributes (RFC 6154), as bits.
using SpecialUse = std::uint8_t;
inline constexpr SpecialUse kUseAll = 1;
inline constexpr SpecialUse kUseArchive = 2;
inline constexpr SpecialUse kUseDrafts = 4;
inline constexpr SpecialUse kUseFlagged = 8;
inline constexpr SpecialUse kUseJunk = 16;
inline constexpr SpecialUse kUseSent = 32;
inline constexpr SpecialUse kUseTrash = 64;

struct UserRef {
  UserId id;
  std::string name;  // case-folded login name
};

/// A mailbox by its id, and who looks at it; every message call takes one. The owner holds all
/// state and the lock. What the viewer may do is decided by his rights (RFC 4314) with every call:
/// kPermissionDenied. Unless the mailbox has the shared annotation kSharedSeenEntry, \Seen
/// is the viewer's own: he sees and changes his, with modseqs of its own, and nobody else's.
struct MailboxRef {
  UserId owner;
  MailboxId id;
  UserId viewer = {};  // nil: the owner himself, who may do everything

  bool own() const { return viewer.nil() || viewer == owner; }
};

/// A line of LIST. A subscription without a mailbox has a nil id (RFC 5258 \NonExistent).
struct MailboxListing {
  MailboxId id;
  std::string name;  // UTF-8, NFC, separator '/'
  SpecialUse use = 0;
  bool subscribed = false;
  UserId owner = {};
  Rights rights = kRightsAll;  // of the user who asked
};

/// A mailbox as of one moment: what SELECT and STATUS report.
struct MailboxState {
  MailboxRef ref;
  std::string name;
  UidValidity uid_validity;
  Uid uid_next;
  Modseq highest_modseq;
  /// Expunges at or below are forgotten: a QRESYNC client older than this gets its whole UID list
  /// checked.
  Modseq purge_floor;
  std::uint32_t exists = 0;
  std::uint32_t unseen = 0;
  std::uint32_t deleted = 0;
  std::uint64_t bytes = 0;
  SpecialUse use = 0;
  Rights rights = kRightsAll;  // of ref.viewer; without kRightRead all counts are 0
  /// Keyword table: bit i of KeywordBits is keywords[i]. It grows; once it is full, keywords that
  /// no message carries give their places to new ones.
  std::shared_ptr<const std::vector<std::string>> keywords;
};

/// A line of an access control list (RFC 4314 §3): a user's name or "anyone"; behind a '-', what he
/// shall not have even so.
struct AclEntry {
  std::string identifier;
  Rights rights = 0;
};
enum class RightsChange { kReplace, kAdd, kRemove };

/// What a user's mailboxes together hold and may hold (RFC 9208); nothing: as much as he likes.
struct QuotaState {
  std::string root;  // the user's name
  std::uint64_t bytes = 0;
  std::uint64_t messages = 0;
  std::optional<std::uint64_t> bytes_max;
  std::optional<std::uint64_t> messages_max;
};

/// Shared entries of a mailbox that mean something here, with the value "true". Setting them takes
/// kRightAdminister.
inline constexpr char kSharedSeenEntry[] = "/shared/vendor/twinspool/shared-seen";  // \Seen
/// What is expunged in it is kept, and the mailbox when it is deleted, whatever the retention says.
inline constexpr char kNoExpireEntry[] = "/shared/vendor/twinspool/no-expire";

/// An entry of METADATA (RFC 5464): "/private/…" or "/shared/…", in lower case.
struct Annotation {
  std::string entry;
  std::optional<std::string> value;  // nothing: it is not there, or is to be removed
};

// --- reading
// --------------------------------------------------------------------------------------------

struct IndexQuery {
  /// Only entries with a higher modseq, expunged ones included; 0: all live entries, no expunged.
  Modseq since;
  /// Only these UIDs; nothing: all.
  std::optional<UidSet> uids;
  /// Go on here (IndexBatch::next of the batch before).
  Uid from{1};
  std::size_t limit = limits::kIndexBatchEntries;
  /// With since 0: only entries with all of the first and none of the second flags. Far cheaper
  /// than reading all and choosing.
  SystemFlags with = 0;
  SystemFlags without = 0;
};

/// `state` and `entries` come from one snapshot. When since > 0, `vanished` holds expunged UIDs
/// with a higher modseq; if since is below the purge floor (or lost to a forced promotion), every
/// absent UID below uid_next.
struct IndexBatch {
  MailboxState state;
  std::vector<IndexEntry> entries;  // UID order, live ones
  UidSet vanished;
  std::optional<Uid> next;  // more to read from here
};

/// Which messages a mailbox holds, without what changes about them: all that opening it asks for.
struct UidBatch {
  MailboxState state;
  UidSet uids;       // live ones in [from, next)
  Uid first_unseen;  // smallest of them without \Seen; 0: none
  std::optional<Uid> next;
};

/// What a Fetch brings per message, as bits.
using FetchParts = std::uint8_t;
inline constexpr FetchParts kFetchIndex = 1;   // flags, modseq (as of this batch's snapshot)
inline constexpr FetchParts kFetchRecord = 2;  // GUID, size, dates
inline constexpr FetchParts kFetchSummary =
    4;  // cached envelope and structure (opaque to the store)
inline constexpr FetchParts kFetchSort =
    8;  // the summary, or at least the head of it that SORT and THREAD need: cheaper

struct FetchRequest {
  UidSet uids;
  FetchParts parts = 0;
  /// Octets wanted from the start of each body; the answer holds min(this, size, kFetchBatchBytes).
  std::uint64_t body_bytes = 0;
  std::size_t batch_bytes = limits::kFetchBatchBytes;
};

struct FetchedMessage {
  Uid uid;
  IndexEntry entry;      // kFetchIndex
  MessageRecord record;  // always there when anything but kFetchIndex is asked
  std::string summary;   // kFetchSummary, kFetchSort
  std::string octets;    // body_bytes > 0
  /// Not OK (kDataLoss, kIo): what was asked for is damaged here; only uid and entry may be used.
  Status failure;
};

/// Messages in UID order; those already purged are left out (expunged ones are still served).
struct FetchBatch {
  std::vector<FetchedMessage> messages;
  std::shared_ptr<const std::vector<std::string>> keywords;
  /// UIDs of the request not yet answered; empty: done. Hand it back as the next request's uids.
  UidSet rest;
};

// --- searching
// ------------------------------------------------------------------------------------------------

/// Something to be found in the text of a message. What the text of a message is, decoded and
/// folded, says server/mime/text.h.
struct TextKey {
  enum class In {
    kHeader,  // the value of a field of this name
    kBody,    // the texts and headers of the parts inside
    kText,    // the header or the body
  };
  In in = In::kText;
  std::string field;   // kHeader: compared without regard to ASCII case
  std::string folded;  // what to find, as mime::Fold makes it; empty: is there such a field or text
};

struct TextQuery {
  UidSet uids;
  std::vector<TextKey> keys;
};

/// Every UID of the query is in exactly one of `judged`, `open` and `rest`, but those that are not
/// there are in none.
struct TextBatch {
  std::vector<UidSet> found;  // by key: which of `judged` hold it
  UidSet judged;
  /// Messages whose text is not at hand and takes long to be made, or cannot be read: fetch their
  /// octets.
  UidSet open;
  UidSet rest;  // hand it back as the next query's uids; empty: done
};

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
