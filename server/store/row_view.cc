#include "server/store/row_view.h"

#include <algorithm>

#include "proto/types.pb.h"

#include "common/digest.h"

namespace twinspool::store {
namespace {

/// The ids at the end of keys 'letter' + id.
template <typename IdType>
Result<std::vector<IdType>> Ids(const RowView& view, Family family, const std::string& prefix) {
  std::vector<IdType> ids;
  TRY(view.Scan(family, prefix, [&](std::string_view key, std::string_view) -> Result<bool> {
    if (key.size() == prefix.size() + IdType::kSize) {
      ids.push_back(IdType::FromBytes(key.substr(prefix.size())));
    }
    return true;
  }));
  return ids;
}

}  // namespace

Status RowView::Scan(
    Family family, std::string_view prefix,
    const std::function<Result<bool>(std::string_view, std::string_view)>& fn) const {
  RowIterator it = engine_.Iterate(family, KeyRange::Prefix(prefix), snapshot_);
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    ASSIGN_OR_RETURN(const bool more, fn(it.key(), it.value()));
    if (!more) {
      return OkStatus();
    }
  }
  return it.status();
}

Result<std::optional<VersionedBytes>> RowView::UserHeader(UserId user) const {
  ASSIGN_OR_RETURN(const auto row, engine_.Get(Family::kUsers, UserKey(user), snapshot_));
  if (!row) {
    return std::optional<VersionedBytes>();
  }
  ASSIGN_OR_RETURN(VersionedBytes header, DecodeVersioned(*row));
  return std::optional(std::move(header));
}

Result<UserState> RowView::StateOf(UserId user) const {
  ASSIGN_OR_RETURN(const auto row, engine_.Get(Family::kUsers, UserStateKey(user), snapshot_));
  return row ? DecodeUserState(*row) : Result<UserState>(UserState());
}

Result<std::optional<VersionedBytes>> RowView::MailboxHeader(UserId user, MailboxId mailbox) const {
  ASSIGN_OR_RETURN(const auto row,
                   engine_.Get(Family::kMailboxes, MailboxKey(user, mailbox), snapshot_));
  if (!row) {
    return std::optional<VersionedBytes>();
  }
  ASSIGN_OR_RETURN(VersionedBytes header, DecodeVersioned(*row));
  return std::optional(std::move(header));
}

Result<std::optional<MailboxRow>> RowView::MailboxRowOf(MailboxId mailbox) const {
  ASSIGN_OR_RETURN(const auto row,
                   engine_.Get(Family::kMailboxes, MailboxStateKey(mailbox), snapshot_));
  if (!row) {
    return std::optional<MailboxRow>();
  }
  ASSIGN_OR_RETURN(MailboxRow decoded, DecodeMailboxRow(*row));
  return std::optional(decoded);
}

Result<std::vector<MailboxId>> RowView::MailboxesOf(UserId user) const {
  return Ids<MailboxId>(*this, Family::kMailboxes, MailboxPrefix(user));
}

Result<std::vector<UserId>> RowView::Users() const {
  return Ids<UserId>(*this, Family::kUsers, "h");
}

template <typename IdType>
Result<std::vector<IdType>> RowView::Marked(char kind) const {
  return Ids<IdType>(*this, Family::kMeta, std::string(1, kind));
}
template Result<std::vector<UserId>> RowView::Marked(char) const;
template Result<std::vector<MailboxId>> RowView::Marked(char) const;

Result<std::optional<PooledBody>> RowView::Pooled(UserId user, BodyNo body) const {
  Guid guid;
  ASSIGN_OR_RETURN(const auto mark, engine_.Get(Family::kMeta, StagingKey(user, body), snapshot_));
  if (mark) {
    ASSIGN_OR_RETURN(const LooseBody loose, DecodeLooseBody(*mark));
    guid = loose.guid;
  } else {
    const std::string prefix = RefPrefix(user, body);
    RowIterator ref = engine_.Iterate(Family::kRefs, KeyRange::Prefix(prefix), snapshot_);
    ref.SeekToFirst();
    TRY(ref.status());
    if (ref.Valid()) {
      // A reference ends with mailbox and UID, as the record's key does.
      const std::string_view record_key = ref.key().substr(prefix.size());
      ASSIGN_OR_RETURN(const auto row, engine_.Get(Family::kRecords, record_key, snapshot_));
      proto::RecordHeader record;
      if (!row || !record.ParseFromString(*row)) {
        return DataLoss("a record that refers to a body is missing or does not parse");
      }
      guid = Guid::FromBytes(record.guid());
    }
  }
  if (guid.nil()) {
    return std::optional<PooledBody>();
  }
  ASSIGN_OR_RETURN(const auto row, engine_.Get(Family::kGuids, GuidKey(user, guid), snapshot_));
  if (!row) {
    return std::optional<PooledBody>();
  }
  ASSIGN_OR_RETURN(const PoolEntry entry, DecodePoolEntry(*row));
  return entry.body == body ? std::optional(PooledBody{guid, entry}) : std::nullopt;
}

Result<DigestBytes> RowView::DigestOfUser(UserId user) const {
  ASSIGN_OR_RETURN(const UserState state, StateOf(user));
  Digest128 sum = Digest128::FromBytes(state.digest);
  ASSIGN_OR_RETURN(const std::vector<MailboxId> mailboxes, MailboxesOf(user));
  for (const MailboxId mailbox : mailboxes) {
    ASSIGN_OR_RETURN(const auto row, MailboxRowOf(mailbox));
    if (row) {
      sum.Add(Digest128::FromBytes(row->digest));
    }
  }
  return sum.bytes();
}

Result<std::vector<proto::UserDigest>> RowView::UserDigests() const {
  ASSIGN_OR_RETURN(std::vector<UserId> users, Users());
  ASSIGN_OR_RETURN(const std::vector<UserId> incomplete, Marked<UserId>('i'));
  users.insert(users.end(), incomplete.begin(), incomplete.end());
  std::ranges::sort(users);
  users.erase(std::unique(users.begin(), users.end()), users.end());
  std::vector<proto::UserDigest> digests;
  for (const UserId user : users) {
    proto::UserDigest& line = digests.emplace_back();
    line.set_user_id(std::string(user.bytes()));
    if (std::ranges::binary_search(incomplete, user)) {
      continue;
    }
    const Result<DigestBytes> digest = DigestOfUser(user);
    if (digest.code() == Code::kDataLoss) {
      continue;
    }
    TRY(digest.status());
    ASSIGN_OR_RETURN(const UserState state, StateOf(user));
    line.set_digest(std::string(digest->bytes()));
    line.set_modseq(state.last_modseq.value());
    line.set_own(std::string(state.digest.bytes()));
  }
  return digests;
}

Result<std::vector<proto::MailboxDigest>> RowView::MailboxDigests(MailboxId after,
                                                                  std::size_t limit) const {
  std::vector<proto::MailboxDigest> digests;
  const std::string from = MailboxStateKey(after);
  RowIterator it = engine_.Iterate(Family::kMailboxes, KeyRange::Prefix("s"), snapshot_);
  for (it.Seek(from); it.Valid() && digests.size() < limit; it.Next()) {
    if (!after.nil() && it.key() == from) {
      continue;
    }
    const MailboxId mailbox = MailboxId::FromBytes(it.key().substr(1));
    ASSIGN_OR_RETURN(const MailboxRow row, DecodeMailboxRow(it.value()));
    proto::MailboxDigest& line = digests.emplace_back();
    line.set_user_id(std::string(row.owner.bytes()));
    line.set_mailbox_id(std::string(mailbox.bytes()));
    line.set_digest(std::string(row.digest.bytes()));
    line.set_exists(row.exists);
    ASSIGN_OR_RETURN(const auto header, MailboxHeader(row.owner, mailbox));
    proto::MailboxHeader decoded;
    if (header && decoded.ParseFromString(header->bytes)) {
      line.set_name(decoded.name());
    }
  }
  TRY(it.status());
  return digests;
}

}  // namespace twinspool::store
