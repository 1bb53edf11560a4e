// The role machine with an arbiter (rule 15): a third party keeps one PairConfig, and every change
// of who leads, and of who may be promoted, is a compare-and-swap of it. A question may be carried
// out late, also after it was given up; so what it would do must be harmless then, or be made
// impossible by a swap of one's own.
#include <algorithm>

#include "replica/core/role_machine.h"

namespace twinspool::replica::core {

bool Machine::ConfigHas(std::uint32_t node) const {
  return (s_.config.in_sync & Only(node)) != 0;
}

bool Machine::ConfigNamesMe() const {
  return s_.config.revision != 0 && s_.config.leader == settings_.node_index &&
         s_.config.epoch == c_.epoch && c_.last_primary;
}

bool Machine::PeerToldInSync() const {
  return settings_.arbiter ? ConfigHas(1 - settings_.node_index) : s_.in_sync_sent;
}

bool Machine::MayLead() const {
  return !Primary() && s_.config.revision != 0 && ConfigHas(settings_.node_index) &&
         !ConfigNamesMe() && WholeStore() && !c_.held_down && !c_.expelled;
}

void Machine::AskFor(Ask what, Epoch epoch, std::uint8_t in_sync) {
  s_.ask = what;
  s_.ask_expected = what == Ask::kRead ? 0 : s_.config.revision;
  PairConfig want;
  if (what != Ask::kRead) {
    want.epoch = epoch;
    want.leader = static_cast<std::uint8_t>(settings_.node_index);
    want.in_sync = in_sync;
  }
  ask_ = AskArbiter{what, s_.ask_expected, want};
}

void Machine::AskToLead() {
  const Epoch next = NextEpochAbove(std::max(c_.epoch, s_.config.epoch));
  if (next <= kEpochMax) {
    AskFor(Ask::kPromote, next, Only(settings_.node_index));
  }
}

// The grant goes durably first: once the arbiter has both nodes in sync, the peer may be promoted.
void Machine::AskToReadmit() {
  if (s_.ask != Ask::kNone || !ConfigNamesMe()) {
    return;
  }
  c_.grant = Grant::kNone;
  s_.readmitting = s_.revoke_wanted = false;
  AskFor(Ask::kReadmit, c_.epoch, Only(0) | Only(1));
}

void Machine::AskToGoOnAlone() {
  if (s_.ask == Ask::kNone && Primary() && ConfigNamesMe() && c_.grant == Grant::kNone) {
    AskFor(Ask::kDegrade, c_.epoch, Only(settings_.node_index));
  }
}

// One question at a time.
void Machine::TickArbiter() {
  if (s_.ask != Ask::kNone || !HasPeer()) {
    return;
  }
  const bool named_ahead = s_.config.leader == settings_.node_index && s_.config.epoch > c_.epoch;
  if (s_.config.revision == 0) {
    AskFor(Ask::kRead);
  } else if (MayResume() && ConfigNamesMe()) {
    // The same value again: a write, which overtakes whatever an earlier life of ours had asked.
    AskFor(Ask::kResume, c_.epoch, s_.config.in_sync);
  } else if (named_ahead && MayLead()) {
    AskToLead();  // it promoted us, and we crashed before we knew
  } else if (s_.revoke_wanted && c_.grant == Grant::kNone) {
    // Also in strict mode, where the grant sleeps: the peer cannot be brought back without one.
    AskToGoOnAlone();
  } else {
    MaybeReadmit();
  }
  if (s_.ask == Ask::kNone) {
    AskFor(Ask::kRead);
  }
}

void Machine::On(const LeaderGone&) {
  if (s_.ask == Ask::kNone && MayLead()) {
    AskToLead();
  }
}

void Machine::On(const ArbiterSilent&) {
  s_.ask = Ask::kNone;
}

void Machine::On(const ArbiterAnswer& answer) {
  if (answer.what != s_.ask || s_.ask == Ask::kNone || answer.expected != s_.ask_expected) {
    return;
  }
  s_.ask = Ask::kNone;
  if (answer.now.revision >= s_.config.revision) {
    s_.config = answer.now;
  }
  if (answer.written) {
    Swapped(answer.what);
  } else if (Primary() && s_.config.epoch > c_.epoch) {
    Say("the arbiter has promoted the peer");
    StepDown();
  }
}

void Machine::Swapped(Ask what) {
  if (what == Ask::kPromote && !Primary() && WholeStore() && !c_.held_down &&
      s_.config.epoch > c_.epoch) {
    Say("promoted by the arbiter");
    BecomePrimary(Failover::kPromote, s_.config.epoch, Grant::kArbiter);
  } else if (what == Ask::kDegrade && Primary() && ConfigNamesMe()) {
    s_.revoke_wanted = false;
    TakeGrant(Grant::kArbiter);
  } else if (what == Ask::kResume && MayResume() && ConfigNamesMe()) {
    c_.grant = ConfigHas(1 - settings_.node_index) ? Grant::kNone : Grant::kArbiter;
    Say("the arbiter still names this node");
    Resume(true);
  }
}

}  // namespace twinspool::replica::core
