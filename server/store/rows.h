// Packed values of the store's own rows: what is derived (counters, digests) and the small prefixes
// in front of canonical bytes. Keys are in schema.h, index pages in page.h.
//
// Decoding never crashes on wrong bytes: it answers kDataLoss. Derived rows start with a version
// byte; fields are only ever added at the end, and an older program keeps reading the ones it
// knows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/status.h"
#include "common/types.h"

namespace twinspool::store {

/// Derived state of a user (UserStateKey). Everything here can be recounted from other rows.
struct UserState {
  /// Highest modseq of anything of this user; the next one is above it.
  Modseq last_modseq;
  /// Highest UIDVALIDITY ever given to one of the user's mailboxes.
  std::uint32_t uid_validity = 0;
  /// Of the user's own rows: header, misc, tokens, pool. Mailboxes keep theirs.
  DigestBytes digest;
  /// Live mailboxes; octets and number of live messages in them (quota use).
  std::uint32_t mailboxes = 0;
  std::uint64_t bytes = 0;
  std::uint64_t messages = 0;
  /// Names the user is subscribed to.
  std::uint32_t subscriptions = 0;
  bool operator==(const UserState&) const = default;
};
std::string EncodeUserState(const UserState& state);
Result<UserState> DecodeUserState(std::string_view bytes);

/// Derived state of a mailbox (MailboxStateKey). The owner comes first, so that the row leads from
/// a mailbox id to its user.
struct MailboxRow {
  UserId owner;
  std::uint32_t uid_next = 1;
  /// Highest of: creation, every entry (expunged ones too), gaps of forced promotions.
  Modseq highest_modseq;
  /// Live messages, those of them without \Seen, those of them with \Deleted, their octets.
  std::uint32_t exists = 0;
  std::uint32_t unseen = 0;
  std::uint32_t deleted = 0;
  std::uint64_t bytes = 0;
  /// Live and expunged entries together.
  std::uint32_t entries = 0;
  /// Over header, records and entries; see common/digest.h.
  DigestBytes digest;
  /// Expunges at or below are forgotten.
  Modseq purge_floor;
  /// UIDNEXT that the peer surely knows. A node's own knowledge: in no digest, never compared.
  std::uint32_t uid_peer = 1;
  bool operator==(const MailboxRow&) const = default;
};
std::string EncodeMailboxRow(const MailboxRow& row);
Result<MailboxRow> DecodeMailboxRow(std::string_view bytes);

/// Canonical bytes with the modseq they were written at: UserKey, MailboxKey.
struct VersionedBytes {
  Modseq modseq;
  std::string bytes;
};
std::string EncodeVersioned(Modseq modseq, std::string_view bytes);
Result<VersionedBytes> DecodeVersioned(std::string_view row);

/// The pool's entry for one content (GuidKey).
struct PoolEntry {
  BodyNo body;
  std::uint64_t size = 0;
  std::uint32_t chunks = 0;
};
std::string EncodePoolEntry(const PoolEntry& entry);
Result<PoolEntry> DecodePoolEntry(std::string_view row);

/// A body that nothing refers to (yet, or any more): StagingKey. `guid` is nil while octets are
/// still missing.
struct LooseBody {
  std::int64_t since_s = 0;
  Guid guid;
};
std::string EncodeLooseBody(const LooseBody& loose);
Result<LooseBody> DecodeLooseBody(std::string_view row);

/// TokenKey.
struct TokenRow {
  Modseq modseq;
  std::int64_t expires_s = 0;
  std::string result;
};
std::string EncodeTokenRow(const TokenRow& row);
Result<TokenRow> DecodeTokenRow(std::string_view bytes);

/// MiscKey. The value of a deleted row says when it was deleted.
struct MiscRow {
  Modseq modseq;
  bool deleted = false;
  std::string value;
};
std::string EncodeDeletedAt(std::int64_t seconds);
/// 0, long ago, when the row does not tell.
std::int64_t DeletedAt(const MiscRow& row);
std::string EncodeMiscRow(const MiscRow& row);
Result<MiscRow> DecodeMiscRow(std::string_view bytes);

}  // namespace twinspool::store
