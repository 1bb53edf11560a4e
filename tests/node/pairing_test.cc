// Pairing without processes: who is let in, and what is left of a pair that was dissolved.
#include "server/node/pairing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/certificates.h"
#include "server/node/join_string.h"
#include "tests/support/temp_dir.h"

namespace twinspool::node {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

constexpr char kAddress[] = "mail-a.example.org:4190";

class PairingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto control = NodeControl::Open(dir_.path(), SystemRandom(), true);
    ASSERT_TRUE(control.ok()) << control.status().ToString();
    control_ = std::move(control).value();
    pairing_ = std::make_unique<Pairing>(*control_, files_, SystemClock(), SystemRandom());
  }
  proto::JoinReply Join(NodeId node) {
    const auto invitation = pairing_->Invite(kAddress, 60);
    EXPECT_TRUE(invitation.ok()) << invitation.status().ToString();
    const auto ticket = DecodeJoinString(invitation.ok() ? *invitation : "");
    EXPECT_TRUE(ticket.ok());
    proto::JoinRequest request;
    request.set_pair_id(ticket->pair_id());
    request.set_secret(ticket->secret());
    request.set_node_id(std::string(node.bytes()));
    return pairing_->Accept(request);
  }

  twinspool::testing::TempDir dir_;
  const TlsFiles files_{dir_.path()};
  std::unique_ptr<NodeControl> control_;
  std::unique_ptr<Pairing> pairing_;
  const NodeId first_ = NodeId::FromBytes(std::string(NodeId::kSize, '1'));
  const NodeId second_ = NodeId::FromBytes(std::string(NodeId::kSize, '2'));
};

TEST_F(PairingTest, ACertificateNamesTheNodeThatJoined) {
  ASSERT_TRUE(pairing_->Init().ok());
  const PairId pair = control_->identity().pair_id;
  for (const NodeId node : {first_, second_}) {
    const proto::JoinReply reply = Join(node);
    EXPECT_EQ(reply.refused(), "");
    EXPECT_GE(reply.login_secret().size(), 32u);
    EXPECT_EQ(reply.login_secret(), *files_.LoginSecret(SystemRandom())) << "the same on both";
    const auto facts = ReadCertificate(reply.certificate_pem());
    ASSERT_TRUE(facts.ok());
    EXPECT_THAT(facts->uris, Contains(NodeUri(pair, 1)));
    EXPECT_THAT(facts->uris, Contains(MemberUri(pair, node)));
    EXPECT_EQ(control_->identity().peer_node_id, node);
    EXPECT_THAT(pairing_->Invite(kAddress, 60).status().ToString(), HasSubstr("pair dissolve"));
    ASSERT_TRUE(pairing_->ForgetPeer().ok());
    EXPECT_EQ(control_->identity().pair_id, pair) << "node 0 goes on inviting to it";
  }
}

TEST_F(PairingTest, WhatWasNode1BelongsToNoPairOnceItIsDissolved) {
  replica::NodeIdentity joined = control_->identity();
  joined.pair_id = PairId::FromBytes(std::string(PairId::kSize, 'p'));
  joined.node_index = 1;
  joined.peer_address = kAddress;
  ASSERT_TRUE(control_->SetIdentity(joined).ok());
  EXPECT_FALSE(pairing_->Invite(kAddress, 60).ok());
  EXPECT_FALSE(pairing_->Init().ok());
  ASSERT_TRUE(pairing_->ForgetPeer().ok());
  ASSERT_TRUE(pairing_->ForgetPeer().ok());
  EXPECT_THAT(pairing_->Invite(kAddress, 60).status().ToString(), HasSubstr("pair init"));
  ASSERT_TRUE(pairing_->Init().ok());
  EXPECT_NE(control_->identity().pair_id, joined.pair_id);
  EXPECT_EQ(control_->identity().node_id, joined.node_id);
  EXPECT_EQ(Join(first_).refused(), "");
}

TEST_F(PairingTest, AnInvitationIsForOneNodeWhichMayAskAgain) {
  ASSERT_TRUE(pairing_->Init().ok());
  const auto invitation = pairing_->Invite(kAddress, 60);
  ASSERT_TRUE(invitation.ok());
  const auto ticket = DecodeJoinString(*invitation);
  proto::JoinRequest request;
  request.set_pair_id(ticket->pair_id());
  request.set_node_id(std::string(first_.bytes()));
  request.set_secret("guessed");
  EXPECT_THAT(pairing_->Accept(request).refused(), HasSubstr("wrong, used, or expired"));
  request.set_secret(ticket->secret());
  EXPECT_EQ(pairing_->Accept(request).refused(), "");
  EXPECT_EQ(pairing_->Accept(request).refused(), "") << "its first answer was lost";
  request.set_node_id(std::string(second_.bytes()));
  EXPECT_THAT(pairing_->Accept(request).refused(), HasSubstr("another node has used"));
  ASSERT_TRUE(pairing_->Reopen().ok());
  EXPECT_EQ(pairing_->Accept(request).refused(), "");
  ASSERT_TRUE(pairing_->ForgetPeer().ok());
  EXPECT_THAT(pairing_->Accept(request).refused(), HasSubstr("wrong, used, or expired"));
}

}  // namespace
}  // namespace twinspool::node
