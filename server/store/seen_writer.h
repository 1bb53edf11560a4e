// SeenWriter: the viewer's own \Seen in one transaction about somebody else's mailbox.
#pragma once

#include <cstdint>
#include <map>

#include "common/status.h"
#include "common/types.h"
#include "server/store/seen_pages.h"
#include "server/store/txn.h"

namespace twinspool::store {

class SeenWriter {
 public:
  /// Does nothing for a mailbox whose \Seen is not the viewer's own. The transaction and
  /// `mailbox`'s owner's lock outlive it.
  static Result<SeenWriter> Open(StoreTxn& txn, const MailboxRef& mailbox);

  /// \Seen is the viewer's own: it goes into no entry.
  bool active() const { return active_; }
  /// As the viewer sees the entry, with what this transaction changed.
  Status Apply(Uid uid, SystemFlags* flags, Modseq* modseq);
  /// Notes a change; Flush writes it.
  Status Mark(Uid uid, bool seen, Modseq modseq);
  /// Notes the \Seen of a message that is being added, and answers what flags its entry gets.
  Result<SystemFlags> Split(Uid uid, SystemFlags flags, Modseq modseq);
  /// Adds the changed pages to the transaction, each under the highest modseq in it.
  Status Flush();

 private:
  SeenWriter(StoreTxn& txn, const MailboxRef& mailbox, bool active)
      : txn_(&txn), mailbox_(mailbox), active_(active) {}
  struct Loaded {
    SeenPage page;
    bool changed = false;
  };
  Result<Loaded*> Page(std::uint32_t number);

  StoreTxn* txn_;
  MailboxRef mailbox_;
  bool active_;
  std::map<std::uint32_t, Loaded> pages_;
};

}  // namespace twinspool::store
