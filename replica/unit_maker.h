// UnitMaker: the reading half of a catch-up. Walks a picture and cuts units, encoded and compressed
// for the wire.
//
// Made by the conversation, used on the thread that reads (ConversationParts::background), so that
// nothing in the conversation, least of all what clients wait for, waits for the disk on account of
// a standby that is behind. One call at a time, but for CallOff, which may come from any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "proto/replication.pb.h"

#include "common/status.h"
#include "common/types.h"
#include "replica/ports.h"

namespace twinspool::replica {

/// A piece of a catch-up: one mailbox or one user whole, or everything touched since a position.
struct CatchUpWork {
  MailboxId mailbox = {};  // not nil: repair
  UserId user = {};        // not nil: whole user
  std::vector<proto::BodyRef> have = {};
  CommitSeq after = {};  // both nil: since then
};

/// Owns its picture, and with it a snapshot of the store. See the head of this file.
class UnitMaker {
 public:
  explicit UnitMaker(std::unique_ptr<Picture> picture) : picture_(std::move(picture)) {}

  struct Made {
    /// Errors are the picture's; kUnavailable: it was called off.
    Status status = {};
    /// Nothing is left of the work; there are no parts.
    bool walked = false;
    std::size_t bytes = 0;  // of the unit, encoded
    std::deque<proto::FramePart> parts = {};
  };
  /// Nobody waits for what is not begun yet.
  void CallOff() { called_off_ = true; }
  /// The next unit of `work`, when that is given, else of what the last call was about: at most
  /// `bytes_max` octets unless a single item is larger.
  Made Make(std::optional<CatchUpWork> work, std::uint64_t number, std::size_t bytes_max);

 private:
  Result<Made> Cut(std::optional<CatchUpWork> work, std::uint64_t number, std::size_t bytes_max);
  Status Start(CatchUpWork work);

  const std::unique_ptr<Picture> picture_;
  std::atomic<bool> called_off_{false};
};

}  // namespace twinspool::replica
