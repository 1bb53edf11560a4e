#include "server/store/quota.h"

#include "common/codec.h"
#include "server/store/rows.h"
#include "server/store/schema.h"

namespace twinspool::store {

std::string EncodeQuota(const QuotaLimits& limits) {
  std::string value;
  for (const std::optional<std::uint64_t>& limit : {limits.bytes, limits.messages}) {
    PutVarint(&value, limit ? 1 : 0);
    PutVarint(&value, limit.value_or(0));
  }
  return value;
}

Result<std::optional<QuotaLimits>> DecodeQuotaRow(std::string_view row) {
  ASSIGN_OR_RETURN(const MiscRow misc, DecodeMiscRow(row));
  if (misc.deleted) {
    return std::optional<QuotaLimits>();
  }
  Reader reader(misc.value);
  const auto limit = [&reader] {
    const bool there = reader.Varint() != 0;
    const std::uint64_t value = reader.Varint();
    return there ? std::optional(value) : std::nullopt;
  };
  QuotaLimits limits;
  limits.bytes = limit();
  limits.messages = limit();
  if (!reader.ok()) {
    return DataLoss("the quota of a user does not parse");
  }
  return std::optional(limits);
}

Result<QuotaLimits> QuotaIn(StoreTxn& txn, UserId user) {
  const std::string key = MiscKey(user, proto::MiscItem::QUOTA_ROOT, "");
  ASSIGN_OR_RETURN(const auto row, txn.edit().Row(user, Family::kMisc, key));
  if (row) {
    ASSIGN_OR_RETURN(const auto own, DecodeQuotaRow(*row));
    if (own) {
      return *own;
    }
  }
  ASSIGN_OR_RETURN(const HeadUser* head, txn.edit().User(user));
  const bool person = head->exists() && head->header->decoded.kind() == proto::UserHeader::PERSON;
  return person ? txn.default_quota() : QuotaLimits{};
}

Status CheckQuota(StoreTxn& txn, UserId user, std::uint64_t bytes, std::uint64_t messages) {
  ASSIGN_OR_RETURN(const QuotaLimits limits, QuotaIn(txn, user));
  ASSIGN_OR_RETURN(const HeadUser* head, txn.edit().User(user));
  if (limits.bytes && bytes > 0 && head->state.bytes + bytes > *limits.bytes) {
    return OverQuota("the mailboxes are full: their quota is " +
                     std::to_string(*limits.bytes >> 10) + " KiB; delete mail and expunge it");
  }
  if (limits.messages && messages > 0 && head->state.messages + messages > *limits.messages) {
    return OverQuota("the mailboxes are full: their quota is " + std::to_string(*limits.messages) +
                     " messages; delete mail and expunge it");
  }
  return OkStatus();
}

Status SetQuota(StoreTxn& txn, UserId user, const std::optional<QuotaLimits>& limits) {
  ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user));
  proto::MiscItem* item = txn.Add(user)->mutable_misc();
  item->set_kind(proto::MiscItem::QUOTA_ROOT);
  item->set_modseq(modseq.value());
  item->set_deleted(!limits);
  item->set_value(limits ? EncodeQuota(*limits) : EncodeDeletedAt(txn.now_s()));
  return OkStatus();
}

}  // namespace twinspool::store
