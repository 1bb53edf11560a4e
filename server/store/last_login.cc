#include "server/store/last_login.h"

#include "common/codec.h"
#include "server/store/mailbox_ops.h"
#include "server/store/rows.h"
#include "server/store/schema.h"

namespace twinspool::store {

std::string LastLoginKey(LoginService service) {
  return service == LoginService::kImap ? "imap" : "pop3";
}

bool IsLastLogin(std::string_view key) {
  return !key.empty() && key.front() == static_cast<char>(proto::MiscItem::LAST_LOGIN);
}

std::int64_t LastLoginOf(std::string_view row) {
  const auto decoded = DecodeMiscRow(row);
  if (!decoded.ok() || decoded->deleted) {
    return 0;
  }
  Reader reader(decoded->value);
  const auto seconds = static_cast<std::int64_t>(reader.Be64());
  return reader.ok() ? seconds : 0;
}

Status NoteLogin(StoreTxn& txn, UserId user, LoginService service, std::int64_t every_s) {
  TRY(LiveUser(txn, user).status());
  const std::string key = LastLoginKey(service);
  ASSIGN_OR_RETURN(const auto row, txn.edit().Row(user, Family::kMisc,
                                                  MiscKey(user, proto::MiscItem::LAST_LOGIN, key)));
  const std::int64_t before = row ? LastLoginOf(*row) : 0;
  // A clock that was set back must not keep it from being written for years.
  if (before <= txn.now_s() && txn.now_s() - before < every_s) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user));
  proto::MiscItem* item = txn.Add(user)->mutable_misc();
  item->set_kind(proto::MiscItem::LAST_LOGIN);
  item->set_key(key);
  item->set_modseq(modseq.value());
  std::string value;
  PutBe64(&value, static_cast<std::uint64_t>(txn.now_s()));
  item->set_value(value);
  return OkStatus();
}

}  // namespace twinspool::store
