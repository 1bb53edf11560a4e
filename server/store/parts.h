// Parts: an object of the store (a mailbox, or a user's own rows) read from disk as a sum of parts,
// each with a digest and counts of its own.
//
// So damage of an object is narrowed down to a few parts of it, on both nodes alike and however
// large it is, and what is whole need not travel. A part is
//
//   of a mailbox  its header, or by its number a page: the index page and the records of its UIDs
//   of a user     his header, all rows of misc, all of tokens, or by number 0 to 255 the pool's
//                 entries whose GUID begins with that octet
//
// The numbers travel: never renumber. Reading goes on behind what cannot be read, so that all
// damage is found at once; it looks at the rows alone, never at HeadState.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/digest.h"
#include "common/env.h"
#include "common/status.h"
#include "common/types.h"
#include "server/store/head.h"
#include "server/store/row_view.h"
#include "server/store/rows.h"

namespace twinspool::store {

class Page;

/// A mailbox; or with a nil mailbox the user's own rows.
struct Object {
  UserId user;
  MailboxId mailbox;
  bool operator==(const Object&) const = default;
  bool is_user() const { return mailbox.nil(); }
  /// "mailbox 6d…", "the own rows of user 75…".
  std::string ToString() const;
};

inline constexpr std::uint32_t kHeaderPart = 0xffffffff;
inline constexpr std::uint32_t kMiscPart = 0xfffffffe;
inline constexpr std::uint32_t kTokensPart = 0xfffffffd;
inline constexpr std::uint32_t kPoolParts = 256;

/// What one part comes to.
struct PartSum {
  Digest128 digest;
  /// A page's share of the mailbox's counters (exists, unseen, deleted, bytes, entries), and the
  /// least that uid_next and highest_modseq can be.
  MailboxRow counts;
  /// Of misc: names that the user is subscribed to.
  std::uint32_t subscriptions = 0;
};

struct Part {
  std::uint32_t number = 0;
  PartSum sum;
  /// kDataLoss: why it is damaged (a row that cannot be read, does not parse, or is missing).
  Status status;
};

struct ObjectParts {
  Object object;
  /// Ascending. The header is among them unless there is nothing of the object.
  std::vector<Part> parts;
  /// Of a mailbox: beside which its pages were read; null: they were not.
  std::shared_ptr<const MailboxHeaderPart> header;
  /// The derived row as stored: of `state` OK one of the two. kNotFound: there is none; kDataLoss.
  Status state;
  std::string state_row;  // its octets
  MailboxRow mailbox;
  UserState user;
  /// The derived row as it should be, if all parts are whole. What cannot be counted is kept as
  /// stored: uid_next (never lowered), purge floor, what the peer knows, last modseq, UIDVALIDITY.
  std::optional<MailboxRow> mailbox_counted;
  std::optional<UserState> user_counted;
  /// Of a user: kDataLoss when his mailboxes' derived rows cannot be read; his totals (mailboxes,
  /// messages, bytes) are kept as stored then.
  Status totals;
  /// Of a mailbox: messages to which the pool's references do not lead. Only when asked for.
  std::vector<std::pair<Uid, BodyNo>> unreferred;
  /// Why a walk over its rows ended early: what was found behind is what is known of in spite of
  /// it.
  Status torn;
  /// Octets read.
  std::uint64_t bytes = 0;

  /// There is something of it.
  bool exists() const { return !parts.empty() || !state.Is(Code::kNotFound); }
  /// No part is damaged.
  bool whole() const;
  /// Whole, and the derived row says what the rows come to.
  bool sound() const;
  /// The stored digest; nothing if the derived row is missing or damaged.
  std::optional<DigestBytes> digest() const;
  const Part* Find(std::uint32_t number) const;
  /// What is wrong, for people; empty: nothing.
  std::string Describe() const;
};

struct ReadPartsOptions {
  /// Instead of the mailbox's header in the store, which is damaged: entries have a meaning only
  /// beside its keywords.
  std::shared_ptr<const MailboxHeaderPart> header;
  bool references = false;
  /// True: it takes too long, and ends with kTimeout. Null: never.
  std::function<bool()> late;
};

/// A ReadPartsOptions::late that allows limits::kScrubSnapshotMs from now on.
std::function<bool()> TooLate(Clock& clock);

/// Errors are those of the disk as a whole; damage is told by the parts.
Result<ObjectParts> ReadParts(const RowView& view, const Object& object,
                              const ReadPartsOptions& options = {});

/// What the mailbox's header alone says of its derived row.
MailboxRow HeaderCounts(const MailboxHeaderPart& header);

/// One page as it sums up. `records` in UID order. kDataLoss: entries and records do not belong
/// together, or a record does not parse.
Result<PartSum> SumPage(MailboxId mailbox, const MailboxHeaderPart& header, std::uint32_t number,
                        const Page& page, const std::vector<std::pair<Uid, std::string>>& records);

/// Adds a page's share to the derived row.
void AddCounts(const MailboxRow& share, MailboxRow* row);

/// "page of messages 257 to 512", "header", …
std::string PartName(const Object& object, std::uint32_t part);

}  // namespace twinspool::store
