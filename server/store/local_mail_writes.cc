// Writes of messages.
#include <utility>

#include "common/limits.h"
#include "server/store/local_mail_store.h"
#include "server/store/local_mail_store_inl.h"
#include "server/store/mailbox_ops.h"
#include "server/store/message_ops.h"
#include "server/store/quota.h"
#include "server/store/text_pages.h"
#include "server/store/visibility.h"
#include "server/store/write_calls.h"

namespace twinspool::store {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

Result<StagedBody> FinishStage(UserId owner, BodyStage* stage) {
  auto* local = dynamic_cast<LocalStage*>(stage);
  if (local == nullptr || local->owner() != owner) {
    return InvalidArgument("a message body was staged for another user");
  }
  return local->Finish();
}

}  // namespace

Status LocalMailStore::RoomFor(UserId owner, std::uint64_t size) {
  const std::shared_ptr<const View> view = path_.visibility.view();
  if (size == 0 || view == nullptr) {
    return OkStatus();
  }
  StoreReader reader(path_.engine, pages_, view->snapshot.get(), nullptr, true);
  const Result<QuotaState> quota = reader.Quota(owner, path_.default_quota);
  if (quota.ok() && quota->bytes_max && quota->bytes + size > *quota->bytes_max) {
    return OverQuota("the message does not fit into the quota; delete mail and expunge it");
  }
  return OkStatus();  // what is not known now is decided when it is stored
}

Result<std::unique_ptr<BodyStage>> LocalMailStore::StageBody(UserId owner, std::uint64_t size) {
  const ServingPtr state = path_.gate.state();
  if (!state->primary) {
    return Fenced("this node is not the primary of its pair; use the other node");
  }
  TRY(state->writes);
  if (size > options_.message_bytes_max) {
    return LimitExceeded("the message is larger than this server takes");
  }
  TRY(path_.disk.Admit(Admission::kBodies));
  TRY(RoomFor(owner, size));
  return std::unique_ptr<BodyStage>(
      std::make_unique<LocalStage>(path_, txns_, owner, options_.message_bytes_max));
}

Result<std::vector<NewMessage>> LocalMailStore::FinishStages(UserId owner,
                                                             std::vector<AppendMessage>* messages) {
  std::vector<NewMessage> out;
  for (AppendMessage& message : *messages) {
    NewMessage next;
    ASSIGN_OR_RETURN(next.body, FinishStage(owner, message.body.get()));
    next.flags = std::move(message.flags);
    next.internal_date_ns =
        message.internal_date ? *message.internal_date * kNsPerSecond : path_.clock.WallNs();
    next.zone_minutes = message.zone_minutes;
    out.push_back(std::move(next));
  }
  return out;
}

Status LocalMailStore::StageLargeAppend(UserId owner, std::vector<NewMessage>* messages) {
  std::uint64_t waiting = 0;
  for (const NewMessage& message : *messages) {
    waiting += message.body.rest.size();
  }
  for (NewMessage& message : *messages) {
    // What is too much for the transaction itself goes ahead of it; there the pool then has it.
    if (waiting > limits::kInlineAppendBytesMax ||
        message.body.rest.size() > limits::kInlineBodyBytesMax) {
      TRY(StageWhole(path_, owner, &message.body));
    }
  }
  return OkStatus();
}

Done<AppendResult> LocalMailStore::Noted(UserId owner, Done<AppendResult> done) {
  if (!options_.summarize_on_arrival) {
    return done;
  }
  return [this, owner, done = std::move(done)](Result<AppendResult> result) {
    if (result.ok()) {
      for (const BodyNo body : result->bodies) {
        pages_.Arrived(owner, body);
      }
    }
    done(std::move(result));
  };
}

Done<DeliverResult> LocalMailStore::Noted(UserId owner, Done<DeliverResult> done) {
  if (!options_.summarize_on_arrival) {
    return done;
  }
  return [this, owner, done = std::move(done)](Result<DeliverResult> result) {
    if (result.ok() && result->body != BodyNo()) {
      pages_.Arrived(owner, result->body);
    }
    done(std::move(result));
  };
}

namespace {

std::uint64_t OctetsOf(const std::vector<NewMessage>& messages) {
  std::uint64_t octets = 0;
  for (const NewMessage& message : messages) {
    octets += message.body.size;
  }
  return octets;
}

bool FitsInMemory(const std::vector<NewMessage>& messages) {
  std::size_t bytes = 0;
  for (const NewMessage& message : messages) {
    bytes += message.body.rest.size();
  }
  return messages.size() <= limits::kWriteInMemoryMessagesMax &&
         bytes <= limits::kWriteInMemoryBytesMax;
}

bool FitsInMemory(const UidSet& uids) {
  return uids.Count() <= limits::kWriteInMemoryMessagesMax;
}

}  // namespace

void LocalMailStore::Append(MailboxRef mailbox, std::vector<AppendMessage> messages,
                            Done<AppendResult> done) {
  Result<std::vector<NewMessage>> ready = FinishStages(mailbox.owner, &messages);
  if (!ready.ok()) {
    return done(ready.status());
  }
  const Done<AppendResult> noted = Noted(mailbox.owner, std::move(done));
  const auto append = [this, mailbox, noted](std::vector<NewMessage> added, Effort effort) {
    return RunTxn<AppendResult>(
        path_, mailbox.owner, Admission::kBodies, noted,
        [&](StoreTxn& txn) -> Result<AppendResult> {
          TRY(CheckQuota(txn, mailbox.owner, OctetsOf(added), added.size()));
          return AppendMessages(txn, mailbox, std::move(added), proto::ORIGIN_APPEND);
        },
        effort);
  };
  if (FitsInMemory(*ready) && append(*ready, Effort::kInMemory) == Attempt::kAnswered) {
    return;
  }
  // std::function wants copies: what is large is shared.
  auto shared = std::make_shared<std::vector<NewMessage>>(*std::move(ready));
  PostWrite<AppendResult>(noted, [this, mailbox, shared, append](const Done<AppendResult>& end) {
    if (const Status staged = StageLargeAppend(mailbox.owner, shared.get()); !staged.ok()) {
      return end(staged);
    }
    append(std::move(*shared), Effort::kWait);
  });
}

void LocalMailStore::Replace(MailboxRef to, AppendMessage message, MailboxRef from, Uid old,
                             Done<AppendResult> done) {
  std::vector<AppendMessage> one;
  one.push_back(std::move(message));
  Result<std::vector<NewMessage>> ready = FinishStages(to.owner, &one);
  if (!ready.ok()) {
    return done(ready.status());
  }
  // std::function wants copies: what is large is shared.
  auto shared = std::make_shared<std::vector<NewMessage>>(*std::move(ready));
  PostWrite<AppendResult>(Noted(to.owner, std::move(done)), [this, to, from, old, shared](
                                                                const Done<AppendResult>& end) {
    if (const Status staged = StageLargeAppend(to.owner, shared.get()); !staged.ok()) {
      return end(staged);
    }
    StoreTxn txn(path_, to.owner, from.owner);
    const Status admitted = txn.Admit(Admission::kBodies);
    if (!admitted.ok() && !admitted.Is(Code::kOverQuota)) {
      return end(admitted);
    }
    FinishTxn<AppendResult>(txn,
                            admitted.ok()
                                ? ReplaceMessage(txn, to, std::move(shared->front()), from, old)
                                : Result<AppendResult>(admitted),
                            end);
  });
}

void LocalMailStore::Deliver(DeliverRequest request, Done<DeliverResult> answer) {
  const UserId user = request.user.id;
  const Done<DeliverResult> done = Noted(user, std::move(answer));
  Result<StagedBody> ready = FinishStage(user, request.body.get());
  if (!ready.ok()) {
    return done(ready.status());
  }
  const auto deliver = [this, user, done, sender = std::move(request.sender),
                        recipient = std::move(request.recipient)](StagedBody body, Effort effort) {
    return RunTxn<DeliverResult>(
        path_, user, Admission::kBodies, done,
        [&](StoreTxn& txn) {
          return DeliverMessage(txn, user, sender, recipient, std::move(body));
        },
        effort);
  };
  if (ready->rest.size() <= limits::kWriteInMemoryBytesMax &&
      deliver(*ready, Effort::kInMemory) == Attempt::kAnswered) {
    return;
  }
  auto shared = std::make_shared<StagedBody>(*std::move(ready));
  PostWrite<DeliverResult>(done, [this, user, shared, deliver](const Done<DeliverResult>& end) {
    if (shared->rest.size() > limits::kInlineBodyBytesMax) {
      if (const Status staged = StageWhole(path_, user, shared.get()); !staged.ok()) {
        return end(staged);
      }
    }
    deliver(std::move(*shared), Effort::kWait);
  });
}

namespace {

/// `request` and `found` outlive it.
PartedWrite<StoreResult> StoreWrite(MailboxRef mailbox, const StoreRequest& request,
                                    UidSet* found) {
  PartedWrite<StoreResult> write;
  write.user = mailbox.owner;
  write.part = [mailbox, &request, found](StoreTxn& txn, Uid from,
                                          StoreResult* result) -> Result<std::optional<Uid>> {
    ASSIGN_OR_RETURN(const auto next, StorePart(txn, mailbox, request, from, result, found));
    if (!next) {
      result->missing = request.uids.Minus(*found);
    }
    return next;
  };
  return write;
}

/// `uids` outlives it.
PartedWrite<ExpungeResult> ExpungeWrite(MailboxRef mailbox, const std::optional<UidSet>& uids) {
  PartedWrite<ExpungeResult> write;
  write.user = mailbox.owner;
  write.part = [mailbox, &uids](StoreTxn& txn, Uid from, ExpungeResult* result) {
    return ExpungePart(txn, mailbox, uids, from, result);
  };
  return write;
}

}  // namespace

void LocalMailStore::StoreFlags(MailboxRef mailbox, StoreRequest request, Done<StoreResult> done) {
  if (FitsInMemory(request.uids)) {
    UidSet found;
    if (StoreWrite(mailbox, request, &found).RunInMemory(path_, done) == Attempt::kAnswered) {
      return;
    }
  }
  PostWrite<StoreResult>(
      std::move(done), [this, mailbox, request = std::move(request)](const Done<StoreResult>& end) {
        UidSet found;
        StoreWrite(mailbox, request, &found).Run(path_, StoreResult{}, end);
      });
}

void LocalMailStore::Expunge(MailboxRef mailbox, std::optional<UidSet> uids,
                             Done<ExpungeResult> done) {
  if (uids && FitsInMemory(*uids) &&
      ExpungeWrite(mailbox, uids).RunInMemory(path_, done) == Attempt::kAnswered) {
    return;
  }
  PostWrite<ExpungeResult>(std::move(done),
                           [this, mailbox, uids = std::move(uids)](const Done<ExpungeResult>& end) {
                             ExpungeWrite(mailbox, uids).Run(path_, ExpungeResult{}, end);
                           });
}

namespace {

void RunCopy(const WritePath& path, CopyPlan plan, const UidSet& uids,
             const Done<CopyResult>& done) {
  plan.uids = &uids;
  PartedWrite<CopyResult> write;
  write.user = plan.to.owner;
  write.other = plan.from.owner;
  // A copy inside one user's pool brings no octets.
  write.admission = plan.from.owner == plan.to.owner ? Admission::kSmall : Admission::kBodies;
  UidSet before;
  write.part = [&](StoreTxn& txn, Uid from, CopyResult* result) -> Result<std::optional<Uid>> {
    if (plan.from.id == plan.to.id && from == Uid(1)) {
      // What this very command appends is not part of it.
      ASSIGN_OR_RETURN(const HeadMailbox* mailbox, LiveMailbox(txn, plan.from));
      before = uids.Intersect(UidSet::Of(1, mailbox->row.uid_next));
      before.Remove(mailbox->row.uid_next);
      plan.uids = &before;
    }
    return CopyPart(txn, plan, from, result);
  };
  write.Run(path, CopyResult{}, done);
}

}  // namespace

void LocalMailStore::Copy(MailboxRef from, UidSet uids, MailboxRef to, Done<CopyResult> done) {
  PostWrite<CopyResult>(
      std::move(done), [this, from, to, uids = std::move(uids)](const Done<CopyResult>& end) {
        RunCopy(path_, {from, to, nullptr, false, limits::kAtomicMessagesMax}, uids, end);
      });
}

void LocalMailStore::Move(MailboxRef from, UidSet uids, MailboxRef to, Done<CopyResult> done) {
  PostWrite<CopyResult>(
      std::move(done), [this, from, to, uids = std::move(uids)](const Done<CopyResult>& end) {
        RunCopy(path_, {from, to, nullptr, true, limits::kMessagesPerWrite}, uids, end);
      });
}

}  // namespace twinspool::store
