// The strong types of the project: a Modseq cannot be passed where a CommitSeq is meant.
//
// The words are those of ARCHITECTURE.md's glossary, each with one meaning. All are plain values:
// copyable, ordered, hashable, thread-compatible.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace twinspool {

/// An integer with a meaning. No arithmetic but what is spelled out by the caller.
template <typename Tag, typename Rep>
class Strong {
 public:
  constexpr Strong() = default;
  constexpr explicit Strong(Rep value) : value_(value) {}
  constexpr Rep value() const { return value_; }
  constexpr auto operator<=>(const Strong&) const = default;

  /// The number after this one.
  constexpr Strong Next() const { return Strong(static_cast<Rep>(value_ + 1)); }

 private:
  Rep value_ = 0;
};

/// UID of a message in its mailbox (RFC 3501 §2.3.1.1). 0 is no message.
using Uid = Strong<struct UidTag, std::uint32_t>;
/// UIDVALIDITY of a mailbox; strictly increasing per user, never 0.
using UidValidity = Strong<struct UidValidityTag, std::uint32_t>;
/// Position of a change in its user's history: (epoch + bias) * 2^40 + n, below 2^53; 0 means
/// "none".
using Modseq = Strong<struct ModseqTag, std::uint64_t>;
/// Position of a commit group in a node's outbox; 0 is before the first.
using CommitSeq = Strong<struct CommitSeqTag, std::uint64_t>;
/// Promotion generation; epoch mod 2 is the index of the node that opened it. 0 is "never
/// promised".
using Epoch = Strong<struct EpochTag, std::uint32_t>;
/// Number of starts of a node; binds messages to one life of a process.
using Incarnation = Strong<struct IncarnationTag, std::uint64_t>;
/// Name of a body in its user's pool: the modseq of its first append.
using BodyNo = Strong<struct BodyNoTag, std::uint64_t>;

/// Largest epoch: modseqs must stay below 2^53 because some clients keep them as doubles.
inline constexpr Epoch kEpochMax{8191};
/// Width of the counter below the epoch in a Modseq.
inline constexpr int kModseqEpochShift = 40;

/// `size` random or derived bytes that name a thing for ever.
template <typename Tag, std::size_t size>
class Id {
 public:
  constexpr Id() = default;
  /// `bytes` must be exactly kSize long; otherwise the result is the nil id.
  static Id FromBytes(std::string_view bytes) {
    Id id;
    if (bytes.size() == size) {
      std::memcpy(id.bytes_.data(), bytes.data(), size);
    }
    return id;
  }
  /// Lower-case hex of kSize bytes, or nothing.
  static std::optional<Id> FromHex(std::string_view hex) {
    if (hex.size() != 2 * size) {
      return std::nullopt;
    }
    Id id;
    for (std::size_t i = 0; i < hex.size(); ++i) {
      const char c = hex[i];
      int digit = 0;
      if (c >= '0' && c <= '9') {
        digit = c - '0';
      } else if (c >= 'a' && c <= 'f') {
        digit = c - 'a' + 10;
      } else {
        return std::nullopt;
      }
      const int high = i % 2 == 0 ? digit << 4 : id.bytes_[i / 2] | digit;
      id.bytes_[i / 2] = static_cast<std::uint8_t>(high);
    }
    return id;
  }
  static constexpr std::size_t kSize = size;

  std::string_view bytes() const { return {reinterpret_cast<const char*>(bytes_.data()), size}; }
  std::uint8_t* data() { return bytes_.data(); }
  const std::uint8_t* data() const { return bytes_.data(); }
  bool nil() const { return *this == Id(); }
  std::string ToHex() const {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string hex;
    hex.reserve(2 * size);
    for (const std::uint8_t byte : bytes_) {
      hex.push_back(kDigits[byte >> 4]);
      hex.push_back(kDigits[byte & 15]);
    }
    return hex;
  }
  auto operator<=>(const Id&) const = default;

 private:
  std::array<std::uint8_t, size> bytes_{};
};

using UserId = Id<struct UserIdTag, 16>;
using MailboxId = Id<struct MailboxIdTag, 16>;
using PairId = Id<struct PairIdTag, 16>;
using NodeId = Id<struct NodeIdTag, 16>;
/// SHA-256 of a message's octets.
using Guid = Id<struct GuidTag, 32>;
/// Order-free sum modulo 2^128 over record hashes, little-endian; see common/digest.h.
using DigestBytes = Id<struct DigestTag, 16>;

/// Identity of one outbox entry. Two nodes hold the same entry iff all three are equal.
struct EntryId {
  Epoch epoch;
  Incarnation incarnation;
  CommitSeq seq;
  auto operator<=>(const EntryId&) const = default;
};

}  // namespace twinspool

template <typename Tag, typename Rep>
struct std::hash<twinspool::Strong<Tag, Rep>> {
  std::size_t operator()(const twinspool::Strong<Tag, Rep>& v) const noexcept {
    return std::hash<Rep>()(v.value());
  }
};

template <typename Tag, std::size_t id_size>
struct std::hash<twinspool::Id<Tag, id_size>> {
  std::size_t operator()(const twinspool::Id<Tag, id_size>& id) const noexcept {
    // Ids are random or hashes: their first eight bytes are as good as any hash of them.
    std::size_t h = 0;
    std::memcpy(&h, id.data(), sizeof h);
    return h;
  }
};
