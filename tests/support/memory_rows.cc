#include "tests/support/memory_rows.h"

#include <algorithm>
#include <array>

#include <openssl/sha.h>

#include "common/codec.h"

namespace twinspool::test {
namespace {

void AddTo(std::array<std::uint8_t, 16>* sum, const std::string& key, const MemoryRow& row) {
  std::string hashed = key;
  PutBe64(&hashed, row.modseq);
  hashed += row.item;
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> hash{};
  SHA256(reinterpret_cast<const unsigned char*>(hashed.data()), hashed.size(), hash.data());
  unsigned carry = 0;
  for (std::size_t i = 0; i < sum->size(); ++i) {
    carry += static_cast<unsigned>((*sum)[i]) + hash[i];
    (*sum)[i] = static_cast<std::uint8_t>(carry & 255U);
    carry >>= 8U;
  }
}

std::string ToString(const std::array<std::uint8_t, 16>& sum) {
  return {sum.begin(), sum.end()};
}

}  // namespace

std::string RecordKey(const std::string& mailbox, std::uint32_t uid) {
  std::string key = "R" + mailbox;
  PutBe32(&key, uid);
  return key;
}

std::string BodyKey(std::uint64_t number) {
  std::string key = "B";
  PutBe64(&key, number);
  return key;
}

std::pair<std::string, std::uint64_t> RowOf(const proto::ChangeItem& item) {
  switch (item.kind_case()) {
    case proto::ChangeItem::kMisc:
      return {"S" + item.misc().key(), item.misc().modseq()};
    case proto::ChangeItem::kRecord:
      return {RecordKey(item.record().mailbox_id(), item.record().uid()), item.record().modseq()};
    case proto::ChangeItem::kBody:
      return {BodyKey(item.body().body_no()), item.body().body_no()};
    case proto::ChangeItem::kForget:
      return {"S" + item.forget().key().substr(1), item.forget().modseq()};
    case proto::ChangeItem::kToken:
      return {"T" + item.token().key(), item.token().modseq()};
    default:
      return {"?", 0};
  }
}

bool IsBody(const std::string& key) {
  return key[0] == 'B';
}

std::string MailboxOf(const std::string& key) {
  return key[0] == 'R' ? key.substr(1, MailboxId::kSize) : "";
}

proto::ChangeItem ParseItem(const MemoryRow& row) {
  proto::ChangeItem item;
  item.ParseFromString(row.item);
  return item;
}

std::vector<proto::UserDigest> UserDigests(const MemoryUsers& users) {
  std::vector<proto::UserDigest> out;
  for (const auto& [id, rows] : users) {
    proto::UserDigest digest;
    digest.set_user_id(id);
    digest.set_digest(DigestOf(rows));
    MemoryRows own = rows;
    std::erase_if(own, [](const auto& row) { return !MailboxOf(row.first).empty(); });
    digest.set_own(DigestOf(own));
    out.push_back(digest);
  }
  return out;
}

std::string MailboxDigest(const MemoryRows& rows, const std::string& mailbox,
                          std::uint64_t* exists) {
  std::array<std::uint8_t, 16> sum{};
  for (const auto& [key, row] : rows) {
    if (MailboxOf(key) == mailbox) {
      AddTo(&sum, key, row);
      ++*exists;
    }
  }
  return ToString(sum);
}

std::vector<proto::MailboxDigest> MailboxDigestsOf(const MemoryUsers& users, MailboxId after,
                                                   std::size_t limit) {
  std::map<std::string, std::string> owners;
  for (const auto& [user, rows] : users) {
    for (const auto& [key, row] : rows) {
      if (const std::string mailbox = MailboxOf(key); !mailbox.empty()) {
        owners[mailbox] = user;
      }
    }
  }
  std::vector<proto::MailboxDigest> out;
  for (auto it = owners.upper_bound(std::string(after.bytes()));
       it != owners.end() && out.size() < limit; ++it) {
    proto::MailboxDigest digest;
    std::uint64_t exists = 0;
    digest.set_mailbox_id(it->first);
    digest.set_user_id(it->second);
    digest.set_digest(MailboxDigest(users.at(it->second), it->first, &exists));
    digest.set_exists(exists);
    digest.set_name("mailbox");
    out.push_back(digest);
  }
  return out;
}

std::string DigestOf(const MemoryRows& rows) {
  std::array<std::uint8_t, 16> sum{};
  for (const auto& [key, row] : rows) {
    if (!IsBody(key)) {
      AddTo(&sum, key, row);
    }
  }
  return ToString(sum);
}

}  // namespace twinspool::test
