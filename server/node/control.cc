#include "server/node/control.h"

#include <utility>

#include "common/log.h"

namespace twinspool::node {
namespace {

std::vector<replica::ControlPeriod> ToPeriods(const replica::core::EpochHistory& history) {
  std::vector<replica::ControlPeriod> periods;
  for (const replica::core::EpochStart& start : history.periods()) {
    periods.push_back({start.epoch, start.first_seq});
  }
  return periods;
}

replica::ControlRecord NewNode(Random& random) {
  replica::ControlRecord record;
  record.role = replica::core::NewSingle(replica::core::Settings());
  record.identity.node_id = random.NewId<NodeId>();
  return record;
}

}  // namespace

Result<std::unique_ptr<NodeControl>> NodeControl::Open(const std::string& data_dir, Random& random,
                                                       bool store_is_new) {
  auto file = std::make_unique<replica::ControlFile>(data_dir);
  ASSIGN_OR_RETURN(const bool absent, file->Absent());
  if (absent && store_is_new) {
    const replica::ControlRecord record = NewNode(random);
    TRY(file->Create(record));
    return std::unique_ptr<NodeControl>(new NodeControl(std::move(file), record));
  }
  // A database without its control state is not a new node: Load says what to do.
  ASSIGN_OR_RETURN(replica::ControlFile::Loaded loaded, file->Load());
  if (!loaded.repaired.empty()) {
    LogWarn("control_repaired", {{"what", loaded.repaired}});
  }
  return std::unique_ptr<NodeControl>(new NodeControl(std::move(file), std::move(loaded.record)));
}

Status NodeControl::Save(const replica::core::Control& control,
                         const replica::core::EpochHistory& history) {
  return Change([&](replica::ControlRecord& record) {
    record.role = control;
    record.history = ToPeriods(history);
  });
}

Status NodeControl::Change(const std::function<void(replica::ControlRecord&)>& change) {
  const std::lock_guard saving(save_mutex_);
  replica::ControlRecord changed;
  {
    const std::lock_guard lock(mutex_);
    change(record_);
    changed = record_;
  }
  return file_->Save(changed);
}

Status NodeControl::Probe() {
  return Change([](replica::ControlRecord&) {});
}

replica::NodeIdentity NodeControl::identity() const {
  const std::lock_guard lock(mutex_);
  return record_.identity;
}

Status NodeControl::SetIdentity(const replica::NodeIdentity& identity) {
  return Change([&](replica::ControlRecord& record) { record.identity = identity; });
}

replica::core::Control NodeControl::role() const {
  const std::lock_guard lock(mutex_);
  return record_.role;
}

replica::core::EpochHistory NodeControl::history() const {
  const std::lock_guard lock(mutex_);
  std::vector<replica::core::EpochStart> periods;
  for (const replica::ControlPeriod& period : record_.history) {
    periods.push_back({period.epoch, period.first_seq});
  }
  return replica::core::EpochHistory(periods);
}

std::vector<replica::ControlTransition> NodeControl::transitions() const {
  const std::lock_guard lock(mutex_);
  return record_.transitions;
}

void NodeControl::Remember(replica::ControlTransition transition) {
  const Status saved =
      Change([&](replica::ControlRecord& record) { record.Remember(std::move(transition)); });
  if (!saved.ok()) {
    LogWarn("transition_not_saved", {{"result", saved.ToString()}});
  }
}

Status NodeControl::BecomeMember(const replica::NodeIdentity& identity) {
  return Change([&](replica::ControlRecord& record) {
    const Incarnation incarnation = record.role.incarnation;
    record.role = replica::core::NewMember();
    record.role.incarnation = incarnation;  // never used twice
    record.identity = identity;
    record.history.clear();
  });
}

}  // namespace twinspool::node
