// The control file: what a node must remember outside its database, so that copying the database
// never copies an identity, and a restored database never forgets a promise.
//
// `<data_dir>/control/` holds two copies, `a` and `b`, each: magic, format version, generation,
// body (proto::ControlBody), CRC-32C. Save writes both, one after the other, each by a temporary
// file, fsync, rename and fsync of the directory, and returns when both are durable. So at every
// moment at least one copy is whole, every whole copy holds at least the last change whose Save
// returned, and the newest whole copy is the truth. A node without a whole copy does not guess:
// Load answers an error for the operator, and the node stays fenced.
//
// Thread-compatible: one owner (the role thread).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"
#include "common/types.h"
#include "replica/core/role.h"

namespace twinspool::replica {

/// Who this node is. Changes only when a pair is made or dissolved.
struct NodeIdentity {
  PairId pair_id;
  NodeId node_id;
  std::uint32_t node_index = 0;  // 0 or 1
  core::Mode mode = core::Mode::kAvailable;
  std::string peer_address;      // host:port; empty in `single`
  NodeId peer_node_id;           // nil: not met yet
  std::string join_secret_hash;  // SHA-256 of the open invitation's secret; empty: none
  std::int64_t join_expires_ns = 0;
  bool operator==(const NodeIdentity&) const = default;
};

/// From `first_seq` on, entries of the log belong to `epoch`, until the next period.
struct ControlPeriod {
  Epoch epoch;
  CommitSeq first_seq;
  bool operator==(const ControlPeriod&) const = default;
};

/// One change of role, for status.
struct ControlTransition {
  std::int64_t wall_ns = 0;
  std::string from;
  std::string to;
  Epoch epoch;
  core::Failover failover = core::Failover::kNone;
  std::string reason;
  std::string actor;
  bool operator==(const ControlTransition&) const = default;
};

/// Everything in the file.
struct ControlRecord {
  core::Control role;
  NodeIdentity identity;
  std::vector<ControlPeriod> history;          // oldest first
  std::vector<ControlTransition> transitions;  // oldest first

  /// Adds a transition and forgets the oldest beyond limits::kTransitionsKept.
  void Remember(ControlTransition transition);
  bool operator==(const ControlRecord&) const = default;
};

/// The few calls that make a file durable; a seam for tests that lose power between any two.
class DurableFiles {
 public:
  virtual ~DurableFiles() = default;
  /// Makes the directory and syncs its parent; fine if it exists.
  virtual Status MakeDirectory(const std::string& path) = 0;
  /// Whole content; kNotFound if there is no such file, kLimit beyond kControlFileBytesMax.
  virtual Result<std::string> Read(const std::string& path) = 0;
  /// Creates or replaces `path` and syncs its content, not its name.
  virtual Status WriteSynced(const std::string& path, std::string_view content) = 0;
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  virtual Status SyncDirectory(const std::string& path) = 0;
};

/// The machine's file system; files are 0600, the directory 0700.
DurableFiles& SystemFiles();

/// The pair of copies in one directory.
class ControlFile {
 public:
  /// What Load found beside the record.
  struct Loaded {
    ControlRecord record;
    /// Empty, or which copy was missing or damaged and has been written anew.
    std::string repaired;
  };

  /// `files` outlives the object.
  explicit ControlFile(std::string data_dir, DurableFiles& files = SystemFiles());

  /// True if the directory holds neither copy: a node that was never initialised.
  Result<bool> Absent();
  /// The first record of a new node; kAlreadyExists if there is any copy, whole or not.
  Status Create(const ControlRecord& record);
  /// The newest whole copy; a damaged or missing other one is repaired. Errors, none of which
  /// changes anything on disk: kNotFound (neither copy), kDataLoss (no whole copy), kConflict
  /// (written by a newer program). Each text says what to do.
  Result<Loaded> Load();
  /// Makes `record` durable in both copies. Needs a Load or Create before. After an error the truth
  /// on disk is the old or the new record: the process must end.
  Status Save(const ControlRecord& record);

  /// Number of the last change; rises by one with each Save.
  std::uint64_t generation() const { return generation_; }
  const std::string& directory() const { return directory_; }

 private:
  struct Copy;
  Copy ReadCopy(char name);
  Status NoWholeCopy(const Copy& a, const Copy& b) const;
  Status WriteCopy(char name, const std::string& content);
  std::string PathOf(char name) const;

  std::string directory_;
  DurableFiles& files_;
  std::uint64_t generation_ = 0;
};

/// Octets of one copy, and back. Exposed for the tests of the format.
std::string EncodeControl(const ControlRecord& record, std::uint64_t generation);
struct DecodedControl {
  ControlRecord record;
  std::uint64_t generation = 0;
};
/// kDataLoss: not whole; kConflict: a newer format.
Result<DecodedControl> DecodeControl(std::string_view octets);

}  // namespace twinspool::replica
