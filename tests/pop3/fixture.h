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

/// A store in which another client takes \Deleted away just before an expunge.
class MeddledStore final : public testing::MemoryMailStore {
 public:
  using MemoryMailStore::MemoryMailStore;
  UidSet undeleted;

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
