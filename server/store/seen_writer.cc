#include "server/store/seen_writer.h"

#include <algorithm>

#include "server/store/access.h"

namespace twinspool::store {

Result<SeenWriter> SeenWriter::Open(StoreTxn& txn, const MailboxRef& mailbox) {
  ASSIGN_OR_RETURN(const bool own_seen, HasOwnSeen(mailbox, [&](const std::string& key) {
                     return txn.edit().Row(mailbox.owner, Family::kMisc, key);
                   }));
  return SeenWriter(txn, mailbox, own_seen);
}

Result<SeenWriter::Loaded*> SeenWriter::Page(std::uint32_t number) {
  const auto [it, added] = pages_.try_emplace(number);
  if (added) {
    ASSIGN_OR_RETURN(const auto row,
                     txn_->edit().Row(mailbox_.owner, Family::kMisc,
                                      MiscKey(mailbox_.owner, proto::MiscItem::SEEN_PAGE,
                                              SeenKey(mailbox_.id, mailbox_.viewer, number))));
    if (row) {
      ASSIGN_OR_RETURN(const MiscRow misc, DecodeMiscRow(*row));
      if (!misc.deleted) {
        ASSIGN_OR_RETURN(it->second.page, SeenPage::Decode(misc.value));
      }
    }
  }
  return &it->second;
}

Status SeenWriter::Apply(Uid uid, SystemFlags* flags, Modseq* modseq) {
  if (!active_) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(const Loaded* loaded, Page(uid.value() >> kPageBits));
  const SeenPage::Mark* mark = loaded->page.Find(static_cast<std::uint8_t>(uid.value() & 0xff));
  *flags = static_cast<SystemFlags>(*flags & ~kSeen);
  if (mark != nullptr) {
    *flags = static_cast<SystemFlags>(*flags | (mark->seen ? kSeen : 0));
    *modseq = std::max(*modseq, mark->modseq);
  }
  return OkStatus();
}

Status SeenWriter::Mark(Uid uid, bool seen, Modseq modseq) {
  ASSIGN_OR_RETURN(Loaded * loaded, Page(uid.value() >> kPageBits));
  loaded->page.Set(static_cast<std::uint8_t>(uid.value() & 0xff), {seen, modseq});
  loaded->changed = true;
  return OkStatus();
}

Result<SystemFlags> SeenWriter::Split(Uid uid, SystemFlags flags, Modseq modseq) {
  if (!active_) {
    return flags;
  }
  if ((flags & kSeen) != 0) {
    TRY(Mark(uid, true, modseq));
  }
  return static_cast<SystemFlags>(flags & ~kSeen);
}

Status SeenWriter::Flush() {
  for (auto& [number, loaded] : pages_) {
    if (!loaded.changed) {
      continue;
    }
    loaded.changed = false;
    proto::MiscItem* item = txn_->Add(mailbox_.owner)->mutable_misc();
    item->set_kind(proto::MiscItem::SEEN_PAGE);
    item->set_key(SeenKey(mailbox_.id, mailbox_.viewer, number));
    item->set_modseq(loaded.page.highest().value());
    item->set_value(loaded.page.Encode());
  }
  return OkStatus();
}

}  // namespace twinspool::store
