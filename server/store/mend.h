// Mending: a damaged object is made what both nodes had agreed that it is, with the other node's
// rows where this node's are damaged.
//
// It restores octets and invents nothing: no modseq, no UID, no log entry. What is written was
// proven by the object's digest (mend_plan.h), and is written only if nothing of the object changed
// between the reading and the writing; else it is read and asked for again. It works alike on a
// primary and on a standby; only where the digest itself is lost does a standby take its primary's
// word, and a primary gives up.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/replication.pb.h"

#include "common/status.h"
#include "replica/ports.h"
#include "server/store/mend_plan.h"
#include "server/store/part_rows.h"
#include "server/store/parts.h"
#include "server/store/txn.h"

namespace twinspool::store {

struct MendOutcome {
  bool healed = false;
  std::string text;  // how, or why not
};

/// One object. On the thread of a scrub's pass; may take as long as the other node does.
class Mender {
 public:
  /// All outlive this.
  Mender(const WritePath& path, replica::ScrubHost& host, const Object& object)
      : path_(path), host_(host), object_(object) {}

  /// Reads the object, and mends it up to limits::kMendTriesMax times. Errors are those of the disk
  /// as a whole, and kUnavailable when the pass is to end.
  Result<MendOutcome> Run();

 private:
  /// How one try ended; nothing: look again.
  using Ended = std::optional<MendOutcome>;

  Result<ObjectParts> Look(std::shared_ptr<const MailboxHeaderPart> header) const;
  Result<Ended> Try();
  /// The rows are whole and come to the stored digest: only counters can be wrong.
  Result<Ended> FixCounters(const ObjectParts& own);
  Result<Ended> Mend(ObjectParts own);
  Result<Ended> NotHealed(const Status& why);
  Result<Ended> Carry(const MendPlan& plan, const ObjectParts& own);
  Status AskDigests();
  /// Contents of parts as rows, each proven to be what its digest says.
  Status Fetch(const std::vector<std::uint32_t>& parts);
  Status TakeContents(const std::vector<proto::ObjectReply>& replies,
                      const std::vector<std::uint32_t>& parts);
  /// The mailbox's header, if this node's is damaged or not the other's.
  Status FetchHeader(const ObjectParts& own);
  /// The derived row as the plan makes it.
  void AddDerived(const MendPlan& plan, const ObjectParts& own, RowBatch* rows) const;
  void AddMailboxRow(const MendPlan& plan, const ObjectParts& own, RowBatch* rows) const;
  void AddUserRow(const MendPlan& plan, const ObjectParts& own, RowBatch* rows) const;
  std::vector<PartSum> SumsAfter(const MendPlan& plan, const ObjectParts& own) const;
  /// Writes `rows` if the object still is what was read; nothing else changes it meanwhile.
  Status Write(const ObjectParts& own, const RowBatch& rows);
  std::string Told() const;

  const WritePath& path_;
  replica::ScrubHost& host_;
  const Object object_;
  // Of the try under way.
  proto::ObjectReply head_;  // of the other node's answer
  ObjectView theirs_;
  std::vector<std::pair<std::uint32_t, PartRows>> fetched_;
  std::shared_ptr<const MailboxHeaderPart> header_;  // beside which pages are read
  // Over all tries.
  std::string written_;  // what was taken, for people
  std::string obstacle_;
};

/// Runs `write` alone, and lets readers see what it wrote.
Status WriteAlone(const WritePath& path, replica::ScrubHost& host,
                  const std::function<Status()>& write);

}  // namespace twinspool::store
