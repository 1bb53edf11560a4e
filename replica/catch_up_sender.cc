#include "replica/catch_up_sender.h"

#include <algorithm>
#include <utility>

#include "replica/core/history.h"
#include "replica/role_driver.h"

namespace twinspool::replica {

Status CatchUpSender::Begin(CatchUpPlan plan, Instant now) {
  Cancel();
  plan_ = std::move(plan);
  ASSIGN_OR_RETURN(std::unique_ptr<Picture> picture, shared_.ports.pictures->TakePicture());
  target_ = picture->position();
  if (plan_.compare) {
    ASSIGN_OR_RETURN(users_, picture->Users());
  }
  maker_ = std::make_shared<UnitMaker>(std::move(picture));
  pace_.Begin(plan_.again, ClientCalls(), now);
  stage_ = Stage::kAsked;
  AskAgain();
  return OkStatus();
}

void CatchUpSender::AskAgain() {
  if (stage_ != Stage::kAsked) {
    return;
  }
  proto::PeerMessage message;
  *message.mutable_catch_up_begin()->mutable_target() = core::ToProto(target_);
  message.mutable_catch_up_begin()->set_compare(plan_.compare);
  shared_.Send(std::move(message));
}

void CatchUpSender::Cancel() {
  stage_ = Stage::kIdle;
  if (maker_ != nullptr) {
    maker_->CallOff();
  }
  maker_.reset();
  ++begins_;
  users_.clear();
  next_user_ = 0;
  user_list_open_ = false;
  all_wanted_ = false;
  work_.clear();
  walking_ = false;
  making_ = false;
  half_wanted_.clear();
  parts_.clear();
  in_flight_.clear();
  in_flight_bytes_ = 0;
}

void CatchUpSender::OnReady() {
  if (stage_ != Stage::kAsked) {
    return;
  }
  stage_ = Stage::kSending;
  user_list_open_ = plan_.compare;
  for (const MailboxId& mailbox : plan_.repair) {
    work_.push_back({.mailbox = mailbox});
  }
  if (!plan_.compare) {
    work_.push_back({.after = plan_.after});
  }
}

Status CatchUpSender::OnWanted(const proto::UserWanted& wanted) {
  if (stage_ != Stage::kSending) {
    return OkStatus();
  }
  if (wanted.all_sent()) {
    all_wanted_ = true;
    return OkStatus();
  }
  std::vector<proto::BodyRef>& have = half_wanted_[wanted.user_id()];
  have.insert(have.end(), wanted.bodies().begin(), wanted.bodies().end());
  if (wanted.last()) {
    work_.push_back({.user = UserId::FromBytes(wanted.user_id()), .have = std::move(have)});
    half_wanted_.erase(wanted.user_id());
  }
  return OkStatus();
}

void CatchUpSender::OnUnitDone(const proto::UnitDone& done, Instant now) {
  const auto found = in_flight_.find(done.number());
  if (found != in_flight_.end()) {
    in_flight_bytes_ -= found->second;
    in_flight_.erase(found);
    pace_.OnUnitDone(ClientCalls(), shared_.role->serving().writes_refused.empty(), now);
  }
}

/// Reads as counted by the store, and commits.
std::uint64_t CatchUpSender::ClientCalls() const {
  const auto& reads = shared_.ports.client_reads;
  return shared_.ports.log->last().seq.value() + (reads ? reads() : 0);
}

bool CatchUpSender::Finished() const {
  return work_.empty() && !walking_ && parts_.empty() && in_flight_.empty() &&
         half_wanted_.empty() && !user_list_open_ && (all_wanted_ || !plan_.compare);
}

void CatchUpSender::SendUserPage() {
  proto::PeerMessage message;
  proto::UserList* list = message.mutable_user_list();
  const std::size_t end = std::min(next_user_ + limits::kUserDigestsPerMessage, users_.size());
  for (; next_user_ < end; ++next_user_) {
    *list->add_users() = users_[next_user_];
  }
  list->set_last(end == users_.size());
  user_list_open_ = !list->last();
  shared_.Send(std::move(message));
}

// --- units -----------------------------------------------------------------------------------

bool CatchUpSender::WantsUnit(Instant now) const {
  const bool room = pace_.beside_clients() ? in_flight_.empty()
                                           : in_flight_bytes_ < shared_.options.unit_window_bytes;
  return !making_ && room && now >= pace_.next_at() && (walking_ || !work_.empty());
}

void CatchUpSender::BeginUnit(Instant now) {
  std::optional<CatchUpWork> work;
  if (!walking_) {
    work = std::move(work_.front());
    work_.pop_front();
    walking_ = true;
  }
  making_ = true;
  pace_.OnUnitBegun(now);
  const auto make = [this, maker = maker_, begins = begins_, work = std::move(work),
                     number = next_number_, bytes = pace_.unit_bytes(), post = shared_.post] {
    auto made = std::make_shared<UnitMaker::Made>(maker->Make(work, number, bytes));
    post([this, made, begins] {
      if (begins == begins_) {
        OnMade(std::move(*made));
      }
    });
  };
  if (!shared_.background(make)) {
    making_ = false;
    shared_.Drop(Unavailable("there is too much to be read for the standby"));
  }
}

void CatchUpSender::OnMade(UnitMaker::Made made) {
  making_ = false;
  if (!made.status.ok()) {
    shared_.Drop(made.status.Annotate("the standby cannot be served"));
    return;
  }
  walking_ = !made.walked;
  if (!made.walked) {
    in_flight_[next_number_++] = made.bytes;
    in_flight_bytes_ += made.bytes;
    parts_ = std::move(made.parts);
  }
}

std::optional<Instant> CatchUpSender::next_at() const {
  const bool waits = stage_ == Stage::kSending && !making_ && in_flight_.empty() &&
                     parts_.empty() && (walking_ || !work_.empty());
  return waits ? std::optional(pace_.next_at()) : std::nullopt;
}

bool CatchUpSender::Pump(Instant now) {
  if (stage_ != Stage::kSending) {
    return false;
  }
  if (user_list_open_) {
    SendUserPage();
    return true;
  }
  if (!parts_.empty()) {
    proto::PeerMessage message;
    *message.mutable_frame_part() = std::move(parts_.front());
    parts_.pop_front();
    shared_.Send(std::move(message));
    return true;
  }
  if (WantsUnit(now)) {
    BeginUnit(now);
    return false;  // what is made wakes whoever sends
  }
  if (!Finished()) {
    return false;
  }
  proto::PeerMessage message;
  *message.mutable_catch_up_end()->mutable_target() = core::ToProto(target_);
  shared_.Send(std::move(message));
  Cancel();
  return true;
}

}  // namespace twinspool::replica
