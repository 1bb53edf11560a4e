// SCRAM verifiers against the examples of the RFCs.
#include "server/auth/scram.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/codec.h"
#include "server/auth/password.h"

namespace twinspool::auth {
namespace {

std::string FromBase64(std::string_view text) {
  std::string bytes;
  EXPECT_TRUE(Base64Decode(text, &bytes));
  return bytes;
}

std::string Hmac(const EVP_MD* digest, const std::string& key, const std::string& text) {
  std::string out(static_cast<std::size_t>(EVP_MD_get_size(digest)), '\0');
  unsigned int size = 0;
  HMAC(digest, key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(),
       reinterpret_cast<unsigned char*>(out.data()), &size);
  return out;
}

// Does what a server does with a client's proof (RFC 5802 §3) and checks both sides' signatures.
void CheckExchange(const ScramVerifier& verifier, const EVP_MD* digest, const std::string& messages,
                   std::string_view proof, std::string_view server_signature) {
  std::string client_key = FromBase64(proof);
  const std::string signature = Hmac(digest, verifier.stored_key, messages);
  ASSERT_EQ(client_key.size(), signature.size());
  for (std::size_t i = 0; i < signature.size(); ++i) {
    client_key[i] = static_cast<char>(client_key[i] ^ signature[i]);
  }
  std::string stored(signature.size(), '\0');
  unsigned int size = 0;
  EVP_Digest(client_key.data(), client_key.size(), reinterpret_cast<unsigned char*>(stored.data()),
             &size, digest, nullptr);
  EXPECT_EQ(stored, verifier.stored_key);
  EXPECT_EQ(Base64Encode(Hmac(digest, verifier.server_key, messages)), server_signature);
}

TEST(Scram, ExampleOfRfc5802) {
  const auto verifier =
      DeriveScram(ScramHash::kSha1, "pencil", FromBase64("QSXCR+Q6sek8bf92"), 4096);
  CheckExchange(verifier, EVP_sha1(),
                "n=user,r=fyko+d2lbbFgONRv9qkxdawL,"
                "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096,"
                "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
                "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", "rmF9pqV8S7suAoZWja4dJRkFsKQ=");
}

TEST(Scram, ExampleOfRfc7677) {
  const auto verifier =
      DeriveScram(ScramHash::kSha256, "pencil", FromBase64("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096);
  CheckExchange(verifier, EVP_sha256(),
                "n=user,r=rOprNGfwEbeRWgbNEkqO,"
                "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
                "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
                "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

TEST(SaslPrep, ExamplesOfRfc4013) {
  EXPECT_EQ(SaslPrep("I\u00ADX"), "IX");
  EXPECT_EQ(SaslPrep("user"), "user");
  EXPECT_EQ(SaslPrep("\u00AA"), "a");
  EXPECT_EQ(SaslPrep("\u2168"), "IX");
  EXPECT_EQ(SaslPrep("\x07"), "\x07");          // forbidden: taken as it is
  EXPECT_EQ(SaslPrep("\xff\xfe"), "\xff\xfe");  // not UTF-8
  EXPECT_EQ(SaslPrep(""), "");
  EXPECT_EQ(SaslPrep("\uFDFA").size(), 33u);  // the longest expansion there is
}

TEST(Credentials, HoldAllThree) {
  const auto made = MakeCredentials("pencil", SystemRandom(), kTestCost).value();
  EXPECT_TRUE(VerifyPassword("pencil", made.password_hash));
  const ScramVerifier& stored = made.scram_sha256;
  EXPECT_EQ(DeriveScram(ScramHash::kSha256, "pencil", stored.salt, stored.iterations), stored);
  const ScramVerifier& old = made.scram_sha1;
  EXPECT_NE(old.salt, stored.salt);
  EXPECT_NE(DeriveScram(ScramHash::kSha1, "Pencil", old.salt, old.iterations), old);
  EXPECT_EQ(MakeCredentials("", SystemRandom(), kTestCost).code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace twinspool::auth
