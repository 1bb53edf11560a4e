// Reading the parts of an object: walks that go on behind what cannot be read.
#include <algorithm>
#include <array>
#include <utility>

#include "proto/types.pb.h"

#include "common/codec.h"
#include "server/store/damage.h"
#include "server/store/page.h"
#include "server/store/parts.h"

namespace twinspool::store {
namespace {

using Records = std::vector<std::pair<Uid, std::string>>;

Status TooLong(const Object& object) {
  return Timeout("reading " + object.ToString() + " takes longer than a snapshot may be held");
}

/// The octets of a derived row, and whether there are any.
Status ReadStateRow(const RowView& view, Family family, const std::string& key, ObjectParts* out) {
  auto row = view.engine().Get(family, key, view.snapshot());
  out->state = row.ok() && !row.value() ? NotFound("it is missing") : row.status();
  if (out->state.ok()) {
    out->state_row = **std::move(row);
  }
  return row.ok() || IsDamage(row.status()) ? OkStatus() : row.status();
}

/// What readers skip pages by must be what the entries come to.
Status CheckPageHeader(std::string_view octets, const Page& page) {
  ASSIGN_OR_RETURN(PageHeader stored, ReadPageHeader(octets));
  const PageHeader counted = page.header();
  const bool right = stored.live == counted.live && stored.entries == counted.entries &&
                     stored.highest_modseq == counted.highest_modseq &&
                     stored.highest_expunge == counted.highest_expunge;
  return right ? OkStatus() : DataLoss("its counts do not agree with its entries");
}

/// Pages and records side by side, both in UID order. Where one of the two iterators ends at
/// damage, rows are asked for one by one.
class MailboxWalk {
 public:
  MailboxWalk(const RowView& view, const ReadPartsOptions& options, ObjectParts* out)
      : view_(view),
        options_(options),
        out_(*out),
        mailbox_(out->object.mailbox),
        records_(view.engine().Iterate(Family::kRecords, KeyRange::Prefix(mailbox_.bytes()),
                                       view.snapshot())) {}

  Status Run() {
    TRY(ReadState());
    TRY(ReadHeader());
    if (out_.header == nullptr) {
      return OkStatus();  // without it nothing else has a meaning
    }
    records_.SeekToFirst();
    TRY(ReadPages());
    TRY(TakeStrays(UINT32_MAX));
    std::ranges::stable_sort(out_.parts, {}, &Part::number);
    Count();
    return OkStatus();
  }

 private:
  Status ReadState() {
    const std::string key = MailboxStateKey(mailbox_);
    TRY(ReadStateRow(view_, Family::kMailboxes, key, &out_));
    if (out_.state.ok()) {
      const Result<MailboxRow> row = DecodeMailboxRow(out_.state_row);
      out_.state = row.status();
      if (row.ok() && row->owner != out_.object.user) {
        out_.state = DataLoss("it names another owner, " + row->owner.ToHex());
      } else if (row.ok()) {
        out_.mailbox = *row;
      }
    }
    return OkStatus();
  }

  Status ReadHeader() {
    out_.header = options_.header;
    const auto row = view_.MailboxHeader(out_.object.user, mailbox_);
    if (!row.ok() && !IsDamage(row.status())) {
      return row.status();
    }
    if (row.ok() && !row.value() && out_.state.Is(Code::kNotFound)) {
      return OkStatus();  // no such mailbox
    }
    Part part{kHeaderPart, {}, row.status()};
    if (row.ok() && !row.value()) {
      part.status = DataLoss("it is missing");
    } else if (row.ok()) {
      const auto parsed = ParseMailboxHeader((*row)->bytes);
      part.status = parsed.status();
      part.sum.digest = MailboxTerm(mailbox_, (*row)->modseq, (*row)->bytes);
      if (out_.header == nullptr && parsed.ok()) {
        out_.header = *parsed;
      }
      out_.bytes += (*row)->bytes.size();
    }
    out_.parts.push_back(std::move(part));
    return OkStatus();
  }

  Status ReadPages() {
    return view_.ScanEach(
        Family::kIndex, mailbox_.bytes(),
        [this](std::string_view key, std::string_view value, const Status& damage) -> Result<bool> {
          const auto number = PageOfPageKey(key);
          if (!number) {
            return DataLoss("an index page of " + out_.object.ToString() + " has a malformed key");
          }
          if (damage.ok()) {
            TRY(TakePage(*number, value));
          } else {
            out_.parts.push_back({*number, {}, damage});
            SkipRecords(*number);
          }
          return true;
        });
  }

  Status TakePage(std::uint32_t number, std::string_view octets) {
    if (options_.late && options_.late()) {
      return TooLong(out_.object);
    }
    TRY(TakeStrays(number));
    out_.bytes += octets.size();
    const Result<PartSum> sum = Sum(number, octets);
    if (!sum.ok() && !IsDamage(sum.status())) {
      return sum.status();
    }
    out_.parts.push_back({number, sum.ok() ? *sum : PartSum(), sum.status()});
    return OkStatus();
  }

  Result<PartSum> Sum(std::uint32_t number, std::string_view octets) {
    const Result<Page> page = Page::Decode(octets);
    const Status counted = page.ok() ? CheckPageHeader(octets, *page) : page.status();
    if (!counted.ok()) {
      SkipRecords(number);
      return counted;
    }
    ASSIGN_OR_RETURN(const Records records, RecordsOf(number, *page));
    ASSIGN_OR_RETURN(PartSum sum, SumPage(mailbox_, *out_.header, number, *page, records));
    if (options_.references) {
      TRY(CheckReferences(records));
    }
    return sum;
  }

  Result<Records> RecordsOf(std::uint32_t number, const Page& page) {
    Records records;
    if (std::exchange(records_lost_, false)) {
      records_.Seek(RecordKey(mailbox_, Uid(number << kPageBits)));
    }
    for (; records_.Valid(); records_.Next()) {
      const auto uid = UidOfRecordKey(records_.key());
      if (uid && uid->value() >> kPageBits != number) {
        break;
      }
      records.emplace_back(uid.value_or(Uid()), records_.value());
      out_.bytes += records_.value().size();
    }
    if (records_.Valid() || records_.status().ok()) {
      return records;
    }
    LoseRecords(records_.status());
    return RecordsOneByOne(number, page);
  }

  Result<Records> RecordsOneByOne(std::uint32_t number, const Page& page) const {
    Records records;
    for (const PageEntry& entry : page.entries()) {
      const Uid uid(number << kPageBits | entry.uid_low);
      auto row = view_.engine().Get(Family::kRecords, RecordKey(mailbox_, uid), view_.snapshot());
      if (!row.ok()) {
        return row.status().Annotate("the record of message " + std::to_string(uid.value()));
      }
      if (row.value()) {
        records.emplace_back(uid, **std::move(row));
      }
    }
    return records;
  }

  void LoseRecords(const Status& why) {
    records_lost_ = true;
    out_.torn = why;
  }

  void SkipRecords(std::uint32_t number) {
    records_.Seek(RecordKey(mailbox_, Uid(number << kPageBits | 0xff)) + '\0');
    records_lost_ = false;
    if (!records_.status().ok()) {
      LoseRecords(records_.status());
    }
  }

  /// Records below page `number` that no page before has named.
  Status TakeStrays(std::uint32_t number) {
    while (!records_lost_ && records_.Valid()) {
      const auto uid = UidOfRecordKey(records_.key());
      const std::uint32_t page = uid ? uid->value() >> kPageBits : 0;
      if (page >= number) {
        break;
      }
      out_.parts.push_back({page, {}, DataLoss("a record is in no index page")});
      SkipRecords(page);
    }
    const Status status = records_lost_ ? OkStatus() : records_.status();
    if (IsDamage(status)) {
      LoseRecords(status);
    }
    return status.ok() || IsDamage(status) ? OkStatus() : status;
  }

  Status CheckReferences(const Records& records) {
    std::vector<std::string> keys;
    std::vector<BodyNo> bodies;
    for (const auto& [uid, octets] : records) {
      proto::RecordHeader record;
      record.ParseFromString(octets);
      bodies.emplace_back(record.body_no());
      keys.push_back(RefKey(out_.object.user, bodies.back(), mailbox_, uid));
    }
    const auto rows = view_.engine().GetEach(Family::kRefs, keys, view_.snapshot());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (!rows[i].ok() || !rows[i].value()) {
        out_.unreferred.emplace_back(records[i].first, bodies[i]);
      }
    }
    return OkStatus();
  }

  void Count() {
    if (!out_.whole()) {
      return;
    }
    MailboxRow row = HeaderCounts(*out_.header);
    row.owner = out_.object.user;
    row.purge_floor = out_.mailbox.purge_floor;
    row.uid_peer = out_.mailbox.uid_peer;
    row.uid_next = std::max(row.uid_next, out_.mailbox.uid_next);
    row.highest_modseq = std::max(row.highest_modseq, row.purge_floor);
    Digest128 sum;
    for (const Part& part : out_.parts) {
      AddCounts(part.sum.counts, &row);
      sum.Add(part.sum.digest);
    }
    row.digest = sum.bytes();
    out_.mailbox_counted = row;
  }

  const RowView& view_;
  const ReadPartsOptions& options_;
  ObjectParts& out_;
  const MailboxId mailbox_;
  RowIterator records_;
  bool records_lost_ = false;  // records_ ended at damage and must be set anew
};

/// The own rows of a user, family by family.
class UserWalk {
 public:
  UserWalk(const RowView& view, const ReadPartsOptions& options, ObjectParts* out)
      : view_(view), options_(options), out_(*out), user_(out->object.user) {}

  Status Run() {
    TRY(ReadState());
    TRY(ReadPool());
    TRY(ReadRows(Family::kTokens, kTokensPart,
                 [this](auto key, auto value, PartSum* sum) { return AddToken(key, value, sum); }));
    TRY(ReadRows(Family::kMisc, kMiscPart,
                 [this](auto key, auto value, PartSum* sum) { return AddMisc(key, value, sum); }));
    TRY(ReadHeader());
    return Count();
  }

 private:
  using Add = std::function<Status(std::string_view, std::string_view, PartSum*)>;

  Status ReadState() {
    TRY(ReadStateRow(view_, Family::kUsers, UserStateKey(user_), &out_));
    if (out_.state.ok()) {
      const Result<UserState> state = DecodeUserState(out_.state_row);
      out_.state = state.status();
      out_.user = state.ok() ? *state : UserState();
    }
    return OkStatus();
  }

  Status ReadHeader() {
    const auto row = view_.UserHeader(user_);
    if (!row.ok() && !IsDamage(row.status())) {
      return row.status();
    }
    Part part{kHeaderPart, {}, row.status()};
    if (row.ok() && row.value()) {
      const auto parsed = ParseUserHeader((*row)->bytes);
      part.status = parsed.status();
      part.sum.digest = UserTerm(user_, (*row)->modseq, (*row)->bytes);
      floor_ = parsed.ok() ? (*parsed)->decoded.uid_validity_floor() : 0;
    } else if (row.ok()) {
      if (!out_.exists()) {
        return OkStatus();  // no such user
      }
      part.status = DataLoss("it is missing");
    }
    out_.parts.push_back(std::move(part));
    return OkStatus();
  }

  /// All rows of a family as one part; none: no part.
  Status ReadRows(Family family, std::uint32_t number, const Add& add) {
    Part part{number, {}, OkStatus()};
    bool any = false;
    TRY(view_.ScanEach(
        family, user_.bytes(),
        [&](std::string_view key, std::string_view value, const Status& damage) -> Result<bool> {
          any = true;
          out_.bytes += key.size() + value.size();
          const Status added =
              damage.ok() ? add(key.substr(UserId::kSize), value, &part.sum) : damage;
          part.status = added.ok() ? part.status : added;
          return true;
        }));
    if (any) {
      out_.parts.push_back(std::move(part));
    }
    return OkStatus();
  }

  Status AddMisc(std::string_view key, std::string_view value, PartSum* sum) const {
    if (key.empty()) {
      return DataLoss("a row has a malformed key");
    }
    ASSIGN_OR_RETURN(const MiscRow row, DecodeMiscRow(value));
    const auto kind = static_cast<std::uint8_t>(key.front());
    sum->digest.Add(MiscTerm({user_, kind, key.substr(1), row.modseq, row.deleted, row.value}));
    sum->subscriptions += kind == proto::MiscItem::SUBSCRIPTION && !row.deleted ? 1 : 0;
    return OkStatus();
  }

  Status AddToken(std::string_view key, std::string_view value, PartSum* sum) const {
    ASSIGN_OR_RETURN(const TokenRow row, DecodeTokenRow(value));
    sum->digest.Add(TokenTerm({user_, key, row.modseq, row.expires_s, row.result}));
    return OkStatus();
  }

  Status ReadPool() {
    return view_.ScanEach(
        Family::kGuids, user_.bytes(),
        [this](std::string_view key, std::string_view value, const Status& damage) -> Result<bool> {
          if (options_.late && options_.late()) {
            return TooLong(out_.object);
          }
          out_.bytes += key.size() + value.size();
          const Guid guid = Guid::FromBytes(key.substr(UserId::kSize));
          Part* const part = PoolPart(guid.data()[0]);
          const Result<PoolEntry> entry =
              damage.ok() ? DecodePoolEntry(value) : Result<PoolEntry>(damage);
          if (entry.ok()) {
            part->sum.digest.Add(BodyTerm(user_, entry->body, guid, entry->size));
          } else {
            part->status = entry.status();
          }
          return true;
        });
  }

  /// The group's part, which is the last one so far, or new.
  Part* PoolPart(std::uint32_t group) {
    if (out_.parts.empty() || out_.parts.back().number != group) {
      out_.parts.push_back({group, {}, OkStatus()});
    }
    return &out_.parts.back();
  }

  Status Count() {
    if (!out_.whole() || !out_.exists()) {
      return OkStatus();
    }
    UserState state = out_.user;
    state.subscriptions = 0;
    Digest128 sum;
    for (const Part& part : out_.parts) {
      sum.Add(part.sum.digest);
      state.subscriptions += part.sum.subscriptions;
    }
    state.digest = sum.bytes();
    state.uid_validity = std::max(state.uid_validity, floor_);
    out_.totals = CountMailboxes(&state);
    if (IsDamage(out_.totals)) {
      state.mailboxes = out_.user.mailboxes;
      state.bytes = out_.user.bytes;
      state.messages = out_.user.messages;
    }
    out_.user_counted = state;
    return out_.totals.ok() || IsDamage(out_.totals) ? OkStatus() : out_.totals;
  }

  Status CountMailboxes(UserState* state) const {
    state->mailboxes = 0;
    state->bytes = 0;
    state->messages = 0;
    ASSIGN_OR_RETURN(const std::vector<MailboxId> mailboxes, view_.MailboxesOf(user_));
    for (const MailboxId mailbox : mailboxes) {
      ASSIGN_OR_RETURN(const auto versioned, view_.MailboxHeader(user_, mailbox));
      ASSIGN_OR_RETURN(const auto row, view_.MailboxRowOf(mailbox));
      proto::MailboxHeader decoded;
      if (!versioned || !row || !decoded.ParseFromString(versioned->bytes)) {
        return DataLoss("mailbox " + mailbox.ToHex() + " has no state or no header that parses");
      }
      state->uid_validity = std::max(state->uid_validity, decoded.uid_validity());
      if (decoded.deleted_modseq() == 0) {
        state->mailboxes += 1;
        state->bytes += row->bytes;
        state->messages += row->exists;
      }
    }
    return OkStatus();
  }

  const RowView& view_;
  const ReadPartsOptions& options_;
  ObjectParts& out_;
  const UserId user_;
  std::uint32_t floor_ = 0;  // of the header, for uid_validity
};

}  // namespace

Result<ObjectParts> ReadParts(const RowView& view, const Object& object,
                              const ReadPartsOptions& options) {
  ObjectParts parts;
  parts.object = object;
  if (object.is_user()) {
    TRY(UserWalk(view, options, &parts).Run());
  } else {
    TRY(MailboxWalk(view, options, &parts).Run());
  }
  return parts;
}

}  // namespace twinspool::store
