// ScrubPair: two real stores, a primary and its standby, and a host for the passes of both that
// lets each ask the other directly. For tests of finding damage and healing it.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/store/engine.h"
#include "server/store/page.h"
#include "server/store/row_batch.h"
#include "server/store/row_view.h"
#include "tests/store/store_fixture.h"

namespace twinspool::store {

/// What the pair is to a store that is searched: see replica::ScrubHost.
class DirectHost final : public replica::ScrubHost {
 public:
  DirectHost(StoreBox& own, StoreBox& other, bool follows)
      : own_(own), other_(other), follows_(follows) {}

  bool Read(std::uint64_t bytes) override {
    read += bytes;
    return reads_left < 0 || reads_left-- > 0;
  }
  bool Wait(std::int64_t) override { return true; }
  void Checked(std::uint64_t mailboxes_now, std::uint64_t bodies_now) override {
    mailboxes += mailboxes_now;
    bodies += bodies_now;
  }
  void Found(const proto::Damage& damage) override { found.push_back(damage); }
  bool follows() override { return follows_; }
  Result<std::vector<proto::ObjectReply>> Ask(const proto::ObjectRequest& request) override {
    TRY(Asked());
    return other_.store().ports().scrub->Answer(request);
  }
  Result<proto::BodyReply> Ask(const proto::BodyRequest& request) override {
    TRY(Asked());
    return other_.store().ports().scrub->Answer(request);
  }
  Status Alone(const std::function<Status()>& write) override {
    if (follows_) {
      return write();
    }
    std::promise<Status> written;
    own_.store().ports().log->AtBarrier([&](EntryId) { written.set_value(write()); });
    return written.get_future().get();
  }
  Status Replace(const std::vector<MailboxId>& mailbox_ids,
                 const std::vector<UserId>& users) override;

  std::vector<proto::Damage> found;
  std::uint64_t read = 0;
  std::uint64_t mailboxes = 0;
  std::uint64_t bodies = 0;
  int asked = 0;
  int replaced = 0;
  // How the world is.
  Status no_peer;                    // not OK: the answer to every question
  std::function<void()> before_ask;  // runs each time
  std::int64_t reads_left = -1;      // then the pass must end
  bool may_replace = true;

 private:
  Status Asked() {
    ++asked;
    if (before_ask) {
      before_ask();
    }
    return no_peer;
  }
  Status Send(replica::Picture& picture);

  StoreBox& own_;
  StoreBox& other_;
  const bool follows_;
};

/// See the head of this file.
class ScrubPair : public ::testing::Test {
 protected:
  using Rows = std::map<std::string, std::string>;

  ScrubPair();
  void Stream() { SendFrames(primary_, standby_, &sent_); }
  /// Messages, keywords, expunged ones, a subscription, a second mailbox and a body of several
  /// chunks; the same on both nodes.
  void Fill();

  StoreBox& box(bool standby) { return standby ? standby_ : primary_; }
  Engine& engine(bool standby) { return box(standby).path().engine; }
  /// A pass over one node; what it found stays in host().
  Status Pass(bool standby);
  DirectHost& host(bool standby) { return *hosts_[standby ? 1 : 0]; }

  /// All rows of a node that a pass may have to restore, as they must be octet for octet.
  Rows RowsOf(bool standby);
  std::string Get(bool standby, Family family, const std::string& key);
  void Put(bool standby, Family family, const std::string& key, const std::string& value);
  void Delete(bool standby, Family family, const std::string& key);
  /// Turns one bit of a row over.
  void Flip(bool standby, Family family, const std::string& key, std::size_t bit);
  PoolEntry Pooled(const std::string& octets);

  /// A pass finds damage of that kind and heals it, and then nothing differs from `before`.
  void ExpectHealed(bool standby, const char* kind, const Rows& before);
  /// … finds it, heals nothing, and changes nothing.
  void ExpectLeftAlone(bool standby, const char* kind);

  StoreBox primary_;
  StoreBox standby_;
  std::unique_ptr<DirectHost> hosts_[2];
  UserRef user_;
  MailboxRef inbox_;
  MailboxRef work_;
  std::size_t sent_ = 0;
};

/// Keys whose rows differ; empty: none.
std::string Differing(const std::map<std::string, std::string>& a,
                      const std::map<std::string, std::string>& b);
/// "mailbox, healed: …" for messages of failed tests.
std::string Tell(const std::vector<proto::Damage>& found);

}  // namespace twinspool::store
