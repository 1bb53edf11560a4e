// verify-pair on the primary: one picture, taken between two commit groups, against the digests
// that the standby has after exactly the same entry.
//
// The request travels in stream order, so neither node stops. One verification at a time. No
// thread, lock or clock.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "replica/primary_side.h"
#include "replica/shared.h"

namespace twinspool::replica {

/// One mailbox that is not the same on both nodes; with a nil mailbox, the user's own rows: header
/// and password, subscriptions, remembered results, the pool of bodies.
struct VerifyDifference {
  UserId user;
  MailboxId mailbox;
  std::string name;
  std::string here;  // digest in hex and number of messages, or "missing"
  std::string there;
};

struct VerifyResult {
  /// kUnavailable: no standby follows; kTimeout: it did not answer.
  Status status = {};
  CommitSeq seq = {};
  std::uint64_t compared = 0;
  /// At most limits::kDifferencesMax; `different` counts all.
  std::vector<VerifyDifference> differences = {};
  std::uint64_t different = 0;
};
using VerifyDone = std::function<void(VerifyResult)>;

/// See the head of this file.
class Verifier {
 public:
  Verifier(Shared& shared, PrimarySide& primary) : shared_(shared), primary_(primary) {}

  /// Called with the picture of `seq` before any later group is taken in. `done` runs once.
  void Begin(Result<std::unique_ptr<Picture>> picture, CommitSeq seq, VerifyDone done);
  void OnReply(const proto::DigestReply& reply);
  /// The link is gone, or this node is not primary any more.
  void Cancel(const Status& why);
  void OnTick(Instant now);

 private:
  Status CompareMailbox(const proto::MailboxDigest& theirs);
  Status CompareMailboxes(const proto::DigestReply& reply);
  /// Mailboxes and users that only this node has. After the last reply.
  Status NoteMissing();
  void CompareUsers(const proto::DigestReply& reply);
  void NoteUser(const proto::UserDigest* here, const proto::UserDigest* there);
  Result<bool> FillOwn();
  void Note(const proto::MailboxDigest* here, const proto::MailboxDigest* there);
  void Finish(Status status);

  Shared& shared_;
  PrimarySide& primary_;
  std::unique_ptr<Picture> picture_;
  VerifyDone done_;
  VerifyResult result_;
  std::uint64_t number_ = 0;
  std::deque<proto::MailboxDigest> own_;  // read ahead of what the peer has told
  MailboxId own_after_;
  bool own_ended_ = false;
  std::deque<proto::UserDigest> own_users_;  // that the peer has not told of
  Instant began_;
};

}  // namespace twinspool::replica
