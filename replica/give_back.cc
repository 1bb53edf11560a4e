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
    item_.reset();
  }
  offset_ = 0;
  sent_ = false;
}

proto::GiveBack GiveBackSender::Describe(const proto::SalvageItem& item) const {
  proto::GiveBack message;
  message.set_token(item.token());
  message.set_user_id(item.user_id());
  message.set_mailbox_id(item.mailbox_id());
  message.set_mailbox_name(item.mailbox_name());
  *message.mutable_record() = item.record();
  *message.mutable_entry() = item.entry_state();
  *message.mutable_keywords() = item.keywords();
  return message;
}

void GiveBackSender::OnTick(Instant now) {
  const core::RoleState& state = shared_.role->state();
  // In async nobody is ever eligible, and what is given back is as safe as any other write.
  const bool in_sync = state.eligible || shared_.role->settings().mode == core::Mode::kAsync;
  const bool standby = state.role == core::Role::kStandby && state.peer_is_primary && in_sync;
  const bool own =
      state.role == core::Role::kPrimary && shared_.role->serving().writes_refused.empty();
  if (!standby && !own) {
    return;
  }
  if (item_ && now.MsSince(offered_at_) < limits::kGiveBackRetryMs) {
    return;
  }
  if (item_ && !own && !sent_) {
    return;  // parts are still leaving
  }
  item_ = salvage_.NextPending([&](const std::string& token) {
    const auto put_off = not_before_.find(token);
    return put_off != not_before_.end() && now < put_off->second;
  });
  if (!item_) {
    return;
  }
  own_ = own;
  offset_ = 0;
  sent_ = own;
  offered_at_ = now;
  if (own) {
    TakeOwn(*item_);
  }
}

void GiveBackSender::TakeOwn(const proto::SalvageItem& item) {
  Result<std::string> octets = salvage_.ReadBody(item, 0, item.body_bytes());
  if (!octets.ok()) {
    return PutOff(true, octets.status().ToString(), shared_.clock.Now());
  }
  shared_.ports.take_back->Take(
      Describe(item), std::move(octets).value(),
      [this, token = item.token()](const Result<proto::GivenBack>& result) {
        const proto::GivenBack given = ToGivenBack(token, result);
        shared_.post([this, given] { OnGivenBack(given, shared_.clock.Now()); });
      });
}

bool GiveBackSender::Pump() {
  if (!WantsToSend()) {
    return false;
  }
  Result<std::string> octets = salvage_.ReadBody(*item_, offset_, limits::kGiveBackPartBytes);
  if (!octets.ok()) {
    PutOff(true, octets.status().ToString(), shared_.clock.Now());
    return false;
  }
  proto::PeerMessage message;
  proto::GiveBack* part = message.mutable_give_back();
  if (offset_ == 0) {
    *part = Describe(*item_);
  }
  part->set_token(item_->token());
  part->set_offset(offset_);
  offset_ += octets->size();
  part->set_octets(std::move(octets).value());
  sent_ = offset_ >= item_->body_bytes();
  part->set_last(sent_);
  shared_.Send(std::move(message));
  return true;
}

void GiveBackSender::OnGivenBack(const proto::GivenBack& given, Instant now) {
  if (!item_ || given.token() != item_->token()) {
    return;
  }
  if (given.retry() || given.refused()) {
    return PutOff(given.refused(), given.outcome(), now);
  }
  shared_.Log(Severity::kInfo, "a salvaged message was given back: " + given.outcome());
  if (Status status = salvage_.MarkDone(given.token()); !status.ok()) {
    shared_.Log(Severity::kError, status.ToString());
    return;
  }
  not_before_.erase(given.token());
  item_.reset();
  own_ = false;
  OnTick(now);
}

void GiveBackSender::ForgetUser(UserId user) {
  if (item_ && item_->user_id() == user.bytes()) {
    item_.reset();
    own_ = false;
  }
}

void GiveBackSender::PutOff(bool refused, const std::string& why, Instant now) {
  const std::int64_t wait_ms = refused ? limits::kGiveBackRefusedMs : limits::kGiveBackRetryMs;
  const bool first = not_before_.insert_or_assign(item_->token(), now.PlusMs(wait_ms)).second;
  if (first && refused) {
    shared_.Log(Severity::kError,
                "message " + std::to_string(item_->uid()) + " of mailbox " +
                    MailboxId::FromBytes(item_->mailbox_id()).ToHex() +
                    " cannot be given back and stays in the salvage folder: " + why);
  }
  item_.reset();
  own_ = false;
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
