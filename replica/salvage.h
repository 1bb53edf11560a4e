// The salvage folder of a node: what it had accepted and had to undo when it rejoined.
//
// One directory per rewind, <data_dir>/salvage/<epoch>-<first seq>/, mode 0700, with three files:
//   records  length, CRC-32C, proto::SalvageItem, one after another
//   bodies   octets that items name by offset and length
//   done     length, CRC-32C, token: what was given back or needs no giving back
// What Save wrote is durable after Sync, which comes before anything of it is undone; everything
// else is when its call returns. A torn tail (the process died while writing) is cut at the next
// opening: what it described had not been undone yet. Saving an item twice is harmless. What a
// deleted user had here is erased, octets first; that may be repeated after a crash.
//
// This is not a mailbox: operators list and read it, and the conversation offers its messages to
// the new primary. One thread at a time.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "proto/salvage.pb.h"

#include "common/status.h"
#include "common/types.h"
#include "replica/ports.h"

namespace twinspool::replica {

/// Reads `length` octets at `offset` of the body of the record being saved.
using BodyReader = std::function<Result<std::string>(std::uint64_t offset, std::size_t length)>;

struct SalvageOptions {
  std::filesystem::path data_dir;
  /// Off in simulations, where processes die only between calls.
  bool sync = true;
};

/// See the head of this file.
class Salvage {
 public:
  /// Reads what is there. kIo or kDataLoss name the file.
  static Result<std::unique_ptr<Salvage>> Open(SalvageOptions options);

  /// Directory that later Saves write to. Repeating the last one goes on in it.
  Status BeginRewind(Epoch epoch, CommitSeq first_seq);
  /// Saves one record, number `index` of its entry, with its body. Known ones are skipped.
  Status Save(const SalvageRecord& record, std::size_t index, const BodyReader& read_body);
  /// Makes durable what was saved since the last call.
  Status Sync();

  /// Takes away everything of a user, durably; answers how many records that were. What was saved
  /// and not synced yet becomes durable by the way.
  Result<std::size_t> Erase(UserId user);

  /// All items, oldest rewind first, as written (newest entry first within one rewind).
  std::vector<proto::SalvageItem> List() const;
  std::size_t size() const { return items_.size(); }

  /// Messages that nobody has been asked to take back yet.
  std::size_t pending() const { return pending_.size(); }
  /// The first of them that `skip` does not want left out, with flags and keywords as they were at
  /// the end of the undone history.
  std::optional<proto::SalvageItem> NextPending(
      const std::function<bool(const std::string& token)>& skip = {}) const;
  Result<std::string> ReadBody(const proto::SalvageItem& item, std::uint64_t offset,
                               std::size_t length) const;
  Status MarkDone(const std::string& token);

 private:
  struct Item {
    proto::SalvageItem proto;
    std::filesystem::path dir;
  };
  explicit Salvage(SalvageOptions options) : options_(std::move(options)) {}
  /// Reads everything anew.
  Status Load();
  Status LoadDirectory(const std::filesystem::path& dir);
  Status EraseFrom(const std::filesystem::path& dir, const std::string& user);
  Status AppendBody(proto::SalvageItem* item, const BodyReader& read_body);
  void Add(proto::SalvageItem item, const std::filesystem::path& dir);

  /// A message of one undone history: UIDs that it gave out are given out again after it.
  using MessageKey = std::tuple<std::filesystem::path, std::string, std::uint32_t>;
  static MessageKey KeyOf(const Item& item);

  SalvageOptions options_;
  std::filesystem::path dir_;  // of the rewind under way
  bool records_unsynced_ = false;
  bool bodies_unsynced_ = false;
  Status failed_;  // of a sync: only a restart tells what the disk holds
  std::vector<Item> items_;
  std::map<std::string, std::size_t> by_token_;
  std::set<std::string> done_;
  /// Tokens of appended messages still to be given back, in the order of their entries.
  std::map<std::string, std::size_t> pending_;
  /// Messages expunged in the undone history: kept here, never given back.
  std::set<MessageKey> expunged_;
  std::map<MessageKey, std::size_t> newest_flags_;
};

}  // namespace twinspool::replica
