// One catch-up as the primary sees it: a picture, cut into units, sent as the standby takes them.
//
// Coalesced: newest state of everything touched since a position. Comparing: the list of users goes
// first, the standby names those to send whole. Either way mailboxes to repair go first, users
// whose digest comes out wrong are sent whole, and CatchUpEnd closes it. It holds no lock and no
// thread; Pump is called when the wire has room.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "replica/ports.h"
#include "replica/shared.h"

namespace twinspool::replica {

/// What a catch-up is to do.
struct CatchUpPlan {
  bool compare = false;
  CommitSeq after;  // coalesced: the standby's position
  std::vector<MailboxId> repair = {};
};

/// See the head of this file.
class CatchUpSender {
 public:
  explicit CatchUpSender(Shared& shared) : shared_(shared) {}

  /// Takes the picture and asks the standby whether it is ready.
  Status Begin(CatchUpPlan plan);
  void Cancel();
  bool active() const { return stage_ != Stage::kIdle; }
  /// The standby has not answered yet: its facts may still change the plan.
  bool asked_only() const { return stage_ == Stage::kAsked; }

  void OnReady();
  Status OnWanted(const proto::UserWanted& wanted);
  void OnUnitDone(const proto::UnitDone& done);
  /// Says CatchUpBegin again, if it was not answered.
  void AskAgain();

  /// Queues at most one message. True: there may be more. After CatchUpEnd is queued, active() is
  /// false and target() the position that the standby will have.
  Result<bool> Pump();

  EntryId target() const { return target_; }
  std::uint64_t units_sent() const { return next_number_ - 1; }

 private:
  enum class Stage { kIdle, kAsked, kSending };
  struct Work {
    MailboxId mailbox;  // not nil: repair
    UserId user;        // not nil: whole user
    std::vector<proto::BodyRef> have;
  };  // both nil: everything since plan_.after
  /// Takes the first of work_ and begins to walk it.
  Status StartWork();
  /// The next unit of the work at hand, or of the first after it that has one; none: all is walked.
  Result<std::optional<proto::CatchUpUnit>> NextUnit();
  /// Cuts the next unit, if there is one, into parts_.
  Status MakeParts();
  void SendUserPage();
  bool Finished() const;

  Shared& shared_;
  Stage stage_ = Stage::kIdle;
  CatchUpPlan plan_;
  EntryId target_;
  std::unique_ptr<Picture> picture_;
  std::vector<proto::UserDigest> users_;
  std::size_t next_user_ = 0;
  bool user_list_open_ = false;  // pages of the list are still to be sent
  bool all_wanted_ = false;
  std::deque<Work> work_;
  bool walking_ = false;
  std::map<std::string, std::vector<proto::BodyRef>> half_wanted_;
  std::deque<proto::FramePart> parts_;
  std::map<std::uint64_t, std::size_t> in_flight_;  // unit number -> octets
  std::size_t in_flight_bytes_ = 0;
  std::uint64_t next_number_ = 1;
};

}  // namespace twinspool::replica
