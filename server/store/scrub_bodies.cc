// Bodies: whether the octets are those that their GUID names. A damaged chunk comes from the other
// node; what comes is believed because the whole body has its hash there, and here afterwards.
#include <algorithm>
#include <utility>

#include "common/digest.h"
#include "server/store/body_check.h"
#include "server/store/damage.h"
#include "server/store/derived.h"
#include "server/store/engine.h"
#include "server/store/scrub_steps.h"

namespace twinspool::store {
namespace {

/// A message that the body belongs to.
std::pair<MailboxId, Uid> MessageOf(const RowView& view, UserId user, BodyNo body) {
  std::pair<MailboxId, Uid> message;
  const std::string prefix = RefPrefix(user, body);
  RowIterator it = view.engine().Iterate(Family::kRefs, KeyRange::Prefix(prefix));
  it.SeekToFirst();
  if (it.Valid()) {
    const std::string_view rest = it.key().substr(prefix.size());
    message = {MailboxId::FromBytes(rest.substr(0, MailboxId::kSize)),
               UidOfRecordKey(rest).value_or(Uid())};
  }
  return message;
}

class BodyMender {
 public:
  BodyMender(const ScrubParts& parts, UserId user, const PooledBody& body)
      : parts_(parts), view_(parts.path.engine), user_(user), body_(body) {}

  Result<MendOutcome> Run() {
    const auto theirs = parts_.host.Ask(Request());
    if (!theirs.ok() || !theirs->refused().empty()) {
      return MendOutcome{false, theirs.ok() ? theirs->refused()
                                            : "the other node cannot be asked: " +
                                                  std::string(theirs.status().message())};
    }
    const auto chunks = static_cast<std::uint32_t>(theirs->chunk_guids_size());
    if (std::exchange(body_.entry.chunks, chunks) != chunks) {
      TRY(WriteAlone(parts_.path, parts_.host, [this] { return Put(RowBatch()); }));
    }
    ASSIGN_OR_RETURN(const BodyLook own, LookAtBody(view_, user_, body_, true));
    for (std::uint32_t chunk = 0; chunk < body_.entry.chunks; ++chunk) {
      const Guid wanted = Guid::FromBytes(theirs->chunk_guids(static_cast<int>(chunk)));
      const Status taken = own.chunks[chunk] == wanted ? OkStatus() : Take(chunk, wanted);
      if (!taken.ok()) {
        return MendOutcome{false, std::string(taken.message())};
      }
    }
    ASSIGN_OR_RETURN(const BodyLook now, LookAtBody(view_, user_, body_, false));
    return MendOutcome{now.sound, now.sound ? "taken from the other node" : now.why};
  }

 private:
  proto::BodyRequest Request() const {
    proto::BodyRequest request;
    request.set_user_id(std::string(user_.bytes()));
    request.set_guid(std::string(body_.guid.bytes()));
    request.set_body_no(body_.entry.body.value());
    return request;
  }

  Status Take(std::uint32_t chunk, const Guid& wanted) {
    proto::BodyRequest request = Request();
    request.set_octets(true);
    request.set_chunk(chunk);
    ASSIGN_OR_RETURN(const proto::BodyReply reply, parts_.host.Ask(request));
    if (GuidOf(reply.octets()) != wanted) {
      return DataLoss(reply.refused().empty() ? "what the other node sent has another hash"
                                              : reply.refused());
    }
    RowBatch rows;
    rows.Put(Family::kBodies, BodyKey(user_, body_.entry.body, chunk), reply.octets());
    return WriteAlone(parts_.path, parts_.host, [&] { return Put(rows); });
  }

  /// Nothing, if the body is not wanted any more.
  Status Put(RowBatch rows) {
    const StripeLock lock(parts_.path.head, user_);
    HeadEdit edit(lock);
    ASSIGN_OR_RETURN(const auto row, edit.Row(user_, Family::kGuids, GuidKey(user_, body_.guid)));
    const Result<PoolEntry> entry = row ? DecodePoolEntry(*row) : NotFound("");
    if (!entry.ok() || entry->body != body_.entry.body) {
      return OkStatus();
    }
    if (entry->chunks != body_.entry.chunks) {
      rows.Put(Family::kGuids, GuidKey(user_, body_.guid), EncodePoolEntry(body_.entry));
    }
    // They may have been made of the damaged octets.
    TRY(view_.Scan(Family::kRefs, RefPrefix(user_, body_.entry.body),
                   [&](std::string_view key, std::string_view) -> Result<bool> {
                     const std::string_view message =
                         key.substr(RefPrefix(user_, body_.entry.body).size());
                     if (const std::optional<Uid> uid = UidOfRecordKey(message)) {
                       DropTextPage(MailboxId::FromBytes(message.substr(0, MailboxId::kSize)),
                                    uid->value() >> kPageBits, &rows);
                     }
                     return true;
                   }));
    rows.Delete(Family::kSummaries, SummaryKey(user_, body_.entry.body));
    rows.Delete(Family::kTexts, BodyTextKey(user_, body_.entry.body));
    return parts_.path.engine.Write(rows, WriteMode::kSync);
  }

  const ScrubParts& parts_;
  const RowView view_;
  const UserId user_;
  PooledBody body_;
};

Status CheckBody(const ScrubParts& parts, UserId user, const PooledBody& body) {
  const RowView view(parts.path.engine);
  ASSIGN_OR_RETURN(const BodyLook look, LookAtBody(view, user, body, false));
  TRY(TellRead(parts.host, look.bytes));
  parts.host.Checked(0, 1);
  if (look.sound) {
    return OkStatus();
  }
  const auto still = PooledAs(view, user, body.guid, body.entry.body);
  if (still.ok() && !still.value()) {
    return OkStatus();  // collected meanwhile
  }
  const auto [mailbox, uid] = MessageOf(view, user, body.entry.body);
  ASSIGN_OR_RETURN(const MendOutcome outcome, BodyMender(parts, user, body).Run());
  TellFound(parts, kDamagedBody, {user, mailbox}, uid,
            "body " + body.guid.ToHex() + ": " + look.why, outcome);
  return OkStatus();
}

}  // namespace

Status ScrubBodies(const ScrubParts& parts, UserId user) {
  ASSIGN_OR_RETURN(const std::vector<PooledBody> bodies,
                   ReadableBodies(RowView(parts.path.engine), user));
  for (const PooledBody& body : bodies) {
    TRY(CheckBody(parts, user, body));
  }
  return OkStatus();
}

}  // namespace twinspool::store
