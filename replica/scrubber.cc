// The thread and its passes. What it has to do with the other node is in scrubber_peer.cc.
#include "replica/scrubber.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include <sys/resource.h>

#include "common/limits.h"
#include "replica/conversation.h"

namespace twinspool::replica {
namespace {

constexpr int kNice = 10;

std::string Name(const proto::Damage& damage) {
  return damage.kind() + damage.user_id() + damage.mailbox_id() + std::to_string(damage.uid()) +
         damage.what();
}

/// Linux counts niceness per thread.
void BeModest() {
  pthread_setname_np(pthread_self(), "scrub");
  static_cast<void>(setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice));
}

}  // namespace

Scrubber::Scrubber(ScrubParts parts) : parts_(std::move(parts)) {}

Scrubber::~Scrubber() {
  Stop();
}

void Scrubber::Start() {
  if (parts_.store == nullptr) {
    return;
  }
  memory_ = parts_.store->Memory();
  shown_.ended_ns = memory_.ended_ns;
  shown_.seconds = static_cast<double>(memory_.took_ms) / 1000.0;
  thread_ = std::thread([this] { Loop(); });
}

void Scrubber::Stop() {
  DeepDone order;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    order = std::exchange(order_, nullptr);
    Notify();
  }
  if (thread_.joinable()) {
    thread_.join();
  }
  if (order) {
    order({.status = Unavailable("this node is stopping")});
  }
}

void Scrubber::RunDeep(DeepDone done) {
  Status refused;
  {
    const std::lock_guard lock(mutex_);
    if (parts_.store == nullptr || stopping_) {
      refused = Unavailable("this node is stopping");
    } else if (order_ || shown_.asked) {
      refused = Unavailable("another search for damage was asked for and is under way");
    } else {
      order_ = std::move(done);
      Notify();
    }
  }
  if (!refused.ok()) {
    done({.status = refused});
  }
}

ScrubStatus Scrubber::Snapshot() {
  const std::lock_guard lock(mutex_);
  return shown_;
}

// --- the thread ------------------------------------------------------------------------------

void Scrubber::Loop() {
  BeModest();
  while (true) {
    const auto wanted = [this] { return NextPass() != Why::kNothing; };
    if (!WaitFor(wanted, limits::kScrubTickMs) && !MayGoOn()) {
      return;
    }
    const Why why = NextPass();
    switch (why) {
      case Why::kOperator:
        RunForOperator();
        break;
      case Why::kPeer:
        RunForPeer();
        break;
      case Why::kDue:
      case Why::kUrgent:
        RunDue(why);
        break;
      case Why::kNothing:
        break;
    }
  }
}

Scrubber::Why Scrubber::NextPass() {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      return Why::kNothing;
    }
    if (order_) {
      return Why::kOperator;
    }
    if (peer_order_) {
      return Why::kPeer;
    }
  }
  const Instant now = parts_.clock.Now();
  const bool urgent =
      parts_.store->Urgent() && (!urgent_at_ || now.MsSince(*urgent_at_) >= limits::kScrubUrgentMs);
  const bool due = core::PassIsDue(parts_.settings, memory_, parts_.clock.WallNs());
  if (!(urgent || due) || !parts_.store->HasRoom() || !parts_.status().settled) {
    return Why::kNothing;
  }
  return urgent ? Why::kUrgent : Why::kDue;
}

/// What is more urgent ends a pass that was merely due; it goes on later.
bool Scrubber::MayGoOn() {
  const std::lock_guard lock(mutex_);
  const bool yields = running_ == Why::kDue || running_ == Why::kUrgent;
  return !stopping_ && !(yields && (order_ || peer_order_));
}

void Scrubber::Notify() {
  ++news_;
  changed_.notify_all();
}

bool Scrubber::WaitFor(const std::function<bool()>& over, std::int64_t ms) {
  const Instant until = parts_.clock.Now().PlusMs(ms);
  while (true) {
    std::uint64_t known = 0;
    {
      const std::lock_guard lock(mutex_);
      known = news_;
    }
    if (over()) {
      return true;
    }
    if (ServeOne()) {
      continue;
    }
    const std::int64_t left = until.MsSince(parts_.clock.Now());
    if (left <= 0 || !MayGoOn()) {
      return false;
    }
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(std::min(left, limits::kScrubTickMs)),
                      [this, known] { return news_ != known; });
  }
}

// --- passes ----------------------------------------------------------------------------------

void Scrubber::RunDue(Why why) {
  if (why == Why::kUrgent) {
    urgent_at_ = parts_.clock.Now();
  }
  const Status ended = RunPass(why);
  const PairStatus status = parts_.status();
  if (ended.ok() && status.role == "primary" && status.peer.connected) {
    Settle(Compare());
  }
}

Status Scrubber::RunPass(Why why) {
  running_ = why;
  pace_ = core::ScrubPace(why == Why::kDue ? parts_.settings.mib_per_second : 0);
  const bool goes_on = why == Why::kDue && memory_.under_way;
  tally_ = Tally();
  if (!goes_on) {
    seen_.clear();
  }
  told_damage_ = 0;
  {
    const std::lock_guard lock(mutex_);
    shown_.running = true;
    shown_.mailboxes = shown_.bodies = 0;
  }
  const Status ended = parts_.store->Pass(*this, !goes_on);
  memory_ = parts_.store->Memory();
  EndPass(ended);
  running_ = Why::kNothing;
  return ended;
}

void Scrubber::EndPass(const Status& ended) {
  if (ended.ok()) {
    // What is not found any more is gone, or was healed by something else.
    std::erase_if(unrepaired_, [this](const auto& line) { return !seen_.contains(line.first); });
  }
  ScrubStatus now;
  {
    const std::lock_guard lock(mutex_);
    shown_.running = false;
    shown_.ended_ns = memory_.ended_ns;
    shown_.seconds = static_cast<double>(memory_.took_ms) / 1000.0;
    shown_.unrepaired = unrepaired_.size();
    shown_.unrepaired_first.clear();
    for (const auto& [name, damage] : unrepaired_) {
      if (shown_.unrepaired_first.size() < limits::kDamageShownMax) {
        shown_.unrepaired_first.push_back(damage);
      }
    }
    now = shown_;
  }
  parts_.observer.OnScrubPass(ended, now);
}

/// The result is kept together until both copies were compared.
void Scrubber::RunForOperator() {
  DeepDone done;
  {
    const std::lock_guard lock(mutex_);
    done = std::exchange(order_, nullptr);
    shown_.asked = true;
  }
  DeepResult result;
  const PairStatus status = parts_.status();
  if (status.role != "primary") {
    result.status = Unavailable("this node is not primary: ask the one that is");
  } else {
    const bool paired = status.mode != "single" && AskPeerToSearch();
    result.status = RunPass(Why::kOperator);
    result.mailboxes = tally_.mailboxes;
    result.bodies = tally_.bodies;
    result.found = tally_.found;
    result.healed = tally_.healed;
    for (const proto::Damage& damage : tally_.damage) {
      result.damage.push_back({false, damage});
    }
    running_ = Why::kOperator;
    if (result.status.ok() && status.mode != "single") {
      result.status = paired ? AwaitPeerReport(&result)
                             : Unavailable("the other node is away: only this one was searched");
      result.compared = true;
      result.verified = Settle(Compare());
    }
    running_ = Why::kNothing;
  }
  {
    const std::lock_guard lock(mutex_);
    shown_.asked = false;
  }
  done(std::move(result));
}

void Scrubber::RunForPeer() {
  {
    const std::lock_guard lock(mutex_);
    serving_peer_order_ = std::exchange(peer_order_, std::nullopt);
  }
  const Status ended = RunPass(Why::kPeer);
  TellProgress(true, ended.ok() ? "" : std::string(ended.message()));
  serving_peer_order_.reset();
}

// --- ScrubHost -------------------------------------------------------------------------------

bool Scrubber::Read(std::uint64_t bytes) {
  const std::int64_t wait_ms = pace_.AfterRead(bytes, parts_.clock.Now());
  if (!Wait(wait_ms)) {
    return false;
  }
  while (parts_.clock.Now().MsSince(looked_at_) >= limits::kScrubTickMs &&
         !parts_.status().settled) {
    if (!Wait(limits::kScrubTickMs)) {
      return false;
    }
  }
  looked_at_ = parts_.clock.Now();
  return true;
}

bool Scrubber::Wait(std::int64_t ms) {
  WaitFor([] { return false; }, ms);
  TellProgress(false, "");
  return MayGoOn();
}

void Scrubber::Checked(std::uint64_t mailboxes, std::uint64_t bodies) {
  tally_.mailboxes += mailboxes;
  tally_.bodies += bodies;
  parts_.observer.OnScrubbed(mailboxes, bodies);
  const std::lock_guard lock(mutex_);
  shown_.mailboxes = tally_.mailboxes;
  shown_.bodies = tally_.bodies;
}

void Scrubber::Found(const proto::Damage& damage) {
  ++tally_.found;
  tally_.healed += damage.healed() ? 1U : 0U;
  if (tally_.damage.size() < limits::kDamageNamedMax) {
    tally_.damage.push_back(damage);
  }
  const std::string name = Name(damage);
  if (damage.healed()) {
    unrepaired_.erase(name);
  } else {
    unrepaired_[name] = damage;
    seen_.insert(name);
  }
  parts_.observer.OnDamage(damage);
  const std::lock_guard lock(mutex_);
  ++shown_.found;
  shown_.healed += damage.healed() ? 1U : 0U;
  shown_.unrepaired = unrepaired_.size();
}

bool Scrubber::follows() {
  return parts_.status().role == "standby";
}

}  // namespace twinspool::replica
