// The world of pair_world.h: random events, the ledger, and what must always hold.
#include <utility>

#include "common/check.h"
#include "tests/sim/pair_world.h"

namespace twinspool::test {

namespace core = replica::core;

namespace {

UserId UserNo(std::uint64_t n) {
  return UserId::FromBytes(std::string(UserId::kSize, static_cast<char>('u' + n)));
}

bool Writable(SimNode& node) {
  const replica::ServingState serving = node.store->Serving();
  return serving.primary && serving.writes.ok();
}

bool ServesReads(SimNode& node) {
  const replica::ServingState serving = node.store->Serving();
  return serving.primary && serving.reads;
}

}  // namespace

// --- events --------------------------------------------------------------------------------

void PairWorld::Write() {
  SimNode& writer = node(Roll(2));
  if (!Awake(writer) || !Writable(writer)) {
    return;
  }
  Guarded(writer, [&] {
    const std::uint64_t number = next_id_++;
    const std::string id = "change-" + std::to_string(number);
    const bool message = Roll(4) == 0;
    const UserId user = UserNo(Roll(3));
    changes_[id] = {user, id, message};
    SimNode* raw = &writer;
    const auto done = [this, raw, number, id](bool acked) {
      if (acked) {
        OnAcked(*raw, number, id);
      } else {
        Count("outcome unknown");
      }
    };
    const bool taken = message ? writer.store->Append(user, static_cast<int>(Roll(2)), id, done)
                               : writer.store->WriteMisc(user, id, done);
    Count(!taken ? "refused" : message ? "append" : "write");
  });
}

/// A small change that clients were told of is forgotten: from then on it must stay away.
void PairWorld::Forget() {
  SimNode& writer = node(Roll(2));
  const auto chosen = acked_.lower_bound("change-" + std::to_string(Roll(next_id_ + 1)));
  if (!Awake(writer) || !Writable(writer) || chosen == acked_.end() || changes_[*chosen].message ||
      changes_[*chosen].forgotten) {
    return;
  }
  Guarded(writer, [&] {
    const Change old = changes_[*chosen];
    acked_.erase(chosen);
    const std::uint64_t number = next_id_++;
    const std::string id = "forget-" + std::to_string(number);
    changes_[id] = {old.user, old.key, false, true};
    SimNode* raw = &writer;
    const auto done = [this, raw, number, id](bool acked) {
      if (acked) {
        OnAcked(*raw, number, id);
        Count("forgotten");
      }
    };
    Count(writer.store->ForgetMisc(old.user, old.key, done) ? "forget" : "refused");
  });
}

void PairWorld::Fault() {
  SimNode& victim = node(Roll(2));
  if (arbitrated_ && Roll(4) == 0) {
    Count("arbiter cut or back");
    return arbiter_.Cut(static_cast<std::size_t>(victim.index));
  }
  switch (Roll(5)) {
    case 0:
      if (connected_) {
        Count("cut");
        Disconnect();
      }
      return;
    case 1:
      if (connected_) {
        Count("one-way cut");
        Note("one-way cut towards " + std::to_string(victim.index));
        wires_[static_cast<std::size_t>(victim.index)].black_hole = true;
      }
      return;
    case 2:
      if (Roll(2) == 0) {
        Count("stalled time");
        clock_.AdvanceMs(static_cast<std::int64_t>(Roll(7'000)));
      } else {
        Count("clock jump");
        clock_.JumpWall(static_cast<std::int64_t>(Roll(200'000'000)) - 100'000'000);
      }
      return;
    case 3:
      return FaultOfNode(victim);
    default:
      break;
  }
  if (victim.talk == nullptr) {
    return;
  }
  const bool standby = victim.talk->state().role == core::Role::kStandby;
  if (const auto fault = victim.store->Fault(Roll(1'000'000), standby)) {
    Count(fault->name);
    if (fault->rotten) {
      victim.rotten = true;
      rotten_.insert(*fault->rotten);
    }
  }
}

void PairWorld::FaultOfNode(SimNode& victim) {
  if (victim.talk == nullptr) {
    return;
  }
  switch (Roll(5)) {
    case 0:
      if (node(0).talk != nullptr && node(1).talk != nullptr) {
        Count("both crash");
        Kill(node(0));
        Kill(node(1));
      }
      return;
    case 1:
      Count("pause");
      Note("node " + std::to_string(victim.index) + " is stopped for a while");
      victim.frozen_until = clock_.Now().PlusMs(static_cast<std::int64_t>(Roll(20'000)));
      return;
    case 2:
      victim.control.crash_in = static_cast<int>(1 + Roll(3));
      return;
    default:
      Count("crash");
      Kill(victim);
  }
}

void PairWorld::Restart() {
  for (const auto& made : nodes_) {
    if (made->talk == nullptr && Roll(2) == 0) {
      Count("restart");
      Boot(*made);
    }
  }
}

void PairWorld::OrderOn(SimNode& target, decltype(core::Order::what) what,
                        const std::string& name) {
  if (!Awake(target)) {
    return;
  }
  Note("order " + name + " on " + std::to_string(target.index));
  Guarded(target, [&] {
    target.talk->Submit(
        {what, Epoch(), "world"}, 5'000, [this, name](const replica::OrderResult& result) {
          Note("  " + name + " answered " + std::to_string(static_cast<int>(result.code)) + ": " +
               result.text);
          Count("order " + name + (result.code == core::Outcome::kDone ? " done" : " refused"));
        });
  });
}

void PairWorld::Force(SimNode& forced) {
  SimNode& other = node(static_cast<std::size_t>(1 - forced.index));
  Kill(other);
  const core::Control before = forced.control.control;
  const bool was_primary =
      forced.talk == nullptr || forced.talk->state().role == core::Role::kPrimary;
  OrderOn(forced, core::Promote{.peer_fenced = true, .allow_data_loss = true}, "force");
  const core::Control& after = forced.control.control;  // it may have died behind its decision
  if (was_primary || !after.last_primary || after.epoch <= before.epoch) {
    return;
  }
  // The declared loss: what was acknowledged and is not here.
  for (auto it = acked_.begin(); it != acked_.end();) {
    const bool lost = !Holds(forced, changes_[*it]);
    Count(lost ? "declared lost" : "kept by force");
    if (lost && changes_[*it].message && other.store->CountMessages(*it) > 0) {
      owed_.insert(*it);
    }
    it = lost ? acked_.erase(it) : std::next(it);
  }
}

void PairWorld::Operate() {
  SimNode& target = node(Roll(2));
  SimNode& other = node(static_cast<std::size_t>(1 - target.index));
  if (!Awake(target)) {
    return;
  }
  switch (Roll(9)) {
    case 0:
      return OrderOn(target, core::Promote{}, "promote");
    case 1:
    case 2:
      Kill(other);
      return OrderOn(target, core::Promote{.peer_fenced = true}, "promote fenced");
    case 3:
      Kill(other);
      return OrderOn(target, core::Solo{.peer_fenced = true}, "solo fenced");
    case 4: {
      // The claim: the peer was not promoted since. The world knows.
      const bool true_claim = other.control.control.epoch <= target.control.control.epoch;
      return true_claim ? OrderOn(target, core::Solo{}, "solo") : void();
    }
    case 5:
      return OrderOn(target, core::Switchover{}, "switchover");
    case 6:
      if (Roll(2) == 0) {
        OrderOn(target, core::Demote{}, "demote");
      }
      return;
    case 7:
      if (Roll(4) == 0) {
        return Force(target);
      }
      OrderOn(target, core::Undemote{}, "undemote");
      return OrderOn(other, core::Undemote{}, "undemote");
    default:
      return OrderOn(target, core::StopGracefully{}, "stop");
  }
}

bool PairWorld::Step() {
  ++steps_;
  clock_.AdvanceMs(static_cast<std::int64_t>(Roll(40)));
  ConnectIfPossible();
  Tick();
  for (const auto& made : nodes_) {
    if (Awake(*made)) {
      Guarded(*made, [&] {
        if (const char* done = made->store->Turn(Roll(1'000'000))) {
          Count(done);
        }
      });
    }
  }
  const std::uint64_t dice = Roll(1'000);
  if (dice < 450) {
    Pump(node(Roll(2)));
  } else if (dice < 880) {
    Deliver(node(Roll(2)));
  } else if (dice < 975) {
    Write();
  } else if (dice < 985) {
    Forget();
  } else if (dice < 994) {
    Fault();
  } else if (dice < 997) {
    Operate();
  } else {
    Restart();
  }
  for (const auto& made : nodes_) {
    if (made->talk != nullptr && made->talk->state().stopping && made->posts.empty()) {
      Count("graceful stop");
      Kill(*made);
    }
  }
  return Check();
}

// --- the ledger ------------------------------------------------------------------------------

bool PairWorld::Holds(SimNode& holder, const Change& change) const {
  if (rotten_.contains(change.key)) {
    return true;  // a promotion may come before the damage is found: nobody promises that
  }
  return change.message ? holder.store->CountMessages(change.key) > 0
                        : holder.store->HasMisc(change.user, change.key) != change.forgotten;
}

// A change may be acknowledged in a later epoch of its node than it was accepted in.
void PairWorld::OnAcked(SimNode& by, std::uint64_t number, const std::string& id) {
  const Epoch epoch = by.store->Serving().epoch;
  Count("acked");
  if (!told_.insert(id).second) {
    Fail(id + " was acknowledged twice");
  }
  if (number < by.last_acked) {
    Fail(id + " was acknowledged after a later change of the same node");
  }
  by.last_acked = number;
  const auto [owner, fresh] = ack_owner_.try_emplace(epoch.value(), by.index);
  if (owner->second != by.index) {
    Fail("two nodes acknowledged in epoch " + std::to_string(epoch.value()));
  }
  if (mode_ == core::Mode::kAsync) {
    return;
  }
  acked_.insert(id);
  SimNode& newest = node(static_cast<std::size_t>(top_node_));
  if (epoch.value() < top_epoch_ && !Holds(newest, changes_[id])) {
    Fail(id + " was acknowledged by a superseded primary, and the newer one lacks it");
  }
}

bool PairWorld::CheckServing(SimNode& serving) {
  for (const std::string& id : acked_) {
    if (!Holds(serving, changes_[id])) {
      return Fail("node " + std::to_string(serving.index) + " serves epoch " +
                  std::to_string(serving.store->Serving().epoch.value()) + " without " + id +
                  ", which was acknowledged");
    }
  }
  Count("acked changes checked at a primary");
  return true;
}

// Nothing is shown that the peer has not, unless there is, or was until it has everything, a grant.
// A peer that has met a higher epoch undoes what nobody was told of; what is shown here was told
// before.
bool PairWorld::CheckShown(SimNode& showing) {
  const core::RoleState& state = showing.talk->state();
  SimNode& peer = node(static_cast<std::size_t>(1 - showing.index));
  const core::Control& there = peer.control.control;
  if (mode_ == core::Mode::kAsync || state.control.grant != core::Grant::kNone ||
      there.epoch != state.control.epoch || there.rewinding || there.incomplete) {
    return true;
  }
  Count("shown positions checked");
  return showing.store->Visible() <= peer.store->End().seq ||
         Fail("node " + std::to_string(showing.index) + " shows " +
              std::to_string(showing.store->Visible().value()) + ", the peer has only " +
              std::to_string(peer.store->End().seq.value()));
}

bool PairWorld::CheckPrefix() {
  for (std::size_t i = 0; i < 2; ++i) {
    SimNode& primary = node(i);
    SimNode& standby = node(1 - i);
    if (primary.talk == nullptr || standby.talk == nullptr) {
      continue;
    }
    const core::RoleState& up = primary.talk->state();
    const core::RoleState& down = standby.talk->state();
    if (up.role != core::Role::kPrimary || down.role != core::Role::kStandby ||
        up.control.epoch != down.control.epoch) {
      continue;
    }
    const EntryId last = standby.store->End();
    const Result<EntryId> mine = primary.store->Identify(last.seq);
    if (last.seq > primary.store->End().seq || (mine.ok() && *mine != last)) {
      return Fail("the standby's log is not a prefix of the primary's at entry " +
                  std::to_string(last.seq.value()));
    }
    const bool level = last.seq == primary.store->End().seq && !standby.rotten && !primary.rotten;
    if (level && steps_ % 16 == 0) {
      Count("digests compared");
      if (standby.store->Digest() != primary.store->Digest()) {
        return Fail("equal logs, different digests\nprimary:" + primary.store->DescribeDigest() +
                    "\nstandby:" + standby.store->DescribeDigest());
      }
    }
  }
  return true;
}

bool PairWorld::Check() {
  for (const auto& made : nodes_) {
    const replica::ServingState serving = made->store->Serving();
    if (serving.primary && serving.epoch.value() > top_epoch_) {
      top_epoch_ = serving.epoch.value();
      top_node_ = made->index;
    }
  }
  for (std::size_t i = 0; i < 2; ++i) {
    SimNode& checked = node(i);
    const bool serving = checked.talk != nullptr && ServesReads(checked);
    const std::uint32_t epoch = checked.store->Serving().epoch.value();
    const bool newest = checked.index == top_node_ && epoch == top_epoch_;
    if (serving && !CheckShown(checked)) {
      return false;
    }
    if (serving && newest && (!was_serving_[i] || steps_ % 64 == 0) && !CheckServing(checked)) {
      return false;
    }
    was_serving_[i] = serving;
  }
  // With an arbiter a leader that it let go may show what it has, until it hears of that; it
  // acknowledges nothing.
  const bool two = was_serving_[0] && was_serving_[1];
  if (two && mode_ != core::Mode::kAsync && !arbitrated_) {
    return Fail("two nodes serve reads at once");
  }
  return why_.empty() && CheckPrefix();
}

// --- healing -------------------------------------------------------------------------------

bool PairWorld::Whole() {
  for (std::size_t i = 0; i < 2; ++i) {
    if (node(0).talk == nullptr || node(1).talk == nullptr) {
      return false;
    }
    const core::RoleState& up = node(i).talk->state();
    const core::RoleState& down = node(1 - i).talk->state();
    const bool promotable =
        arbitrated_ ? arbiter_.value().in_sync == 3 : down.eligible || mode_ == core::Mode::kAsync;
    if (up.role == core::Role::kPrimary && down.role == core::Role::kStandby && promotable &&
        up.reads && Writable(node(i)) && up.peer_pos == up.log_end &&
        node(i).salvage->pending() == 0 && node(1 - i).salvage->pending() == 0) {
      return true;
    }
  }
  return false;
}

bool PairWorld::CheckEnd() {
  if (node(0).store->Digest() != node(1).store->Digest()) {
    return Fail("the healed pair has different digests");
  }
  for (const std::string& id : acked_) {
    const Change& change = changes_[id];
    if (!Holds(node(0), change) || !Holds(node(1), change)) {
      return Fail(id + " was acknowledged and is not on both nodes after healing");
    }
    if (change.message && !rotten_.contains(id) && node(0).store->CountMessages(change.key) != 1) {
      return Fail(id + " is there " + std::to_string(node(0).store->CountMessages(change.key)) +
                  " times after healing" + node(0).store->DescribeDigest());
    }
  }
  for (const std::string& id : owed_) {
    Count("given back after a forced promotion");
    if (node(0).store->CountMessages(id) != 1 && !rotten_.contains(id)) {
      return Fail(id +
                  " was on the node that a forced promotion left behind; it did not come back");
    }
  }
  return true;
}

bool PairWorld::Heal() {
  healing_ = true;
  Note("healing");
  arbiter_.NoMoreFaults();
  for (const auto& made : nodes_) {
    made->frozen_until = Instant();
    Guarded(*made, [&] { made->store->NoMoreFaults(); });
    made->control.crash_in = -1;
    Boot(*made);
    OrderOn(*made, core::Undemote{}, "undemote");
  }
  Disconnect();
  int rounds = 0;
  for (int i = 0; i < 40'000; ++i) {
    ++steps_;
    clock_.AdvanceMs(static_cast<std::int64_t>(Roll(40)));
    ConnectIfPossible();
    Tick();
    for (const auto& made : nodes_) {
      if (made->talk != nullptr && made->talk->state().stopping && made->posts.empty()) {
        Kill(*made);
      }
      Boot(*made);
      Pump(*made);
      Deliver(*made);
    }
    if (!Check()) {
      return false;
    }
    if (!Whole()) {
      continue;
    }
    if (rounds == 2) {
      return CheckEnd();
    }
    // A change of each user, twice: hidden damage shows, and is repaired.
    ++rounds;
    for (const auto& made : nodes_) {
      for (std::uint64_t user = 0; user < 3 && Writable(*made); ++user) {
        Guarded(*made, [&] {
          made->store->WriteMisc(UserNo(user), "heal-" + std::to_string(next_id_++), {});
        });
      }
    }
  }
  return Fail("the pair does not become whole again");
}

}  // namespace twinspool::test
