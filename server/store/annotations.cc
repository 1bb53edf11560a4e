#include "server/store/annotations.h"

#include <map>
#include <optional>

#include "common/limits.h"
#include "server/store/access.h"
#include "server/store/engine.h"
#include "server/store/mailbox_ops.h"
#include "server/store/rows.h"
#include "server/store/schema.h"

namespace twinspool::store {
namespace {

struct Entries {
  std::map<std::string, std::string, std::less<>> live;
  std::size_t rows = 0;  // those that were removed lately included
};

/// Those that the viewer sees.
Result<Entries> ReadEntries(StoreTxn& txn, const MailboxRef& mailbox) {
  const std::string prefix =
      MiscKey(mailbox.owner, proto::MiscItem::ANNOTATION, AnnotationKey(mailbox.id, ""));
  Entries entries;
  Status status;
  TRY(txn.edit().ScanRows(mailbox.owner, Family::kMisc, prefix,
                          [&](std::string_view key, std::string_view value) {
                            const auto entry = VisibleEntry(mailbox, key.substr(prefix.size()));
                            if (!entry) {
                              return true;
                            }
                            Result<MiscRow> row = DecodeMiscRow(value);
                            status = row.status();
                            ++entries.rows;
                            if (row.ok() && !row->deleted) {
                              entries.live.emplace(*entry, std::move(row->value));
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

std::string AnnotationKey(MailboxId mailbox, std::string_view stored) {
  std::string key(mailbox.bytes());
  key.append(stored);
  return key;
}

namespace {

constexpr std::string_view kPrivate = "/private/";

/// "/viewer/ID/": no client can name it.
std::string ViewerPrefix(const MailboxRef& mailbox) {
  return "/viewer/" + mailbox.viewer.ToHex() + "/";
}

/// What it takes to set an entry.
Rights RightToSet(std::string_view entry) {
  if (entry.starts_with(kPrivate)) {
    return kRightRead;
  }
  const bool settles = entry == kSharedSeenEntry || entry == kNoExpireEntry;
  return settles ? kRightAdminister : kRightWrite;
}

Status MaySet(StoreTxn& txn, const MailboxRef& mailbox, const std::vector<Annotation>& changes) {
  if (mailbox.id.nil()) {
    return OkStatus();
  }
  Rights needed = 0;
  for (const Annotation& change : changes) {
    needed = static_cast<Rights>(needed | RightToSet(change.entry));
  }
  return OpenMailbox(txn, mailbox, needed).status();
}

}  // namespace

std::string StoredEntry(const MailboxRef& mailbox, std::string_view entry) {
  if (mailbox.own() || !entry.starts_with(kPrivate)) {
    return std::string(entry);
  }
  return ViewerPrefix(mailbox) + std::string(entry.substr(kPrivate.size()));
}

std::optional<std::string> VisibleEntry(const MailboxRef& mailbox, std::string_view stored) {
  if (stored.starts_with("/shared/") || (mailbox.own() && stored.starts_with(kPrivate))) {
    return std::string(stored);
  }
  const std::string prefix = ViewerPrefix(mailbox);
  if (mailbox.own() || !stored.starts_with(prefix)) {
    return std::nullopt;
  }
  return std::string(kPrivate) + std::string(stored.substr(prefix.size()));
}

Status SetAnnotations(StoreTxn& txn, const MailboxRef& mailbox,
                      const std::vector<Annotation>& changes) {
  TRY(LiveUser(txn, mailbox.owner).status());
  TRY(MaySet(txn, mailbox, changes));
  ASSIGN_OR_RETURN(const Entries before, ReadEntries(txn, mailbox));
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
    TRY(Put(txn, mailbox.owner, AnnotationKey(mailbox.id, StoredEntry(mailbox, entry)), value));
  }
  if (count > limits::kAnnotationsPerMailboxMax && count > before.live.size()) {
    return LimitExceeded("There are too many annotations");
  }
  if (rows > limits::kAnnotationRowsMax && rows > before.rows) {
    return LimitExceeded("Too many annotations were removed lately; try again in a week");
  }
  return OkStatus();
}

Result<bool> NeverExpires(Engine& engine, UserId user, MailboxId mailbox) {
  ASSIGN_OR_RETURN(const auto row,
                   engine.Get(Family::kMisc, MiscKey(user, proto::MiscItem::ANNOTATION,
                                                     AnnotationKey(mailbox, kNoExpireEntry))));
  if (!row) {
    return false;
  }
  ASSIGN_OR_RETURN(const MiscRow misc, DecodeMiscRow(*row));
  return !misc.deleted && misc.value == "true";
}

Result<std::size_t> ForgetRowsOfMailbox(StoreTxn& txn, UserId user, MailboxId mailbox) {
  std::vector<std::string> keys;
  for (const auto kind :
       {proto::MiscItem::ANNOTATION, proto::MiscItem::SEEN_PAGE, proto::MiscItem::ACL}) {
    const std::string prefix = MiscKey(user, static_cast<std::uint8_t>(kind), mailbox.bytes());
    TRY(txn.edit().ScanRows(user, Family::kMisc, prefix,
                            [&](std::string_view key, std::string_view) {
                              keys.emplace_back(key.substr(UserId::kSize));
                              return true;
                            }));
  }
  for (std::string& key : keys) {
    ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user));
    proto::ForgetItem* item = txn.Add(user)->mutable_forget();
    item->set_key(std::move(key));
    item->set_modseq(modseq.value());
  }
  return keys.size();
}

}  // namespace twinspool::store
