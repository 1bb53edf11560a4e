#include "common/digest.h"

#include <openssl/evp.h>

#include "common/check.h"
#include "common/codec.h"

namespace twinspool {
namespace {

// Fetching the algorithm costs more than hashing a short row, so it is done once.
const EVP_MD* Algorithm() {
  static const EVP_MD* const kSha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  TWINSPOOL_CHECK(kSha256 != nullptr, "OpenSSL offers no SHA-256");
  return kSha256;
}

Digest128 HashTerm(std::string_view octets) {
  const Guid hash = GuidOf(octets);
  return Digest128::FromBytes(DigestBytes::FromBytes(hash.bytes().substr(0, DigestBytes::kSize)));
}

std::string Term(char domain, std::size_t reserve) {
  std::string term;
  term.reserve(reserve + 64);
  term.push_back(domain);
  return term;
}

Digest128 HeaderTerm(char domain, std::string_view id, Modseq modseq, std::string_view header) {
  std::string term = Term(domain, header.size());
  term += id;
  PutBe64(&term, modseq.value());
  term += header;
  return HashTerm(term);
}

}  // namespace

Digest128 Digest128::FromBytes(const DigestBytes& bytes) {
  Digest128 digest;
  for (std::size_t i = 8; i-- > 0;) {
    digest.low_ = digest.low_ << 8 | bytes.data()[i];
    digest.high_ = digest.high_ << 8 | bytes.data()[i + 8];
  }
  return digest;
}

DigestBytes Digest128::bytes() const {
  DigestBytes out;
  for (std::size_t i = 0; i < 8; ++i) {
    out.data()[i] = static_cast<std::uint8_t>(low_ >> (8 * i));
    out.data()[i + 8] = static_cast<std::uint8_t>(high_ >> (8 * i));
  }
  return out;
}

void Digest128::Add(const Digest128& other) {
  low_ += other.low_;
  const std::uint64_t carry = low_ < other.low_ ? 1 : 0;
  high_ += other.high_ + carry;
}

void Digest128::Subtract(const Digest128& other) {
  const std::uint64_t borrow = low_ < other.low_ ? 1 : 0;
  low_ -= other.low_;
  high_ -= other.high_ + borrow;
}

Digest128 RecordTerm(MailboxId mailbox, Uid uid, std::string_view record) {
  std::string term = Term('R', record.size());
  term += mailbox.bytes();
  PutBe32(&term, uid.value());
  term += record;
  return HashTerm(term);
}

Digest128 EntryTerm(const EntryDigestInput& entry) {
  std::string term = Term('E', 64 + entry.tail.size());
  term += entry.mailbox.bytes();
  PutBe32(&term, entry.uid.value());
  PutBe32(&term, entry.state);
  PutBe32(&term, entry.flags);
  PutBe64(&term, entry.modseq.value());
  PutBe64(&term, static_cast<std::uint64_t>(entry.updated_s));
  PutVarint(&term, entry.keywords.size());
  for (const std::string_view keyword : entry.keywords) {
    PutString(&term, keyword);
  }
  PutString(&term, entry.tail);
  return HashTerm(term);
}

Digest128 UserTerm(UserId user, Modseq modseq, std::string_view header) {
  return HeaderTerm('U', user.bytes(), modseq, header);
}

Digest128 MailboxTerm(MailboxId mailbox, Modseq modseq, std::string_view header) {
  return HeaderTerm('M', mailbox.bytes(), modseq, header);
}

Digest128 MiscTerm(const MiscDigestInput& row) {
  std::string term = Term('X', row.key.size() + row.value.size());
  term += row.user.bytes();
  term.push_back(static_cast<char>(row.kind));
  PutString(&term, row.key);
  PutBe64(&term, row.modseq.value());
  term.push_back(row.deleted ? '\1' : '\0');
  PutString(&term, row.value);
  return HashTerm(term);
}

Digest128 TokenTerm(const TokenDigestInput& row) {
  std::string term = Term('T', row.key.size() + row.result.size());
  term += row.user.bytes();
  PutString(&term, row.key);
  PutBe64(&term, row.modseq.value());
  PutBe64(&term, static_cast<std::uint64_t>(row.expires_s));
  PutString(&term, row.result);
  return HashTerm(term);
}

Digest128 BodyTerm(UserId user, BodyNo body, const Guid& guid, std::uint64_t size) {
  std::string term = Term('B', 64);
  term += user.bytes();
  PutBe64(&term, body.value());
  term += guid.bytes();
  PutBe64(&term, size);
  return HashTerm(term);
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  TWINSPOOL_CHECK(context_ != nullptr, "out of memory");
  auto* context = static_cast<EVP_MD_CTX*>(context_);
  TWINSPOOL_CHECK(EVP_DigestInit_ex(context, Algorithm(), nullptr) == 1, "SHA-256 failed");
}

Sha256::~Sha256() {
  EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_));
}

void Sha256::Update(std::string_view octets) {
  auto* context = static_cast<EVP_MD_CTX*>(context_);
  TWINSPOOL_CHECK(EVP_DigestUpdate(context, octets.data(), octets.size()) == 1, "SHA-256 failed");
}

Guid Sha256::Finish() {
  auto* context = static_cast<EVP_MD_CTX*>(context_);
  Guid guid;
  unsigned int size = 0;
  const bool done = EVP_DigestFinal_ex(context, guid.data(), &size) == 1 && size == Guid::kSize &&
                    EVP_DigestInit_ex(context, nullptr, nullptr) == 1;
  TWINSPOOL_CHECK(done, "SHA-256 failed");
  return guid;
}

Guid GuidOf(std::string_view octets) {
  thread_local Sha256 hash;
  hash.Update(octets);
  return hash.Finish();
}

}  // namespace twinspool
