#include "replica/catch_up_sender.h"

#include <algorithm>
#include <utility>

#include "replica/core/frame_parts.h"
#include "replica/core/history.h"

namespace twinspool::replica {

Status CatchUpSender::Begin(CatchUpPlan plan) {
  Cancel();
  plan_ = std::move(plan);
  ASSIGN_OR_RETURN(picture_, shared_.ports.pictures->TakePicture());
  target_ = picture_->position();
  if (plan_.compare) {
    ASSIGN_OR_RETURN(users_, picture_->Users());
  }
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
  picture_.reset();
  users_.clear();
  next_user_ = 0;
  user_list_open_ = false;
  all_wanted_ = false;
  work_.clear();
  walking_ = false;
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
    work_.push_back({mailbox, {}, {}});
  }
  if (!plan_.compare) {
    work_.push_back({});
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
    work_.push_back({{}, UserId::FromBytes(wanted.user_id()), std::move(have)});
    half_wanted_.erase(wanted.user_id());
  }
  return OkStatus();
}

void CatchUpSender::OnUnitDone(const proto::UnitDone& done) {
  const auto found = in_flight_.find(done.number());
  if (found != in_flight_.end()) {
    in_flight_bytes_ -= found->second;
    in_flight_.erase(found);
  }
}

bool CatchUpSender::Finished() const {
  return work_.empty() && !walking_ && in_flight_.empty() && half_wanted_.empty() &&
         !user_list_open_ && (all_wanted_ || !plan_.compare);
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

Status CatchUpSender::StartWork() {
  Work work = std::move(work_.front());
  work_.pop_front();
  walking_ = true;
  if (!work.mailbox.nil()) {
    return picture_->StartMailbox(work.mailbox);
  }
  if (!work.user.nil()) {
    return picture_->StartUser(work.user, std::move(work.have));
  }
  return picture_->StartSince(plan_.after);
}

Result<std::optional<proto::CatchUpUnit>> CatchUpSender::NextUnit() {
  while (walking_ || !work_.empty()) {
    if (!walking_) {
      TRY(StartWork());
    }
    ASSIGN_OR_RETURN(std::optional<proto::CatchUpUnit> unit, picture_->NextUnit());
    if (unit) {
      return unit;
    }
    walking_ = false;
  }
  return std::optional<proto::CatchUpUnit>();
}

Status CatchUpSender::MakeParts() {
  ASSIGN_OR_RETURN(std::optional<proto::CatchUpUnit> unit, NextUnit());
  if (!unit) {
    return OkStatus();
  }
  unit->set_number(next_number_++);
  const std::string octets = unit->SerializeAsString();
  ASSIGN_OR_RETURN(auto parts, core::CutIntoParts(octets, unit->number(), true));
  in_flight_[unit->number()] = octets.size();
  in_flight_bytes_ += octets.size();
  parts_.assign(std::make_move_iterator(parts.begin()), std::make_move_iterator(parts.end()));
  return OkStatus();
}

Result<bool> CatchUpSender::Pump() {
  if (stage_ != Stage::kSending) {
    return false;
  }
  if (user_list_open_) {
    SendUserPage();
    return true;
  }
  if (parts_.empty() && in_flight_bytes_ < shared_.options.unit_window_bytes) {
    TRY(MakeParts());
  }
  if (!parts_.empty()) {
    proto::PeerMessage message;
    *message.mutable_frame_part() = std::move(parts_.front());
    parts_.pop_front();
    shared_.Send(std::move(message));
    return true;
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
