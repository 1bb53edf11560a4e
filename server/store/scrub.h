// StoreScrub: replica::ScrubStore over the store. A pass in its order:
//
//   files that cannot be read · the change log · what no user leads to · user after user: his
//   mailboxes, his own rows, what is derived from them, the octets of his bodies
//
// Reading needs no lock: each object is looked at in a snapshot of its own, held for
// limits::kScrubSnapshotMs at most. Where a pass is, is kept in the store (meta), so that it goes
// on there after a restart. What is damaged and how it is healed: mend.h, scrub_steps.h.
#pragma once

#include <vector>

#include "proto/replication.pb.h"

#include "common/status.h"
#include "common/types.h"
#include "replica/ports.h"
#include "server/store/txn.h"

namespace twinspool::store {

class OutboxLog;
struct ScrubParts;

class StoreScrub final : public replica::ScrubStore {
 public:
  /// Both outlive this.
  StoreScrub(const WritePath& path, OutboxLog& log) : path_(path), log_(log) {}

  replica::ScrubMemory Memory() override;
  bool HasRoom() override;
  bool Urgent() override;
  Status Pass(replica::ScrubHost& host, bool whole) override;
  std::vector<proto::ObjectReply> Answer(const proto::ObjectRequest& request) override;
  proto::BodyReply Answer(const proto::BodyRequest& request) override;

 private:
  struct Place {
    replica::ScrubMemory memory;
    UserId done;  // of the pass under way: users up to him are
  };
  Place ReadPlace();
  Status WritePlace(const Place& place);
  Status Users(const ScrubParts& parts, Place* place);
  Status User(const ScrubParts& parts, UserId user);
  /// Mailboxes without a header and owners without one: nothing else leads to them.
  Status Strays(const ScrubParts& parts);

  const WritePath& path_;
  OutboxLog& log_;
  std::uint64_t met_ = 0;  // damage that was met when the last pass ended
};

}  // namespace twinspool::store
