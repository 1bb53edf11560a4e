// The pair's certificate authority and the loading of server contexts.
#include "common/tls.h"

#include <ctime>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "common/certificates.h"
#include "common/env.h"

namespace twinspool {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TlsFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_ =
        std::filesystem::temp_directory_path() / ("tls-" + SystemRandom().NewId<PairId>().ToHex());
    std::filesystem::create_directories(dir_);
    authority_ = MakeAuthority("a private CA").value();
    leaf_ = IssueCertificate(authority_, {.common_name = "mail.example"}).value();
    options_.certificate_file = Put("cert.pem", leaf_.certificate_pem);
    options_.key_file = Put("key.pem", leaf_.key_pem);
    options_.client_ca_file = Put("ca.pem", authority_.certificate_pem);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  std::string Put(const std::string& name, const std::string& text) {
    std::ofstream(dir_ / name) << text;
    return dir_ / name;
  }

  std::filesystem::path dir_;
  KeyAndCertificate authority_;
  KeyAndCertificate leaf_;
  TlsServerOptions options_;
};

X509* Parse(const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  return certificate;
}

bool Verifies(const std::string& leaf_pem, const std::string& authority_pem) {
  X509* leaf = Parse(leaf_pem);
  X509* authority = Parse(authority_pem);
  X509_STORE* store = X509_STORE_new();
  X509_STORE_add_cert(store, authority);
  X509_STORE_CTX* context = X509_STORE_CTX_new();
  X509_STORE_CTX_init(context, store, leaf, nullptr);
  X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_CLIENT);
  const bool good = X509_verify_cert(context) == 1;
  X509_STORE_CTX_free(context);
  X509_STORE_free(store);
  X509_free(leaf);
  X509_free(authority);
  return good;
}

TEST(Certificates, LeafCarriesNamesAndRoleAndVerifies) {
  const auto authority = MakeAuthority("pair CA").value();
  const PairId pair = SystemRandom().NewId<PairId>();
  CertificateSpec spec;
  spec.common_name = "node 0";
  spec.dns_names = {"localhost", "a.example"};
  spec.ip_addresses = {"127.0.0.1", "::1"};
  spec.uris = {NodeUri(pair, 0)};
  spec.days = 30;
  const auto leaf = IssueCertificate(authority, spec).value();
  const auto facts = ReadCertificate(leaf.certificate_pem).value();
  EXPECT_EQ(facts.common_name, "node 0");
  EXPECT_EQ(facts.issuer_name, "pair CA");
  EXPECT_THAT(facts.dns_names, ElementsAre("localhost", "a.example"));
  EXPECT_THAT(facts.ip_addresses, ElementsAre("127.0.0.1", "::1"));
  EXPECT_THAT(facts.uris, ElementsAre("twinspool://" + pair.ToHex() + "/node/0"));
  EXPECT_FALSE(facts.is_authority);
  EXPECT_EQ(facts.fingerprint.size(), 64u);
  EXPECT_NEAR(static_cast<double>(facts.not_after - std::time(nullptr)), 30.0 * 86400, 120);
  EXPECT_TRUE(Verifies(leaf.certificate_pem, authority.certificate_pem));
}

TEST(Certificates, AnotherAuthorityDoesNotVouch) {
  const auto ours = MakeAuthority("pair CA").value();
  const auto theirs = MakeAuthority("pair CA").value();
  const auto leaf = IssueCertificate(theirs, {.common_name = "node 1"}).value();
  EXPECT_FALSE(Verifies(leaf.certificate_pem, ours.certificate_pem));
}

TEST(Certificates, LeafCannotActAsAuthority) {
  const auto authority = MakeAuthority("pair CA").value();
  EXPECT_TRUE(ReadCertificate(authority.certificate_pem).value().is_authority);
  const auto leaf = IssueCertificate(authority, {.common_name = "node 1"}).value();
  const auto fake = IssueCertificate(leaf, {.common_name = "forged"}).value();
  EXPECT_FALSE(Verifies(fake.certificate_pem, leaf.certificate_pem));
}

TEST(Certificates, TwoLeavesDiffer) {
  const auto authority = MakeAuthority("pair CA").value();
  const auto one = IssueCertificate(authority, {.common_name = "x"}).value();
  const auto two = IssueCertificate(authority, {.common_name = "x"}).value();
  EXPECT_NE(one.key_pem, two.key_pem);
  EXPECT_NE(ReadCertificate(one.certificate_pem).value().fingerprint,
            ReadCertificate(two.certificate_pem).value().fingerprint);
}

TEST(Certificates, BadNamesAreRefused) {
  const auto authority = MakeAuthority("pair CA").value();
  EXPECT_EQ(IssueCertificate(authority, {.common_name = ""}).code(), Code::kInvalidArgument);
  EXPECT_EQ(IssueCertificate(authority, {.common_name = std::string(200, 'x')}).code(),
            Code::kInvalidArgument);
  EXPECT_EQ(IssueCertificate(authority, {.common_name = "x", .dns_names = {"a b"}}).code(),
            Code::kInvalidArgument);
  EXPECT_EQ(IssueCertificate(authority, {.common_name = "x", .ip_addresses = {"300.1.1.1"}}).code(),
            Code::kInvalidArgument);
  EXPECT_EQ(IssueCertificate({"junk", "junk"}, {.common_name = "x"}).code(),
            Code::kInvalidArgument);
  EXPECT_EQ(ReadCertificate("junk").code(), Code::kInvalidArgument);
}

TEST(Certificates, RoleUris) {
  const PairId pair;
  EXPECT_EQ(NodeUri(pair, 1), "twinspool://" + pair.ToHex() + "/node/1");
  const NodeId node = NodeId::FromBytes(std::string(NodeId::kSize, 'n'));
  EXPECT_EQ(MemberUri(pair, node), "twinspool://" + pair.ToHex() + "/member/" + node.ToHex());
  EXPECT_EQ(AdminUri(pair), "twinspool://" + pair.ToHex() + "/admin");
  EXPECT_EQ(FrontUri(pair), "twinspool://" + pair.ToHex() + "/front");
}

TEST(Certificates, SelfSignedLoads) {
  const auto self =
      MakeSelfSigned({.common_name = "localhost", .dns_names = {"localhost"}}).value();
  const auto facts = ReadCertificate(self.certificate_pem).value();
  EXPECT_EQ(facts.issuer_name, facts.common_name);
  EXPECT_TRUE(TlsContext::FromPem({.certificate = self.certificate_pem, .key = self.key_pem}).ok());
}

TEST_F(TlsFiles, LoadsAndSetsPolicy) {
  options_.require_client_certificate = true;
  const auto context = TlsContext::Load(options_).value();
  SSL_CTX* ctx = context->native();
  EXPECT_EQ(SSL_CTX_get_min_proto_version(ctx), TLS1_2_VERSION);
  EXPECT_NE(SSL_CTX_get_options(ctx) & SSL_OP_NO_RENEGOTIATION, 0u);
  EXPECT_NE(SSL_CTX_get_mode(ctx) & SSL_MODE_RELEASE_BUFFERS, 0);
  EXPECT_EQ(SSL_CTX_get_verify_mode(ctx), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
}

TEST_F(TlsFiles, ErrorsNameTheFile) {
  TlsServerOptions missing = options_;
  missing.key_file = dir_ / "nowhere.pem";
  EXPECT_THAT(std::string(TlsContext::Load(missing).status().message()), HasSubstr("nowhere.pem"));

  TlsServerOptions junk = options_;
  junk.certificate_file = Put("junk.pem", "not a certificate");
  EXPECT_THAT(std::string(TlsContext::Load(junk).status().message()), HasSubstr("junk.pem"));

  TlsServerOptions empty_ca = options_;
  empty_ca.client_ca_file = Put("empty.pem", "\n");
  EXPECT_THAT(std::string(TlsContext::Load(empty_ca).status().message()), HasSubstr("empty.pem"));
}

TEST_F(TlsFiles, KeyOfAnotherCertificateIsRefused) {
  const auto other = IssueCertificate(authority_, {.common_name = "other"}).value();
  options_.key_file = Put("other.pem", other.key_pem);
  const Status status = TlsContext::Load(options_).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("does not belong"));
}

TEST_F(TlsFiles, RequiringClientsWithoutAuthorityIsAnError) {
  options_.client_ca_file.clear();
  options_.require_client_certificate = true;
  EXPECT_FALSE(TlsContext::Load(options_).ok());
}

TEST_F(TlsFiles, ReloadSwitchesAndFailedReloadKeepsTheOld) {
  const auto source = TlsSource::Open(options_).value();
  const auto first = source->Get();
  ASSERT_TRUE(source->Reload().ok());
  const auto second = source->Get();
  EXPECT_NE(first, second);
  Put("cert.pem", "broken");
  EXPECT_FALSE(source->Reload().ok());
  EXPECT_EQ(source->Get(), second);
}

// --- SNI

/// The common name that a client which asks for `name` is shown.
std::string ShownTo(const TlsContext& context, const char* name) {
  SSL_CTX* client_context = SSL_CTX_new(TLS_client_method());
  SSL* server = SSL_new(context.native());
  SSL* client = SSL_new(client_context);
  if (name != nullptr) {
    SSL_ctrl(client, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             const_cast<char*>(name));
  }
  BIO* up = nullptr;
  BIO* down = nullptr;
  BIO_new_bio_pair(&up, 1 << 17, &down, 1 << 17);
  SSL_set_bio(server, up, up);
  SSL_set_bio(client, down, down);
  SSL_set_accept_state(server);
  SSL_set_connect_state(client);
  for (int i = 0; i < 10 && !(SSL_is_init_finished(server) && SSL_is_init_finished(client)); ++i) {
    SSL_do_handshake(client);
    SSL_do_handshake(server);
  }
  char shown[100] = "nothing";
  if (X509* certificate = SSL_get1_peer_certificate(client)) {
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, shown,
                              sizeof(shown));
    X509_free(certificate);
  }
  SSL_free(server);
  SSL_free(client);
  SSL_CTX_free(client_context);
  return shown;
}

class Sni : public TlsFiles {
 protected:
  void SetUp() override {
    TlsFiles::SetUp();
    Add("one", {"mail.one.example", "imap.one.example"});
    Add("two", {"*.two.example", "two.example"});
  }
  void Add(const std::string& name, std::vector<std::string> dns_names) {
    const auto made =
        IssueCertificate(authority_, {.common_name = name, .dns_names = std::move(dns_names)})
            .value();
    options_.more.push_back(
        {Put(name + ".pem", made.certificate_pem), Put(name + ".key", made.key_pem)});
  }
};

TEST_F(Sni, TheCertificateFitsTheNameThatIsAskedFor) {
  const auto context = TlsContext::Load(options_).value();
  EXPECT_EQ(ShownTo(*context, nullptr), "mail.example");
  EXPECT_EQ(ShownTo(*context, "mail.example"), "mail.example");
  EXPECT_EQ(ShownTo(*context, "unknown.example"), "mail.example");
  EXPECT_EQ(ShownTo(*context, "mail.one.example"), "one");
  EXPECT_EQ(ShownTo(*context, "IMAP.One.Example"), "one");
  EXPECT_EQ(ShownTo(*context, "mail.two.example"), "two");
  EXPECT_EQ(ShownTo(*context, "two.example"), "two");
  EXPECT_EQ(ShownTo(*context, "a.b.two.example"), "mail.example") << "a star is one label";
  EXPECT_EQ(ShownTo(*context, "two"), "mail.example");
}

TEST_F(Sni, AHandshakeMayOutliveAReload) {
  auto context = TlsContext::Load(options_).value();
  SSL* waiting = SSL_new(context->native());
  context.reset();
  EXPECT_NE(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(waiting), 0), &waiting);
  SSL_free(waiting);  // frees the names with the last reference
}

TEST_F(Sni, AReloadTakesNewCertificatesAndABrokenOneLeavesAllAsItWas) {
  const auto source = TlsSource::Open(options_).value();
  const auto renewed = IssueCertificate(authority_, {.common_name = "one, renewed",
                                                     .dns_names = {"mail.one.example"}})
                           .value();
  Put("one.pem", renewed.certificate_pem);
  const Status broken = source->Reload();
  EXPECT_EQ(broken.code(), Code::kInvalidArgument);
  EXPECT_THAT(broken.ToString(), HasSubstr("one.pem"));
  EXPECT_THAT(broken.ToString(), HasSubstr("does not belong"));
  EXPECT_EQ(ShownTo(*source->Get(), "mail.one.example"), "one");
  Put("one.key", renewed.key_pem);
  ASSERT_TRUE(source->Reload().ok());
  EXPECT_EQ(ShownTo(*source->Get(), "mail.one.example"), "one, renewed");
}

TEST_F(Sni, ACertificateWithoutANameIsRefusedByItsFile) {
  Add("nameless", {});
  const auto context = TlsContext::Load(options_);
  EXPECT_EQ(context.code(), Code::kInvalidArgument);
  EXPECT_THAT(context.status().ToString(), HasSubstr("nameless.pem"));
}

}  // namespace
}  // namespace twinspool
