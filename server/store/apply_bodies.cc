// The pool: octets, who knows them by GUID, who refers to them, and freeing them.
#include "server/store/applier.h"
#include "server/store/arriving_bodies.h"

namespace twinspool::store {

Result<std::optional<PoolEntry>> Applier::InPool(UserId user, const Guid& guid) {
  ASSIGN_OR_RETURN(const auto row, edit_.Row(user, Family::kGuids, GuidKey(user, guid)));
  if (!row) {
    return std::optional<PoolEntry>();
  }
  ASSIGN_OR_RETURN(const PoolEntry entry, DecodePoolEntry(*row));
  return std::optional<PoolEntry>(entry);
}

Status Applier::ApplyBody(const proto::BodyItem& item) {
  Seen(item.body_no());
  const BodyNo body(item.body_no());
  const Guid guid = Guid::FromBytes(item.guid());
  if (!guid.nil()) {
    ASSIGN_OR_RETURN(const auto pooled, InPool(user_id_, guid));
    if (pooled && pooled->body == body) {
      return OkStatus();
    }
    TRY(CheckOctets(item, guid));
  }
  edit_.Put(user_id_, Family::kBodies, BodyKey(user_id_, body, item.chunk()), item.octets());
  fresh_[body] = Guid();
  if (!guid.nil()) {
    TRY(AddToPool(body, guid, item.size(), item.chunk() + 1));
  }
  proto::OutboxItem note = NewNote(proto::OutboxItem::BODY, item.body_no());
  note.set_body_no(item.body_no());
  note.set_chunk(item.chunk());
  Note(note);
  return OkStatus();
}

Status Applier::CheckOctets(const proto::BodyItem& item, const Guid& guid) {
  if (!options_.from_peer) {
    return OkStatus();  // the stage has just computed the GUID from these octets
  }
  ArrivingBodies::Prefix known;
  if (options_.arriving != nullptr) {
    known = options_.arriving->Take(user_id_, BodyNo(item.body_no()));
  }
  if (known.hash == nullptr || known.chunks > item.chunk()) {
    known = {std::make_unique<Sha256>(), 0, 0};
  }
  Sha256& hash = *known.hash;
  std::uint64_t size = known.size;
  for (std::uint32_t chunk = known.chunks; chunk < item.chunk(); ++chunk) {
    ASSIGN_OR_RETURN(
        const auto octets,
        edit_.Row(user_id_, Family::kBodies, BodyKey(user_id_, BodyNo(item.body_no()), chunk)));
    if (!octets) {
      return DataLoss("chunk " + std::to_string(chunk) + " of body " + guid.ToHex() +
                      " is not here");
    }
    hash.Update(*octets);
    size += octets->size();
  }
  hash.Update(item.octets());
  size += item.octets().size();
  if (size != item.size() || hash.Finish() != guid) {
    return DataLoss("the octets of body " + guid.ToHex() + " do not have that hash");
  }
  return OkStatus();
}

Status Applier::AddToPool(BodyNo body, const Guid& guid, std::uint64_t size, std::uint32_t chunks) {
  ASSIGN_OR_RETURN(const auto pooled, InPool(user_id_, guid));
  if (pooled) {
    return OkStatus();  // the same mail came twice at once: this copy stays loose and is collected
  }
  edit_.Put(user_id_, Family::kGuids, GuidKey(user_id_, guid),
            EncodePoolEntry({body, size, chunks}));
  fresh_[body] = guid;
  ASSIGN_OR_RETURN(HeadUser * user, edit_.EditUser(user_id_));
  ChangeDigest(&user->state.digest, Digest128(), BodyTerm(user_id_, body, guid, size));
  return OkStatus();
}

Status Applier::ApplyCopyBody(const proto::CopyBodyItem& item) {
  Seen(item.body_no());
  const UserId from = UserId::FromBytes(item.from_user());
  const Guid guid = Guid::FromBytes(item.guid());
  ASSIGN_OR_RETURN(const auto own, InPool(user_id_, guid));
  if (own) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(const auto source, InPool(from, guid));
  if (!source) {
    return DataLoss("body " + guid.ToHex() + " of user " + from.ToHex() +
                    " is to be copied and is not here");
  }
  const BodyNo body(item.body_no());
  for (std::uint32_t chunk = 0; chunk < source->chunks; ++chunk) {
    ASSIGN_OR_RETURN(auto octets,
                     edit_.Row(from, Family::kBodies, BodyKey(from, source->body, chunk)));
    if (!octets) {
      return DataLoss("chunk " + std::to_string(chunk) + " of body " + guid.ToHex() +
                      " is not here");
    }
    edit_.Put(user_id_, Family::kBodies, BodyKey(user_id_, body, chunk), std::move(*octets));
    proto::OutboxItem note = NewNote(proto::OutboxItem::BODY, item.body_no());
    note.set_body_no(item.body_no());
    note.set_chunk(chunk);
    Note(note);
  }
  return AddToPool(body, guid, source->size, source->chunks);
}

// --- loose bodies

Result<bool> Applier::Referred(BodyNo body) {
  bool referred = false;
  TRY(edit_.ScanRows(user_id_, Family::kRefs, RefPrefix(user_id_, body),
                     [&](std::string_view, std::string_view) {
                       referred = true;
                       return false;
                     }));
  return referred;
}

Status Applier::Refer(BodyNo body) {
  fresh_.erase(body);
  // Chunks of earlier commit groups have left a mark.
  std::string key = StagingKey(user_id_, body);
  ASSIGN_OR_RETURN(const auto mark, edit_.Row(user_id_, Family::kMeta, key));
  if (mark) {
    edit_.Delete(user_id_, Family::kMeta, std::move(key));
  }
  return OkStatus();
}

Status Applier::Unrefer(BodyNo body, const Guid& guid) {
  ASSIGN_OR_RETURN(const bool referred, Referred(body));
  if (!referred) {
    edit_.Put(user_id_, Family::kMeta, StagingKey(user_id_, body),
              EncodeLooseBody({options_.now_s, guid}));
  }
  return OkStatus();
}

Status Applier::MarkFreshLoose() {
  for (const auto& [body, guid] : fresh_) {
    std::string key = StagingKey(user_id_, body);
    if (guid.nil()) {
      // A chunk that was sent again must neither hide a known GUID nor mark a body in use.
      ASSIGN_OR_RETURN(const auto mark, edit_.Row(user_id_, Family::kMeta, key));
      ASSIGN_OR_RETURN(const bool referred, Referred(body));
      if (mark || referred) {
        continue;
      }
    }
    edit_.Put(user_id_, Family::kMeta, std::move(key), EncodeLooseBody({options_.now_s, guid}));
  }
  return OkStatus();
}

Status Applier::ApplyCollect(const proto::CollectItem& item) {
  Seen(item.modseq());
  for (const std::uint64_t number : item.body_no()) {
    const BodyNo body(number);
    ASSIGN_OR_RETURN(const auto mark,
                     edit_.Row(user_id_, Family::kMeta, StagingKey(user_id_, body)));
    ASSIGN_OR_RETURN(const bool referred, Referred(body));
    if (!mark || referred) {
      continue;  // never free what anything refers to
    }
    ASSIGN_OR_RETURN(const LooseBody loose, DecodeLooseBody(*mark));
    TRY(CollectOne(body, loose));
    proto::OutboxItem note = NewNote(proto::OutboxItem::COLLECT, item.modseq());
    note.set_body_no(number);
    Note(note);
  }
  return OkStatus();
}

Status Applier::CollectOne(BodyNo body, const LooseBody& loose) {
  std::vector<std::string> chunks;
  TRY(edit_.ScanRows(user_id_, Family::kBodies, BodyPrefix(user_id_, body),
                     [&](std::string_view key, std::string_view) {
                       chunks.emplace_back(key);
                       return true;
                     }));
  for (std::string& key : chunks) {
    edit_.Delete(user_id_, Family::kBodies, std::move(key));
  }
  edit_.Delete(user_id_, Family::kMeta, StagingKey(user_id_, body));
  edit_.Delete(user_id_, Family::kSummaries, SummaryKey(user_id_, body));
  edit_.Delete(user_id_, Family::kTexts, BodyTextKey(user_id_, body));
  if (loose.guid.nil()) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(const auto pooled, InPool(user_id_, loose.guid));
  if (pooled && pooled->body == body) {
    edit_.Delete(user_id_, Family::kGuids, GuidKey(user_id_, loose.guid));
    ASSIGN_OR_RETURN(HeadUser * user, edit_.EditUser(user_id_));
    ChangeDigest(&user->state.digest, BodyTerm(user_id_, body, loose.guid, pooled->size),
                 Digest128());
  }
  return OkStatus();
}

}  // namespace twinspool::store
