// NodeControl: the node's memory outside its database. Joins what the role machine persists with
// who this node is, in the one control file.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/env.h"
#include "common/status.h"
#include "replica/control_file.h"
#include "replica/role_driver.h"

namespace twinspool::node {

/// Thread-safe: the role thread saves, administration changes the identity.
class NodeControl final : public replica::ControlStore {
 public:
  /// Loads <data_dir>/control; creates it only if `store_is_new`: a new node serves alone. A
  /// missing (beside an existing database), damaged or newer file is an error that says what to do;
  /// nothing is overwritten.
  static Result<std::unique_ptr<NodeControl>> Open(const std::string& data_dir, Random& random,
                                                   bool store_is_new);

  // replica::ControlStore
  Status Save(const replica::core::Control& control,
              const replica::core::EpochHistory& history) override;

  replica::NodeIdentity identity() const;
  Status SetIdentity(const replica::NodeIdentity& identity);
  replica::core::Control role() const;
  replica::core::EpochHistory history() const;
  std::vector<replica::ControlTransition> transitions() const;

  /// For status, also after a restart. A failure is only logged: nothing rests on it.
  void Remember(replica::ControlTransition transition);
  /// Makes the present state durable once more: the disk works if this returns.
  Status Probe();
  /// `pair join`: this node forgets its time alone and becomes a member with nothing yet.
  Status BecomeMember(const replica::NodeIdentity& identity);

 private:
  NodeControl(std::unique_ptr<replica::ControlFile> file, replica::ControlRecord record)
      : file_(std::move(file)), record_(std::move(record)) {}

  Status Change(const std::function<void(replica::ControlRecord&)>& change);

  std::mutex save_mutex_;     // one save at a time; before mutex_
  mutable std::mutex mutex_;  // never held while the disk is waited for
  const std::unique_ptr<replica::ControlFile> file_;
  replica::ControlRecord record_;  // guarded by mutex_
};

}  // namespace twinspool::node
