#include "replica/verifier.h"

#include <utility>

#include "replica/role_driver.h"

namespace twinspool::replica {
namespace {

std::string Describe(const proto::MailboxDigest* digest) {
  if (digest == nullptr) {
    return "missing";
  }
  return DigestBytes::FromBytes(digest->digest()).ToHex() + ", " +
         std::to_string(digest->exists()) + " messages";
}

}  // namespace

void Verifier::Begin(Result<std::unique_ptr<Picture>> picture, CommitSeq seq, VerifyDone done) {
  if (done_) {
    done({.status = Unavailable("another verification of the pair is under way"), .seq = seq});
    return;
  }
  if (!picture.ok()) {
    done({.status = picture.status(), .seq = seq});
    return;
  }
  proto::PeerMessage request;
  request.mutable_digest_request()->set_number(++number_);
  request.mutable_digest_request()->set_seq(seq.value());
  if (!core::MayShip(shared_.role->state()) || !primary_.HoldAt(seq, std::move(request))) {
    done({.status = Unavailable("no standby follows this node at the moment; see `twinspoolctl "
                                "status` and try again"),
          .seq = seq});
    return;
  }
  picture_ = std::move(picture).value();
  Result<std::vector<proto::UserDigest>> users = picture_->Users();
  if (!users.ok()) {
    picture_.reset();
    done({.status = users.status(), .seq = seq});
    return;
  }
  own_users_.assign(users->begin(), users->end());
  done_ = std::move(done);
  result_ = {.status = OkStatus(), .seq = seq};
  own_.clear();
  own_after_ = MailboxId();
  own_ended_ = false;
  began_ = shared_.clock.Now();
}

Result<bool> Verifier::FillOwn() {
  if (own_.empty() && !own_ended_) {
    ASSIGN_OR_RETURN(const auto page,
                     picture_->MailboxDigests(own_after_, limits::kMailboxDigestsPerMessage));
    own_ended_ = page.size() < limits::kMailboxDigestsPerMessage;
    own_.assign(page.begin(), page.end());
    if (!own_.empty()) {
      own_after_ = MailboxId::FromBytes(own_.back().mailbox_id());
    }
  }
  return !own_.empty();
}

void Verifier::Note(const proto::MailboxDigest* here, const proto::MailboxDigest* there) {
  ++result_.different;
  if (result_.differences.size() >= limits::kDifferencesMax) {
    return;
  }
  const proto::MailboxDigest& named = here != nullptr ? *here : *there;
  result_.differences.push_back({.user = UserId::FromBytes(named.user_id()),
                                 .mailbox = MailboxId::FromBytes(named.mailbox_id()),
                                 .name = named.name(),
                                 .here = Describe(here),
                                 .there = Describe(there)});
}

Status Verifier::CompareMailbox(const proto::MailboxDigest& theirs) {
  ++result_.compared;
  ASSIGN_OR_RETURN(bool have, FillOwn());
  while (have && own_.front().mailbox_id() < theirs.mailbox_id()) {
    ++result_.compared;
    Note(&own_.front(), nullptr);
    own_.pop_front();
    ASSIGN_OR_RETURN(have, FillOwn());
  }
  if (!have || own_.front().mailbox_id() != theirs.mailbox_id()) {
    Note(nullptr, &theirs);
    return OkStatus();
  }
  if (own_.front().digest() != theirs.digest()) {
    Note(&own_.front(), &theirs);
  }
  own_.pop_front();
  return OkStatus();
}

Status Verifier::CompareMailboxes(const proto::DigestReply& reply) {
  for (const proto::MailboxDigest& theirs : reply.mailboxes()) {
    TRY(CompareMailbox(theirs));
  }
  return OkStatus();
}

Status Verifier::NoteMissing() {
  while (true) {
    ASSIGN_OR_RETURN(const bool have, FillOwn());
    if (!have) {
      break;
    }
    ++result_.compared;
    Note(&own_.front(), nullptr);
    own_.pop_front();
  }
  for (const proto::UserDigest& user : std::exchange(own_users_, {})) {
    NoteUser(&user, nullptr);
  }
  return OkStatus();
}

void Verifier::NoteUser(const proto::UserDigest* here, const proto::UserDigest* there) {
  ++result_.different;
  if (result_.differences.size() >= limits::kDifferencesMax) {
    return;
  }
  const auto show = [](const proto::UserDigest* user) {
    return user == nullptr       ? std::string("missing")
           : user->own().empty() ? std::string("damaged or incomplete")
                                 : DigestBytes::FromBytes(user->own()).ToHex();
  };
  result_.differences.push_back(
      {.user = UserId::FromBytes((here != nullptr ? here : there)->user_id()),
       .mailbox = MailboxId(),
       .name = "(own rows of the user)",
       .here = show(here),
       .there = show(there)});
}

void Verifier::CompareUsers(const proto::DigestReply& reply) {
  for (const proto::UserDigest& theirs : reply.users()) {
    while (!own_users_.empty() && own_users_.front().user_id() < theirs.user_id()) {
      NoteUser(&own_users_.front(), nullptr);
      own_users_.pop_front();
    }
    if (own_users_.empty() || own_users_.front().user_id() != theirs.user_id()) {
      NoteUser(nullptr, &theirs);
      continue;
    }
    if (own_users_.front().own() != theirs.own()) {
      NoteUser(&own_users_.front(), &theirs);
    }
    own_users_.pop_front();
  }
}

void Verifier::OnReply(const proto::DigestReply& reply) {
  if (!done_ || reply.number() != number_) {
    return;
  }
  began_ = shared_.clock.Now();
  if (reply.seq() != result_.seq.value()) {
    Finish(Unavailable("the standby was at entry " + std::to_string(reply.seq()) + " and not at " +
                       std::to_string(result_.seq.value()) + "; try again when it is in sync"));
    return;
  }
  Status compared = CompareMailboxes(reply);
  CompareUsers(reply);
  if (compared.ok() && reply.last()) {
    compared = NoteMissing();
  }
  if (!compared.ok() || reply.last()) {
    Finish(compared);
  }
}

void Verifier::Cancel(const Status& why) {
  if (done_) {
    Finish(why);
  }
}

void Verifier::OnTick(Instant now) {
  if (done_ && now.MsSince(began_) > shared_.options.stall_ms) {
    Finish(Timeout("the standby did not answer the request for its digests"));
  }
}

void Verifier::Finish(Status status) {
  result_.status = std::move(status);
  picture_.reset();
  own_.clear();
  own_users_.clear();
  const VerifyDone done = std::exchange(done_, nullptr);
  done(std::exchange(result_, {}));
}

}  // namespace twinspool::replica
