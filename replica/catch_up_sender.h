// One catch-up as the primary sees it: a picture, cut into units, sent as the standby takes them,
// at a pace that leaves clients most of this node.
//
// Coalesced: newest state of everything touched since a position. Comparing: the list of users goes
// first, the standby names those to send whole. Either way mailboxes to repair go first, users
// whose digest comes out wrong are sent whole, and CatchUpEnd closes it. It holds no lock and no
// thread: units are made in the background (unit_maker.h), one at a time, and Pump is called when
// the wire has room.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "replica/core/catch_up_pace.h"
#include "replica/ports.h"
#include "replica/shared.h"
#include "replica/unit_maker.h"

namespace twinspool::replica {

/// What a catch-up is to do.
struct CatchUpPlan {
  bool compare = false;
  CommitSeq after;  // coalesced: the standby's position
  std::vector<MailboxId> repair = {};
  bool again = false;  // the standby was too far behind when the one before ended
};

/// See the head of this file.
class CatchUpSender {
 public:
  explicit CatchUpSender(Shared& shared) : shared_(shared) {}

  /// Takes the picture and asks the standby whether it is ready.
  Status Begin(CatchUpPlan plan, Instant now);
  void Cancel();
  bool active() const { return stage_ != Stage::kIdle; }
  /// The standby has not answered yet: its facts may still change the plan.
  bool asked_only() const { return stage_ == Stage::kAsked; }

  void OnReady();
  Status OnWanted(const proto::UserWanted& wanted);
  void OnUnitDone(const proto::UnitDone& done, Instant now);
  /// Says CatchUpBegin again, if it was not answered.
  void AskAgain();

  /// Queues at most one message. True: there may be more. After CatchUpEnd is queued, active() is
  /// false and target() the position that the standby will have.
  bool Pump(Instant now);
  /// A unit is being made, or is not begun yet for the clients' sake: the standby is not to blame.
  bool resting(Instant now) const { return making_ || now < pace_.next_at(); }
  /// When Pump may have something to do; nothing: when something comes in.
  std::optional<Instant> next_at() const;

  EntryId target() const { return target_; }
  std::uint64_t units_sent() const { return next_number_ - 1; }

 private:
  enum class Stage { kIdle, kAsked, kSending };
  /// Whether another unit is to be begun.
  bool WantsUnit(Instant now) const;
  /// Has the next unit made, of the work at hand or else of the first of work_.
  void BeginUnit(Instant now);
  void OnMade(UnitMaker::Made made);
  std::uint64_t ClientCalls() const;
  void SendUserPage();
  bool Finished() const;

  Shared& shared_;
  Stage stage_ = Stage::kIdle;
  CatchUpPlan plan_;
  EntryId target_;
  core::CatchUpPace pace_;
  std::shared_ptr<UnitMaker> maker_;  // also held by what runs in the background
  std::vector<proto::UserDigest> users_;
  std::size_t next_user_ = 0;
  bool user_list_open_ = false;  // pages of the list are still to be sent
  bool all_wanted_ = false;
  std::deque<CatchUpWork> work_;
  bool walking_ = false;  // the maker has work at hand
  bool making_ = false;
  std::uint64_t begins_ = 0;  // tells what was made for this catch-up from what comes too late
  std::map<std::string, std::vector<proto::BodyRef>> half_wanted_;
  std::deque<proto::FramePart> parts_;
  std::map<std::uint64_t, std::size_t> in_flight_;  // unit number -> octets
  std::size_t in_flight_bytes_ = 0;
  std::uint64_t next_number_ = 1;
};

}  // namespace twinspool::replica
