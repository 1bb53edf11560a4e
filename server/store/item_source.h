// Item sources: the newest state of things, read from one picture as change items, a few at a time.
// What a catch-up unit is filled from. Each source keeps at most one index page's worth of items,
// or one chunk of a body, in memory.
//
// One thread; the view outlives the source.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proto/types.pb.h"

#include "common/status.h"
#include "common/types.h"
#include "common/uid_set.h"
#include "server/store/row_view.h"
#include "server/store/touched.h"

namespace twinspool::store {

class ItemSource {
 public:
  virtual ~ItemSource() = default;
  /// Appends the next items to `out`; false: there are no more (and nothing was appended). May
  /// append none and answer true.
  virtual Result<bool> Fill(std::deque<proto::ChangeItem>* out) = 0;
};
using ItemSources = std::deque<std::unique_ptr<ItemSource>>;

/// Bodies that the other side has already: (number, GUID), sorted.
using KnownBodies = std::vector<std::pair<BodyNo, Guid>>;

/// Everything of a touched user, who is still here, that was touched, in an order that can be
/// applied: headers, purges, collections, state of messages that the other side has, bodies, new
/// messages, small rows. What is gone is named as forgotten.
ItemSources SourcesOfTouched(const RowView& view, TouchedUser touched);

/// Everything of a user. A body in `have` is only named (a CopyBodyItem onto itself).
Result<ItemSources> SourcesOfUser(const RowView& view, UserId user, KnownBodies have);

/// Everything of one mailbox, with the bodies that its messages name.
ItemSources SourcesOfMailbox(const RowView& view, UserId user, MailboxId mailbox);

}  // namespace twinspool::store
