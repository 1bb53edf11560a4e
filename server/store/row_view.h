// RowView: decoded rows of one moment: who the users are, what belongs to whom, sums of digests.
//
// Read side of the replication ports (pictures, sink, undo, recount). It never looks at HeadState:
// without a snapshot it shows what the engine holds now. Not thread-safe; cheap to make.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "proto/replication.pb.h"

#include "common/status.h"
#include "common/types.h"
#include "server/store/engine.h"
#include "server/store/rows.h"

namespace twinspool::store {

/// A body that the pool knows.
struct PooledBody {
  Guid guid;
  PoolEntry entry;
};

class RowView {
 public:
  /// `snapshot` null: the newest rows. Both outlive this.
  explicit RowView(Engine& engine, const Snapshot* snapshot = nullptr)
      : engine_(engine), snapshot_(snapshot) {}

  Engine& engine() const { return engine_; }
  const Snapshot* snapshot() const { return snapshot_; }

  Result<std::optional<VersionedBytes>> UserHeader(UserId user) const;
  /// All zero when there is none.
  Result<UserState> StateOf(UserId user) const;
  Result<std::optional<VersionedBytes>> MailboxHeader(UserId user, MailboxId mailbox) const;
  Result<std::optional<MailboxRow>> MailboxRowOf(MailboxId mailbox) const;
  /// Every mailbox of the user, deleted ones included, in id order.
  Result<std::vector<MailboxId>> MailboxesOf(UserId user) const;
  /// Users with a header, in id order.
  Result<std::vector<UserId>> Users() const;
  /// Users and mailboxes with a mark of that kind ('i', 'r') in meta.
  template <typename IdType>
  Result<std::vector<IdType>> Marked(char kind) const;

  /// What the pool says of a body number: by its loose mark, or by a message that refers to it.
  /// Nothing: the body is unfinished, or not the one that its GUID leads to.
  Result<std::optional<PooledBody>> Pooled(UserId user, BodyNo body) const;

  /// Sum over the user's own rows and all its mailboxes.
  Result<DigestBytes> DigestOfUser(UserId user) const;
  /// Every user; one whose copy is unfinished, or whose rows are damaged, has an empty digest,
  /// which equals no other.
  Result<std::vector<proto::UserDigest>> UserDigests() const;
  Result<std::vector<proto::MailboxDigest>> MailboxDigests(MailboxId after,
                                                           std::size_t limit) const;

  /// As Engine::ScanEach, of all rows with the prefix.
  Status ScanEach(Family family, std::string_view prefix, const Engine::EachRow& fn) const {
    return engine_.ScanEach(family, KeyRange::Prefix(prefix), snapshot_, fn);
  }
  /// Calls fn(key, value) for every row with the prefix, until it answers an error or false.
  Status Scan(Family family, std::string_view prefix,
              const std::function<Result<bool>(std::string_view, std::string_view)>& fn) const;

 private:
  Engine& engine_;
  const Snapshot* snapshot_;
};

}  // namespace twinspool::store
