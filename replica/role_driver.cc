#include "replica/role_driver.h"

#include <utility>
#include <variant>

#include "common/check.h"
#include "common/failed_write.h"
#include "replica/wire.h"

namespace twinspool::replica {

void Shared::Send(proto::PeerMessage message) {
  const core::RoleState& state = role->state();
  message.set_epoch(state.control.epoch.value());
  message.set_from_incarnation(state.control.incarnation.value());
  message.set_to_incarnation(state.peer_incarnation.value());
  out.Push(std::move(message));
}

void Shared::Drop(const Status& why) {
  if (drop.ok()) {
    drop = why;
    Log(Severity::kWarning, "the link to the peer is dropped: " + why.ToString());
  }
}

void RoleDriver::Start(const core::Control& stored, core::EpochHistory history, CommitSeq log_end) {
  history_ = std::move(history);
  running_ = true;
  gate_.Close();
  const core::Started started = core::Start(settings(), stored, log_end);
  state_ = started.state;
  CarryOut(started.actions);
  if (state_.role != core::Role::kPrimary) {
    // The store may have served a moment ago, alone: `pair join`.
    Do(core::ServingOf(settings(), state_));
  }
  Work();
}

void RoleDriver::Step(core::Event event) {
  waiting_.push_back(std::move(event));
  if (!running_) {
    Work();
  }
}

void RoleDriver::Drain() {
  if (!running_ && !gate_.empty()) {
    Work();
  }
}

void RoleDriver::Work() {
  running_ = true;
  gate_.Close();
  TakeFromGate();
  while (!waiting_.empty()) {
    const core::Event next = std::move(waiting_.front());
    waiting_.pop_front();
    Run(next);
    TakeFromGate();
  }
  gate_.Open(AcknowledgesAlone());
  running_ = false;
}

void RoleDriver::TakeFromGate() {
  CommitSeq last;
  for (CommitGate::Entry& entry : gate_.Take()) {
    if (entry.mark) {
      entry.mark();
      continue;
    }
    listener_.OnGroup(entry.group, entry.at);
    last = entry.group.id.seq;
  }
  if (last.value() > 0) {
    Run(core::Committed{last});
  }
}

void RoleDriver::Run(const core::Event& event) {
  CarryOut(core::Step(settings(), state_, event));
  const bool handing_over = state_.handover != core::Handover::kNone && !state_.drained &&
                            state_.role == core::Role::kPrimary;
  if (handing_over && !drain_asked_) {
    drain_asked_ = true;
    listener_.OnWritesClosing();
  } else if (state_.handover == core::Handover::kNone) {
    drain_asked_ = false;
  }
}

void RoleDriver::CarryOut(const core::Actions& actions) {
  for (const core::Action& action : actions) {
    std::visit([this](const auto& what) { Do(what); }, action);
  }
}

bool RoleDriver::AcknowledgesAlone() const {
  const bool async =
      settings().mode == core::Mode::kAsync && !settings().async_waits && !state_.readmitting;
  return state_.role == core::Role::kPrimary && state_.reads && (core::GrantInUse(state_) || async);
}

void RoleDriver::Save(const core::Control& control) {
  if (const Status saved = control_.Save(control, history_); !saved.ok()) {
    EndAfterFailedWrite(saved.Annotate("the control state could not be made durable"));
  }
}

void RoleDriver::SaveHistory() {
  Save(state_.control);
}

void RoleDriver::Do(const core::Persist& action) {
  if (action.control.last_primary) {
    history_.Begin(action.control.epoch, state_.log_end.Next());
    history_.KeepNewest(limits::kEpochHistoryMax);
  }
  Save(action.control);
}

void RoleDriver::BeginPrimaryTime() {
  if (primary_time_ == state_.control.epoch) {
    return;
  }
  primary_time_ = state_.control.epoch;
  gate_.Begin(state_.log_end);
  listener_.OnPrimaryBegins(state_.log_end);
}

void RoleDriver::Do(const core::Serving& action) {
  serving_ = action;
  if (action.primary) {
    BeginPrimaryTime();
  } else {
    primary_time_ = Epoch(0);
  }
  ServingState serving;
  serving.primary = action.primary;
  serving.reads = action.reads;
  serving.writes = action.writes_refused.empty() ? OkStatus() : Unavailable(action.writes_refused);
  serving.epoch = action.epoch;
  serving.incarnation = state_.control.incarnation;
  serving.keep_outbox = !action.single;
  serving.limit_uid_distance = !action.single;
  shared_.ports.visibility->SetServing(serving);
}

void RoleDriver::Do(const core::SendMessage& action) {
  proto::PeerMessage message = ToWire(action.message);
  if (message.has_hello()) {
    listener_.FillHello(message.mutable_hello());
  }
  shared_.out.Push(std::move(message));
}

void RoleDriver::Do(const core::AdvanceVisible& action) {
  shared_.ports.visibility->AdvanceTo(action.seq);
}

void RoleDriver::Do(const core::PeerDurable& action) {
  shared_.ports.visibility->PeerHas(action.seq);
  listener_.OnPeerDurable(action.seq);
}

void RoleDriver::Do(const core::StartRewind& /*action*/) {
  listener_.OnStartRewind();
}

void RoleDriver::Do(const core::AskArbiter& action) {
  TWINSPOOL_CHECK(shared_.arbiter != nullptr, "the settings have an arbiter, and there is none");
  shared_.arbiter->Ask(action);
}

void RoleDriver::Do(const core::JumpUids& action) {
  BeginPrimaryTime();
  const Status jumped = shared_.ports.uid_jump->JumpUids(
      state_.control.epoch, state_.control.incarnation, action.renumber);
  TWINSPOOL_CHECK(jumped.ok(), jumped.ToString());
  waiting_.emplace_back(core::UidsJumped{});
}

void RoleDriver::Do(const core::Done& action) {
  listener_.OnAnswer(action.code, action.text, action.next);
}

void RoleDriver::Do(const core::Refuse& action) {
  listener_.OnAnswer(action.code, action.text, action.next);
}

void RoleDriver::Do(const core::Transition& action) {
  listener_.OnTransition(action);
}

}  // namespace twinspool::replica
