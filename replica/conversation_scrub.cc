// The conversation: what it does for the search for damage (scrubber.h).
#include <future>
#include <utility>

#include "replica/conversation.h"

namespace twinspool::replica {

bool Conversation::Settled() const {
  switch (role_.role()) {
    case core::Role::kStandby:
      return !standby_.waits_for_repair();
    case core::Role::kPrimary:
      return core::IsSingle(role_.state()) || primary_.phase() == PrimarySide::Phase::kTail ||
             !link_up_;
    default:
      return false;
  }
}

Conversation::ScrubSent Conversation::SendScrub(proto::PeerMessage message) {
  if (!link_up_ || !verified_ || dropping_ || !shared_.drop.ok() ||
      peer_.epoch != role_.control().epoch) {
    return ScrubSent::kNobody;
  }
  if (!shared_.out.empty()) {
    return ScrubSent::kFull;
  }
  shared_.Send(std::move(message));
  return ScrubSent::kSent;
}

Status Conversation::RunAlone(const std::function<Status()>& write) {
  if (role_.role() == core::Role::kStandby) {
    return write();  // this very thread applies what comes of the primary
  }
  if (role_.role() != core::Role::kPrimary) {
    return Unavailable("this node neither serves nor follows at the moment");
  }
  std::promise<Status> written;
  shared_.ports.log->AtBarrier([&](EntryId) { written.set_value(write()); });
  return written.get_future().get();
}

Status Conversation::AskReplacement(const std::vector<MailboxId>& mailboxes,
                                    const std::vector<UserId>& users) {
  const bool primary_there = link_up_ && verified_ && peer_.epoch == role_.control().epoch;
  return primary_there && standby_.AskReplacement(mailboxes, users)
             ? OkStatus()
             : Unavailable("this node does not follow a primary at the moment");
}

Status Conversation::ReplaceOnStandby(const std::vector<MailboxId>& mailboxes, bool compare) {
  return primary_.ReplaceOnStandby(mailboxes, compare, clock_.Now())
             ? OkStatus()
             : Unavailable("no standby follows this node at the moment");
}

}  // namespace twinspool::replica
