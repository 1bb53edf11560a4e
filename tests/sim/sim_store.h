// What the simulated world needs of a node's store: in memory (memory_sim_store.h), or the real one
// on RocksDB over a file system whose power can be cut (disk_sim_store.h).
//
// Called from the world's thread alone. Completions given to it run there, too, in Settle().
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "replica/ports.h"

namespace twinspool::test {

/// Something that goes wrong in a store.
struct StoreFault {
  std::string name;
  /// A damaged change: the key of a small one or the octets of a message.
  std::optional<std::string> rotten;
};

class SimStore {
 public:
  using Acked = std::function<void(bool)>;
  virtual ~SimStore() = default;

  // --- the process
  /// A process begins on what survived. False: it does not come up.
  virtual bool Boot() = 0;
  /// Who hears of commits, until Die().
  virtual void Listen(replica::CommitListener& gate) = 0;
  /// It is gone at once: waiting clients learn nothing.
  virtual void Die() = 0;
  /// What is under way gets done, and its completions run. False: the process must end now.
  virtual bool Settle() = 0;
  virtual replica::StorePorts Ports() = 0;

  // --- its clients; false: refused. `acked(false)`: the outcome is unknown
  virtual bool WriteMisc(UserId user, const std::string& key, Acked acked) = 0;
  virtual bool ForgetMisc(UserId user, const std::string& key, Acked acked) = 0;
  virtual bool Append(UserId user, int mailbox, const std::string& octets, Acked acked) = 0;

  // --- looking
  virtual replica::ServingState Serving() = 0;
  /// What clients of this node may see.
  virtual CommitSeq Visible() = 0;
  virtual EntryId End() = 0;
  virtual Result<EntryId> Identify(CommitSeq seq) = 0;
  virtual std::string Digest() = 0;
  /// What Digest() was made of, for somebody who wonders why two differ.
  virtual std::string DescribeDigest() { return ""; }
  virtual bool HasMisc(UserId user, const std::string& key) = 0;
  /// Messages with these octets.
  virtual std::size_t CountMessages(const std::string& octets) = 0;

  // --- faults
  /// One of its own, by dice; nothing when that one is not possible now. `standby`: whether rows
  /// may be damaged: only there a good copy is sure to be elsewhere.
  virtual std::optional<StoreFault> Fault(std::uint64_t dice, bool standby) = 0;
  /// Faults that wait for their moment never come.
  virtual void NoMoreFaults() = 0;
  /// Once per event of the world; answers what it did by itself, or nothing.
  virtual const char* Turn(std::uint64_t dice) = 0;
};

}  // namespace twinspool::test
