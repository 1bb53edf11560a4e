#include "server/store/scrub.h"

#include <set>
#include <utility>

#include "common/codec.h"
#include "common/limits.h"
#include "server/store/answers.h"
#include "server/store/change_log.h"
#include "server/store/damage.h"
#include "server/store/engine.h"
#include "server/store/scrub_steps.h"

namespace twinspool::store {
namespace {

void PutTime(std::string* out, std::int64_t value) {
  PutBe64(out, static_cast<std::uint64_t>(value));
}

std::int64_t ReadTime(Reader* reader) {
  return static_cast<std::int64_t>(reader->Be64());
}

/// The ids behind `prefix`, as far as they can be read, also where walks end at damage.
template <typename IdType>
Result<std::vector<IdType>> KnownIds(const RowView& view, Family family,
                                     const std::string& prefix) {
  std::vector<IdType> ids;
  TRY(view.ScanEach(family, prefix,
                    [&](std::string_view key, std::string_view, const Status&) -> Result<bool> {
                      ids.push_back(IdType::FromBytes(key.substr(prefix.size())));
                      return true;
                    }));
  return ids;
}

}  // namespace

// --- place

StoreScrub::Place StoreScrub::ReadPlace() {
  Place place;
  const auto row = path_.engine.Get(Family::kMeta, kMetaScrub);
  if (!row.ok() || !row.value()) {
    return place;
  }
  Reader reader(**row);
  place.memory.began_ns = ReadTime(&reader);
  place.memory.ended_ns = ReadTime(&reader);
  place.memory.took_ms = ReadTime(&reader);
  place.memory.under_way = reader.U8() != 0;
  place.done = UserId::FromBytes(reader.Bytes(UserId::kSize));
  return reader.ok() ? place : Place();
}

Status StoreScrub::WritePlace(const Place& place) {
  TRY(path_.disk.AdmitCopy());
  std::string row;
  PutTime(&row, place.memory.began_ns);
  PutTime(&row, place.memory.ended_ns);
  PutTime(&row, place.memory.took_ms);
  row.push_back(place.memory.under_way ? '\1' : '\0');
  row += place.done.bytes();
  RowBatch batch;
  batch.Put(Family::kMeta, std::string(kMetaScrub), std::move(row));
  return path_.engine.Write(batch, WriteMode::kNoSync);
}

replica::ScrubMemory StoreScrub::Memory() {
  return ReadPlace().memory;
}

bool StoreScrub::HasRoom() {
  return path_.disk.AdmitCopy().ok();
}

bool StoreScrub::Urgent() {
  return path_.engine.damage_met() != met_;
}

// --- a pass

Status StoreScrub::Pass(replica::ScrubHost& host, bool whole) {
  std::uint64_t left = 0;
  const ScrubParts parts{path_, log_, host, &left};
  Place place = ReadPlace();
  if (whole || !place.memory.under_way) {
    place.memory.under_way = true;
    place.memory.began_ns = path_.clock.WallNs();
    place.done = UserId();
  }
  TRY(WritePlace(place));
  ASSIGN_OR_RETURN(const std::vector<Engine::Table> tables, ScrubTables(parts));
  const bool from_the_start = place.done == UserId();
  TRY(ScrubLog(parts));
  TRY(Strays(parts));
  TRY(Users(parts, &place));
  if (from_the_start) {
    TRY(ScrubBadTables(parts, tables));
  }
  path_.engine.ForgetTables();
  met_ = path_.engine.damage_met();
  place.memory.under_way = false;
  place.memory.ended_ns = path_.clock.WallNs();
  place.memory.took_ms = (place.memory.ended_ns - place.memory.began_ns) / 1'000'000;
  return WritePlace(place);
}

Status StoreScrub::Strays(const ScrubParts& parts) {
  const SnapshotPtr snapshot = path_.engine.TakeSnapshot();
  const RowView view(path_.engine, snapshot.get());
  std::set<UserId> owners;
  std::vector<Object> lost;
  TRY(view.ScanEach(
      Family::kMailboxes, "s",
      [&](std::string_view key, std::string_view value, const Status& damage) -> Result<bool> {
        const Result<MailboxRow> row =
            damage.ok() ? DecodeMailboxRow(value) : Result<MailboxRow>(damage);
        if (!row.ok()) {
          return true;  // its header leads to it
        }
        const MailboxId mailbox = MailboxId::FromBytes(key.substr(1));
        const auto header = view.MailboxHeader(row->owner, mailbox);
        if (!header.ok() || !header.value()) {
          lost.push_back({row->owner, mailbox});
        }
        owners.insert(row->owner);
        return true;
      }));
  for (const UserId owner : owners) {
    const auto header = view.UserHeader(owner);
    if (!header.ok() || !header.value()) {
      lost.push_back({owner, MailboxId()});
    }
  }
  for (const Object& object : lost) {
    TRY(ScrubObject(parts, object).status());
  }
  return OkStatus();
}

Status StoreScrub::Users(const ScrubParts& parts, Place* place) {
  ASSIGN_OR_RETURN(const std::vector<UserId> users,
                   KnownIds<UserId>(RowView(path_.engine), Family::kUsers, "h"));
  for (const UserId user : users) {
    if (user > place->done) {
      TRY(User(parts, user));
      place->done = user;
      TRY(WritePlace(*place));
    }
  }
  return OkStatus();
}

Status StoreScrub::User(const ScrubParts& parts, UserId user) {
  ASSIGN_OR_RETURN(
      const std::vector<MailboxId> mailboxes,
      KnownIds<MailboxId>(RowView(path_.engine), Family::kMailboxes, MailboxPrefix(user)));
  bool sound = true;
  for (const MailboxId mailbox : mailboxes) {
    ASSIGN_OR_RETURN(const bool one, ScrubObject(parts, {user, mailbox}));
    sound = sound && one;
  }
  ASSIGN_OR_RETURN(const bool own, ScrubObject(parts, {user, MailboxId()}));
  if (sound && own) {
    TRY(ScrubDerived(parts, user));
  }
  return ScrubBodies(parts, user);
}

// --- the other node's

std::vector<proto::ObjectReply> StoreScrub::Answer(const proto::ObjectRequest& request) {
  return AnswerObject(path_.engine, path_.clock, request);
}

proto::BodyReply StoreScrub::Answer(const proto::BodyRequest& request) {
  return AnswerBody(path_.engine, request);
}

}  // namespace twinspool::store
