// The world of pair_world.h: processes, link and time.
#include "tests/sim/pair_world.h"

#include <utility>

#include "common/check.h"

namespace twinspool::test {
namespace {

using replica::core::Control;
using replica::core::Mode;

constexpr std::size_t kTraceLines = 30;

}  // namespace

// --- a node --------------------------------------------------------------------------------

Status MemoryControl::Save(const Control& new_control,
                           const replica::core::EpochHistory& new_history) {
  const bool dies = crash_in > 0 && --crash_in == 0;
  const bool before = dies && new_control.incarnation.value() % 2 == 1;
  if (!before) {
    control = new_control;
    history = new_history;
  }
  if (dies) {
    crash_in = -1;
    throw SimCrash{};
  }
  return OkStatus();
}

void SimNode::OnLog(replica::Severity /*severity*/, const std::string& text) {
  world->Note("  node " + std::to_string(index) + ": " + text);
}

void SimNode::OnTransition(const replica::core::Transition& transition) {
  world->Note("  node " + std::to_string(index) + ": " + replica::core::RoleName(transition.from) +
              " -> " + replica::core::RoleName(transition.to) + " epoch " +
              std::to_string(transition.epoch.value()) + ": " + transition.reason);
  world->Count("became " + replica::core::RoleName(transition.to));
}

void SimNode::OnDigestMismatch(UserId /*user*/, const std::string& /*reason*/) {
  world->Count("digest mismatch");
}

void SimNode::OnCatchUp(const std::string& kind) {
  world->Count("catch-up " + kind);
}

// --- the world -----------------------------------------------------------------------------

PairWorld::PairWorld(std::uint64_t seed, const std::filesystem::path& dir, Counts* counts,
                     const MakeStore& make_store)
    : random_(seed),
      counts_(counts),
      mode_(Mode::kAvailable),
      arbiter_(
          clock_, [this](std::uint64_t bound) { return Roll(bound); },
          [this](const std::string& what) { Count(what); }),
      ways_{ArbiterWay(arbiter_, 0), ArbiterWay(arbiter_, 1)} {
  const std::uint64_t mode = Roll(10);
  mode_ = mode < 7 ? Mode::kAvailable : mode < 9 ? Mode::kStrict : Mode::kAsync;
  arbitrated_ = mode_ != Mode::kAsync && Roll(4) == 0;
  pair_ = PairId::FromBytes(std::string(PairId::kSize, 'p'));
  for (int i = 0; i < 2; ++i) {
    const std::filesystem::path own = dir / std::to_string(i);
    std::filesystem::create_directories(own);
    nodes_[static_cast<std::size_t>(i)] = std::make_unique<SimNode>(i, make_store(clock_, own));
    SimNode& made = node(static_cast<std::size_t>(i));
    made.world = this;
    made.dir = own;
  }
  // Node 0 begins as the primary of a pair that has just been joined; node 1 is empty.
  const replica::core::Settings settings{.node_index = 0, .mode = mode_};
  Control first = replica::core::NewSingle(settings);
  first.grant = arbitrated_ ? replica::core::Grant::kArbiter : replica::core::Grant::kPeer;
  arbiter_.Begin({.revision = 1, .epoch = first.epoch, .leader = 0, .in_sync = 1});
  nodes_[0]->control.control = first;
  nodes_[0]->control.history.Begin(first.epoch, CommitSeq(1));
  nodes_[1]->control.control = replica::core::NewMember();
  Boot(node(0));
  Boot(node(1));
}

PairWorld::~PairWorld() {
  for (const auto& made : nodes_) {
    Kill(*made);
  }
}

bool PairWorld::Fail(const std::string& why) {
  if (why_.empty()) {
    why_ = why;
  }
  return false;
}

bool PairWorld::Frozen(const SimNode& node) {
  return clock_.Now() < node.frozen_until;
}

void PairWorld::Note(const std::string& text) {
  trace_.push_back("#" + std::to_string(steps_) + " " + text);
  if (trace_.size() > kTraceLines) {
    trace_.pop_front();
  }
}

std::string PairWorld::Trace() const {
  std::string out;
  for (const std::string& line : trace_) {
    out += line + "\n";
  }
  for (const auto& made : nodes_) {
    if (made->talk == nullptr) {
      out += "node " + std::to_string(made->index) + " is off\n";
      continue;
    }
    const replica::PairStatus status = made->talk->Snapshot();
    out += "node " + std::to_string(made->index) + ": " + status.role + " " + status.role_detail +
           " epoch " + std::to_string(status.state.control.epoch.value()) + " last " +
           std::to_string(made->store->End().seq.value()) +
           (status.state.eligible ? " eligible" : "") +
           (status.state.control.rewinding ? " rewinding" : "") +
           (status.state.control.incomplete ? " incomplete" : "") +
           (status.state.control.resigned ? " resigned" : "") +
           (status.state.control.held_resignation ? " holds resignation" : "") +
           (status.state.control.held_down ? " held down" : "") + " grant " + status.grant +
           " salvage " + std::to_string(status.salvage_pending) + " advice: " + status.advice +
           "\n";
    if (arbitrated_) {
      out += "  arbiter as it knows it: revision " + std::to_string(status.state.config.revision) +
             " in sync " + std::to_string(status.state.config.in_sync) + ", asked " +
             std::to_string(static_cast<int>(status.state.ask)) + "\n";
    }
  }
  if (arbitrated_) {
    out += "arbiter: revision " + std::to_string(arbiter_.value().revision) + " leader " +
           std::to_string(arbiter_.value().leader) + " epoch " +
           std::to_string(arbiter_.value().epoch.value()) + " in sync " +
           std::to_string(arbiter_.value().in_sync) + "\n";
  }
  return out;
}

void PairWorld::Boot(SimNode& booted) {
  if (booted.talk != nullptr || !booted.store->Boot()) {
    return;
  }
  auto salvage = replica::Salvage::Open({.data_dir = booted.dir, .sync = false});
  TWINSPOOL_CHECK(salvage.ok(), salvage.status().ToString());
  booted.salvage = std::move(salvage).value();
  booted.posts.clear();
  booted.frozen_until = Instant();
  booted.last_acked = 0;
  booted.gate =
      std::make_unique<replica::CommitGate>(clock_, *booted.store->Ports().visibility, [] {});
  booted.store->Listen(*booted.gate);
  replica::ConversationOptions options;
  options.settings.node_index = static_cast<std::uint32_t>(booted.index);
  options.settings.mode = mode_;
  options.settings.arbiter = arbitrated_;
  options.pair_id = pair_;
  options.node_id =
      NodeId::FromBytes(std::string(NodeId::kSize, static_cast<char>('a' + booted.index)));
  options.version = "sim";
  options.outbox_bytes_max = 6'000;
  options.shipper = {.ring_bytes = 2'000, .window_bytes = 600};
  options.unit_window_bytes = 600;
  options.stall_ms = 15'000;
  SimNode* raw = &booted;
  booted.talk = std::make_unique<replica::Conversation>(
      replica::ConversationParts{.options = options,
                                 .ports = booted.store->Ports(),
                                 .control = booted.control,
                                 .salvage = *booted.salvage,
                                 .clock = clock_,
                                 .gate = *booted.gate,
                                 .observer = booted,
                                 .post =
                                     [raw](std::function<void()> work) {
                                       const std::lock_guard lock(raw->posts_mutex);
                                       raw->posts.push_back(std::move(work));
                                     },
                                 .arbiter = &ways_[static_cast<std::size_t>(booted.index)]});
  Note("boot " + std::to_string(booted.index));
  Guarded(booted, [&] { booted.talk->Start(booted.control.control, booted.control.history); });
}

void PairWorld::Kill(SimNode& killed) {
  if (killed.talk == nullptr) {
    return;
  }
  Note("node " + std::to_string(killed.index) + " dies");
  killed.control.crash_in = -1;
  killed.posts.clear();
  arbiter_.Forget(static_cast<std::size_t>(killed.index));
  killed.talk.reset();  // with what it holds of the store
  killed.store->Die();
  killed.gate.reset();
  killed.salvage.reset();
  Disconnect();
}

void PairWorld::Guarded(SimNode& guarded, const std::function<void()>& work) {
  if (guarded.talk == nullptr) {
    return;
  }
  bool lives = true;
  try {
    work();
    do {
      RunPosts(guarded);
      lives = guarded.store->Settle();
    } while (lives && !guarded.posts.empty());
  } catch (const SimCrash&) {
    lives = false;
  }
  if (!lives) {
    Count("crash inside a step");
    Kill(guarded);
  }
}

void PairWorld::RunPosts(SimNode& poster) {
  std::unique_lock lock(poster.posts_mutex);
  while (!poster.posts.empty()) {
    const auto work = std::move(poster.posts.front());
    poster.posts.pop_front();
    lock.unlock();
    work();
    lock.lock();
  }
}

// --- the link ------------------------------------------------------------------------------

void PairWorld::ConnectIfPossible() {
  if (connected_ || node(0).talk == nullptr || node(1).talk == nullptr ||
      clock_.Now() < reconnect_at_) {
    return;
  }
  connected_ = true;
  wires_ = {};
  Count("connect");
  Note("connect");
  for (const auto& made : nodes_) {
    Guarded(*made, [&] { made->talk->OnLinkUp(); });
  }
}

void PairWorld::Disconnect() {
  if (!connected_) {
    return;
  }
  connected_ = false;
  Note("disconnect");
  wires_ = {};
  reconnect_at_ = clock_.Now().PlusMs(static_cast<std::int64_t>(healing_ ? 100 : Roll(3'000)));
  for (const auto& made : nodes_) {
    Guarded(*made, [&] { made->talk->OnLinkDown(IoError("cut")); });
  }
}

void PairWorld::Pump(SimNode& sender) {
  if (!Awake(sender)) {
    return;
  }
  Guarded(sender, [&] {
    std::optional<proto::PeerMessage> message = sender.talk->NextOutgoing();
    if (message && connected_) {
      SimWire& wire = wires_[static_cast<std::size_t>(1 - sender.index)];
      if (wire.black_hole) {
        Count("message lost");
        return;
      }
      const Instant last = wire.queue.empty() ? clock_.Now() : wire.queue.back().due;
      const Instant due = std::max(last, clock_.Now().PlusMs(static_cast<std::int64_t>(Roll(30))));
      if (due > clock_.Now()) {
        Count("message delayed");
      }
      const bool twice = !healing_ && Roll(200) == 0;
      wire.queue.push_back({due, *message});
      if (twice) {
        Count("message doubled");
        wire.queue.push_back({due, *std::move(message)});
      }
    }
    if (sender.talk != nullptr && sender.talk->TakeDrop()) {
      Count("dropped by a node");
      Disconnect();
    }
  });
}

void PairWorld::Deliver(SimNode& to) {
  SimWire& wire = wires_[static_cast<std::size_t>(to.index)];
  if (!Awake(to)) {
    return;
  }
  Guarded(to, [&] {
    for (std::uint64_t n = 1 + Roll(4); n > 0 && !wire.queue.empty(); --n) {
      if (wire.queue.front().due > clock_.Now()) {
        break;
      }
      const proto::PeerMessage message = std::move(wire.queue.front().message);
      wire.queue.pop_front();
      Count("message delivered");
      to.talk->OnMessage(message);
    }
    to.talk->EndBatch();
  });
}

void PairWorld::HearArbiter() {
  if (!arbitrated_) {
    return;
  }
  arbiter_.Work();
  for (std::size_t i = 0; i < 2; ++i) {
    SimNode& hearing = node(i);
    if (!Awake(hearing)) {
      continue;
    }
    const replica::core::RoleState& state = hearing.talk->state();
    arbiter_.Beat(i, state.role == replica::core::Role::kPrimary &&
                         state.control.epoch == arbiter_.value().epoch);
    const SimArbiter::News news = arbiter_.Hear(i);
    for (const replica::core::ArbiterAnswer& answer : news.answers) {
      Count(answer.written ? "arbiter wrote" : "arbiter answered");
      Guarded(hearing, [&] { hearing.talk->OnArbiter(answer); });
    }
    if (news.silent) {
      Count("arbiter silent");
      Guarded(hearing, [&] { hearing.talk->OnArbiterSilent(); });
    }
    if (news.leader_gone && Roll(20) == 0) {
      Count("arbiter: leader gone");
      Guarded(hearing, [&] { hearing.talk->OnLeaderGone(); });
    }
  }
}

void PairWorld::Tick() {
  for (const auto& made : nodes_) {
    if (Awake(*made) && clock_.Now() >= made->talk->NextDeadline()) {
      Guarded(*made, [&] { made->talk->OnTick(); });
    }
  }
  HearArbiter();
}

}  // namespace twinspool::test
