#include "server/store/part_rows.h"

#include <map>
#include <string>
#include <utility>

#include "server/store/entry_state.h"
#include "server/store/page.h"

namespace twinspool::store {
namespace {

Status DoesNotFit(const Object& object, std::uint32_t part) {
  return DataLoss("what the other node sent as " + PartName(object, part) + " of " +
                  object.ToString() + " is something else");
}

void DropPrefix(Family family, const std::string& prefix, RowBatch* rows) {
  rows->DeleteRange(family, prefix, PrefixEnd(prefix));
}

class Maker {
 public:
  Maker(const Object& object, std::uint32_t part, const MailboxHeaderPart* header)
      : object_(object), part_(part), header_(header) {}

  Result<PartRows> Run(const std::vector<proto::ObjectReply>& contents) {
    DropPart(object_, part_, &out_.rows);
    for (const proto::ObjectReply& reply : contents) {
      for (const proto::ChangeItem& item : reply.items()) {
        TRY(Take(item));
      }
      for (const proto::PoolRow& row : reply.pool()) {
        TRY(TakePool(row));
      }
    }
    if (!object_.is_user() && part_ != kHeaderPart) {
      TRY(MakePage());
    }
    return std::move(out_);
  }

 private:
  Status Take(const proto::ChangeItem& item) {
    switch (item.kind_case()) {
      case proto::ChangeItem::kUser:
        return TakeUser(item.user());
      case proto::ChangeItem::kMailbox:
        return TakeMailbox(item.mailbox());
      case proto::ChangeItem::kRecord:
        return TakeRecord(item.record());
      case proto::ChangeItem::kMisc:
        return TakeMisc(item.misc());
      case proto::ChangeItem::kToken:
        return TakeToken(item.token());
      default:
        return DoesNotFit(object_, part_);
    }
  }

  Status TakeUser(const proto::UserItem& item) {
    if (!object_.is_user() || part_ != kHeaderPart) {
      return DoesNotFit(object_, part_);
    }
    const Modseq modseq(item.modseq());
    TRY(ParseUserHeader(item.header()).status());
    out_.sum.digest.Add(UserTerm(object_.user, modseq, item.header()));
    out_.rows.Put(Family::kUsers, UserKey(object_.user), EncodeVersioned(modseq, item.header()));
    return OkStatus();
  }

  Status TakeMailbox(const proto::MailboxItem& item) {
    if (object_.is_user() || part_ != kHeaderPart || item.mailbox_id() != object_.mailbox.bytes()) {
      return DoesNotFit(object_, part_);
    }
    const Modseq modseq(item.modseq());
    ASSIGN_OR_RETURN(out_.header, ParseMailboxHeader(item.header()));
    out_.sum.digest.Add(MailboxTerm(object_.mailbox, modseq, item.header()));
    out_.rows.Put(Family::kMailboxes, MailboxKey(object_.user, object_.mailbox),
                  EncodeVersioned(modseq, item.header()));
    return OkStatus();
  }

  Status TakeRecord(const proto::RecordItem& item) {
    const Uid uid(item.uid());
    const proto::EntryState& state = item.entry();
    if (object_.is_user() || part_ != uid.value() >> kPageBits ||
        item.mailbox_id() != object_.mailbox.bytes() || state.state() > 0xff ||
        state.flags() > 0xff) {
      return DoesNotFit(object_, part_);
    }
    page_.Upsert(ToPageEntry(uid, state, item.modseq()));
    records_[uid] = item.record();
    return OkStatus();
  }

  Status MakePage() {
    if (header_ == nullptr || page_.empty()) {
      return DoesNotFit(object_, part_);
    }
    const std::vector<std::pair<Uid, std::string>> records(records_.begin(), records_.end());
    ASSIGN_OR_RETURN(out_.sum, SumPage(object_.mailbox, *header_, part_, page_, records));
    out_.rows.Put(Family::kIndex, PageKey(object_.mailbox, part_), page_.Encode());
    for (const auto& [uid, octets] : records) {
      proto::RecordHeader record;
      record.ParseFromString(octets);
      out_.rows.Put(Family::kRefs,
                    RefKey(object_.user, BodyNo(record.body_no()), object_.mailbox, uid), "");
      out_.rows.Put(Family::kRecords, RecordKey(object_.mailbox, uid), octets);
    }
    return OkStatus();
  }

  Status TakeMisc(const proto::MiscItem& item) {
    if (!object_.is_user() || part_ != kMiscPart || item.kind() < 0 || item.kind() > 0xff) {
      return DoesNotFit(object_, part_);
    }
    const auto kind = static_cast<std::uint8_t>(item.kind());
    const MiscRow row{Modseq(item.modseq()), item.deleted(), item.value()};
    out_.sum.digest.Add(
        MiscTerm({object_.user, kind, item.key(), row.modseq, row.deleted, row.value}));
    out_.sum.subscriptions += kind == proto::MiscItem::SUBSCRIPTION && !row.deleted ? 1 : 0;
    out_.rows.Put(Family::kMisc, MiscKey(object_.user, kind, item.key()), EncodeMiscRow(row));
    return OkStatus();
  }

  Status TakeToken(const proto::TokenItem& item) {
    if (!object_.is_user() || part_ != kTokensPart) {
      return DoesNotFit(object_, part_);
    }
    const TokenRow row{Modseq(item.modseq()), item.expires_s(), item.result()};
    out_.sum.digest.Add(
        TokenTerm({object_.user, item.key(), row.modseq, row.expires_s, row.result}));
    out_.rows.Put(Family::kTokens, TokenKey(object_.user, item.key()), EncodeTokenRow(row));
    return OkStatus();
  }

  Status TakePool(const proto::PoolRow& row) {
    const Guid guid = Guid::FromBytes(row.guid());
    if (!object_.is_user() || guid.nil() || part_ != guid.data()[0]) {
      return DoesNotFit(object_, part_);
    }
    const PoolEntry entry{BodyNo(row.body_no()), row.size(), row.chunks()};
    out_.sum.digest.Add(BodyTerm(object_.user, entry.body, guid, entry.size));
    out_.rows.Put(Family::kGuids, GuidKey(object_.user, guid), EncodePoolEntry(entry));
    return OkStatus();
  }

  const Object object_;
  const std::uint32_t part_;
  const MailboxHeaderPart* const header_;
  PartRows out_;
  Page page_;
  std::map<Uid, std::string> records_;
};

}  // namespace

Result<PartRows> MakePartRows(const Object& object, std::uint32_t part,
                              const MailboxHeaderPart* header,
                              const std::vector<proto::ObjectReply>& contents) {
  return Maker(object, part, header).Run(contents);
}

void DropPart(const Object& object, std::uint32_t part, RowBatch* rows) {
  const std::string user(object.user.bytes());
  if (part == kHeaderPart) {
    object.is_user() ? rows->Delete(Family::kUsers, UserKey(object.user))
                     : rows->Delete(Family::kMailboxes, MailboxKey(object.user, object.mailbox));
  } else if (!object.is_user()) {
    rows->Delete(Family::kIndex, PageKey(object.mailbox, part));
    rows->DeleteRange(Family::kRecords, RecordKey(object.mailbox, Uid(part << kPageBits)),
                      RecordKey(object.mailbox, Uid(part << kPageBits | 0xff)) + '\0');
  } else if (part == kMiscPart || part == kTokensPart) {
    DropPrefix(part == kMiscPart ? Family::kMisc : Family::kTokens, user, rows);
  } else if (part < kPoolParts) {
    DropPrefix(Family::kGuids, user + static_cast<char>(part), rows);
  }
}

}  // namespace twinspool::store
