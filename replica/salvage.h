// The salvage folder of a node: what it had accepted and had to undo when it rejoined.
//
// One directory per rewind, <data_dir>/salvage/<epoch>-<first seq>/, mode 0700, with three files:
//   records  length, CRC-32C, proto::SalvageItem, one after another
//   bodies   octets that items name by offset and length
//   done     length, CRC-32C, proto::SalvageDone: what was given back, or discarded
// What Save wrote is durable after Sync, which comes before anything of it is undone; everything
// else is when its call returns. A torn tail (the process died while writing) is cut at the next
// opening: what it described had not been undone yet. Saving an item twice is harmless. What a
// deleted user had here is erased, octets first; that may be repeated after a crash.
//
// This is not a mailbox: operators list and read it, and the conversation offers what is in it to
// the new primary (give_back_plan.h). One thread at a time.
#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proto/salvage.pb.h"

#include "common/status.h"
#include "common/types.h"
#include "replica/give_back_plan.h"
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
  /// The undoing is over: keeps, for every user of the rewinds that lack it, his highest modseq as
  /// it is now, which both histories share. Users who are not named are not known. Durable.
  Status SaveForks(const std::map<UserId, Modseq>& modseqs);
  /// Makes durable what was saved since the last call.
  Status Sync();

  /// Takes away everything of a user, durably; answers how many records that were. What was saved
  /// and not synced yet becomes durable by the way.
  Result<std::size_t> Erase(UserId user);
  /// Nobody wants it: whatever else happened to the same thing goes with it. Octets are wiped, the
  /// record stays and says so. kNotFound.
  Status Discard(const std::string& token);
  /// Takes away whole rewinds with all their files: every one, or those in which nothing waits and
  /// nothing is in conflict. Answers how many records that were. Not while a rewind is under way.
  Result<std::size_t> DiscardRewinds(bool settled_only);

  /// All items, oldest rewind first, as written (newest entry first within one rewind).
  std::vector<proto::SalvageItem> List() const;
  std::size_t size() const { return items_.size(); }
  /// An item and what is to come or has come of it.
  struct Listed {
    proto::SalvageItem item;
    bool waiting = false;                    // to be given back
    std::optional<proto::SalvageDone> done;  // nothing of both: there is nothing to give back
  };
  std::vector<Listed> ListAll() const;

  /// Steps that are still to be done, in their order. Valid until the next change.
  const std::deque<GiveBackStep>& waiting() const;
  std::size_t pending() const { return waiting().size(); }
  /// Things that could not be given back as they were here.
  std::size_t conflicts() const;
  /// `token` is of a message with octets.
  Result<std::string> ReadBody(const std::string& token, std::uint64_t offset,
                               std::size_t length) const;
  /// Items of these tokens are dealt with, durably. Unknown ones are let pass.
  Status MarkDone(const std::vector<std::string>& tokens, const proto::GivenBack& outcome);

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
  Status SaveFork(UserId user, Modseq modseq);
  /// Steps of all rewinds, done or not.
  std::vector<GiveBackStep> AllSteps() const;
  Status WipeBody(const Item& item);

  SalvageOptions options_;
  std::filesystem::path dir_;  // of the rewind under way
  bool records_unsynced_ = false;
  bool bodies_unsynced_ = false;
  Status failed_;  // of a sync: only a restart tells what the disk holds
  std::vector<Item> items_;
  std::map<std::string, std::size_t> by_token_;
  std::map<std::string, proto::SalvageDone> done_;
  /// What waiting() answers, made when it is asked for after a change.
  mutable std::optional<std::deque<GiveBackStep>> waiting_;
};

}  // namespace twinspool::replica
