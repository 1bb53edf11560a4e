#include "server/store/item_makers.h"

#include <string>
#include <utility>

#include "server/store/page.h"

namespace twinspool::store {

// --- headers and small rows

Status AddUser(const RowView& view, UserId user, Items* out) {
  ASSIGN_OR_RETURN(const auto header, view.UserHeader(user));
  if (header) {
    proto::UserItem* item = out->emplace_back().mutable_user();
    item->set_modseq(header->modseq.value());
    item->set_header(header->bytes);
  }
  return OkStatus();
}

Status AddMailbox(const RowView& view, UserId user, MailboxId mailbox, Items* out) {
  ASSIGN_OR_RETURN(const auto header, view.MailboxHeader(user, mailbox));
  if (header) {
    proto::MailboxItem* item = out->emplace_back().mutable_mailbox();
    item->set_mailbox_id(std::string(mailbox.bytes()));
    item->set_modseq(header->modseq.value());
    item->set_header(header->bytes);
  }
  return OkStatus();
}

Status AddMisc(std::string_view key, std::string_view value, Items* out) {
  ASSIGN_OR_RETURN(MiscRow row, DecodeMiscRow(value));
  if (key.empty()) {
    return DataLoss("a misc row has a malformed key");
  }
  proto::MiscItem* item = out->emplace_back().mutable_misc();
  item->set_kind(static_cast<proto::MiscItem::Kind>(static_cast<std::uint8_t>(key.front())));
  item->set_key(std::string(key.substr(1)));
  item->set_modseq(row.modseq.value());
  item->set_deleted(row.deleted);
  item->set_value(std::move(row.value));
  return OkStatus();
}

Status AddToken(std::string_view key, std::string_view value, Items* out) {
  ASSIGN_OR_RETURN(TokenRow row, DecodeTokenRow(value));
  proto::TokenItem* item = out->emplace_back().mutable_token();
  item->set_key(std::string(key));
  item->set_modseq(row.modseq.value());
  item->set_expires_s(row.expires_s);
  item->set_result(std::move(row.result));
  return OkStatus();
}

// --- what is gone

Status AddForgottenMailbox(const RowView& view, UserId user, MailboxId mailbox, Items* out) {
  ASSIGN_OR_RETURN(const UserState state, view.StateOf(user));
  proto::ForgetItem* item = out->emplace_back().mutable_forget();
  item->set_mailbox_id(std::string(mailbox.bytes()));
  item->set_modseq(state.last_modseq.value());
  return OkStatus();
}

Status AddForgottenMisc(const RowView& view, UserId user, const std::string& key, Items* out) {
  ASSIGN_OR_RETURN(const UserState state, view.StateOf(user));
  proto::ForgetItem* item = out->emplace_back().mutable_forget();
  item->set_key(key);
  item->set_modseq(state.last_modseq.value());
  return OkStatus();
}

Result<UidSet> Absent(const RowView& view, MailboxId mailbox, const UidSet& uids) {
  UidSet present;
  if (!uids.empty()) {
    RowIterator it = view.engine().Iterate(Family::kIndex,
                                           {PageKey(mailbox, uids.Min() >> kPageBits),
                                            PrefixEnd(PageKey(mailbox, uids.Max() >> kPageBits))},
                                           view.snapshot());
    for (it.SeekToFirst(); it.Valid(); it.Next()) {
      const std::optional<std::uint32_t> number = PageOfPageKey(it.key());
      PageScanner scanner(it.value());
      EntryView entry;
      while (number && scanner.Next(&entry)) {
        present.Add(*number << kPageBits | entry.uid_low);
      }
      TRY(scanner.status());
    }
    TRY(it.status());
  }
  return uids.Minus(present);
}

Status AddPurge(const RowView& view, MailboxId mailbox, const UidSet& gone, Items* out) {
  ASSIGN_OR_RETURN(const auto row, view.MailboxRowOf(mailbox));
  if (!row || (gone.empty() && row->purge_floor == Modseq())) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(const UserState state, view.StateOf(row->owner));
  proto::PurgeItem* item = out->emplace_back().mutable_purge();
  item->set_mailbox_id(std::string(mailbox.bytes()));
  gone.Encode(item->mutable_uids());
  item->set_floor(row->purge_floor.value());
  item->set_modseq(state.last_modseq.value());
  return OkStatus();
}

Status AddFloor(const RowView& view, MailboxId mailbox, Items* out) {
  ASSIGN_OR_RETURN(const auto row, view.MailboxRowOf(mailbox));
  if (!row || row->uid_next <= 1) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(const UidSet gone,
                   Absent(view, mailbox, UidSet::Of(row->uid_next - 1, row->uid_next - 1)));
  return AddPurge(view, mailbox, gone, out);
}

// --- bodies

Status AddChunk(const RowView& view, UserId user, BodyNo body, std::uint32_t chunk,
                const std::optional<PooledBody>& pooled, Items* out) {
  ASSIGN_OR_RETURN(auto octets,
                   view.engine().Get(Family::kBodies, BodyKey(user, body, chunk), view.snapshot()));
  if (!octets) {
    return pooled ? DataLoss("chunk " + std::to_string(chunk) + " of body " + pooled->guid.ToHex() +
                             " is missing in the store")
                  : OkStatus();
  }
  proto::BodyItem* item = out->emplace_back().mutable_body();
  item->set_body_no(body.value());
  item->set_chunk(chunk);
  item->set_octets(*std::move(octets));
  if (pooled && pooled->entry.chunks == chunk + 1) {
    item->set_guid(std::string(pooled->guid.bytes()));
    item->set_size(pooled->entry.size);
  }
  return OkStatus();
}

}  // namespace twinspool::store
