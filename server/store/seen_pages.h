// SeenPage: what a viewer of somebody else's mailbox set and cleared of \Seen, for 256 UIDs. A row
// of misc under the owner: so his modseq orders it, his digest covers it, it replicates with him.
//
// A row's value: varint of the highest modseq in it, then for each message, rising, its UID's low
// byte and a varint of (that highest modseq - its modseq) * 2 + (seen ? 1 : 0).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"
#include "common/types.h"
#include "server/mail_store.h"
#include "server/store/rows.h"
#include "server/store/schema.h"

namespace twinspool::store {

class SeenPage {
 public:
  struct Mark {
    bool seen = false;
    Modseq modseq;
    bool operator==(const Mark&) const = default;
  };

  static Result<SeenPage> Decode(std::string_view value);
  std::string Encode() const;

  /// Null: he never said anything about this message.
  const Mark* Find(std::uint8_t uid_low) const;
  void Set(std::uint8_t uid_low, Mark mark) { marks_[uid_low] = mark; }
  const std::map<std::uint8_t, Mark>& marks() const { return marks_; }
  Modseq highest() const;

 private:
  std::map<std::uint8_t, Mark> marks_;
};

/// Key of a row of misc, without user and kind; the first two parts are the prefix of a viewer's.
std::string SeenKey(MailboxId mailbox, UserId viewer, std::uint32_t page);
std::string SeenPrefix(MailboxId mailbox, UserId viewer);

/// All that a viewer sees otherwise than the owner. Default: nothing, for the owner himself.
class ViewerSeen {
 public:
  ViewerSeen() = default;
  /// \Seen is the viewer's own, none of it set so far.
  static ViewerSeen OfViewer();
  /// Takes a row of misc.
  Status Add(std::uint32_t page, const MiscRow& row);

  bool active() const { return active_; }
  Modseq highest() const { return highest_; }
  /// Highest modseq in one page; 0: nothing in it.
  Modseq HighestOf(std::uint32_t page) const;
  /// Pages with something newer, rising.
  std::vector<std::uint32_t> PagesSince(Modseq since) const;
  bool Seen(Uid uid) const;
  /// Makes flags and modseq of an entry what the viewer is to see.
  void Apply(Uid uid, SystemFlags* flags, Modseq* modseq) const;

 private:
  const SeenPage::Mark* Find(Uid uid) const;

  bool active_ = false;
  Modseq highest_;
  std::map<std::uint32_t, SeenPage> pages_;
};

}  // namespace twinspool::store
