// HeadState: the newest state of users, mailboxes and pages, durable or not yet. HeadEdit: one
// transaction's changes to it, published as a whole or dropped.
//
// Everything that decides about a write reads here, never RocksDB alone: what is queued for the
// commit thread is part of the newest state although no reader sees it yet. Readers do not come
// here; they use the visible snapshot (visibility.h).
//
// Threads. Users are spread over kStripes stripes by id. A StripeLock holds the stripe of one user,
// or of two (taken in ascending order); all calls about a user need his stripe locked. The lock is
// never held during a sync or while waiting for anyone.
//
// Memory. What a queued transaction changed is pinned until SetDurable() has reached its ticket;
// the rest is a cache, bounded per stripe, and is read again from the engine when needed.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "proto/types.pb.h"

#include "common/status.h"
#include "common/types.h"
#include "server/store/rows.h"
#include "server/store/schema.h"

namespace twinspool::store {

class Engine;
class RowBatch;
class RowIterator;
struct KeyRange;
class Page;

/// Number of a transaction in the order of queueing; rises over all users. 0: before any.
using Ticket = Strong<struct TicketTag, std::uint64_t>;

/// A user's header, decoded once.
struct UserHeaderPart {
  std::string bytes;  // canonical
  proto::UserHeader decoded;
};

struct HeadUser {
  UserId id;
  Modseq modseq;                                 // of the header
  std::shared_ptr<const UserHeaderPart> header;  // null: no such user here
  UserState state;
  bool exists() const { return header != nullptr && header->decoded.deleted_ns() == 0; }
};

/// A mailbox's header, decoded once.
struct MailboxHeaderPart {
  std::string bytes;  // canonical
  proto::MailboxHeader decoded;
  /// Bit i of an entry's keywords is keywords[i]; `folded` are the same in lower case (digests,
  /// comparing).
  std::shared_ptr<const std::vector<std::string>> keywords;
  std::vector<std::string> folded;
};
/// kDataLoss when the bytes are no header.
Result<std::shared_ptr<const MailboxHeaderPart>> ParseMailboxHeader(std::string bytes);
Result<std::shared_ptr<const UserHeaderPart>> ParseUserHeader(std::string bytes);
/// Keywords compare without regard to ASCII case.
std::string FoldKeyword(std::string_view keyword);

struct HeadMailbox {
  MailboxId id;
  Modseq modseq;                                    // of the header
  std::shared_ptr<const MailboxHeaderPart> header;  // null: no such mailbox
  MailboxRow row;
  /// Last transaction that gave out a UID here in this life of the process; see
  /// MailboxRow::uid_peer.
  Ticket last_append;
  bool exists() const { return header != nullptr && header->decoded.deleted_modseq() == 0; }
};

struct HeadOptions {
  /// Objects kept per stripe beyond the pinned ones: users and mailboxes of some 1 KiB, decoded
  /// pages of some 25 KiB; at most about 200 MiB over all stripes.
  std::size_t mailboxes_per_stripe = 128;
  std::size_t pages_per_stripe = 24;
};

class HeadEdit;
class StripeLock;
struct PageChange;

class HeadState {
 public:
  static constexpr std::size_t kStripes = 256;

  /// `engine` must outlive this.
  explicit HeadState(Engine& engine, HeadOptions options = {});
  HeadState(const HeadState&) = delete;
  HeadState& operator=(const HeadState&) = delete;
  ~HeadState();

  /// Everything up to `ticket` is in the engine, synced: it need not be pinned any more. Any
  /// thread.
  void SetDurable(Ticket ticket);
  /// Forgets every cached object, e.g. after rows were changed behind this class (rewind, dropped
  /// users). Nothing may be pinned. Tickets start anew: those of a sink and those of a pipeline
  /// need not be one row. Takes all stripes one after the other.
  void Clear();
  /// No change of the mailbox, or with a nil mailbox of the user, is on its way to the engine.
  /// Under the user's lock.
  bool Quiet(const StripeLock& lock, UserId user, MailboxId mailbox);
  /// Forgets the user's object and, unless it is nil, the mailbox's with its pages: their rows were
  /// mended behind this class. Only what is Quiet. Under the user's lock.
  void Forget(const StripeLock& lock, UserId user, MailboxId mailbox);
  /// Pages and mailboxes in memory now, over all stripes; for tests and metrics.
  std::size_t CachedObjects();

 private:
  friend class HeadEdit;
  friend class StripeLock;
  struct Stripe;

  static std::size_t StripeOf(UserId user);

  Engine& engine_;
  const HeadOptions options_;
  std::atomic<std::uint64_t> durable_{0};
  std::unique_ptr<std::array<Stripe, kStripes>> stripes_;
};

/// How far a transaction goes to get at what it needs.
enum class Effort : std::uint8_t {
  kWait,      // for locks and for the disk
  kInMemory,  // neither: for threads that must not wait; what is not at hand is kTimeout
};

/// Holds the stripe of one user, or those of two, until destroyed.
class StripeLock {
 public:
  /// With kInMemory it may come about that it holds nothing: see held().
  StripeLock(HeadState& head, UserId user, std::optional<UserId> other = std::nullopt,
             Effort effort = Effort::kWait);
  /// For a frame that touches many users: all their stripes, ascending.
  StripeLock(HeadState& head, const std::vector<UserId>& users, Effort effort = Effort::kWait);
  ~StripeLock();
  StripeLock(const StripeLock&) = delete;
  StripeLock& operator=(const StripeLock&) = delete;

  HeadState& head() const { return head_; }
  Effort effort() const { return effort_; }
  /// False: somebody else had a stripe, nothing is locked, and nothing may be done under this.
  bool held() const { return !stripes_.empty(); }
  bool Holds(UserId user) const;
  /// Newest ticket that was published in the locked stripes: at least the users' last one.
  Ticket last_ticket() const;

 private:
  friend class HeadEdit;

  /// False, with nothing of it locked, when one is in use.
  bool TryLockAll();

  HeadState& head_;
  const Effort effort_;
  std::vector<std::size_t> stripes_;  // ascending, unique
};

/// A transaction's view and changes: reads see its own changes, then HeadState, then the engine.
/// Nobody else sees anything before Publish(). One thread, under the lock it was made with; under
/// one of Effort::kInMemory, whatever would have to be read from the disk answers kTimeout.
class HeadEdit {
 public:
  explicit HeadEdit(const StripeLock& lock);
  ~HeadEdit();
  HeadEdit(const HeadEdit&) = delete;
  HeadEdit& operator=(const HeadEdit&) = delete;

  // Reading. Pointers stay valid until the same object is edited, or this is destroyed. Objects
  // that do not exist are answered with a null header (users, mailboxes) or empty (pages).
  Result<const HeadUser*> User(UserId user);
  /// The owner's stripe must be locked; kDataLoss when the mailbox is another user's.
  Result<const HeadMailbox*> Mailbox(UserId owner, MailboxId mailbox);
  Result<const Page*> ReadPage(UserId owner, MailboxId mailbox, std::uint32_t page);
  /// Nothing: no such row. Not for pages and not for rows of users and mailboxes' state.
  Result<std::optional<std::string>> Row(UserId owner, Family family, const std::string& key);
  /// Every row whose key begins with `prefix`, in key order; `fn` answers false to stop.
  Status ScanRows(UserId owner, Family family, std::string_view prefix,
                  const std::function<bool(std::string_view key, std::string_view value)>& fn);
  /// Numbers of a mailbox's pages that have entries, `first` to `last` inclusive, ascending.
  Result<std::vector<std::uint32_t>> Pages(UserId owner, MailboxId mailbox, std::uint32_t first,
                                           std::uint32_t last);

  // Changing.
  Result<HeadUser*> EditUser(UserId user);
  Result<HeadMailbox*> EditMailbox(UserId owner, MailboxId mailbox);
  /// Entries changed in the answered page must be named to NoteEntry(), removed ones to
  /// NoteWhole().
  Result<Page*> EditPage(UserId owner, MailboxId mailbox, std::uint32_t page);
  void NoteEntry(MailboxId mailbox, Uid uid);
  void NoteWhole(MailboxId mailbox, std::uint32_t page);
  void Put(UserId owner, Family family, std::string_view key, std::string value);
  void Delete(UserId owner, Family family, std::string_view key);

  /// Adds every change as rows: headers and derived state once each (those of a user or mailbox
  /// whose header was taken away are deleted), pages as operands or whole (a page is written whole
  /// when 16 of its entries change, and every 32nd operand).
  void AppendRows(RowBatch* batch);
  /// What of pages is changed so far, by mailbox.
  std::vector<PageChange> PageChanges() const;
  /// Makes all of it the newest state, pinned until `ticket` is durable. Call AppendRows before;
  /// this object is empty afterwards.
  void Publish(Ticket ticket);

 private:
  struct Work;
  HeadState::Stripe& StripeFor(UserId user);
  Result<std::optional<std::string>> FromEngine(Family family, const std::string& key);
  RowIterator IterateEngine(Family family, const KeyRange& range);

  const StripeLock& lock_;
  std::unique_ptr<Work> work_;
};

}  // namespace twinspool::store
