// TouchedScan: what the entries of the log touched after a position, user by user, each thing once.
//
// The log may hold far more than fits in memory. A pass keeps what it finds of the users with the
// lowest ids, within a bound, and forgets higher ones; these are found again by the next pass. A
// user with very many touched things is answered as whole: cheaper to send than to list.
//
// Of the users of one pass those with the fewest new octets come first: so nearly everybody's
// flags, folders and small mail are on the other node before the first large attachment goes.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "proto/types.pb.h"

#include "common/limits.h"
#include "common/status.h"
#include "common/types.h"
#include "common/uid_set.h"
#include "server/store/row_view.h"

namespace twinspool::store {

struct TouchedMailbox {
  bool header = false;  // … or forgotten
  bool purged = false;  // something was purged, or the floor was raised
  UidSet records;       // appended
  UidSet entries;       // changed, appended or purged
};

struct TouchedUser {
  UserId user;
  bool whole = false;   // too much to list; everything below is empty
  bool header = false;  // … or forgotten
  std::map<MailboxId, TouchedMailbox> mailboxes;
  std::set<std::pair<BodyNo, std::uint32_t>> chunks;
  std::set<BodyNo> collected;
  std::set<std::string> misc;  // kind octet and key; forgotten ones, too
  /// Keys, with the newest modseq that touched them.
  std::map<std::string, Modseq> tokens;
  std::size_t things = 0;
};

struct TouchedLimits {
  std::size_t things = limits::kCatchUpThingsMax;
  std::size_t things_per_user = limits::kCatchUpThingsPerUserMax;
};

class TouchedScan {
 public:
  /// Entries with after < seq <= upto, as of the view's snapshot; all must be there.
  TouchedScan(const RowView& view, CommitSeq after, CommitSeq upto, TouchedLimits limits = {})
      : view_(view), after_(after), upto_(upto), limits_(limits) {}

  /// The next user; nothing: that was all. kDataLoss: an entry is missing or damaged.
  Result<std::optional<TouchedUser>> Next();

 private:
  Status Pass();
  Status AddEntry(const proto::OutboxEntry& entry);
  Status AddItem(const proto::OutboxItem& item, TouchedUser* user);
  void KeepWithinLimits();
  void Order();

  const RowView& view_;
  const CommitSeq after_;
  const CommitSeq upto_;
  const TouchedLimits limits_;
  std::optional<UserId> from_;           // users above this are still to come; nothing: all
  std::optional<UserId> stop_;           // this pass keeps users below this
  std::map<UserId, TouchedUser> users_;  // of the pass under way
  std::deque<TouchedUser> ready_;  // of the last pass, in the order in which they are answered
  std::size_t things_ = 0;
  bool done_ = false;
};

}  // namespace twinspool::store
