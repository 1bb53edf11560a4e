#include "server/store/refill.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/codec.h"
#include "common/digest.h"
#include "common/limits.h"
#include "server/store/apply.h"
#include "server/store/engine.h"
#include "server/store/recount.h"
#include "server/store/row_batch.h"
#include "server/store/row_view.h"

namespace twinspool::store {
namespace {

std::string EncodeUnclaimed(const Guid& guid, const PoolEntry& entry) {
  std::string row(guid.bytes());
  row += EncodePoolEntry(entry);
  return row;
}

Result<PooledBody> DecodeUnclaimed(std::string_view row) {
  Reader reader(row);
  PooledBody body;
  body.guid = Guid::FromBytes(reader.Bytes(Guid::kSize));
  ASSIGN_OR_RETURN(body.entry, DecodePoolEntry(reader.rest()));
  return body;
}

std::string UnclaimedPrefix(UserId user) {
  return "u" + std::string(user.bytes());
}

std::string LoosePrefix(UserId user) {
  return "b" + std::string(user.bytes());
}

BodyNo BodyAtEnd(std::string_view key) {
  Reader reader(key.substr(key.size() - std::min<std::size_t>(key.size(), 8)));
  return BodyNo(reader.Be64());
}

void DeletePrefix(Family family, std::string_view prefix, RowBatch* batch) {
  batch->DeleteRange(family, std::string(prefix), PrefixEnd(prefix));
}

/// Octets and caches of one body; `chunks` 0: as many as there may be.
void DeleteBody(UserId user, BodyNo body, std::uint32_t chunks, RowBatch* batch) {
  if (chunks == 0) {
    DeletePrefix(Family::kBodies, BodyPrefix(user, body), batch);
  }
  for (std::uint32_t chunk = 0; chunk < chunks; ++chunk) {
    batch->Delete(Family::kBodies, BodyKey(user, body, chunk));
  }
  batch->Delete(Family::kSummaries, SummaryKey(user, body));
  batch->Delete(Family::kTexts, BodyTextKey(user, body));
}

bool IsClaim(UserId user, const proto::ChangeItem& item) {
  return item.has_copy_body() && item.copy_body().from_user() == user.bytes() &&
         item.copy_body().from_body_no() == item.copy_body().body_no();
}

/// After his last unit: a user without a header was forgotten by the primary.
Status MarkForgotten(const RowView& view, UserId user, RowBatch* batch) {
  ASSIGN_OR_RETURN(const auto header, view.UserHeader(user));
  if (header) {
    batch->Delete(Family::kMeta, ForgottenKey(user));
  } else {
    batch->Put(Family::kMeta, ForgottenKey(user), "");
  }
  return OkStatus();
}

bool IsTombstone(const Result<std::optional<VersionedBytes>>& user) {
  proto::UserHeader header;
  return user.ok() && user.value() && header.ParseFromString((*user)->bytes) &&
         header.deleted_ns() > 0;
}

/// Writes what has come together once it is big; the mark makes partial work harmless.
class BigWrite {
 public:
  explicit BigWrite(Engine& engine) : engine_(engine) {}
  RowBatch* batch() { return &batch_; }
  Status Step() { return batch_.bytes() < limits::kCommitGroupBytesMax ? OkStatus() : Flush(); }
  Status Flush() {
    Status status = engine_.Write(batch_, WriteMode::kNoSync);
    batch_.Clear();
    return status;
  }

 private:
  Engine& engine_;
  RowBatch batch_;
};

}  // namespace

Result<bool> Refill::ApplyUnit(const proto::CatchUpUnit& unit) {
  const UserId user = UserId::FromBytes(unit.user_id());
  if (user.nil()) {
    return DataLoss("a catch-up unit without a user");
  }
  if (unit.first()) {
    TRY(Begin(user, unit));
  }
  TRY(ApplyItems(user, unit));
  return unit.last() ? Finish(user, unit) : Result<bool>(true);
}

Status Refill::Begin(UserId user, const proto::CatchUpUnit& unit) {
  RowBatch mark;
  mark.Put(Family::kMeta, IncompleteKey(user), "");
  TRY(engine_.Write(mark, WriteMode::kSync));
  if (!unit.replace()) {
    return OkStatus();
  }
  if (!unit.only_mailbox().empty()) {
    TRY(DropMailboxRows(user, MailboxId::FromBytes(unit.only_mailbox())));
  } else {
    TRY(SetBodiesAside(user));
    TRY(DropRows(user));
  }
  head_.Clear();
  return OkStatus();
}

Status Refill::SetBodiesAside(UserId user) {
  const RowView view(engine_);
  BigWrite write(engine_);
  // Unfinished bodies come again whole.
  const Status scanned =
      view.Scan(Family::kMeta, LoosePrefix(user),
                [&](std::string_view key, std::string_view value) -> Result<bool> {
                  const Result<LooseBody> loose = DecodeLooseBody(value);
                  if (loose.ok() && loose->guid.nil()) {
                    DeleteBody(user, BodyAtEnd(key), 0, write.batch());
                  }
                  write.batch()->Delete(Family::kMeta, std::string(key));
                  TRY(write.Step());
                  return true;
                });
  TRY(scanned);
  const Status scanned2 =
      view.Scan(Family::kGuids, user.bytes(),
                [&](std::string_view key, std::string_view value) -> Result<bool> {
                  if (const Result<PoolEntry> entry = DecodePoolEntry(value); entry.ok()) {
                    const Guid guid = Guid::FromBytes(key.substr(UserId::kSize));
                    write.batch()->Put(Family::kMeta, UnclaimedKey(user, entry->body),
                                       EncodeUnclaimed(guid, *entry));
                  }
                  write.batch()->Delete(Family::kGuids, std::string(key));
                  TRY(write.Step());
                  return true;
                });
  TRY(scanned2);
  return write.Flush();
}

Status Refill::DropRows(UserId user) {
  const RowView view(engine_);
  ASSIGN_OR_RETURN(const std::vector<MailboxId> mailboxes, view.MailboxesOf(user));
  BigWrite write(engine_);
  for (const MailboxId mailbox : mailboxes) {
    DeletePrefix(Family::kIndex, mailbox.bytes(), write.batch());
    DeletePrefix(Family::kRecords, mailbox.bytes(), write.batch());
    write.batch()->Delete(Family::kMailboxes, MailboxStateKey(mailbox));
    write.batch()->Delete(Family::kMailboxes, MailboxKey(user, mailbox));
    TRY(write.Step());
  }
  RowBatch* const batch = write.batch();
  DeletePrefix(Family::kMailboxes, MailboxNamePrefix(user), batch);
  DeletePrefix(Family::kRefs, user.bytes(), batch);
  DeletePrefix(Family::kTokens, user.bytes(), batch);
  DeletePrefix(Family::kMisc, user.bytes(), batch);
  const auto header = view.UserHeader(user);
  proto::UserHeader decoded;
  if (header.ok() && header.value() && decoded.ParseFromString((*header)->bytes)) {
    const std::string key = UserNameKey(decoded.name());
    ASSIGN_OR_RETURN(const auto holder, engine_.Get(Family::kUsers, key));
    if (holder && *holder == user.bytes()) {
      batch->Delete(Family::kUsers, key);
    }
  }
  batch->Delete(Family::kUsers, UserKey(user));
  batch->Delete(Family::kUsers, UserStateKey(user));
  return write.Flush();
}

Status Refill::DropMailboxRows(UserId user, MailboxId mailbox) {
  const RowView view(engine_);
  ASSIGN_OR_RETURN(const auto stored, view.MailboxRowOf(mailbox));
  if (!stored) {
    return OkStatus();
  }
  if (stored->owner != user) {
    return DataLoss("mailbox " + mailbox.ToHex() + " belongs to another user than " + user.ToHex());
  }
  BigWrite write(engine_);
  const Status scanned =
      view.Scan(Family::kRecords, mailbox.bytes(),
                [&](std::string_view key, std::string_view value) -> Result<bool> {
                  proto::RecordHeader record;
                  const std::optional<Uid> uid = UidOfRecordKey(key);
                  if (uid && record.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
                    const BodyNo body(record.body_no());
                    write.batch()->Delete(Family::kRefs, RefKey(user, body, mailbox, *uid));
                    write.batch()->Put(
                        Family::kMeta, StagingKey(user, body),
                        EncodeLooseBody({clock_.WallSeconds(), Guid::FromBytes(record.guid())}));
                  }
                  TRY(write.Step());
                  return true;
                });
  TRY(scanned);
  DeletePrefix(Family::kIndex, mailbox.bytes(), write.batch());
  DeletePrefix(Family::kRecords, mailbox.bytes(), write.batch());
  // The header goes, too: its modseq must not hide the one that comes.
  ASSIGN_OR_RETURN(const auto header, view.MailboxHeader(user, mailbox));
  if (header) {
    ASSIGN_OR_RETURN(const auto part, ParseMailboxHeader(header->bytes));
    const std::string key = MailboxNameKey(user, part->decoded.name());
    ASSIGN_OR_RETURN(const auto holder, engine_.Get(Family::kMailboxes, key));
    if (holder && *holder == mailbox.bytes()) {
      write.batch()->Delete(Family::kMailboxes, key);
    }
  }
  write.batch()->Delete(Family::kMailboxes, MailboxKey(user, mailbox));
  write.batch()->Delete(Family::kMailboxes, MailboxStateKey(mailbox));
  return write.Flush();
}

Status Refill::ApplyItems(UserId user, const proto::CatchUpUnit& unit) {
  std::vector<UserId> users{user};
  for (const proto::ChangeItem& item : unit.items()) {
    if (item.has_copy_body()) {
      users.push_back(UserId::FromBytes(item.copy_body().from_user()));
    }
  }
  const StripeLock lock(head_, users);
  HeadEdit edit(lock);
  ASSIGN_OR_RETURN(const proto::UserChanges changes, TakeBodies(user, unit, edit));
  ApplyOptions options;
  options.now_s = clock_.WallSeconds();
  options.from_peer = true;
  options.outbox = false;
  ApplyResult ignored;
  TRY(Apply(changes, options, edit, &ignored));
  RowBatch batch;
  edit.AppendRows(&batch);
  TRY(engine_.Write(batch, unit.last() ? WriteMode::kNoSync : WriteMode::kSync));
  edit.Publish(Ticket(0));
  return OkStatus();
}

// Claims bodies that are here already and makes room for those that come; the rest is to be
// applied.
Result<proto::UserChanges> Refill::TakeBodies(UserId user, const proto::CatchUpUnit& unit,
                                              HeadEdit& edit) {
  proto::UserChanges changes;
  changes.set_user_id(unit.user_id());
  for (const proto::ChangeItem& item : unit.items()) {
    if (IsClaim(user, item)) {
      TRY(Claim(user, item.copy_body(), edit));
      continue;
    }
    if (item.has_body()) {
      TRY(DropAside(user, BodyNo(item.body().body_no()), edit));
    }
    *changes.add_items() = item;
  }
  return changes;
}

Status Refill::DropAside(UserId user, BodyNo body, HeadEdit& edit) {
  std::string key = UnclaimedKey(user, body);
  ASSIGN_OR_RETURN(const auto row, edit.Row(user, Family::kMeta, key));
  if (!row) {
    return OkStatus();
  }
  const Result<PooledBody> aside = DecodeUnclaimed(*row);
  for (std::uint32_t chunk = 0; aside.ok() && chunk < aside->entry.chunks; ++chunk) {
    edit.Delete(user, Family::kBodies, BodyKey(user, body, chunk));
  }
  edit.Delete(user, Family::kMeta, std::move(key));
  return OkStatus();
}

Status Refill::Claim(UserId user, const proto::CopyBodyItem& item, HeadEdit& edit) {
  const BodyNo body(item.body_no());
  const Guid guid = Guid::FromBytes(item.guid());
  ASSIGN_OR_RETURN(const auto pooled, edit.Row(user, Family::kGuids, GuidKey(user, guid)));
  if (pooled) {
    return OkStatus();
  }
  std::string key = UnclaimedKey(user, body);
  ASSIGN_OR_RETURN(const auto row, edit.Row(user, Family::kMeta, key));
  if (!row) {
    return DataLoss("body " + guid.ToHex() + " was said to be here and is not");
  }
  ASSIGN_OR_RETURN(const PooledBody aside, DecodeUnclaimed(*row));
  if (aside.guid != guid || aside.entry.size != item.size()) {
    return DataLoss("body " + std::to_string(body.value()) + " is " + aside.guid.ToHex() +
                    " here and " + guid.ToHex() + " on the other node");
  }
  edit.Delete(user, Family::kMeta, std::move(key));
  edit.Put(user, Family::kGuids, GuidKey(user, guid), EncodePoolEntry(aside.entry));
  edit.Put(user, Family::kMeta, StagingKey(user, body),
           EncodeLooseBody({clock_.WallSeconds(), guid}));
  ASSIGN_OR_RETURN(HeadUser * head, edit.EditUser(user));
  Digest128 sum = Digest128::FromBytes(head->state.digest);
  sum.Add(BodyTerm(user, body, guid, item.size()));
  head->state.digest = sum.bytes();
  return OkStatus();
}

Status Refill::FreeUnclaimed(UserId user) {
  const RowView view(engine_);
  BigWrite write(engine_);
  const Status scanned = view.Scan(
      Family::kMeta, UnclaimedPrefix(user),
      [&](std::string_view key, std::string_view value) -> Result<bool> {
        const Result<PooledBody> aside = DecodeUnclaimed(value);
        DeleteBody(user, BodyAtEnd(key), aside.ok() ? aside->entry.chunks : 0, write.batch());
        write.batch()->Delete(Family::kMeta, std::string(key));
        TRY(write.Step());
        return true;
      });
  TRY(scanned);
  return write.Flush();
}

Result<bool> Refill::Finish(UserId user, const proto::CatchUpUnit& unit) {
  const RowView view(engine_);
  DigestBytes digest;
  RowBatch batch;
  if (unit.only_mailbox().empty()) {
    TRY(FreeUnclaimed(user));
    TRY(MarkForgotten(view, user, &batch));
    ASSIGN_OR_RETURN(digest, view.DigestOfUser(user));
  } else {
    const MailboxId mailbox = MailboxId::FromBytes(unit.only_mailbox());
    // The dropped rows' share of the user's totals is gone with them.
    ASSIGN_OR_RETURN(const UserState state, RecountUser(view, user));
    batch.Put(Family::kUsers, UserStateKey(user), EncodeUserState(state));
    // A body that others refer to is not loose.
    const Status scanned =
        view.Scan(Family::kMeta, LoosePrefix(user),
                  [&](std::string_view key, std::string_view) -> Result<bool> {
                    bool referred = false;
                    TRY(view.Scan(Family::kRefs, RefPrefix(user, BodyAtEnd(key)),
                                  [&](std::string_view, std::string_view) -> Result<bool> {
                                    referred = true;
                                    return false;
                                  }));
                    if (referred) {
                      batch.Delete(Family::kMeta, std::string(key));
                    }
                    return true;
                  });
    TRY(scanned);
    ASSIGN_OR_RETURN(const auto row, view.MailboxRowOf(mailbox));
    digest = row ? row->digest : DigestBytes();
  }
  const bool equal = digest.bytes() == unit.user_digest();
  if (equal) {
    batch.Delete(Family::kMeta, IncompleteKey(user));
  } else {
    batch.Put(Family::kMeta, IncompleteKey(user), "");
  }
  TRY(engine_.Write(batch, WriteMode::kSync));
  head_.Clear();
  return equal;
}

Result<std::vector<proto::BodyRef>> Refill::BodiesOf(UserId user) {
  const RowView view(engine_);
  std::vector<proto::BodyRef> bodies;
  const auto add = [&](BodyNo body, const Guid& guid) {
    proto::BodyRef& ref = bodies.emplace_back();
    ref.set_body_no(body.value());
    ref.set_guid(std::string(guid.bytes()));
  };
  TRY(view.Scan(Family::kGuids, user.bytes(),
                [&](std::string_view key, std::string_view value) -> Result<bool> {
                  if (const Result<PoolEntry> entry = DecodePoolEntry(value); entry.ok()) {
                    add(entry->body, Guid::FromBytes(key.substr(UserId::kSize)));
                  }
                  return true;
                }));
  TRY(view.Scan(Family::kMeta, UnclaimedPrefix(user),
                [&](std::string_view, std::string_view value) -> Result<bool> {
                  if (const Result<PooledBody> aside = DecodeUnclaimed(value); aside.ok()) {
                    add(aside->entry.body, aside->guid);
                  }
                  return true;
                }));
  std::ranges::sort(bodies, {}, &proto::BodyRef::body_no);
  return bodies;
}

Status Refill::DropUser(UserId user, bool only_here) {
  const bool deleted = !only_here || IsTombstone(RowView(engine_).UserHeader(user));
  RowBatch mark;
  mark.Put(Family::kMeta, IncompleteKey(user), "");
  TRY(engine_.Write(mark, WriteMode::kSync));
  TRY(DropRows(user));
  RowBatch batch;
  for (const Family family : {Family::kBodies, Family::kGuids, Family::kSummaries}) {
    DeletePrefix(family, user.bytes(), &batch);
  }
  DeletePrefix(Family::kTexts, BodyTextPrefix(user), &batch);
  DeletePrefix(Family::kMeta, LoosePrefix(user), &batch);
  DeletePrefix(Family::kMeta, UnclaimedPrefix(user), &batch);
  batch.Delete(Family::kMeta, IncompleteKey(user));
  if (deleted) {
    batch.Put(Family::kMeta, ForgottenKey(user), "");
  }
  TRY(engine_.Write(batch, WriteMode::kSync));
  head_.Clear();
  return OkStatus();
}

Status Refill::AddClearMarks(RowBatch* batch) {
  const RowView view(engine_);
  ASSIGN_OR_RETURN(const std::vector<UserId> users, view.Marked<UserId>('i'));
  for (const UserId user : users) {
    batch->Delete(Family::kMeta, IncompleteKey(user));
  }
  return OkStatus();
}

}  // namespace twinspool::store
