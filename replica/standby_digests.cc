// The standby's half of the conversation: what it tells of its copy when the primary compares.
#include <algorithm>
#include <utility>

#include "replica/role_driver.h"
#include "replica/standby_side.h"

namespace twinspool::replica {

void StandbySide::OnDigestRequest(const proto::DigestRequest& request) {
  const CommitSeq last = shared_.ports.sink->last().seq;
  proto::DigestReply reply;
  reply.set_number(request.number());
  reply.set_seq(last.value());
  if (last.value() == request.seq() && shared_.role->role() == core::Role::kStandby) {
    if (Status status = SendDigests(reply); !status.ok()) {
      shared_.Drop(status.Annotate("reading digests for the primary"));
      return;
    }
  }
  reply.set_last(true);
  SendReply(std::move(reply));
}

/// Mailboxes first, then users.
Status StandbySide::SendDigests(const proto::DigestReply& head) {
  ChangeSink& sink = *shared_.ports.sink;
  MailboxId after;
  for (std::size_t got = limits::kMailboxDigestsPerMessage;
       got == limits::kMailboxDigestsPerMessage;) {
    ASSIGN_OR_RETURN(const auto page,
                     sink.MailboxDigests(after, limits::kMailboxDigestsPerMessage));
    proto::DigestReply reply = head;
    reply.mutable_mailboxes()->Assign(page.begin(), page.end());
    got = page.size();
    if (got > 0) {
      after = MailboxId::FromBytes(page.back().mailbox_id());
      SendReply(std::move(reply));
    }
  }
  ASSIGN_OR_RETURN(const auto users, sink.Users());
  for (auto from = users.begin(); from != users.end();) {
    const auto count = std::min<std::ptrdiff_t>(limits::kUserDigestsPerMessage, users.end() - from);
    proto::DigestReply reply = head;
    reply.mutable_users()->Assign(from, from + count);
    from += count;
    SendReply(std::move(reply));
  }
  return OkStatus();
}

void StandbySide::SendReply(proto::DigestReply reply) {
  proto::PeerMessage message;
  *message.mutable_digest_reply() = std::move(reply);
  shared_.Send(std::move(message));
}

}  // namespace twinspool::replica
