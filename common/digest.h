// Digests: order-free 128-bit sums that tell whether two nodes hold the same mail.
//
// A digest is the sum modulo 2^128 of one term per row; a term is SHA-256 of (domain, key, bytes),
// cut to its first 16 octets and read as a little-endian number. Adding and subtracting a term is
// all that a change costs, whatever the size of the mailbox, and the order of changes does not
// matter. It finds accidents (a lost row, rot, two histories mixed), not forgers.
//
// Each kind of row has its own domain letter, so that equal bytes of two kinds never cancel. Inside
// a term fixed-width integers are big-endian and strings carry their length, so no two different
// rows hash the same octets. Never change a term: both nodes must agree, and stored sums hold it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/types.h"

namespace twinspool {

/// A sum of terms. Plain value; the sum of nothing is all zero.
class Digest128 {
 public:
  Digest128() = default;
  /// Reads what bytes() wrote (16 octets, little-endian).
  static Digest128 FromBytes(const DigestBytes& bytes);

  void Add(const Digest128& other);
  void Subtract(const Digest128& other);

  DigestBytes bytes() const;
  bool zero() const { return low_ == 0 && high_ == 0; }
  bool operator==(const Digest128&) const = default;

 private:
  std::uint64_t low_ = 0;
  std::uint64_t high_ = 0;
};

/// The mutable part of a message, as the digest sees it: keywords by name, not by bit, because a
/// bitmap means something only beside its mailbox's keyword table.
struct EntryDigestInput {
  MailboxId mailbox;
  Uid uid;
  std::uint32_t state = 0;
  std::uint32_t flags = 0;
  Modseq modseq;
  std::int64_t updated_s = 0;
  /// Lower-case, sorted, each once.
  std::vector<std::string_view> keywords;
  std::string_view tail;
};

/// One row of misc: a subscription, an annotation, …
struct MiscDigestInput {
  UserId user;
  std::uint8_t kind = 0;
  std::string_view key;
  Modseq modseq;
  bool deleted = false;
  std::string_view value;
};

/// A remembered result of a write.
struct TokenDigestInput {
  UserId user;
  std::string_view key;
  Modseq modseq;
  std::int64_t expires_s = 0;
  std::string_view result;
};

/// 'R': the part of a message that is written once; `record` as stored, octet for octet.
Digest128 RecordTerm(MailboxId mailbox, Uid uid, std::string_view record);
/// 'E': the part that changes.
Digest128 EntryTerm(const EntryDigestInput& entry);
/// 'U': a user's header as stored.
Digest128 UserTerm(UserId user, Modseq modseq, std::string_view header);
/// 'M': a mailbox's header as stored.
Digest128 MailboxTerm(MailboxId mailbox, Modseq modseq, std::string_view header);
/// 'X'
Digest128 MiscTerm(const MiscDigestInput& row);
/// 'T'
Digest128 TokenTerm(const TokenDigestInput& row);
/// 'B': the pool knows a body. Its octets are covered by its GUID.
Digest128 BodyTerm(UserId user, BodyNo body, const Guid& guid, std::uint64_t size);

/// SHA-256 of octets that come in pieces: GUIDs of staged bodies, checks of stored ones.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Update(std::string_view octets);
  /// The hash of everything so far; the object starts afresh afterwards.
  Guid Finish();

 private:
  void* context_;  // EVP_MD_CTX
};

/// SHA-256 of `octets` at once.
Guid GuidOf(std::string_view octets);

}  // namespace twinspool
