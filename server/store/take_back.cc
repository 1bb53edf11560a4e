#include "server/store/take_back.h"

#include <utility>

#include "common/limits.h"
#include "server/store/mailbox_ops.h"
#include "server/store/take_back_parts.h"
#include "server/store/visibility.h"

namespace twinspool::store {
namespace {

std::string TokenOf(const std::string& token) {
  return "giveback:" + token;
}
std::string HomeToken(MailboxId gone) {
  return "giveback-mailbox:" + std::string(gone.bytes());
}

GivenItems ItemsOf(const proto::GiveBack& given) {
  GivenItems items = {&given};
  for (const proto::GiveBack& one : given.more()) {
    items.push_back(&one);
  }
  return items;
}

Status CheckTogether(const GivenItems& items) {
  for (const proto::GiveBack* item : items) {
    const bool fits =
        item->kind() == items[0]->kind() && item->user_id() == items[0]->user_id() &&
        (item->kind() != proto::GiveBack::STATE || item->mailbox_id() == items[0]->mailbox_id());
    if (!fits || item->token().empty() || UserId::FromBytes(item->user_id()).nil()) {
      return InvalidArgument("what is given back does not belong together");
    }
  }
  return OkStatus();
}

Result<Outcomes> Decide(const WritePath& path, StoreTxn& txn, const GivenItems& items) {
  if (LiveUser(txn, UserId::FromBytes(items[0]->user_id())).status().Is(Code::kNotFound)) {
    Outcomes outcomes;
    for (const proto::GiveBack* item : items) {
      outcomes.push_back(MakeOutcome(*item, "the user is gone"));
    }
    return outcomes;
  }
  switch (items[0]->kind()) {
    case proto::GiveBack::STATE:
      return TakeStates(txn, items);
    case proto::GiveBack::MAILBOX:
      return TakeMailboxes(txn, path.random, items);
    case proto::GiveBack::SMALL_ROW:
      return TakeSmallRows(txn, items);
    default:
      return InvalidArgument("the other node gives back what this version does not know");
  }
}

Status TakeTogether(const WritePath& path, const proto::GiveBack& given,
                    const TakeBackAnswer& done) {
  const GivenItems items = ItemsOf(given);
  TRY(CheckTogether(items));
  StoreTxn txn(path, UserId::FromBytes(given.user_id()));
  TRY(txn.Admit(Admission::kSmall));
  ASSIGN_OR_RETURN(Outcomes outcomes, Decide(path, txn, items));
  proto::GivenBack answer = std::move(outcomes[0]);
  for (std::size_t i = 1; i < outcomes.size(); ++i) {
    *answer.add_more() = std::move(outcomes[i]);
  }
  ASSIGN_OR_RETURN(const Ticket ticket, txn.Commit());
  AnswerWhenAcked(path, ticket, std::move(answer), done);
  return OkStatus();
}

}  // namespace

void AnswerWhenAcked(const WritePath& path, Ticket ticket, proto::GivenBack outcome,
                     const TakeBackAnswer& done) {
  path.visibility.WhenAcked(ticket, [done, outcome = std::move(outcome)](const Status& acked) {
    done(acked.ok() ? Result<proto::GivenBack>(outcome) : Result<proto::GivenBack>(acked));
  });
}

proto::GivenBack MakeOutcome(const proto::GiveBack& given, std::string text, bool conflict) {
  proto::GivenBack outcome;
  outcome.set_token(given.token());
  outcome.set_outcome(std::move(text));
  outcome.set_conflict(conflict);
  return outcome;
}

Result<std::optional<std::string>> TakeBackMemory::Read(const std::string& key) {
  ASSIGN_OR_RETURN(const auto row, txn_.edit().Row(user_, Family::kTokens, TokenKey(user_, key)));
  if (!row) {
    return std::optional<std::string>();
  }
  ASSIGN_OR_RETURN(TokenRow token, DecodeTokenRow(*row));
  return std::optional(std::move(token.result));
}

Status TakeBackMemory::Write(std::string key, std::string result) {
  ASSIGN_OR_RETURN(const Modseq modseq, txn_.NextModseq(user_));
  proto::TokenItem* token = txn_.Add(user_)->mutable_token();
  token->set_key(std::move(key));
  token->set_modseq(modseq.value());
  token->set_expires_s(txn_.now_s() + limits::kGiveBackMemorySeconds);
  token->set_result(std::move(result));
  return OkStatus();
}

Result<std::optional<proto::GivenBack>> TakeBackMemory::Recall(const std::string& token) {
  ASSIGN_OR_RETURN(const auto result, Read(TokenOf(token)));
  proto::GivenBack outcome;
  if (!result) {
    return std::optional<proto::GivenBack>();
  }
  if (!outcome.ParseFromString(*result)) {
    return DataLoss("the memory of something given back does not parse");
  }
  return std::optional(std::move(outcome));
}

Status TakeBackMemory::Remember(const proto::GivenBack& outcome) {
  return Write(TokenOf(outcome.token()), outcome.SerializeAsString());
}

Result<std::optional<MailboxId>> TakeBackMemory::HomeOf(MailboxId gone) {
  ASSIGN_OR_RETURN(const auto result, Read(HomeToken(gone)));
  return result ? std::optional(MailboxId::FromBytes(*result)) : std::nullopt;
}

Status TakeBackMemory::RememberHome(MailboxId gone, MailboxId home) {
  return Write(HomeToken(gone), std::string(home.bytes()));
}

void StoreTakeBack::Take(proto::GiveBack given, std::string octets, TakeBackAnswer done) {
  const auto take = [&] {
    switch (given.kind()) {
      case proto::GiveBack::MESSAGE:
        return TakeMessage(path_, given, std::move(octets), done);
      case proto::GiveBack::USER:
        return TakeUser(users_, given, done);
      default:
        return TakeTogether(path_, given, done);
    }
  };
  if (const Status status = take(); !status.ok()) {
    done(status);
  }
}

}  // namespace twinspool::store
