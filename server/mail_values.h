// What goes through the waist (server/mail_store.h): users, mailboxes and messages as plain values,
// what is asked of them, and the batches in which the answers come.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/limits.h"
#include "common/rights.h"
#include "common/types.h"
#include "common/uid_set.h"

namespace twinspool {

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

}  // namespace twinspool
