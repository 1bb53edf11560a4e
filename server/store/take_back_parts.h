// The parts of StoreTakeBack (take_back.h), for its own files alone.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "proto/replication.pb.h"

#include "common/status.h"
#include "common/types.h"
#include "server/store/txn.h"

namespace twinspool::store {

class UserAdmin;

using TakeBackAnswer = std::function<void(Result<proto::GivenBack>)>;
/// One commit's worth; all of one kind and user.
using GivenItems = std::vector<const proto::GiveBack*>;
using Outcomes = std::vector<proto::GivenBack>;

/// Answers with the outcome, once everything that led to it is acked.
void AnswerWhenAcked(const WritePath& path, Ticket ticket, proto::GivenBack outcome,
                     const TakeBackAnswer& done);
proto::GivenBack MakeOutcome(const proto::GiveBack& given, std::string text, bool conflict = false);

/// What a user's store remembers of things given back: rows of tokens.
class TakeBackMemory {
 public:
  TakeBackMemory(StoreTxn& txn, UserId user) : txn_(txn), user_(user) {}

  Result<std::optional<proto::GivenBack>> Recall(const std::string& token);
  Status Remember(const proto::GivenBack& outcome);
  /// Where the messages of a mailbox that only the former primary had go now.
  Result<std::optional<MailboxId>> HomeOf(MailboxId gone);
  Status RememberHome(MailboxId gone, MailboxId home);

 private:
  Result<std::optional<std::string>> Read(const std::string& key);
  Status Write(std::string key, std::string result);

  StoreTxn& txn_;
  const UserId user_;
};

Status TakeMessage(const WritePath& path, const proto::GiveBack& given, std::string octets,
                   const TakeBackAnswer& done);
/// Of one mailbox.
Result<Outcomes> TakeStates(StoreTxn& txn, const GivenItems& items);
Result<Outcomes> TakeMailboxes(StoreTxn& txn, Random& random, const GivenItems& items);
Result<Outcomes> TakeSmallRows(StoreTxn& txn, const GivenItems& items);
Status TakeUser(UserAdmin& users, const proto::GiveBack& given, const TakeBackAnswer& done);

}  // namespace twinspool::store
