// What a FETCH needs from the store: decided once per command from its items.
#pragma once

#include <cstdint>
#include <vector>

#include "server/imap/command.h"
#include "server/mail_store.h"

namespace twinspool::imap {

struct FetchPlan {
  /// FLAGS, UID and MODSEQ alone: the index answers, no message is touched.
  bool index_only = true;
  bool flags = false;
  bool uid = false;
  bool modseq = false;
  /// UIDONLY: answers name messages by UID.
  bool by_uid = false;
  /// Some item sets \Seen (BODY[…] without PEEK, RFC822, RFC822.TEXT).
  bool sets_seen = false;
  /// ENVELOPE, BODY, BODYSTRUCTURE, PREVIEW or THREADID: the summary is needed.
  bool summary = false;
  /// FetchRequest::body_bytes: from the start of each body what the items are likely to need.
  std::uint64_t body_bytes = 0;
};

/// `uid`: a UID command, whose answers carry UID whether asked for or not.
FetchPlan PlanFetch(const std::vector<FetchItem>& items, bool uid);

}  // namespace twinspool::imap
