// StoreTakeBack: replica::TakeBack: takes a message that only the former primary had accepted into
// the mailbox of the new one.
//
// A message whose content its mailbox has already, live or expunged, is dropped: it came by another
// way, or the user has dealt with it. A mailbox that is gone is never brought back; its message
// goes to INBOX. Otherwise the message is appended under a new UID with its octets, dates, flags
// and keywords. What came of it is kept under the message's token in the same commit, so that
// asking again changes nothing and answers the same.
//
// Take runs on the caller's thread up to the enqueueing, and is answered like any write: when it is
// acked. Errors mean that nothing was done and it may be tried again (kOutcomeUnknown: perhaps
// done, and the token tells next time); kDataLoss: the octets do not fit the record.
#pragma once

#include <functional>
#include <string>

#include "replica/ports.h"
#include "server/store/txn.h"

namespace twinspool::store {

class StoreTakeBack final : public replica::TakeBack {
 public:
  /// `path` is not owned and outlives this.
  explicit StoreTakeBack(const WritePath& path) : path_(path) {}

  void Take(proto::GiveBack message, std::string octets,
            std::function<void(Result<proto::GivenBack>)> done) override;

 private:
  const WritePath& path_;
};

}  // namespace twinspool::store
