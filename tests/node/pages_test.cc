// What a node tells: HTTP pages and warnings, made from a given status.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/limits.h"
#include "server/node/http_pages.h"
#include "server/node/status.h"

namespace twinspool::node {
namespace {

using ::testing::HasSubstr;

/// Answers the same status always; nothing else is asked.
class Still : public Operations {
 public:
  proto::NodeStatus Status() override {
    ADD_FAILURE() << "a page must not wait for the pair";
    return {};
  }
  proto::NodeStatus LastStatus() override { return status; }
  proto::RoleReply Promote(const proto::PromoteRequest&) override { return {}; }
  proto::RoleReply Demote(const proto::RoleRequest&) override { return {}; }
  proto::RoleReply Undemote(const proto::RoleRequest&) override { return {}; }
  proto::RoleReply Switchover(const proto::RoleRequest&) override { return {}; }
  proto::RoleReply Fence(const proto::RoleRequest&) override { return {}; }
  proto::RoleReply Solo(const proto::SoloRequest&) override { return {}; }
  proto::RoleReply AcceptEpoch(const proto::AcceptEpochRequest&) override { return {}; }
  proto::PairReply PairInit(const proto::PairInitRequest&) override { return {}; }
  proto::PairReply PairInvite(const proto::PairInviteRequest&) override { return {}; }
  proto::PairReply PairJoin(const proto::PairJoinRequest&) override { return {}; }
  proto::RoleReply PairDissolve(const proto::PairDissolveRequest&) override { return {}; }
  void VerifyPair(const proto::VerifyRequest&, const VerifyProgress&) override {}
  proto::UserReply UserAdd(const proto::UserRequest&) override { return {}; }
  proto::UserReply UserPassword(const proto::UserRequest&) override { return {}; }
  proto::UserReply UserDelete(const proto::UserRequest&) override { return {}; }
  proto::UserReply UserList(const proto::UserListRequest&,
                            const std::function<bool(const proto::UserInfo&)>&) override {
    return {};
  }
  proto::UserReply ExpungedList(const proto::ExpungedListRequest&,
                                const std::function<bool(const proto::ExpungedInfo&)>&) override {
    return {};
  }
  proto::UserReply ExpungedRestore(const proto::RestoreRequest&) override { return {}; }
  proto::UserReply MailboxDeleted(const proto::MailboxListRequest&,
                                  const std::function<bool(const proto::DeletedInfo&)>&) override {
    return {};
  }
  proto::UserReply MailboxRestore(const proto::RestoreRequest&) override { return {}; }
  proto::UserReply UserQuota(const proto::UserQuotaRequest&) override { return {}; }
  proto::UserReply AclSet(const proto::AclSetRequest&) override { return {}; }
  proto::UserReply AclList(const proto::AclListRequest&,
                           const std::function<bool(const proto::AclInfo&)>&) override {
    return {};
  }
  proto::UserReply AppPasswordAdd(const proto::AppPasswordRequest&) override { return {}; }
  proto::UserReply AppPasswordRemove(const proto::AppPasswordRequest&) override { return {}; }
  proto::UserReply AppPasswordList(
      const proto::AppPasswordRequest&,
      const std::function<bool(const proto::AppPasswordInfo&)>&) override {
    return {};
  }
  proto::UserReply Reload(const proto::ReloadRequest&) override { return {}; }
  proto::UserReply MailboxList(const proto::MailboxListRequest&,
                               const std::function<bool(const proto::MailboxInfo&)>&) override {
    return {};
  }
  proto::SalvageReply SalvageList(const proto::SalvageListRequest&,
                                  const std::function<bool(const proto::SalvageInfo&)>&) override {
    return {};
  }
  proto::SalvageReply SalvageRead(const proto::SalvageReadRequest&,
                                  const std::function<bool(const proto::SalvagePiece&)>&) override {
    return {};
  }
  proto::SalvageReply SalvageReinject(const proto::SalvageRequest&) override { return {}; }
  proto::SalvageReply SalvageDiscard(const proto::SalvageRequest&) override { return {}; }
  std::string Metrics() override { return "metrics"; }

  proto::NodeStatus status;
};

net::HttpRequest Get(const std::string& path, const std::string& query = "") {
  net::HttpRequest request;
  request.path = path;
  request.query = query;
  return request;
}

TEST(Pages, BeyondLoopbackOnlyProbesAreAnswered) {
  Still node;
  node.status.set_role("standby");
  for (const char* path : {"/metrics", "/status.json"}) {
    EXPECT_EQ(AnswerHttp(node, Get(path), true).status, 200) << path;
    EXPECT_EQ(AnswerHttp(node, Get(path), false).status, 403) << path;
  }
  EXPECT_EQ(AnswerHttp(node, Get("/standby"), false).status, 200);
  EXPECT_EQ(AnswerHttp(node, Get("/primary"), false).status, 503);
}

TEST(Pages, AnEligibleStandbyBeyondTheAllowedLagIsNone) {
  Still node;
  node.status.set_role("standby");
  node.status.set_eligible(true);
  node.status.set_lag_bytes(2'000'000);
  EXPECT_EQ(AnswerHttp(node, Get("/eligible", "lag=1M"), true).status, 503);
  EXPECT_EQ(AnswerHttp(node, Get("/eligible", "lag=2M"), true).status, 200);
}

TEST(Warnings, TellWhatIsWrongThoughThePairWorks) {
  constexpr std::int64_t kDayNs = 24ll * 3600 * 1'000'000'000;
  proto::NodeStatus status;
  status.set_mode("available");
  status.set_peer_connected(true);
  status.set_peer_mode("available");
  status.set_certificate_expires_ns(100 * kDayNs);
  EXPECT_EQ(WarningFor(status, 0), "");
  EXPECT_THAT(WarningFor(status, 71 * kDayNs), HasSubstr("certificate"));
  status.set_peer_mode("async");
  EXPECT_THAT(WarningFor(status, 0), HasSubstr("mode async"));
}

TEST(Warnings, APromotionByForceIsToldUntilTheOtherNodeIsBack) {
  proto::NodeStatus status;
  status.set_mode("available");
  status.set_role("primary");
  const auto began = [&status](std::uint32_t epoch, std::uint64_t first_seq) {
    proto::Period* period = status.add_history();
    period->set_epoch(epoch);
    period->set_first_seq(first_seq);
    status.set_epoch(epoch);
  };
  began(2, 1);
  status.set_last_seq(30);
  status.set_outbox_entries(20);  // the other node has what is up to 10
  EXPECT_EQ(WarningFor(status, 0), "");
  began(3, 15);
  EXPECT_EQ(WarningFor(status, 0), "") << "nothing was lost by that";
  began(3 + limits::kForcedEpochLeap, 20);
  EXPECT_THAT(WarningFor(status, 0), HasSubstr("Epoch 67 began by force at entry 20"));
  status.set_outbox_entries(11);
  EXPECT_THAT(WarningFor(status, 0), HasSubstr("by force"));
  status.set_outbox_entries(10);  // it has taken the first entry of this epoch
  EXPECT_EQ(WarningFor(status, 0), "");
  status.set_outbox_entries(20);
  status.set_role("standby");
  EXPECT_EQ(WarningFor(status, 0), "") << "its primary tells";
}

}  // namespace
}  // namespace twinspool::node
