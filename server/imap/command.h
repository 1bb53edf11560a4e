// The commands of IMAP as plain values. How CommandReader hands them out is in events.h.
//
// Grammar: RFC 3501 with the extensions named beside each struct. Nothing here knows of a session,
// of a store or of how bytes arrive. All types are value types: copyable, thread-compatible.
//
// Conventions
//   * Mailbox names are UTF-8, already decoded from modified UTF-7; any spelling of INBOX alone is
//     "INBOX". They are not normalised to NFC and not checked against the limits of names.
//   * Keywords that are not strings (extension names, charsets, mechanisms) are in upper case.
//   * Strings of SEARCH keep the octets of the client: the charset is the session's business.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/types.h"
#include "common/uid_set.h"
#include "server/mail_store.h"

namespace twinspool::imap {

// --- pieces that several commands share ---------------------------------------------------------

/// The number that stands for '*' in a SequenceRange: 0 is no sequence number and no UID.
inline constexpr std::uint32_t kStar = 0;

/// "first:last" as written: either end may be kStar, and first may be the larger one.
struct SequenceRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  bool operator==(const SequenceRange&) const = default;
};

/// A sequence-set as the client wrote it (RFC 3501 §9); see messages.h for resolving it. Not empty
/// once parsed. Whether the numbers are UIDs is said by the command.
struct SequenceSet {
  std::vector<SequenceRange> ranges;
  bool saved = false;  // "$" alone: what SEARCH RETURN (SAVE) left (RFC 5182)
  bool operator==(const SequenceSet&) const = default;
};

/// A date-time of APPEND: the instant, and the zone in which it was written.
struct DateTime {
  std::int64_t seconds = 0;       // since 1970 UTC
  std::int16_t zone_minutes = 0;  // east of UTC
  bool operator==(const DateTime&) const = default;
};

/// Items of STATUS and of LIST … RETURN (STATUS (…)), as bits.
using StatusItems = std::uint16_t;
inline constexpr StatusItems kStatusMessages = 1;
inline constexpr StatusItems kStatusRecent = 2;
inline constexpr StatusItems kStatusUidNext = 4;
inline constexpr StatusItems kStatusUidValidity = 8;
inline constexpr StatusItems kStatusUnseen = 16;
inline constexpr StatusItems kStatusHighestModseq = 32;     // RFC 7162
inline constexpr StatusItems kStatusSize = 64;              // RFC 8438
inline constexpr StatusItems kStatusAppendLimit = 128;      // RFC 7889
inline constexpr StatusItems kStatusMailboxId = 256;        // RFC 8474
inline constexpr StatusItems kStatusDeleted = 512;          // RFC 9051
inline constexpr StatusItems kStatusDeletedStorage = 1024;  // RFC 9208

// --- FETCH ---------------------------------------------------------------------------------------

/// What a BODY[…] names below its part numbers (RFC 3501 §6.4.5).
enum class SectionText {
  kAll,              // BODY[] or BODY[1.2]
  kHeader,           // HEADER
  kHeaderFields,     // HEADER.FIELDS (…)
  kHeaderFieldsNot,  // HEADER.FIELDS.NOT (…)
  kText,             // TEXT
  kMime,             // MIME; only with part numbers
};

/// The inside of BODY[…].
struct Section {
  std::vector<std::uint32_t> part;  // "1.2.3"; empty: the message itself
  SectionText text = SectionText::kAll;
  std::vector<std::string> fields;  // names as the client spelled them, for the answer
  bool operator==(const Section&) const = default;
};

/// "<offset.length>"; length > 0.
struct Partial {
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
  bool operator==(const Partial&) const = default;
};

enum class FetchAttribute {
  kFlags,
  kUid,
  kInternalDate,
  kEnvelope,
  kRfc822Size,
  kBody,           // BODY: the structure without extension data
  kBodyStructure,  // BODYSTRUCTURE
  kBodySection,    // BODY[…] and BODY.PEEK[…]
  kRfc822,         // like BODY[], answered under its own name; sets \Seen
  kRfc822Header,   // like BODY.PEEK[HEADER]
  kRfc822Text,     // like BODY[TEXT]; sets \Seen
  kModseq,         // RFC 7162
  kEmailId,        // RFC 8474
  kThreadId,       // RFC 8474
  kSaveDate,       // RFC 8514
  kPreview,        // RFC 8970
  kBinary,         // BINARY[…] and BINARY.PEEK[…] (RFC 3516)
  kBinarySize,     // BINARY.SIZE[…]
};

struct FetchItem {
  FetchAttribute attribute = FetchAttribute::kFlags;
  // For kBodySection, kBinary (part numbers only) and kBinarySize (without partial).
  Section section;
  bool peek = false;
  std::optional<Partial> partial;
  bool operator==(const FetchItem&) const = default;
};

// --- SEARCH --------------------------------------------------------------------------------------

enum class SearchOp {
  kAll,
  kAnd,          // children: all of them (a parenthesised list, and the program itself)
  kOr,           // children: at least one; two or more (a chain OR a OR b c is one node of three)
  kNot,          // children[0]
  kSequence,     // set, of sequence numbers
  kUid,          // set, of UIDs
  kFlag,         // flags: all of these system flags are set
  kNoFlag,       // flags: none of them is set
  kKeyword,      // text
  kUnkeyword,    // text
  kNew,          // RECENT UNSEEN
  kOld,          // NOT RECENT
  kRecent,       //
  kBefore,       // day: INTERNALDATE's day, zone as stored, is earlier
  kOn,           // day
  kSince,        // day or later
  kSentBefore,   // day, of the Date: header, zone and time disregarded
  kSentOn,       //
  kSentSince,    //
  kOlder,        // number: seconds before now (RFC 5032)
  kYounger,      // number
  kLarger,       // number: octets
  kSmaller,      // number
  kHeader,       // field, text ("" = has the field); also BCC, CC, FROM, SUBJECT, TO
  kBody,         // text
  kText,         // text
  kModseq,       // number: this or higher (RFC 7162; an entry name is read and disregarded)
  kEmailId,      // text (RFC 8474)
  kThreadId,     // text
  kSavedBefore,  // day, of the save date (RFC 8514)
  kSavedOn,      //
  kSavedSince,   //
};

/// One search key; a tree of depth limits::kSearchDepthMax at most. Members that the op does not
/// name are empty.
struct SearchKey {
  SearchOp op = SearchOp::kAll;
  std::vector<SearchKey> children;
  SequenceSet set;
  SystemFlags flags = 0;
  std::string field;  // header field name, as spelled
  std::string text;   // octets in the command's charset
  std::uint64_t number = 0;
  std::int32_t day = 0;  // days since 1970-01-01
};

/// Result options of SEARCH and SORT RETURN (…), as bits.
using SearchReturn = std::uint8_t;
inline constexpr SearchReturn kReturnMin = 1;       // RFC 4731
inline constexpr SearchReturn kReturnMax = 2;       //
inline constexpr SearchReturn kReturnAll = 4;       //
inline constexpr SearchReturn kReturnCount = 8;     //
inline constexpr SearchReturn kReturnSave = 16;     // RFC 5182
inline constexpr SearchReturn kReturnPartial = 32;  // RFC 9394

/// "first:last" of PARTIAL (RFC 9394): places in a result, 1 being the first one. `from_end`: both
/// were written negative, -1 being the last one.
struct PartialRange {
  std::uint32_t first = 1;  // not above last
  std::uint32_t last = 1;
  bool from_end = false;
  bool operator==(const PartialRange&) const = default;
};

/// What SORT compares (RFC 5256 §3, RFC 5957).
enum class SortKey {
  kArrival,
  kCc,
  kDate,
  kFrom,
  kSize,
  kSubject,
  kTo,
  kDisplayFrom,
  kDisplayTo,
};

struct SortCriterion {
  SortKey key = SortKey::kArrival;
  bool reverse = false;
  bool operator==(const SortCriterion&) const = default;
};

/// Which mailboxes ESEARCH … IN looks into (RFC 7377 §2.2, RFC 5465 §6).
enum class SearchScope {
  kSelected,
  kInboxes,   // where mail is delivered to
  kPersonal,  // all of the user's
  kSubscribed,
  kMailboxes,   // those named
  kSubtree,     // those and all below
  kSubtreeOne,  // those and the level below
};
struct SearchSource {
  SearchScope scope = SearchScope::kSelected;
  std::vector<std::string> mailboxes;  // of the last three
};

/// Events of NOTIFY (RFC 5465 §5), as bits. What comes and what goes are told both or neither.
using NotifyEvents = std::uint8_t;
inline constexpr NotifyEvents kNotifyMessageNew = 1;
inline constexpr NotifyEvents kNotifyMessageExpunge = 2;
inline constexpr NotifyEvents kNotifyFlagChange = 4;
inline constexpr NotifyEvents kNotifyMailboxName = 8;
inline constexpr NotifyEvents kNotifySubscriptionChange = 16;
inline constexpr NotifyEvents kNotifyMailboxMetadata = 32;
inline constexpr NotifyEvents kNotifyServerMetadata = 64;
struct NotifyGroup {
  SearchSource which;
  bool delayed = false;  // SELECTED-DELAYED
  NotifyEvents events = 0;
  std::vector<FetchItem> items;  // of new messages
};

/// How far below the entries asked for GETMETADATA looks (RFC 5464 §4.2.2).
enum class MetadataDepth { kSelf, kOne, kAll };

enum class ThreadAlgorithm {
  kOrderedSubject,  // RFC 5256
  kReferences,      // RFC 5256
  kRefs,            // by references alone, the liveliest thread last
};

// --- LIST ----------------------------------------------------------------------------------------

/// Selection options (RFC 5258, RFC 6154), as bits.
using ListSelect = std::uint8_t;
inline constexpr ListSelect kSelectSubscribed = 1;
inline constexpr ListSelect kSelectRemote = 2;
inline constexpr ListSelect kSelectRecursiveMatch = 4;  // only together with kSelectSubscribed
inline constexpr ListSelect kSelectSpecialUse = 8;

/// Return options (RFC 5258, RFC 5819, RFC 6154), as bits.
using ListReturn = std::uint8_t;
inline constexpr ListReturn kListReturnSubscribed = 1;
inline constexpr ListReturn kListReturnChildren = 2;
inline constexpr ListReturn kListReturnSpecialUse = 4;
inline constexpr ListReturn kListReturnStatus = 8;
inline constexpr ListReturn kListReturnMetadata = 16;  // RFC 9590
inline constexpr ListReturn kListReturnMyRights = 32;  // RFC 8440

// --- the commands --------------------------------------------------------------------------------

/// One struct per command. A namespace of their own, since cmd::Status is not twinspool::Status.
namespace cmd {

// Any state.
struct Capability {};
struct Noop {};
struct Logout {};
/// RFC 2971. No list: ID NIL. A value of nullopt: NIL.
struct Id {
  std::vector<std::pair<std::string, std::optional<std::string>>> fields;
};

// Not authenticated.
struct StartTls {};
struct Login {
  std::string user;
  std::string password;
};
/// The response lines follow as raw lines; see CommandReader::ReadRawLine.
struct Authenticate {
  std::string mechanism;
  /// SASL-IR (RFC 4959), still base64; "" when the client wrote "=".
  std::optional<std::string> initial_response;
};

// Authenticated.
/// RFC 5161.
struct Enable {
  std::vector<std::string> extensions;
};
/// RFC 7162 §3.2.5: SELECT … (QRESYNC (…)).
struct Qresync {
  UidValidity uid_validity;
  Modseq modseq;
  std::optional<UidSet> known_uids;
  /// Both of equal count, both ascending; empty when absent.
  UidSet match_sequence;
  UidSet match_uids;
};
struct Select {
  std::string mailbox;
  bool examine = false;
  bool condstore = false;
  std::optional<Qresync> qresync;
};
/// A trailing separator is left in the name (RFC 3501 §6.3.3).
struct Create {
  std::string mailbox;
  SpecialUse use = 0;        // CREATE … (USE (…)), RFC 6154
  bool unknown_use = false;  // another one was among them
};
struct Delete {
  std::string mailbox;
};
struct Rename {
  std::string from;
  std::string to;
};
/// SUBSCRIBE and UNSUBSCRIBE.
struct Subscribe {
  std::string mailbox;
  bool subscribed = true;
};
/// RFC 5464. The mailbox "" is the server; entries in lower case, at least one.
struct GetMetadata {
  std::string mailbox;
  std::vector<std::string> entries;
  MetadataDepth depth = MetadataDepth::kSelf;
  std::optional<std::uint32_t> size_max;
};
struct SetMetadata {
  std::string mailbox;
  std::vector<Annotation> changes;
};
/// SETACL and DELETEACL, which leaves no rights (RFC 4314).
struct SetAcl {
  std::string mailbox;
  std::string identifier;
  RightsChange change = RightsChange::kReplace;
  Rights rights = 0;
  bool erase = false;  // DELETEACL
};
struct GetAcl {
  std::string mailbox;
};
struct ListRights {
  std::string mailbox;
  std::string identifier;
};
struct MyRights {
  std::string mailbox;
};
/// RFC 9208.
struct GetQuota {
  std::string root;
};
struct GetQuotaRoot {
  std::string mailbox;
};
struct SetQuota {
  std::string root;
};
/// LIST, extended or not. Patterns as UTF-8; "" as the only pattern of a plain LIST asks for the
/// separator.
struct List {
  bool extended = false;  // any of: selection options, a pattern list, RETURN
  ListSelect select = 0;
  std::string reference;
  std::vector<std::string> patterns;
  ListReturn returns = 0;
  StatusItems status = 0;
  GetMetadata metadata;  // without a mailbox; when kListReturnMetadata is there
};
struct Lsub {
  std::string reference;
  std::string pattern;
};
struct Namespace {};
/// RFC 8437.
struct Unauthenticate {};
/// RFC 4978.
struct Compress {
  std::string mechanism;
};
struct Status {
  std::string mailbox;
  StatusItems items = 0;
};
/// The line DONE follows as a raw line.
struct Idle {};

// Selected.
struct Check {};
struct Close {};
struct Unselect {};
/// EXPUNGE, and UID EXPUNGE (RFC 4315) when `uids` is there.
struct Expunge {
  std::optional<SequenceSet> uids;
};
struct Search {
  bool uid = false;
  bool esearch = false;                 // RETURN was given: answer by ESEARCH
  SearchReturn returns = 0;             // RETURN () means kReturnAll
  std::optional<PartialRange> partial;  // there with kReturnPartial
  std::string charset;                  // upper case; "" when not given
  SearchKey program;                    // kAnd over the keys, even for one
  /// RETURN (UPDATE): changes of the result are to be told (RFC 5267); of new messages in it also
  /// these items (RFC 5465 §7).
  bool update = false;
  std::vector<FetchItem> update_items;
};
/// ESEARCH (RFC 7377). UIDs are answered, whatever `search.uid` says.
struct MultiSearch {
  std::vector<SearchSource> sources;  // one at least
  Search search;
};
/// RFC 5256, with RETURN of RFC 5267.
struct Sort {
  std::vector<SortCriterion> criteria;  // one at least
  Search search;
};
/// RFC 5256.
struct Thread {
  ThreadAlgorithm algorithm = ThreadAlgorithm::kReferences;
  Search search;
};
/// RFC 5267 §4.3.5.
struct CancelUpdate {
  std::vector<std::string> tags;  // one at least
};
/// RFC 5465. No groups: NONE.
struct Notify {
  bool status = false;
  std::vector<NotifyGroup> groups;
  bool unknown_event = false;  // one that is not kept here was among them
};
struct Fetch {
  bool uid = false;
  SequenceSet set;
  /// In the client's order; macros are spelled out, repeated items are kept.
  std::vector<FetchItem> items;
  std::optional<std::uint64_t> changed_since;  // RFC 7162; 0 is let through, clients send it
  bool vanished = false;                       // only with uid and changed_since
  std::optional<PartialRange> partial;         // RFC 9394; only with uid
};
struct Store {
  bool uid = false;
  SequenceSet set;
  std::optional<std::uint64_t> unchanged_since;  // RFC 7162
  FlagChange change = FlagChange::kReplace;
  bool silent = false;
  FlagList flags;
};
/// COPY and MOVE (RFC 6851).
struct Copy {
  bool uid = false;
  bool move = false;
  SequenceSet set;
  std::string mailbox;
};

}  // namespace cmd

/// A complete command. APPEND is not among them: it comes as events of its own, below.
struct Command {
  std::string tag;
  std::variant<cmd::Capability, cmd::Noop, cmd::Logout, cmd::Id, cmd::StartTls, cmd::Login,
               cmd::Authenticate, cmd::Enable, cmd::Select, cmd::Create, cmd::Delete, cmd::Rename,
               cmd::Subscribe, cmd::List, cmd::Lsub, cmd::Namespace, cmd::GetMetadata,
               cmd::SetMetadata, cmd::SetAcl, cmd::GetAcl, cmd::ListRights, cmd::MyRights,
               cmd::GetQuota, cmd::GetQuotaRoot, cmd::SetQuota, cmd::Unauthenticate, cmd::Compress,
               cmd::Status, cmd::Idle, cmd::Check, cmd::Close, cmd::Unselect, cmd::Expunge,
               cmd::Search, cmd::MultiSearch, cmd::Sort, cmd::Thread, cmd::CancelUpdate,
               cmd::Notify, cmd::Fetch, cmd::Store, cmd::Copy>
      body;
};

}  // namespace twinspool::imap
