#include "replica/pair.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <utility>

#include "common/limits.h"

namespace twinspool::replica {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kPollMs = 50;
constexpr std::int64_t kAsyncPollMs = 5;

/// All of a state but positions of the log, which change with every write.
core::RoleState WithoutPositions(core::RoleState state) {
  state.log_end = state.visible = state.reads_need = state.peer_pos = CommitSeq();
  state.readmit_at = state.waited_upto = CommitSeq();
  return state;
}

}  // namespace

Pair::Pair(PairParts parts)
    : parts_(std::move(parts)),
      gate_(parts_.clock, *parts_.ports.visibility, [this] { OnGroup(); }),
      scrubber_(std::make_unique<Scrubber>(PartsOfScrub())) {}

Pair::~Pair() {
  Stop();
}

Status Pair::Start(const core::Control& stored, core::EpochHistory history) {
  ASSIGN_OR_RETURN(salvage_, Salvage::Open(parts_.salvage));
  talk_ = std::make_unique<Conversation>(ConversationParts{
      .options = parts_.options,
      .ports = parts_.ports,
      .control = parts_.control,
      .salvage = *salvage_,
      .clock = parts_.clock,
      .gate = gate_,
      .observer = parts_.observer,
      .post = [this](std::function<void()> work) { PostWork(std::move(work)); },
      .background =
          [this](std::function<void()> work) { return ship_read_.TryPost(std::move(work)); },
      .scrub = scrubber_.get()});
  {
    const std::lock_guard lock(mutex_);
    talk_->Start(stored, std::move(history));
    AfterWork();
  }
  role_thread_ = std::thread([this] { RoleLoop(); });
  pthread_setname_np(role_thread_.native_handle(), "role");
  send_thread_ = std::thread([this] { SendLoop(); });
  pthread_setname_np(send_thread_.native_handle(), "ship-send");
  scrubber_->Start();
  return OkStatus();
}

void Pair::Connect(const PairPlace& place, PeerLink& link) {
  {
    const std::lock_guard lock(mutex_);
    talk_->SetPair(place.pair_id, place.node_index, place.certificate_expires_ns);
  }
  link_ = &link;
  link.Start(this);
}

void Pair::Stop() {
  if (!role_thread_.joinable()) {
    return;
  }
  scrubber_->Stop();  // while the conversation still runs what it waits for
  {
    const std::lock_guard lock(queue_mutex_);
    stopping_ = true;
  }
  queue_changed_.notify_all();
  {
    const std::lock_guard lock(kick_mutex_);
    end_send_ = true;
  }
  kicked_.notify_all();
  {
    std::unique_lock lock(kick_mutex_);
    send_ended_.wait_for(lock, milliseconds(limits::kLastWordMs), [this] { return sent_last_; });
  }
  if (PeerLink* link = link_) {
    link->Stop();
  }
  role_thread_.join();
  send_thread_.join();
  ship_read_.Stop();
  {
    const std::lock_guard lock(mutex_);
    RunPosts();
    talk_->Drain();  // marks hold questions that somebody waits for
    talk_->AbandonOrders();
    RunPosts();
  }
  {
    const std::lock_guard lock(copy_mutex_);
    ended_ = true;
  }
  copy_changed_.notify_all();
}

// --- what comes in ---------------------------------------------------------------------------

void Pair::OnLinkUp() {
  Queue({Incoming::Kind::kUp, {}, {}}, 0);
}

void Pair::OnLinkDown(const Status& why) {
  Queue({Incoming::Kind::kDown, {}, why}, 0);
}

void Pair::OnMessage(proto::PeerMessage message) {
  // Frames that come together wait for one another, so that they become durable with one sync.
  const bool more = message.has_frame_part() && message.frame_part().more();
  if (!more && HandleAtOnce(message)) {
    return;
  }
  const std::size_t bytes = message.ByteSizeLong();
  Queue({Incoming::Kind::kMessage, std::move(message), {}}, bytes);
}

bool Pair::HandleAtOnce(const proto::PeerMessage& message) {
  {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock()) {
      return false;
    }
    {
      const std::lock_guard queue(queue_mutex_);
      if (!inbox_.empty() || stopping_) {
        return false;
      }
    }
    talk_->OnMessage(message);
    talk_->EndBatch();
    AfterWork();
    if (!talk_->WantsToSend()) {
      return true;
    }
  }
  SendSoon();
  return true;
}

/// A standby's answer leaves from here: it sends too little to be held up for long. A primary may
/// be, and its acks must be read meanwhile.
void Pair::SendSoon() {
  if (!is_primary_ && send_mutex_.try_lock()) {
    const std::lock_guard sending(send_mutex_, std::adopt_lock);
    SendAll();
  } else {
    Kick();
  }
}

/// On the commit thread, which must not wait for the peer or for a step: see FollowedClosely.
void Pair::OnGroup() {
  if (!SendGroupAtOnce()) {
    Kick();
  }
}

bool Pair::SendGroupAtOnce() {
  PeerLink* link = link_;
  const std::unique_lock sending(send_mutex_, std::try_to_lock);
  if (!sending.owns_lock() || link == nullptr) {
    return false;
  }
  std::optional<proto::PeerMessage> message;
  {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock() || !gate_.HoldsOneSmallGroup() || !talk_->FollowedClosely()) {
      return false;
    }
    message = talk_->NextOutgoing();
  }
  if (message) {
    link->Send(*message);
  }
  return true;
}

void Pair::Queue(Incoming incoming, std::size_t bytes) {
  std::unique_lock lock(queue_mutex_);
  queue_changed_.wait(lock,
                      [this] { return inbox_bytes_ < limits::kPeerInboxBytesMax || stopping_; });
  inbox_.push_back(std::move(incoming));
  inbox_bytes_ += bytes;
  lock.unlock();
  queue_changed_.notify_all();
}

void Pair::PostWork(std::function<void()> work) {
  {
    const std::lock_guard lock(queue_mutex_);
    posts_.push_back(std::move(work));
  }
  queue_changed_.notify_all();
}

// --- the role thread -------------------------------------------------------------------------

std::int64_t Pair::IdleMs() {
  const std::lock_guard lock(mutex_);
  const std::int64_t left = talk_->NextDeadline().MsSince(parts_.clock.Now());
  const std::int64_t most = parts_.options.settings.async_waits ? kAsyncPollMs : kPollMs;
  return std::clamp<std::int64_t>(left, 0, most);
}

void Pair::RoleLoop() {
  while (true) {
    const std::int64_t idle_ms = IdleMs();
    {
      std::unique_lock lock(queue_mutex_);
      queue_changed_.wait_for(lock, milliseconds(idle_ms),
                              [this] { return stopping_ || !inbox_.empty() || !posts_.empty(); });
      if (stopping_) {
        return;
      }
    }
    WorkOnce();
    SendSoon();
  }
}

void Pair::WorkOnce() {
  const std::lock_guard lock(mutex_);
  std::deque<Incoming> batch;
  {
    const std::lock_guard queue(queue_mutex_);
    batch.swap(inbox_);
    inbox_bytes_ = 0;
  }
  queue_changed_.notify_all();
  for (const Incoming& incoming : batch) {
    Handle(incoming);
  }
  talk_->EndBatch();
  RunPosts();
  if (!batch.empty()) {
    talk_->Heard();
  }
  if (parts_.clock.Now() >= talk_->NextDeadline()) {
    talk_->OnTick();
    RunPosts();
    const std::lock_guard copy(copy_mutex_);
    copied_at_ = Instant();  // have it copied anew
  }
  AfterWork();
}

void Pair::Handle(const Incoming& incoming) {
  switch (incoming.kind) {
    case Incoming::Kind::kUp:
      return talk_->OnLinkUp();
    case Incoming::Kind::kDown:
      return talk_->OnLinkDown(incoming.why);
    case Incoming::Kind::kMessage:
      return talk_->OnMessage(incoming.message);
  }
}

void Pair::RunPosts() {
  while (true) {
    std::function<void()> work;
    {
      const std::lock_guard lock(queue_mutex_);
      if (posts_.empty()) {
        return;
      }
      work = std::move(posts_.front());
      posts_.pop_front();
    }
    work();
  }
}

/// Under mutex_. Copies what status and busy heartbeats need: at once after a change of state, else
/// once per tick.
void Pair::AfterWork() {
  const core::RoleState& state = talk_->state();
  is_primary_ = state.role == core::Role::kPrimary;
  {
    const std::lock_guard lock(copy_mutex_);
    const bool same =
        copied_at_ != Instant() && WithoutPositions(copy_.state) == WithoutPositions(state);
    if (same) {
      return;
    }
    copy_ = talk_->Snapshot();
    heartbeat_ = talk_->MakeHeartbeat();
    copied_at_ = parts_.clock.Now();
  }
  copy_changed_.notify_all();
}

// --- ship-send -------------------------------------------------------------------------------

void Pair::Kick() {
  {
    const std::lock_guard lock(kick_mutex_);
    kick_ = true;
  }
  kicked_.notify_one();
}

void Pair::SendLoop() {
  bool end = false;
  while (!end) {
    {
      std::unique_lock lock(kick_mutex_);
      kicked_.wait_for(lock, milliseconds(kPollMs), [this] { return kick_ || end_send_; });
      end = end_send_;
      kick_ = false;
    }
    const std::lock_guard sending(send_mutex_);
    if (!end || StoppedGracefully()) {
      SendAll();
    }
  }
  {
    const std::lock_guard lock(kick_mutex_);
    sent_last_ = true;
  }
  send_ended_.notify_all();
}

/// What a graceful stop has to say must not stay behind: the peer goes on without a pause then.
bool Pair::StoppedGracefully() {
  const std::unique_lock lock(mutex_, milliseconds(limits::kLastWordMs));
  return lock.owns_lock() && talk_->state().stopping;
}

/// Under send_mutex_: everything that may leave now, in order.
void Pair::SendAll() {
  while (true) {
    std::unique_lock lock(mutex_, milliseconds(limits::kHeartbeatMs));
    if (!lock.owns_lock()) {
      SendBusyHeartbeat();
      return;
    }
    std::optional<proto::PeerMessage> message = talk_->NextOutgoing();
    const std::optional<Status> drop = talk_->TakeDrop();
    AfterWork();
    lock.unlock();
    PeerLink* link = link_;
    if (message && link != nullptr) {
      link->Send(*message);
    }
    if (drop && link != nullptr) {
      link->Drop(*drop);
    }
    if (!message) {
      return;
    }
  }
}

void Pair::SendBusyHeartbeat() {
  proto::PeerMessage heartbeat;
  {
    const std::lock_guard lock(copy_mutex_);
    const std::int64_t busy_ms = parts_.clock.Now().MsSince(copied_at_);
    if (!copy_.state.link_up || busy_ms > limits::kBusyHeartbeatMsMax) {
      return;
    }
    heartbeat = heartbeat_;
  }
  if (PeerLink* link = link_) {
    link->Send(heartbeat);
  }
}

// --- operators -------------------------------------------------------------------------------

void Pair::Submit(core::Order order, std::int64_t timeout_ms, OrderDone done) {
  PostWork([this, order = std::move(order), timeout_ms, done = std::move(done)] {
    talk_->Submit(order, timeout_ms, done);
  });
}

OrderResult Pair::Run(core::Order order, std::int64_t timeout_ms) {
  auto answered = std::make_shared<std::promise<OrderResult>>();
  std::future<OrderResult> answer = answered->get_future();
  Submit(std::move(order), timeout_ms,
         [answered](OrderResult result) { answered->set_value(std::move(result)); });
  // The conversation answers at its own deadline; the margin is for a step that takes long.
  const milliseconds most(timeout_ms + limits::kConversationStallMs);
  if (answer.wait_for(most) != std::future_status::ready) {
    return {.code = core::Outcome::kTimeoutUnknown,
            .text = "this node is busy; the outcome is unknown",
            .next = "twinspoolctl status",
            .epoch = Epoch(),
            .role = core::Role::kFenced};
  }
  return answer.get();
}

void Pair::Verify(VerifyDone done) {
  PostWork([this, done = std::move(done)] { talk_->Verify(done); });
}

Status Pair::WaitFor(const std::function<bool(const PairStatus&)>& wanted,
                     std::int64_t timeout_ms) {
  const auto deadline = std::chrono::steady_clock::now() + milliseconds(timeout_ms);
  std::unique_lock lock(copy_mutex_);
  while (!wanted(copy_)) {
    if (ended_) {
      return Unavailable("this node is stopping");
    }
    if (copy_changed_.wait_until(lock, deadline) == std::cv_status::timeout && !wanted(copy_)) {
      return Timeout("the state was not reached in " + std::to_string(timeout_ms) + " ms");
    }
  }
  return OkStatus();
}

// --- the salvage folder ----------------------------------------------------------------------

std::vector<Salvage::Listed> Pair::ListSalvage() {
  const std::lock_guard lock(mutex_);
  return salvage_->ListAll();
}

Result<std::string> Pair::ReadSalvage(const std::string& token, std::uint64_t offset,
                                      std::size_t length) {
  const std::lock_guard lock(mutex_);
  return salvage_->ReadBody(token, offset, length);
}

Result<std::size_t> Pair::DiscardSalvage(const std::vector<std::string>& tokens,
                                         bool settled_only) {
  const std::lock_guard lock(mutex_);
  return talk_->DiscardSalvage(tokens, settled_only);
}

Result<proto::GivenBack> Pair::Reinject(const std::string& token, const std::string& into) {
  auto answered = std::make_shared<std::promise<Result<proto::GivenBack>>>();
  std::future<Result<proto::GivenBack>> answer = answered->get_future();
  PostWork([this, token, into, answered] {
    talk_->Reinject(token, into, [answered](Result<proto::GivenBack> given) {
      answered->set_value(std::move(given));
    });
  });
  const milliseconds most(limits::kGiveBackOrderMs + limits::kConversationStallMs);
  if (answer.wait_for(most) != std::future_status::ready) {
    return Timeout("this node is busy; ask again, repeating is harmless");
  }
  return answer.get();
}

}  // namespace twinspool::replica
