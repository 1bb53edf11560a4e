// StoreTakeBack: replica::TakeBack: takes what only the former primary had accepted into the store
// of the new one (semantics R10 to R19). What the new primary has changed since both were the same
// stands; the rest is made good, in ordinary transactions.
//
//   message   A content that its mailbox has already, live or expunged since, is dropped: it came
//   by
//             another way, or the user has dealt with it. A mailbox that is gone is never brought
//             back; its message goes to INBOX. Otherwise it is appended under a new UID with its
//             octets, dates, flags and keywords. If it was moved, the original goes in the same
//             commit, unless it was changed meanwhile.
//   state     Flags, keywords and expunges of messages that both have: whole if the message is
//             untouched, flag by flag if not (merge.h); no expunge then.
//   mailbox   Made (or joined with the one of that name), renamed (if its name is still the old
//   one),
//             deleted (if nothing has happened in it).
//   small row Subscriptions and the like: if the row is untouched.
//   user      Made (if the name is free), a new password (if there is no newer one), deleted (if
//             nothing has happened to him).
//
// What came of it is kept under the token in the same commit, so that asking again changes nothing
// and answers the same.
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

class UserAdmin;

class StoreTakeBack final : public replica::TakeBack {
 public:
  /// Neither is owned; both outlive this.
  StoreTakeBack(const WritePath& path, UserAdmin& users) : path_(path), users_(users) {}

  void Take(proto::GiveBack given, std::string octets,
            std::function<void(Result<proto::GivenBack>)> done) override;

 private:
  const WritePath& path_;
  UserAdmin& users_;
};

}  // namespace twinspool::store
