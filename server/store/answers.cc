#include "server/store/answers.h"

#include <algorithm>
#include <utility>

#include "common/limits.h"
#include "server/store/body_check.h"
#include "server/store/engine.h"
#include "server/store/entry_state.h"
#include "server/store/item_makers.h"

namespace twinspool::store {
namespace {

using Replies = std::vector<proto::ObjectReply>;

Object ObjectOf(const proto::ObjectRequest& request) {
  return {UserId::FromBytes(request.user_id()), MailboxId::FromBytes(request.mailbox_id())};
}

/// Fills messages with the contents of one part.
class Contents {
 public:
  explicit Contents(std::uint32_t part) : part_(part) {}

  proto::ObjectReply& Room() {
    if (replies_.empty() || bytes_ >= limits::kMendReplyBytes) {
      replies_.emplace_back().set_part(part_);
      bytes_ = 0;
    }
    return replies_.back();
  }
  void Add(Items items) {
    for (proto::ChangeItem& item : items) {
      proto::ObjectReply& reply = Room();
      bytes_ += item.ByteSizeLong();
      *reply.add_items() = std::move(item);
    }
  }
  void Add(const proto::PoolRow& row) {
    proto::ObjectReply& reply = Room();
    bytes_ += row.ByteSizeLong();
    *reply.add_pool() = row;
  }
  Replies Take() {
    Room();
    return std::move(replies_);
  }

 private:
  const std::uint32_t part_;
  Replies replies_;
  std::size_t bytes_ = 0;
};

Status AddPage(const RowView& view, MailboxId mailbox, std::uint32_t number, Contents* out) {
  ASSIGN_OR_RETURN(const auto row,
                   view.engine().Get(Family::kIndex, PageKey(mailbox, number), view.snapshot()));
  if (!row) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(const Page page, Page::Decode(*row));
  for (const PageEntry& entry : page.entries()) {
    const Uid uid(number << kPageBits | entry.uid_low);
    ASSIGN_OR_RETURN(auto record,
                     view.engine().Get(Family::kRecords, RecordKey(mailbox, uid), view.snapshot()));
    Items items;
    proto::RecordItem* item = items.emplace_back().mutable_record();
    item->set_mailbox_id(std::string(mailbox.bytes()));
    item->set_uid(uid.value());
    item->set_record(record.value_or(""));
    *item->mutable_entry() = ToState(entry);
    item->set_modseq(entry.modseq.value());
    out->Add(std::move(items));
  }
  return OkStatus();
}

using AddRow = Status (*)(std::string_view key, std::string_view value, Items* out);

Status AddRows(const RowView& view, Family family, UserId user, AddRow add, Contents* out) {
  return view.Scan(family, user.bytes(),
                   [&](std::string_view key, std::string_view value) -> Result<bool> {
                     Items items;
                     TRY(add(key.substr(UserId::kSize), value, &items));
                     out->Add(std::move(items));
                     return true;
                   });
}

Status AddPoolGroup(const RowView& view, UserId user, std::uint32_t group, Contents* out) {
  const std::string prefix = std::string(user.bytes()) + static_cast<char>(group);
  return view.Scan(Family::kGuids, prefix,
                   [&](std::string_view key, std::string_view value) -> Result<bool> {
                     ASSIGN_OR_RETURN(const PoolEntry entry, DecodePoolEntry(value));
                     proto::PoolRow row;
                     row.set_guid(std::string(key.substr(UserId::kSize)));
                     row.set_body_no(entry.body.value());
                     row.set_size(entry.size);
                     row.set_chunks(entry.chunks);
                     out->Add(row);
                     return true;
                   });
}

Status AddHeader(const RowView& view, const Object& object, Contents* out) {
  Items items;
  TRY(object.is_user() ? AddUser(view, object.user, &items)
                       : AddMailbox(view, object.user, object.mailbox, &items));
  out->Add(std::move(items));
  return OkStatus();
}

Status AddPart(const RowView& view, const Object& object, std::uint32_t part, Contents* out) {
  if (part == kHeaderPart) {
    return AddHeader(view, object, out);
  }
  if (!object.is_user()) {
    return AddPage(view, object.mailbox, part, out);
  }
  switch (part) {
    case kMiscPart:
      return AddRows(view, Family::kMisc, object.user, &AddMisc, out);
    case kTokensPart:
      return AddRows(view, Family::kTokens, object.user, &AddToken, out);
    default:
      return part < kPoolParts ? AddPoolGroup(view, object.user, part, out) : OkStatus();
  }
}

/// Digest of the whole, and what no row tells again; in every message.
void FillHead(const ObjectParts& parts, proto::ObjectReply* reply) {
  reply->set_exists(parts.exists());
  if (const auto digest = parts.digest()) {
    reply->set_digest(std::string(digest->bytes()));
  }
  reply->set_uid_next(parts.mailbox.uid_next);
  reply->set_purge_floor(parts.mailbox.purge_floor.value());
  reply->set_last_modseq(parts.user.last_modseq.value());
  reply->set_uid_validity(parts.user.uid_validity);
  reply->set_mailboxes(parts.user.mailboxes);
  reply->set_messages(parts.user.messages);
  reply->set_bytes(parts.user.bytes);
}

Replies Digests(const ObjectParts& parts) {
  Replies replies(1);
  for (const Part& part : parts.parts) {
    if (static_cast<std::size_t>(replies.back().parts_size()) >= limits::kMendDigestsPerMessage) {
      replies.emplace_back();
    }
    proto::PartDigest* line = replies.back().add_parts();
    line->set_part(part.number);
    if (part.status.ok()) {
      line->set_digest(std::string(part.sum.digest.bytes().bytes()));
    }
  }
  for (proto::ObjectReply& reply : replies) {
    FillHead(parts, &reply);
  }
  return replies;
}

/// As far as the parts asked for can be read; the others are left out.
Replies AllContents(const RowView& view, const proto::ObjectRequest& request) {
  Replies replies;
  std::size_t bytes = 0;
  for (const std::uint32_t part : request.parts()) {
    Result<Replies> contents = ContentsOf(view, ObjectOf(request), part);
    for (std::size_t i = 0; contents.ok() && i < contents->size(); ++i) {
      bytes += (*contents)[i].ByteSizeLong();
    }
    if (contents.ok() && bytes <= limits::kMendBytesMax) {
      std::ranges::move(*contents, std::back_inserter(replies));
    }
  }
  return replies;
}

proto::BodyReply Refuse(const std::string& why) {
  proto::BodyReply reply;
  reply.set_refused(why);
  return reply;
}

proto::BodyReply Octets(const RowView& view, UserId user, const PooledBody& body,
                        std::uint32_t chunk) {
  auto octets = view.engine().Get(Family::kBodies, BodyKey(user, body.entry.body, chunk));
  if (!octets.ok() || !octets.value()) {
    return Refuse("it is damaged on the other node, too");
  }
  proto::BodyReply reply;
  reply.set_octets(**std::move(octets));
  return reply;
}

proto::BodyReply Hashes(const RowView& view, UserId user, const PooledBody& body) {
  const Result<BodyLook> look = LookAtBody(view, user, body, true);
  if (!look.ok() || !look->sound) {
    return Refuse("it is damaged on the other node, too");
  }
  proto::BodyReply reply;
  for (const std::optional<Guid>& chunk : look->chunks) {
    reply.add_chunk_guids(std::string(chunk->bytes()));
  }
  return reply;
}

}  // namespace

Result<Replies> ContentsOf(const RowView& view, const Object& object, std::uint32_t part) {
  Contents contents(part);
  TRY(AddPart(view, object, part, &contents));
  return contents.Take();
}

Replies AnswerObject(Engine& engine, Clock& clock, const proto::ObjectRequest& request) {
  const SnapshotPtr snapshot = engine.TakeSnapshot();
  const RowView view(engine, snapshot.get());
  Replies replies;
  if (request.parts().empty()) {
    ReadPartsOptions options;
    options.late = TooLate(clock);
    const Result<ObjectParts> parts = ReadParts(view, ObjectOf(request), options);
    replies = parts.ok() ? Digests(*parts) : Replies(1);
  } else {
    replies = AllContents(view, request);
  }
  if (replies.empty()) {
    replies.emplace_back();
  }
  replies.back().set_last(true);
  return replies;
}

proto::BodyReply AnswerBody(Engine& engine, const proto::BodyRequest& request) {
  const RowView view(engine);
  const UserId user = UserId::FromBytes(request.user_id());
  const auto body =
      PooledAs(view, user, Guid::FromBytes(request.guid()), BodyNo(request.body_no()));
  if (!body.ok() || !body.value()) {
    return Refuse("the other node does not have it");
  }
  return request.octets() ? Octets(view, user, **body, request.chunk())
                          : Hashes(view, user, **body);
}

}  // namespace twinspool::store
