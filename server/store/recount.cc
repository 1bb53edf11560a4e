#include "server/store/recount.h"

#include <algorithm>
#include <array>

#include "proto/types.pb.h"

#include "common/digest.h"
#include "server/mail_store.h"
#include "server/store/head.h"
#include "server/store/page.h"

namespace twinspool::store {
namespace {

constexpr std::uint64_t kNoRecord = UINT64_MAX;

/// One mailbox's walk: pages and records side by side, both in UID order.
class MailboxCounter {
 public:
  MailboxCounter(const RowView& view, MailboxId mailbox, const MailboxHeaderPart& header,
                 MailboxRow* row)
      : view_(view),
        mailbox_(mailbox),
        header_(header),
        row_(row),
        records_(view.engine().Iterate(Family::kRecords, KeyRange::Prefix(mailbox.bytes()),
                                       view.snapshot())) {}

  Status Run() {
    records_.SeekToFirst();
    const Status scanned =
        view_.Scan(Family::kIndex, mailbox_.bytes(),
                   [&](std::string_view key, std::string_view value) -> Result<bool> {
                     const auto page = PageOfPageKey(key);
                     if (!page) {
                       return DataLoss("an index page has a malformed key");
                     }
                     TRY(ReadRecords(*page));
                     TRY(CountPage(*page, value));
                     return true;
                   });
    TRY(scanned);
    if (records_.Valid()) {
      return Damaged("has a record that is in no index page");
    }
    TRY(records_.status());
    row_->digest = sum_.bytes();
    return OkStatus();
  }
  void AddTerm(const Digest128& term) { sum_.Add(term); }

 private:
  Status Damaged(const std::string& what) const {
    return DataLoss("mailbox " + mailbox_.ToHex() + " " + what);
  }

  /// Sizes of the records of one page; their terms go into the sum.
  Status ReadRecords(std::uint32_t page) {
    sizes_.fill(kNoRecord);
    for (; records_.Valid(); records_.Next()) {
      const std::optional<Uid> uid = UidOfRecordKey(records_.key());
      if (!uid || uid->value() >> kPageBits < page) {
        return Damaged("has a record that is in no index page");
      }
      if (uid->value() >> kPageBits > page) {
        break;
      }
      proto::RecordHeader record;
      const std::string_view octets = records_.value();
      if (!record.ParseFromArray(octets.data(), static_cast<int>(octets.size()))) {
        return Damaged("has a record that does not parse");
      }
      sizes_[uid->value() & 0xff] = record.size();
      sum_.Add(RecordTerm(mailbox_, *uid, octets));
    }
    return records_.status();
  }

  Status CountPage(std::uint32_t page, std::string_view octets) {
    PageScanner scanner(octets);
    EntryView entry;
    while (scanner.Next(&entry)) {
      const Uid uid(page << kPageBits | entry.uid_low);
      if (sizes_[entry.uid_low] == kNoRecord) {
        return Damaged("has no record for message " + std::to_string(uid.value()));
      }
      Count(uid, entry, sizes_[entry.uid_low]);
    }
    return scanner.status();
  }

  void Count(Uid uid, const EntryView& entry, std::uint64_t size) {
    row_->entries += 1;
    row_->uid_next = std::max(row_->uid_next, uid.value() + 1);
    row_->highest_modseq = std::max(row_->highest_modseq, entry.modseq);
    if (!entry.expunged()) {
      row_->exists += 1;
      row_->unseen += (entry.flags & kSeen) == 0 ? 1 : 0;
      row_->deleted += (entry.flags & kDeleted) != 0 ? 1 : 0;
      row_->bytes += size;
    }
    EntryDigestInput input{mailbox_,        uid, entry.state, entry.flags, entry.modseq,
                           entry.updated_s, {},  entry.tail};
    for (std::size_t bit = 0; bit < 8 * entry.keywords.size() && bit < header_.folded.size();
         ++bit) {
      if ((static_cast<unsigned char>(entry.keywords[bit / 8]) >> (bit % 8) & 1) != 0) {
        input.keywords.push_back(header_.folded[bit]);
      }
    }
    std::ranges::sort(input.keywords);
    sum_.Add(EntryTerm(input));
  }

  const RowView& view_;
  const MailboxId mailbox_;
  const MailboxHeaderPart& header_;
  MailboxRow* const row_;
  RowIterator records_;
  std::array<std::uint64_t, 1u << kPageBits> sizes_{};
  Digest128 sum_;
};

Status AddPoolTerms(const RowView& view, UserId user, Digest128* sum) {
  return view.Scan(Family::kGuids, user.bytes(),
                   [&](std::string_view key, std::string_view value) -> Result<bool> {
                     ASSIGN_OR_RETURN(const PoolEntry entry, DecodePoolEntry(value));
                     const Guid guid = Guid::FromBytes(key.substr(UserId::kSize));
                     sum->Add(BodyTerm(user, entry.body, guid, entry.size));
                     return true;
                   });
}

Status AddMiscTerms(const RowView& view, UserId user, Digest128* sum,
                    std::uint32_t* subscriptions) {
  return view.Scan(Family::kMisc, user.bytes(),
                   [&](std::string_view key, std::string_view value) -> Result<bool> {
                     if (key.size() <= UserId::kSize) {
                       return DataLoss("a misc row has a malformed key");
                     }
                     ASSIGN_OR_RETURN(const MiscRow row, DecodeMiscRow(value));
                     const auto kind = static_cast<std::uint8_t>(key[UserId::kSize]);
                     sum->Add(MiscTerm({user, kind, key.substr(UserId::kSize + 1), row.modseq,
                                        row.deleted, row.value}));
                     *subscriptions +=
                         kind == proto::MiscItem::SUBSCRIPTION && !row.deleted ? 1 : 0;
                     return true;
                   });
}

Status AddTokenTerms(const RowView& view, UserId user, Digest128* sum) {
  return view.Scan(Family::kTokens, user.bytes(),
                   [&](std::string_view key, std::string_view value) -> Result<bool> {
                     ASSIGN_OR_RETURN(const TokenRow row, DecodeTokenRow(value));
                     sum->Add(TokenTerm(
                         {user, key.substr(UserId::kSize), row.modseq, row.expires_s, row.result}));
                     return true;
                   });
}

}  // namespace

Result<std::optional<MailboxRow>> RecountMailbox(const RowView& view, const MailboxRow& stored,
                                                 MailboxId mailbox) {
  ASSIGN_OR_RETURN(const auto versioned, view.MailboxHeader(stored.owner, mailbox));
  if (!versioned) {
    return std::optional<MailboxRow>();
  }
  ASSIGN_OR_RETURN(const auto header, ParseMailboxHeader(versioned->bytes));
  MailboxRow row;
  row.owner = stored.owner;
  row.purge_floor = stored.purge_floor;
  row.uid_peer = stored.uid_peer;
  row.uid_next = std::max({stored.uid_next, header->decoded.uid_floor(), 1u});
  row.highest_modseq = std::max(stored.purge_floor, Modseq(header->decoded.created_modseq()));
  for (const proto::UidGap& gap : header->decoded.uid_gaps()) {
    row.highest_modseq = std::max(row.highest_modseq, Modseq(gap.modseq()));
  }
  MailboxCounter counter(view, mailbox, *header, &row);
  counter.AddTerm(MailboxTerm(mailbox, versioned->modseq, versioned->bytes));
  TRY(counter.Run());
  return std::optional(row);
}

Result<UserState> RecountUser(const RowView& view, UserId user) {
  ASSIGN_OR_RETURN(UserState state, view.StateOf(user));
  state.mailboxes = 0;
  state.bytes = 0;
  state.messages = 0;
  state.subscriptions = 0;
  Digest128 sum;
  ASSIGN_OR_RETURN(const auto header, view.UserHeader(user));
  if (header) {
    sum.Add(UserTerm(user, header->modseq, header->bytes));
    ASSIGN_OR_RETURN(const auto part, ParseUserHeader(header->bytes));
    state.uid_validity = std::max(state.uid_validity, part->decoded.uid_validity_floor());
  }
  TRY(AddPoolTerms(view, user, &sum));
  TRY(AddMiscTerms(view, user, &sum, &state.subscriptions));
  TRY(AddTokenTerms(view, user, &sum));
  ASSIGN_OR_RETURN(const std::vector<MailboxId> mailboxes, view.MailboxesOf(user));
  for (const MailboxId mailbox : mailboxes) {
    ASSIGN_OR_RETURN(const auto versioned, view.MailboxHeader(user, mailbox));
    ASSIGN_OR_RETURN(const auto row, view.MailboxRowOf(mailbox));
    proto::MailboxHeader decoded;
    if (!versioned || !row || !decoded.ParseFromString(versioned->bytes)) {
      return DataLoss("mailbox " + mailbox.ToHex() + " has no state or no header that parses");
    }
    state.uid_validity = std::max(state.uid_validity, decoded.uid_validity());
    if (decoded.deleted_modseq() == 0) {
      state.mailboxes += 1;
      state.bytes += row->bytes;
      state.messages += row->exists;
    }
  }
  state.digest = sum.bytes();
  return state;
}

}  // namespace twinspool::store
