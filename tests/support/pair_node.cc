#include "tests/support/pair_node.h"

#include <future>
#include <utility>

#include "common/check.h"

namespace twinspool::test {
namespace {

const UserId kUser = UserId::FromBytes(std::string(UserId::kSize, 'u'));
const MailboxId kMailbox = MailboxId::FromBytes(std::string(MailboxId::kSize, 'm'));

/// Waits for the outcome of a write that was taken.
bool Wait(const std::optional<EntryId>& taken, std::future<bool> outcome) {
  return taken && outcome.wait_for(std::chrono::seconds(20)) == std::future_status::ready &&
         outcome.get();
}

std::function<void(bool)> Settle(std::shared_ptr<std::promise<bool>> promise) {
  return [promise](bool acked) { promise->set_value(acked); };
}

}  // namespace

PairNode::PairNode(int index, std::filesystem::path dir, replica::core::Mode mode)
    : dir_(std::move(dir)) {
  std::filesystem::create_directories(dir_);
  options.settings.node_index = static_cast<std::uint32_t>(index);
  options.settings.mode = mode;
  options.pair_id = PairId::FromBytes(std::string(PairId::kSize, 'p'));
  options.node_id = NodeId::FromBytes(std::string(NodeId::kSize, static_cast<char>('a' + index)));
  options.version = "test";
}

void PairNode::Start() {
  replica::StorePorts ports = store.Ports();
  if (adjust_ports) {
    adjust_ports(&ports);
  }
  ports.scrub = scrub;
  pair_ = std::make_unique<replica::Pair>(replica::PairParts{.options = options,
                                                             .salvage = {.data_dir = dir_},
                                                             .ports = ports,
                                                             .control = control,
                                                             .clock = SystemClock(),
                                                             .observer = observer_,
                                                             .scrub = scrub_settings});
  store.SetListener(&pair_->commit_listener());
  const Status started = pair_->Start(control.control(), control.history());
  TWINSPOOL_CHECK(started.ok(), started.ToString());
}

void PairNode::Stop() {
  if (pair_ == nullptr) {
    return;
  }
  pair_->Stop();
  store.Die();
  pair_.reset();
}

bool PairNode::Write(const std::string& key) {
  auto promise = std::make_shared<std::promise<bool>>();
  return Wait(store.WriteMisc(kUser, key, "value", Settle(promise)), promise->get_future());
}

bool PairNode::Append(const std::string& octets) {
  auto promise = std::make_shared<std::promise<bool>>();
  return Wait(store.Append(kUser, kMailbox, octets, Settle(promise)), promise->get_future());
}

bool PairNode::WaitFor(replica::core::Role role, std::int64_t timeout_ms) {
  return pair()
      .WaitFor(
          [role](const replica::PairStatus& status) {
            // Nobody is eligible in async.
            const bool follows = status.state.eligible || status.mode == "async";
            const bool ready = role == replica::core::Role::kPrimary
                                   ? status.serving.writes_refused.empty()
                                   : role != replica::core::Role::kStandby || follows;
            return status.state.role == role && ready;
          },
          timeout_ms)
      .ok();
}

void MakeJoined(PairNode* first, PairNode* second) {
  replica::core::Control control = replica::core::NewSingle(first->options.settings);
  control.grant = replica::core::Grant::kPeer;
  replica::core::EpochHistory history;
  history.Begin(control.epoch, CommitSeq(1));
  TWINSPOOL_CHECK(first->control.Save(control, history).ok(), "a save in memory");
  TWINSPOOL_CHECK(second->control.Save(replica::core::NewMember(), {}).ok(), "a save in memory");
}

}  // namespace twinspool::test
