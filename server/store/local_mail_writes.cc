// Writes of messages.
#include <utility>

#include "common/limits.h"
#include "server/store/local_mail_store.h"
#include "server/store/local_mail_store_inl.h"
#include "server/store/mailbox_ops.h"
#include "server/store/message_ops.h"
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

void LocalMailStore::NoteArrivals(UserId owner, MailboxRef mailbox, const UidSet& uids) {
  if (!options_.summarize_on_arrival) {
    return;
  }
  PostRead<Unit>([](const Result<Unit>&) {},
                 [this, owner, mailbox, uids](StoreReader& reader) -> Result<Unit> {
                   FetchRequest request;
                   request.uids = uids;
                   request.parts = kFetchRecord;
                   ASSIGN_OR_RETURN(const FetchBatch batch, reader.Fetch(mailbox, request));
                   for (const FetchedMessage& message : batch.messages) {
                     summaries_.BuildLater(owner, message.record.body);
                   }
                   return Unit{};
                 });
}

void LocalMailStore::Append(MailboxRef mailbox, std::vector<AppendMessage> messages,
                            Done<AppendResult> done) {
  // std::function wants copies: what can only move is shared.
  auto shared = std::make_shared<std::vector<AppendMessage>>(std::move(messages));
  PostWrite<AppendResult>(std::move(done), [this, mailbox, shared](const Done<AppendResult>& end) {
    Result<std::vector<NewMessage>> ready = FinishStages(mailbox.owner, shared.get());
    if (!ready.ok()) {
      return end(ready.status());
    }
    if (const Status staged = StageLargeAppend(mailbox.owner, &*ready); !staged.ok()) {
      return end(staged);
    }
    const Done<AppendResult> noted = [this, mailbox, end](Result<AppendResult> result) {
      if (result.ok()) {
        NoteArrivals(mailbox.owner, mailbox, result->uids);
      }
      end(std::move(result));
    };
    RunTxn<AppendResult>(path_, mailbox.owner, Admission::kBodies, noted, [&](StoreTxn& txn) {
      return AppendMessages(txn, mailbox, std::move(*ready), proto::ORIGIN_APPEND);
    });
  });
}

void LocalMailStore::Deliver(DeliverRequest request, Done<DeliverResult> done) {
  auto shared = std::make_shared<DeliverRequest>(std::move(request));
  PostWrite<DeliverResult>(std::move(done), [this, shared](const Done<DeliverResult>& end) {
    const UserId user = shared->user.id;
    Result<StagedBody> body = FinishStage(user, shared->body.get());
    if (!body.ok()) {
      return end(body.status());
    }
    if (body->rest.size() > limits::kInlineBodyBytesMax) {
      if (const Status staged = StageWhole(path_, user, &*body); !staged.ok()) {
        return end(staged);
      }
    }
    RunTxn<DeliverResult>(
        path_, user, Admission::kBodies, end, [&](StoreTxn& txn) -> Result<DeliverResult> {
          return DeliverMessage(txn, user, shared->sender, shared->recipient, std::move(*body));
        });
  });
}

void LocalMailStore::StoreFlags(MailboxRef mailbox, StoreRequest request, Done<StoreResult> done) {
  PostWrite<StoreResult>(std::move(done), [this, mailbox, request = std::move(request)](
                                              const Done<StoreResult>& end) {
    UidSet found;
    PartedWrite<StoreResult> write;
    write.user = mailbox.owner;
    write.part = [&](StoreTxn& txn, Uid from, StoreResult* result) -> Result<std::optional<Uid>> {
      ASSIGN_OR_RETURN(const auto next, StorePart(txn, mailbox, request, from, result, &found));
      if (!next) {
        result->missing = request.uids.Minus(found);
      }
      return next;
    };
    write.Run(path_, StoreResult{}, end);
  });
}

void LocalMailStore::Expunge(MailboxRef mailbox, std::optional<UidSet> uids,
                             Done<ExpungeResult> done) {
  PostWrite<ExpungeResult>(std::move(done),
                           [this, mailbox, uids = std::move(uids)](const Done<ExpungeResult>& end) {
                             PartedWrite<ExpungeResult> write;
                             write.user = mailbox.owner;
                             write.part = [&](StoreTxn& txn, Uid from, ExpungeResult* result) {
                               return ExpungePart(txn, mailbox, uids, from, result);
                             };
                             write.Run(path_, ExpungeResult{}, end);
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
