// What the tests of the POP3 session share: a store with one user, mail in it, and a session.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/limits.h"
#include "server/pop3/session.h"
#include "tests/support/driven_session.h"
#include "tests/support/memory_mail_store.h"

namespace twinspool::pop3 {

/// A store in which others meddle at the worst moments.
class MeddledStore final : public testing::MemoryMailStore {
 public:
  using MemoryMailStore::MemoryMailStore;
  /// Another client takes \Deleted away from these just before an expunge.
  UidSet undeleted;
  /// Another client expunges these between the UIDs and the sizes of a login.
  UidSet vanishing;
  /// The records of these cannot be read.
  UidSet damaged;
  /// ReadUids answers for so many UIDs at a time; 0: for all.
  std::uint32_t uid_slice = 0;

  void ReadUids(MailboxRef mailbox, Uid from, Done<UidBatch> done) override {
    MemoryMailStore::ReadUids(mailbox, from, [this, from, done](Result<UidBatch> batch) {
      if (uid_slice > 0 && batch->uids.Max() >= from.value() + uid_slice) {
        batch->next = Uid(from.value() + uid_slice);
        batch->uids = batch->uids.Intersect(UidSet::Of(1, batch->next->value() - 1));
      }
      done(std::move(batch));
    });
    if (!vanishing.empty()) {
      StoreFlags(mailbox, {vanishing, FlagChange::kAdd, {kDeleted, {}}, {}},
                 [](const Result<StoreResult>&) {});
      MemoryMailStore::Expunge(mailbox, vanishing, [](const Result<ExpungeResult>&) {});
    }
  }

  void Fetch(MailboxRef mailbox, FetchRequest request, Done<FetchBatch> done) override {
    MemoryMailStore::Fetch(mailbox, std::move(request), [this, done](Result<FetchBatch> batch) {
      for (std::size_t i = 0; batch.ok() && i < batch->messages.size(); ++i) {
        FetchedMessage& message = batch->messages[i];
        if (damaged.Contains(message.uid)) {
          message.record = MessageRecord();
          message.failure = DataLoss("a record is missing");
        }
      }
      done(std::move(batch));
    });
  }

  void Expunge(MailboxRef mailbox, std::optional<UidSet> uids, Done<ExpungeResult> done) override {
    if (!undeleted.empty()) {
      StoreRequest request{undeleted, FlagChange::kRemove, {kDeleted, {}}, {}};
      StoreFlags(mailbox, std::move(request), [](const Result<StoreResult>&) {});
    }
    MemoryMailStore::Expunge(mailbox, std::move(uids), std::move(done));
  }
};

class Pop3Test : public ::testing::Test {
 protected:
  Pop3Test() { user_ = store_.AddUser("test", "pass"); }

  std::unique_ptr<testing::DrivenSession> Greeted() {
    auto session = std::make_unique<testing::DrivenSession>(testing::DrivenSession::Options{});
    session->Begin([this](net::SessionHost& host) {
      return std::make_unique<Session>(host, store_, clock_, options_);
    });
    session->output().clear();
    return session;
  }

  std::unique_ptr<testing::DrivenSession> LoggedIn() {
    auto session = Greeted();
    EXPECT_TRUE(Say(*session, "AUTH PLAIN AHRlc3QAcGFzcw==").starts_with("+OK Logged in"));
    return session;
  }

  void Settle(testing::DrivenSession& session) {
    while (session.Run() || store_.RunCompletions() > 0) {
    }
  }

  std::string Say(testing::DrivenSession& session, const std::string& line) {
    session.Send(line + "\r\n");
    Settle(session);
    return std::exchange(session.output(), "");
  }

  MailboxRef Inbox() {
    MailboxRef inbox;
    store_.FindMailbox(user_.id, "INBOX",
                       [&](const Result<MailboxState>& state) { inbox = state->ref; });
    return inbox;
  }

  void Fill(int count, const std::string& octets) {
    std::vector<AppendMessage> messages(static_cast<std::size_t>(count));
    for (AppendMessage& message : messages) {
      message.body = std::move(*store_.StageBody(user_.id, octets.size()));
      message.body->Write(octets, [](const Result<Unit>&) {});
    }
    store_.Append(Inbox(), std::move(messages),
                  [](const Result<AppendResult>& result) { ASSERT_TRUE(result.ok()); });
  }

  /// "1:S 3:D": UIDs of INBOX with \Seen and \Deleted.
  std::string Flags() {
    std::string text;
    store_.ReadIndex(Inbox(), IndexQuery{}, [&](const Result<IndexBatch>& batch) {
      for (const IndexEntry& entry : batch->entries) {
        text += (text.empty() ? "" : " ") + std::to_string(entry.uid.value()) + ":";
        text += (entry.flags & kSeen) != 0 ? "S" : "";
        text += (entry.flags & kDeleted) != 0 ? "D" : "";
      }
    });
    return text;
  }

  ManualClock clock_;
  SeededRandom random_{7};
  MeddledStore store_{clock_, random_};
  UserRef user_;
  SessionOptions options_;
};

}  // namespace twinspool::pop3
