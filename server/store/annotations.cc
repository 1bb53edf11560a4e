#include "server/store/annotations.h"

#include <map>
#include <optional>

#include "common/limits.h"
#include "server/store/mailbox_ops.h"
#include "server/store/rows.h"
#include "server/store/schema.h"

namespace twinspool::store {
namespace {

struct Entries {
  std::map<std::string, std::string, std::less<>> live;
  std::size_t rows = 0;  // those that were removed lately included
};

Result<Entries> ReadEntries(StoreTxn& txn, UserId user, MailboxId mailbox) {
  const std::string prefix = MiscKey(user, proto::MiscItem::ANNOTATION, AnnotationKey(mailbox, ""));
  Entries entries;
  Status status;
  TRY(txn.edit().ScanRows(
      user, Family::kMisc, prefix, [&](std::string_view key, std::string_view value) {
        Result<MiscRow> row = DecodeMiscRow(value);
        status = row.status();
        ++entries.rows;
        if (row.ok() && !row->deleted) {
          entries.live.emplace(key.substr(prefix.size()), std::move(row->value));
        }
        return row.ok();
      }));
  TRY(status);
  return entries;
}

Status Put(StoreTxn& txn, UserId user, std::string key, const std::optional<std::string>& value) {
  ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user));
  proto::MiscItem* item = txn.Add(user)->mutable_misc();
  item->set_kind(proto::MiscItem::ANNOTATION);
  item->set_key(std::move(key));
  item->set_modseq(modseq.value());
  item->set_deleted(!value);
  item->set_value(value ? *value : EncodeDeletedAt(txn.now_s()));
  return OkStatus();
}

}  // namespace

std::string AnnotationKey(MailboxId mailbox, std::string_view entry) {
  std::string key(mailbox.bytes());
  key.append(entry);
  return key;
}

Status SetAnnotations(StoreTxn& txn, UserId user, MailboxId mailbox,
                      const std::vector<Annotation>& changes) {
  TRY(LiveUser(txn, user).status());
  if (!mailbox.nil()) {
    TRY(LiveMailbox(txn, {user, mailbox}).status());
  }
  ASSIGN_OR_RETURN(const Entries before, ReadEntries(txn, user, mailbox));
  // Of two changes of one entry the last one counts.
  std::map<std::string, std::optional<std::string>> wanted;
  for (const Annotation& change : changes) {
    wanted[change.entry] = change.value;
  }
  std::size_t count = before.live.size();
  std::size_t rows = before.rows;
  for (const auto& [entry, value] : wanted) {
    const auto known = before.live.find(entry);
    const bool there = known != before.live.end();
    if (there ? value == known->second : !value) {
      continue;
    }
    count = count + (value ? 1 : 0) - (there ? 1 : 0);
    rows += there ? 0 : 1;  // perhaps one that is there as removed
    TRY(Put(txn, user, AnnotationKey(mailbox, entry), value));
  }
  if (count > limits::kAnnotationsPerMailboxMax && count > before.live.size()) {
    return LimitExceeded("There are too many annotations");
  }
  if (rows > limits::kAnnotationRowsMax && rows > before.rows) {
    return LimitExceeded("Too many annotations were removed lately; try again in a week");
  }
  return OkStatus();
}

Result<std::size_t> ForgetAnnotations(StoreTxn& txn, UserId user, MailboxId mailbox) {
  const std::string prefix = MiscKey(user, proto::MiscItem::ANNOTATION, AnnotationKey(mailbox, ""));
  std::vector<std::string> keys;
  TRY(txn.edit().ScanRows(user, Family::kMisc, prefix, [&](std::string_view key, std::string_view) {
    keys.emplace_back(key.substr(UserId::kSize));
    return true;
  }));
  for (std::string& key : keys) {
    ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user));
    proto::ForgetItem* item = txn.Add(user)->mutable_forget();
    item->set_key(std::move(key));
    item->set_modseq(modseq.value());
  }
  return keys.size();
}

}  // namespace twinspool::store
