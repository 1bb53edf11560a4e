// The store's map: column families, keys, versions. One table, golden-bytes tested.
//
// Never renumber, rename or reuse anything here: existing data directories hold these bytes. A new
// family goes to the end of the table; a new key kind gets a new prefix letter. Integers in keys
// are big-endian, so that byte order is number order; ids are raw bytes. Values named "proto" are
// the canonical bytes of proto/types.proto messages, "packed" ones are described where they are
// coded.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/types.h"

namespace twinspool::store {

/// Format of everything below. A directory of another version is refused, never converted silently.
inline constexpr std::uint32_t kFormatVersion = 1;

enum class Family : std::uint8_t {
  kMeta,       // format version, end of the log, low-water key, marks of unfinished work
  kUsers,      // headers, names, derived state
  kMailboxes,  // headers, names, derived state
  kIndex,      // pages of 256 index entries
  kRecords,    // immutable part of messages
  kBodies,     // octets, in arrival order
  kGuids,      // the pool's index by content
  kRefs,       // who refers to a body
  kSummaries,  // cache: envelope, structure
  kTexts,      // cache: decoded, folded texts; by themselves and in pages
  kOutbox,     // the change log
  kTokens,     // remembered results
  kMisc,       // subscriptions and other small things
};
inline constexpr std::size_t kFamilyCount = 13;

struct FamilyInfo {
  Family family;
  const char* name;  // in RocksDB
  const char* key;   // for people
  const char* value;
};
/// In the order of Family.
extern const std::array<FamilyInfo, kFamilyCount> kFamilies;

// --- meta
// ---------------------------------------------------------------------------------------------
/// "version" -> be32 · "last" -> packed EntryId · "low" -> packed EntryId (newest dropped or
/// skipped entry)
inline constexpr std::string_view kMetaVersion = "version";
inline constexpr std::string_view kMetaLast = "last";
inline constexpr std::string_view kMetaLow = "low";
/// -> packed place of the search for damage; see scrub.cc.
inline constexpr std::string_view kMetaScrub = "scrub";
/// 'i' user -> "" : this user's copy is unfinished or must be sent whole.
std::string IncompleteKey(UserId user);
/// 'r' mailbox -> "" : counters and digest must be recounted (left by an undo step).
std::string RecountKey(MailboxId mailbox);
/// 'c' user -> "" : the same for the user's own digest and totals.
std::string RecountUserKey(UserId user);
/// 'f' user -> "" : this user was deleted and forgotten; what lies outside the store is to follow.
std::string ForgottenKey(UserId user);
/// 'b' user, body no -> be64 time : a body is being staged.
std::string StagingKey(UserId user, BodyNo body);
/// 'u' user, body no -> guid, PoolEntry : a body from before a refill that the refill has not
/// named.
std::string UnclaimedKey(UserId user, BodyNo body);

// --- users
// ----------------------------------------------------------------------------------------------
std::string UserKey(UserId user);  // 'h' user -> proto UserHeader, prefixed by its modseq (be64)
std::string UserNameKey(std::string_view name);  // 'n' name -> user id
std::string UserStateKey(UserId user);           // 's' user -> packed UserState

// --- mailboxes
// --------------------------------------------------------------------------------------------
std::string MailboxKey(UserId user,
                       MailboxId mailbox);  // 'h' user, mailbox -> be64 modseq, proto MailboxHeader
std::string MailboxNameKey(UserId user,
                           std::string_view name);  // 'n' user, name -> mailbox id (live ones only)
std::string MailboxStateKey(MailboxId mailbox);  // 's' mailbox -> packed MailboxRow (owner first)
std::string MailboxPrefix(UserId user);          // 'h' user
std::string MailboxNamePrefix(UserId user);      // 'n' user

// --- messages
// -----------------------------------------------------------------------------------------------
inline constexpr std::uint32_t kPageBits = 8;
std::string PageKey(MailboxId mailbox,
                    std::uint32_t page);            // mailbox, be32(uid >> 8) -> packed page
std::string RecordKey(MailboxId mailbox, Uid uid);  // mailbox, be32 uid -> proto RecordHeader
std::string BodyKey(UserId user, BodyNo body, std::uint32_t chunk);  // user, be64, be32 -> octets
std::string BodyPrefix(UserId user, BodyNo body);
std::string GuidKey(UserId user,
                    const Guid& guid);  // user, guid -> be64 body no, varint size, varint chunks
std::string RefKey(UserId user, BodyNo body, MailboxId mailbox, Uid uid);  // -> ""
std::string RefPrefix(UserId user, BodyNo body);
std::string SummaryKey(UserId user, BodyNo body);  // -> opaque blob

// --- texts
// ----------------------------------------------------------------------------------------------
/// Columns of a page, each a letter: texts 'a' on in the order of mime::TextColumn, then records
/// and sort fields.
inline constexpr std::string_view kTextKinds = "abcdef";
inline constexpr char kFactsKind = 'r';
inline constexpr std::string_view kPageKinds = "abcdefr";
std::string BodyTextKey(UserId user, BodyNo body);  // 'b' user, be64 -> version, folded text
std::string BodyTextPrefix(UserId user);            // 'b' user
std::string TextPageKey(MailboxId mailbox, char kind,
                        std::uint32_t page);    // 'p' mailbox, kind, be32 -> packed column
std::string TextPagePrefix(MailboxId mailbox);  // 'p' mailbox

// --- the rest
// -------------------------------------------------------------------------------------------------
std::string OutboxKey(CommitSeq seq);  // be64 -> proto OutboxEntry
std::string TokenKey(UserId user,
                     std::string_view key);  // user, key -> be64 modseq, be64 expiry, result
std::string MiscKey(UserId user, std::uint8_t kind,
                    std::string_view key);  // user, kind, key -> be64 modseq, u8 deleted, value

// --- parsing keys back
// --------------------------------------------------------------------------------------
std::optional<Uid> UidOfRecordKey(std::string_view key);
std::optional<Uid> UidOfRefKey(std::string_view key);
std::optional<std::uint32_t> PageOfPageKey(std::string_view key);
std::optional<std::uint32_t> PageOfTextPageKey(std::string_view key);
struct BodyKeyParts {
  BodyNo body;
  std::uint32_t chunk = 0;
};
std::optional<BodyKeyParts> PartsOfBodyKey(std::string_view key);
std::optional<CommitSeq> SeqOfOutboxKey(std::string_view key);

/// The smallest key above every key that starts with `prefix`.
std::string PrefixEnd(std::string_view prefix);

std::string PackEntryId(const EntryId& id);
std::optional<EntryId> UnpackEntryId(std::string_view bytes);

}  // namespace twinspool::store
