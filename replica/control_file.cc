// The control file: its format, and two copies that are never both in doubt. See control_file.h.
#include "replica/control_file.h"

#include <optional>
#include <utility>

#include "proto/control.pb.h"

#include "common/codec.h"
#include "common/limits.h"

namespace twinspool::replica {
namespace {

constexpr std::string_view kMagic = "TwinCtrl";
constexpr std::uint32_t kVersion = 1;
constexpr char kRemedy[] =
    " This node stays fenced. Ask the other node (`twinspoolctl status`): if it holds the mail, "
    "empty "
    "this data directory and join again (`twinspoolctl pair join`); otherwise restore control/ "
    "from "
    "a backup made after the last change of role.";

void ToProto(const core::Control& role, proto::ControlRole* out) {
  out->set_incarnation(role.incarnation.value());
  out->set_epoch(role.epoch.value());
  out->set_last_primary(role.last_primary);
  out->set_grant(static_cast<std::uint32_t>(role.grant));
  out->set_resigned(role.resigned);
  out->set_held_resignation(role.held_resignation);
  out->set_rewinding(role.rewinding);
  out->set_incomplete(role.incomplete);
  out->set_incomplete_target(role.incomplete_target.value());
  out->set_held_down(role.held_down);
  out->set_expelled(role.expelled);
  out->set_uid_jump(static_cast<std::uint32_t>(role.uid_jump));
}

bool FromProto(const proto::ControlRole& in, core::Control* role) {
  role->incarnation = Incarnation(in.incarnation());
  role->epoch = Epoch(in.epoch());
  role->last_primary = in.last_primary();
  role->grant = static_cast<core::Grant>(in.grant());
  role->resigned = in.resigned();
  role->held_resignation = in.held_resignation();
  role->rewinding = in.rewinding();
  role->incomplete = in.incomplete();
  role->incomplete_target = CommitSeq(in.incomplete_target());
  role->held_down = in.held_down();
  role->expelled = in.expelled();
  role->uid_jump = static_cast<core::UidJump>(in.uid_jump());
  return in.grant() <= static_cast<std::uint32_t>(core::Grant::kArbiter) &&
         in.uid_jump() <= static_cast<std::uint32_t>(core::UidJump::kJumpAndRenumber) &&
         role->epoch <= kEpochMax;
}

void ToProto(const NodeIdentity& identity, proto::ControlIdentity* out) {
  out->set_pair_id(std::string(identity.pair_id.bytes()));
  out->set_node_id(std::string(identity.node_id.bytes()));
  out->set_node_index(identity.node_index);
  out->set_mode(core::ModeName(identity.mode));
  out->set_peer_address(identity.peer_address);
  out->set_peer_node_id(std::string(identity.peer_node_id.bytes()));
  out->set_join_secret_hash(identity.join_secret_hash);
  out->set_join_expires_ns(identity.join_expires_ns);
}

bool FromProto(const proto::ControlIdentity& in, NodeIdentity* identity) {
  const std::optional<core::Mode> mode = core::ParseMode(in.mode());
  identity->pair_id = PairId::FromBytes(in.pair_id());
  identity->node_id = NodeId::FromBytes(in.node_id());
  identity->node_index = in.node_index();
  identity->mode = mode.value_or(core::Mode::kAvailable);
  identity->peer_address = in.peer_address();
  identity->peer_node_id = NodeId::FromBytes(in.peer_node_id());
  identity->join_secret_hash = in.join_secret_hash();
  identity->join_expires_ns = in.join_expires_ns();
  return mode.has_value() && in.node_index() <= 1;
}

void ToProto(const ControlTransition& transition, proto::ControlTransition* out) {
  out->set_wall_ns(transition.wall_ns);
  out->set_from(transition.from);
  out->set_to(transition.to);
  out->set_epoch(transition.epoch.value());
  out->set_failover(static_cast<std::uint32_t>(transition.failover));
  out->set_reason(transition.reason);
  out->set_actor(transition.actor);
}

// Nothing rests on it: a kind of a later program is no reason to stay fenced.
core::Failover FailoverFromProto(std::uint32_t in) {
  return in <= static_cast<std::uint32_t>(core::Failover::kSolo) ? static_cast<core::Failover>(in)
                                                                 : core::Failover::kNone;
}

std::string EncodeBody(const ControlRecord& record) {
  proto::ControlBody body;
  ToProto(record.role, body.mutable_role());
  ToProto(record.identity, body.mutable_identity());
  for (const ControlPeriod& period : record.history) {
    proto::ControlPeriod* out = body.add_history();
    out->set_epoch(period.epoch.value());
    out->set_first_seq(period.first_seq.value());
  }
  for (const ControlTransition& transition : record.transitions) {
    ToProto(transition, body.add_transitions());
  }
  return body.SerializeAsString();
}

Result<ControlRecord> DecodeBody(std::string_view octets) {
  proto::ControlBody body;
  ControlRecord record;
  if (!body.ParseFromArray(octets.data(), static_cast<int>(octets.size())) ||
      !FromProto(body.role(), &record.role) || !FromProto(body.identity(), &record.identity)) {
    return DataLoss("holds values that this program never writes");
  }
  for (const proto::ControlPeriod& period : body.history()) {
    record.history.push_back({Epoch(period.epoch()), CommitSeq(period.first_seq())});
  }
  for (const proto::ControlTransition& in : body.transitions()) {
    record.transitions.push_back({in.wall_ns(), in.from(), in.to(), Epoch(in.epoch()),
                                  FailoverFromProto(in.failover()), in.reason(), in.actor()});
  }
  return record;
}

}  // namespace

// --- the format ------------------------------------------------------------------------------

std::string EncodeControl(const ControlRecord& record, std::uint64_t generation) {
  std::string out(kMagic);
  PutBe32(&out, kVersion);
  PutBe64(&out, generation);
  const std::string body = EncodeBody(record);
  PutBe32(&out, static_cast<std::uint32_t>(body.size()));
  out += body;
  PutBe32(&out, Crc32c(out));
  return out;
}

// The version is looked at before anything that a newer program may have changed.
Result<DecodedControl> DecodeControl(std::string_view octets) {
  Reader reader(octets);
  const bool magic = reader.Bytes(kMagic.size()) == kMagic;
  const std::uint32_t version = reader.Be32();
  if (!magic || !reader.ok()) {
    return DataLoss("is no control file");
  }
  if (version > kVersion) {
    return Conflict("has format " + std::to_string(version) + ", this program knows up to " +
                    std::to_string(kVersion));
  }
  DecodedControl decoded;
  decoded.generation = reader.Be64();
  const std::string_view body = reader.Bytes(reader.Be32());
  const std::uint32_t crc = reader.Be32();
  if (!reader.ok() || !reader.AtEnd() || crc != Crc32c(octets.substr(0, octets.size() - 4))) {
    return DataLoss("is torn or damaged");
  }
  ASSIGN_OR_RETURN(decoded.record, DecodeBody(body));
  return decoded;
}

void ControlRecord::Remember(ControlTransition transition) {
  transitions.push_back(std::move(transition));
  while (transitions.size() > limits::kTransitionsKept) {
    transitions.erase(transitions.begin());
  }
}

// --- two copies ------------------------------------------------------------------------------

struct ControlFile::Copy {
  std::optional<DecodedControl> decoded;
  Status why;  // there is none
};

ControlFile::ControlFile(std::string data_dir, DurableFiles& files)
    : directory_(std::move(data_dir) + "/control"), files_(files) {}

std::string ControlFile::PathOf(char name) const {
  return directory_ + "/" + name;
}

ControlFile::Copy ControlFile::ReadCopy(char name) {
  Copy copy;
  Result<std::string> octets = files_.Read(PathOf(name));
  if (!octets.ok()) {
    copy.why = octets.status();
    return copy;
  }
  Result<DecodedControl> decoded = DecodeControl(*octets);
  if (decoded.ok()) {
    copy.decoded = std::move(decoded).value();
  } else {
    copy.why = Status(decoded.code(), PathOf(name) + " " + std::string(decoded.status().message()));
  }
  return copy;
}

Status ControlFile::WriteCopy(char name, const std::string& content) {
  const std::string temporary = PathOf(name) + ".new";
  TRY(files_.WriteSynced(temporary, content));
  TRY(files_.Rename(temporary, PathOf(name)));
  return files_.SyncDirectory(directory_);
}

Result<bool> ControlFile::Absent() {
  for (const char name : {'a', 'b'}) {
    const Result<std::string> octets = files_.Read(PathOf(name));
    if (octets.ok()) {
      return false;
    }
    if (octets.code() != Code::kNotFound) {
      return octets.status();
    }
  }
  return true;
}

Status ControlFile::Create(const ControlRecord& record) {
  ASSIGN_OR_RETURN(const bool absent, Absent());
  if (!absent) {
    return AlreadyExists(directory_ + " exists: this data directory belongs to a node already");
  }
  TRY(files_.MakeDirectory(directory_));
  generation_ = 0;
  return Save(record);
}

// OK if one of the two may be believed. What a newer program wrote may be newer than what this one
// can read in the other copy, and so may be what the disk does not give now.
Status ControlFile::NoWholeCopy(const Copy& a, const Copy& b) const {
  for (const Copy* copy : {&a, &b}) {
    const Code code = copy->why.code();
    if (code == Code::kConflict || code == Code::kIo || code == Code::kPermissionDenied) {
      return copy->why.Annotate(
          "control state not read; use the newer program, or repair the disk");
    }
  }
  if (a.decoded || b.decoded) {
    return OkStatus();
  }
  if (a.why.Is(Code::kNotFound) && b.why.Is(Code::kNotFound)) {
    return NotFound(directory_ + " holds no control file: who this node is, is not known." +
                    kRemedy);
  }
  const Status& why = a.why.Is(Code::kNotFound) ? b.why : a.why;
  return DataLoss("no whole copy of the control state: " + std::string(why.message()) + "." +
                  kRemedy);
}

Result<ControlFile::Loaded> ControlFile::Load() {
  const Copy a = ReadCopy('a');
  const Copy b = ReadCopy('b');
  TRY(NoWholeCopy(a, b));
  const bool first = a.decoded && (!b.decoded || a.decoded->generation >= b.decoded->generation);
  const DecodedControl& truth = first ? *a.decoded : *b.decoded;
  const Copy& other = first ? b : a;
  Loaded loaded{truth.record, ""};
  generation_ = truth.generation;
  if (!other.decoded || other.decoded->generation != truth.generation) {
    TRY(WriteCopy(first ? 'b' : 'a', EncodeControl(truth.record, truth.generation)));
    loaded.repaired = other.decoded ? PathOf(first ? 'b' : 'a') + " was one change behind"
                                    : std::string(other.why.message());
  }
  return loaded;
}

Status ControlFile::Save(const ControlRecord& record) {
  const std::string content = EncodeControl(record, generation_ + 1);
  if (content.size() > limits::kControlFileBytesMax) {
    return LimitExceeded("the control state has grown to " + std::to_string(content.size()) +
                         " bytes, more than " + std::to_string(limits::kControlFileBytesMax));
  }
  TRY(WriteCopy('a', content));
  TRY(WriteCopy('b', content));
  ++generation_;
  return OkStatus();
}

}  // namespace twinspool::replica
