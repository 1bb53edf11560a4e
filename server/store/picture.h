// StorePicture: one moment of the store, cut into catch-up units for a standby; and the source that
// takes such pictures.
//
// A picture pins a snapshot and the end of the log as of that snapshot (both are in the same batch,
// so they always fit). A body larger than a unit is spread over several, chunk by chunk. Nothing
// else is kept in memory than one unit and what item_source.h and touched.h bound.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "common/status.h"
#include "common/types.h"
#include "replica/ports.h"
#include "server/store/item_source.h"
#include "server/store/row_view.h"
#include "server/store/touched.h"

namespace twinspool::store {

/// The user (or mailbox) whose units are being made.
struct PictureInWork {
  UserId user;
  MailboxId only_mailbox;  // nil: the whole user
  bool replace = false;
  bool begun = false;
  ItemSources sources;
  std::deque<proto::ChangeItem> items;  // read and not yet sent
};

class StorePicture final : public replica::Picture {
 public:
  /// kDataLoss when the end of the log can't be read.
  static Result<std::unique_ptr<StorePicture>> Take(Engine& engine, TouchedLimits limits = {});

  EntryId position() const override { return position_; }
  /// kNotFound when the log no longer reaches back that far: compare users instead.
  Status StartSince(CommitSeq after) override;
  Status StartUser(UserId user, std::vector<proto::BodyRef> have) override;
  Status StartMailbox(MailboxId mailbox) override;
  Result<std::optional<proto::CatchUpUnit>> NextUnit(std::size_t bytes_max) override;
  Result<std::vector<proto::UserDigest>> Users() override;
  Result<std::vector<proto::MailboxDigest>> MailboxDigests(MailboxId after,
                                                           std::size_t limit) override;

 private:
  StorePicture(Engine& engine, SnapshotPtr snapshot, TouchedLimits limits)
      : snapshot_(std::move(snapshot)), limits_(limits), view_(engine, snapshot_.get()) {}

  Status NextUser();
  /// Reads items until the unit is full; true: nothing is left of the current user.
  Result<bool> FillUnit(proto::CatchUpUnit* unit, std::size_t bytes_max);
  Status Close(proto::CatchUpUnit* unit);

  const SnapshotPtr snapshot_;
  const TouchedLimits limits_;
  const RowView view_;
  EntryId position_;
  CommitSeq low_;
  std::unique_ptr<TouchedScan> scan_;
  std::optional<PictureInWork> current_;
  std::uint64_t number_ = 0;
};

class StorePictureSource final : public replica::PictureSource {
 public:
  explicit StorePictureSource(Engine& engine) : engine_(engine) {}
  Result<std::unique_ptr<replica::Picture>> TakePicture() override;

 private:
  Engine& engine_;
};

}  // namespace twinspool::store
