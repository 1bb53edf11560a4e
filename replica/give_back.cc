#include "replica/give_back.h"

#include <utility>

#include "replica/role_driver.h"

namespace twinspool::replica {
namespace {

/// It is for what the message or its mailbox is, not for the moment, that the store says no.
bool IsRefusal(Code code) {
  return code == Code::kLimit || code == Code::kDataLoss || code == Code::kInvalidArgument ||
         code == Code::kNotFound || code == Code::kInternal;
}

/// Whether two steps may be taken in one commit.
bool GoTogether(const GiveBackStep& one, const GiveBackStep& other) {
  return one.message.kind() == other.message.kind() &&
         one.message.user_id() == other.message.user_id() &&
         (one.message.kind() != proto::GiveBack::STATE ||
          one.message.mailbox_id() == other.message.mailbox_id());
}

std::string DescribeStep(const GiveBackStep& step) {
  const proto::GiveBack& message = step.message;
  const std::string user = "user " + UserId::FromBytes(message.user_id()).ToHex();
  const std::string mailbox =
      "mailbox " + MailboxId::FromBytes(message.mailbox_id()).ToHex() + " of " + user;
  switch (message.kind()) {
    case proto::GiveBack::STATE:
      return "flags of message " + std::to_string(message.uid()) + " in " + mailbox;
    case proto::GiveBack::MAILBOX:
      return mailbox;
    case proto::GiveBack::SMALL_ROW:
      return "a small row of " + user;
    case proto::GiveBack::USER:
      return user;
    default:
      return "a message of " + mailbox;
  }
}

/// The store's answer as a message, also when there is none.
proto::GivenBack ToGivenBack(const std::string& token, const Result<proto::GivenBack>& result) {
  proto::GivenBack given;
  if (result.ok()) {
    given = *result;
  } else {
    given.set_outcome(result.status().ToString());
    given.set_refused(IsRefusal(result.code()));
    given.set_retry(!given.refused());
  }
  given.set_token(token);
  return given;
}

}  // namespace

// --- the former primary ----------------------------------------------------------------------

void GiveBackSender::Reset() {
  if (!own_) {
    under_way_.clear();
  }
  offset_ = 0;
  sent_ = false;
}

bool GiveBackSender::MayOffer() {
  const core::RoleState& state = shared_.role->state();
  // In async nobody is ever eligible, and what is given back is as safe as any other write.
  const core::Settings& settings = shared_.role->settings();
  const bool in_sync = core::MayBePromoted(settings, state) || settings.mode == core::Mode::kAsync;
  const bool standby = state.role == core::Role::kStandby && state.peer_is_primary && in_sync;
  const bool own =
      state.role == core::Role::kPrimary && shared_.role->serving().writes_refused.empty();
  if (!under_way_.empty() && !own && !sent_) {
    return false;  // parts are still leaving
  }
  own_ = own;
  return standby || own;
}

void GiveBackSender::OnTick(Instant now) {
  ExpireOrders(now);
  if (!under_way_.empty() && now.MsSince(offered_at_) < limits::kGiveBackRetryMs) {
    return;
  }
  if (!MayOffer()) {
    return;
  }
  under_way_ = Choose(now);
  if (under_way_.empty()) {
    return;
  }
  offset_ = 0;
  sent_ = own_;
  offered_at_ = now;
  if (own_) {
    TakeOwn();
  }
}

bool GiveBackSender::IsPutOff(const GiveBackStep& step, Instant now) const {
  const auto found = put_off_.find(step.message.token());
  return found != put_off_.end() && now < found->second.until;
}

std::vector<GiveBackStep> GiveBackSender::Choose(Instant now) {
  if (!orders_.empty()) {
    return {orders_.front().step};
  }
  std::vector<GiveBackStep> chosen;
  std::size_t bytes = 0;
  for (const GiveBackStep& step : salvage_.waiting()) {
    const proto::GiveBack& message = step.message;
    const bool alone = message.kind() == proto::GiveBack::MESSAGE ||
                       message.kind() == proto::GiveBack::USER || alone_.contains(message.token());
    if (IsPutOff(step, now)) {
      const bool others_need_it =
          message.kind() == proto::GiveBack::USER || message.kind() == proto::GiveBack::MAILBOX;
      if (!chosen.empty() || (others_need_it && !put_off_.at(message.token()).refused)) {
        break;
      }
      continue;
    }
    bytes += message.ByteSizeLong();
    if (!chosen.empty() &&
        (alone || bytes > limits::kGiveBackPartBytes || !GoTogether(chosen.front(), step))) {
      break;
    }
    chosen.push_back(step);
    if (alone || chosen.size() == limits::kGiveBackBatch) {
      break;
    }
  }
  return chosen;
}

proto::GiveBack GiveBackSender::Describe() const {
  proto::GiveBack message = under_way_.front().message;
  for (std::size_t i = 1; i < under_way_.size(); ++i) {
    *message.add_more() = under_way_[i].message;
  }
  return message;
}

void GiveBackSender::TakeOwn() {
  const GiveBackStep& head = under_way_.front();
  Result<std::string> octets = head.body_bytes == 0
                                   ? Result<std::string>(std::string())
                                   : salvage_.ReadBody(head.covers.front(), 0, head.body_bytes);
  if (!octets.ok()) {
    return PutOffAll(true, octets.status().ToString(), shared_.clock.Now());
  }
  shared_.ports.take_back->Take(
      Describe(), std::move(octets).value(),
      [this, token = head.message.token()](const Result<proto::GivenBack>& result) {
        const proto::GivenBack given = ToGivenBack(token, result);
        shared_.post([this, given] { OnGivenBack(given, shared_.clock.Now()); });
      });
}

bool GiveBackSender::Pump() {
  if (!WantsToSend()) {
    return false;
  }
  const GiveBackStep& head = under_way_.front();
  proto::PeerMessage message;
  proto::GiveBack* part = message.mutable_give_back();
  if (offset_ == 0) {
    *part = Describe();
  }
  part->set_token(head.message.token());
  part->set_offset(offset_);
  if (head.body_bytes > 0) {
    Result<std::string> octets =
        salvage_.ReadBody(head.covers.front(), offset_, limits::kGiveBackPartBytes);
    if (!octets.ok()) {
      PutOffAll(true, octets.status().ToString(), shared_.clock.Now());
      return false;
    }
    offset_ += octets->size();
    part->set_octets(std::move(octets).value());
  }
  sent_ = offset_ >= head.body_bytes;
  part->set_last(sent_);
  shared_.Send(std::move(message));
  return true;
}

void GiveBackSender::OnGivenBack(const proto::GivenBack& given, Instant now) {
  if (under_way_.empty() || given.token() != under_way_.front().message.token()) {
    return;
  }
  if (given.retry() || given.refused()) {
    return PutOffAll(given.refused(), given.outcome(), now);
  }
  std::map<std::string, const proto::GivenBack*> outcomes = {{given.token(), &given}};
  for (const proto::GivenBack& one : given.more()) {
    outcomes.emplace(one.token(), &one);
  }
  for (const GiveBackStep& step : std::exchange(under_way_, {})) {
    if (const auto found = outcomes.find(step.message.token()); found != outcomes.end()) {
      Settle(step, *found->second);
    }
  }
  own_ = false;
  OnTick(now);
}

void GiveBackSender::Settle(const GiveBackStep& step, const proto::GivenBack& given) {
  shared_.Log(given.conflict() ? Severity::kWarning : Severity::kInfo,
              "given back from the salvage folder: " + DescribeStep(step) + ": " + given.outcome());
  if (const Status status = salvage_.MarkDone(step.covers, given); !status.ok()) {
    shared_.Log(Severity::kError, status.ToString());
    put_off_[step.message.token()] = {shared_.clock.Now().PlusMs(limits::kGiveBackRetryMs), false};
    return;
  }
  put_off_.erase(step.message.token());
  alone_.erase(step.message.token());
  if (!orders_.empty() && orders_.front().step.message.token() == step.message.token()) {
    const Ordered done = std::move(orders_.front().done);
    orders_.pop_front();
    done(given);
  }
}

void GiveBackSender::ForgetUser(UserId user) {
  if (!under_way_.empty() && under_way_.front().message.user_id() == user.bytes()) {
    under_way_.clear();
    own_ = false;
  }
}

void GiveBackSender::PutOffAll(bool refused, const std::string& why, Instant now) {
  const std::vector<GiveBackStep> steps = std::exchange(under_way_, {});
  own_ = false;
  if (!orders_.empty() && orders_.front().step.message.token() == steps.front().message.token()) {
    const Ordered done = std::move(orders_.front().done);
    orders_.pop_front();
    return done(refused ? Status(Conflict(why)) : Status(Unavailable(why)));
  }
  if (refused && steps.size() > 1) {
    for (const GiveBackStep& step : steps) {
      alone_.insert(step.message.token());  // one of them was it
    }
    return;
  }
  const std::int64_t wait_ms = refused ? limits::kGiveBackRefusedMs : limits::kGiveBackRetryMs;
  for (const GiveBackStep& step : steps) {
    const PutOff put_off{now.PlusMs(wait_ms), refused};
    const bool first = put_off_.insert_or_assign(step.message.token(), put_off).second;
    if (first && refused) {
      shared_.Log(
          Severity::kError,
          DescribeStep(step) + " cannot be given back and stays in the salvage folder: " + why);
    }
  }
}

// --- orders

void GiveBackSender::Order(GiveBackStep step, Instant now, Ordered done) {
  orders_.push_back({std::move(step), std::move(done), now.PlusMs(limits::kGiveBackOrderMs)});
}

void GiveBackSender::ExpireOrders(Instant now) {
  while (!orders_.empty() && now >= orders_.front().until) {
    const Waiting late = std::move(orders_.front());
    orders_.pop_front();
    if (!under_way_.empty() && under_way_.front().message.token() == late.step.message.token()) {
      under_way_.clear();
      own_ = false;
    }
    late.done(Unavailable(
        "it could not be given back now: that takes a pair in sync, or this node as primary; "
        "try again, repeating is harmless"));
  }
}

void GiveBackSender::Stop() {
  for (const Waiting& waiting : std::exchange(orders_, {})) {
    waiting.done(Unavailable("this node is stopping"));
  }
}

// --- the new primary -------------------------------------------------------------------------

void GiveBackReceiver::Reset() {
  head_.reset();
  octets_.clear();
}

void GiveBackReceiver::Answer(proto::GivenBack given) {
  proto::PeerMessage message;
  *message.mutable_given_back() = std::move(given);
  shared_.Send(std::move(message));
}

void GiveBackReceiver::OnGiveBack(const proto::GiveBack& part) {
  if (part.offset() == 0) {
    Reset();
    head_ = part;
    head_->clear_octets();
  }
  if (!head_ || head_->token() != part.token() || part.offset() != octets_.size()) {
    return;  // the sender offers it again
  }
  if (octets_.size() + part.octets().size() > limits::kMessageBytesMax) {
    proto::GivenBack given;
    given.set_token(part.token());
    given.set_outcome("larger than any message may be");
    given.set_refused(true);
    Answer(std::move(given));
    Reset();
    return;
  }
  octets_ += part.octets();
  if (!part.last()) {
    return;
  }
  const std::string token = head_->token();
  shared_.ports.take_back->Take(*std::exchange(head_, std::nullopt), std::exchange(octets_, {}),
                                [this, token](const Result<proto::GivenBack>& result) {
                                  const proto::GivenBack given = ToGivenBack(token, result);
                                  shared_.post([this, given] { Answer(given); });
                                });
}

}  // namespace twinspool::replica
