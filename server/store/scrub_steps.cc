// Objects: digests, counters, references.
#include "server/store/scrub_steps.h"

#include <utility>

#include "server/store/damage.h"
#include "server/store/engine.h"

namespace twinspool::store {
namespace {

const char* KindOf(const ObjectParts& parts) {
  Digest128 sum;
  for (const Part& part : parts.parts) {
    sum.Add(part.sum.digest);
  }
  if (parts.whole() && parts.digest() == sum.bytes()) {
    return kDamagedCounters;
  }
  return parts.object.is_user() ? kDamagedUser : kDamagedMailbox;
}

Result<ObjectParts> Look(const WritePath& path, const Object& object, bool references) {
  const SnapshotPtr snapshot = path.engine.TakeSnapshot();
  ReadPartsOptions options;
  options.references = references;
  options.late = TooLate(path.clock);
  return ReadParts(RowView(path.engine, snapshot.get()), object, options);
}

/// A standby's last resort: its primary sends what it has.
Result<MendOutcome> Replace(const ScrubParts& parts, const Object& object, MendOutcome failed) {
  TRY(parts.path.disk.AdmitCopy());  // there is no room for what would come
  const Status replaced = object.is_user() ? parts.host.Replace({}, {object.user})
                                           : parts.host.Replace({object.mailbox}, {});
  if (!replaced.ok()) {
    failed.text += "; the primary did not replace it: " + std::string(replaced.message());
    return failed;
  }
  ASSIGN_OR_RETURN(const ObjectParts now, Look(parts.path, object, false));
  if (now.sound() || !now.exists()) {
    return MendOutcome{true, "replaced by the primary"};
  }
  failed.text += "; it is still damaged after the primary replaced it";
  return failed;
}

Result<bool> Heal(const ScrubParts& parts, const ObjectParts& damaged) {
  ASSIGN_OR_RETURN(MendOutcome outcome, Mender(parts.path, parts.host, damaged.object).Run());
  if (!outcome.healed && parts.host.follows()) {
    ASSIGN_OR_RETURN(outcome, Replace(parts, damaged.object, std::move(outcome)));
  }
  TellFound(parts, KindOf(damaged), damaged.object, Uid(), damaged.Describe(), outcome);
  return outcome.healed;
}

/// A message's record and the reference of its body go together: what is missing follows from the
/// record.
Status AddReferences(const ScrubParts& parts, const ObjectParts& own) {
  RowBatch rows;
  for (const auto& [uid, body] : own.unreferred) {
    const std::string key = RecordKey(own.object.mailbox, uid);
    ASSIGN_OR_RETURN(const auto record, parts.path.engine.Get(Family::kRecords, key));
    if (record) {
      rows.Put(Family::kRefs, RefKey(own.object.user, body, own.object.mailbox, uid), "");
      rows.Delete(Family::kMeta, StagingKey(own.object.user, body));
    }
  }
  return parts.path.engine.Write(rows, WriteMode::kSync);
}

void HealReferences(const ScrubParts& parts, const ObjectParts& own) {
  const Status written =
      WriteAlone(parts.path, parts.host, [&] { return AddReferences(parts, own); });
  TellFound(
      parts, kDamagedReferences, own.object, own.unreferred.front().first,
      "no reference leads from the body to " + std::to_string(own.unreferred.size()) + " messages",
      {written.ok(),
       written.ok() ? "made anew from the messages" : std::string(written.message())});
}

}  // namespace

Status TellRead(replica::ScrubHost& host, std::uint64_t bytes) {
  return host.Read(bytes) ? OkStatus() : Unavailable("the pass is to end");
}

void TellFound(const ScrubParts& parts, const char* kind, const Object& object, Uid uid,
               const std::string& what, const MendOutcome& outcome) {
  proto::Damage damage;
  damage.set_kind(kind);
  if (!object.user.nil()) {
    damage.set_user_id(std::string(object.user.bytes()));
  }
  if (!object.mailbox.nil()) {
    damage.set_mailbox_id(std::string(object.mailbox.bytes()));
  }
  damage.set_uid(uid.value());
  damage.set_what(what);
  damage.set_healed(outcome.healed);
  damage.set_outcome(outcome.text);
  *parts.left += outcome.healed ? 0U : 1U;
  parts.host.Found(damage);
}

Result<bool> ScrubObject(const ScrubParts& parts, const Object& object) {
  Result<ObjectParts> own = Look(parts.path, object, true);
  if (!own.ok() && (IsDamage(own.status()) || own.code() == Code::kTimeout)) {
    TellFound(parts, object.is_user() ? kDamagedUser : kDamagedMailbox, object, Uid(),
              std::string(own.status().message()), {false, "nothing was changed"});
    return false;
  }
  TRY(own.status());
  TRY(TellRead(parts.host, own->bytes));
  parts.host.Checked(object.is_user() ? 0 : 1, 0);
  if (!own->unreferred.empty()) {
    HealReferences(parts, *own);
  }
  return own->sound() || !own->exists() ? Result<bool>(true) : Heal(parts, *own);
}

}  // namespace twinspool::store
