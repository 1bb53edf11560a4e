// What operators ask about the salvage folder.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "common/digest.h"
#include "common/limits.h"
#include "server/mail_store.h"
#include "server/node/node.h"
#include "server/node/outcome.h"

namespace twinspool::node {
namespace {

using proto::SalvageReply;
using Listed = replica::Salvage::Listed;

constexpr std::size_t kNameDigits = 10;
constexpr std::size_t kNameDigitsMin = 4;

/// Tokens are long and say little to people: this is what they type.
std::string NameOf(const Listed& listed) {
  return GuidOf(listed.item.token()).ToHex().substr(0, kNameDigits);
}

bool Shown(const Listed& listed) {
  return listed.item.kind() != "fork";
}

std::string StateOf(const Listed& listed) {
  if (!listed.done) {
    return listed.waiting ? "waiting" : "kept";
  }
  if (listed.done->outcome() == "discarded") {
    return "discarded";
  }
  return listed.done->conflict() ? "conflict" : "given-back";
}

std::string FlagNames(const proto::EntryState& state,
                      const google::protobuf::RepeatedPtrField<std::string>& keywords) {
  std::string names;
  const auto add = [&](const std::string& name) { names += (names.empty() ? "" : " ") + name; };
  for (const auto& [flag, name] :
       {std::pair(kSeen, "\\Seen"), std::pair(kAnswered, "\\Answered"),
        std::pair(kFlagged, "\\Flagged"), std::pair(kDeleted, "\\Deleted"),
        std::pair(kDraft, "\\Draft")}) {
    if ((state.flags() & flag) != 0) {
      add(name);
    }
  }
  for (const std::string& keyword : keywords) {
    add(keyword);
  }
  return "(" + names + ")";
}

std::string MailboxChange(const proto::SalvageItem& item) {
  proto::MailboxHeader before;
  proto::MailboxHeader after;
  before.ParseFromString(item.previous_header());
  after.ParseFromString(item.header());
  if (after.deleted_modseq() != 0) {
    return "mailbox deleted";
  }
  if (item.previous_header().empty()) {
    return "mailbox made";
  }
  return before.name() == after.name() ? "keywords or properties of the mailbox"
                                       : "mailbox renamed from " + before.name();
}

std::string UserChange(const proto::SalvageItem& item) {
  proto::UserHeader after;
  after.ParseFromString(item.header());
  return after.deleted_ns() != 0          ? "user deleted"
         : item.previous_header().empty() ? "user made"
                                          : "login or properties of the user";
}

std::string ChangeOf(const proto::SalvageItem& item) {
  const std::string& kind = item.kind();
  if (kind == "append") {
    return (item.from_mailbox_id().empty() ? "message with flags " : "message moved, with flags ") +
           FlagNames(item.entry_state(), item.keywords());
  }
  if (kind == "flags") {
    return "flags " + FlagNames(item.previous(), item.previous_keywords()) + " to " +
           FlagNames(item.entry_state(), item.keywords());
  }
  if (kind == "expunge") {
    return "message expunged";
  }
  if (kind == "mailbox") {
    return MailboxChange(item);
  }
  if (kind == "user") {
    return UserChange(item);
  }
  if (kind == "misc") {
    return item.key().size() > 1 ? "subscription or property: " + item.key().substr(1) : "property";
  }
  return kind == "purge" ? "expunged messages forgotten" : "octets of a message";
}

proto::SalvageInfo InfoOf(const Listed& listed) {
  const proto::SalvageItem& item = listed.item;
  proto::SalvageInfo info;
  info.set_name(NameOf(listed));
  info.set_epoch(item.epoch());
  info.set_seq(item.seq());
  info.set_kind(item.kind());
  info.set_user(item.user_name());
  info.set_mailbox(item.mailbox_name());
  info.set_uid(item.uid());
  info.set_change(ChangeOf(item));
  info.set_state(StateOf(listed));
  if (listed.done) {
    info.set_outcome(listed.done->outcome());
    info.set_uid_now(listed.done->uid());
    if (!listed.done->mailbox_id().empty()) {
      info.set_mailbox_id_now(MailboxId::FromBytes(listed.done->mailbox_id()).ToHex());
    }
  }
  if (!item.record().guid().empty()) {
    info.set_guid(Guid::FromBytes(item.record().guid()).ToHex());
    info.set_internal_date_ns(item.record().internal_date_ns());
  }
  info.set_octets(item.has_body() ? item.body_bytes() : 0);
  return info;
}

/// The one item whose name begins so. kInvalidArgument, kNotFound.
Result<Listed> FindItem(const std::vector<Listed>& items, const std::string& name) {
  if (name.size() < kNameDigitsMin) {
    return InvalidArgument("a name has at least four digits: see twinspoolctl salvage list");
  }
  const Listed* found = nullptr;
  for (const Listed& listed : items) {
    if (!Shown(listed) || !NameOf(listed).starts_with(name)) {
      continue;
    }
    if (found != nullptr) {
      return InvalidArgument("more than one item's name begins with " + name +
                             ": give more digits");
    }
    found = &listed;
  }
  return found == nullptr ? Result<Listed>(NotFound("nothing in the salvage folder is named " +
                                                    name + ": see twinspoolctl salvage list"))
                          : Result<Listed>(*found);
}

}  // namespace

SalvageReply Node::SalvageList(const proto::SalvageListRequest& request,
                               const std::function<bool(const proto::SalvageInfo&)>& sink) {
  const std::vector<Listed> items = pair()->ListSalvage();
  if (!request.name().empty()) {
    const Result<Listed> item = FindItem(items, request.name());
    if (item.ok()) {
      sink(InfoOf(*item));
    }
    return ReplyFor<SalvageReply>(item.status(), "");
  }
  for (const Listed& listed : items) {
    if (Shown(listed) && !sink(InfoOf(listed))) {
      break;
    }
  }
  return ReplyFor<SalvageReply>(OkStatus(), "");
}

SalvageReply Node::SalvageRead(const proto::SalvageReadRequest& request,
                               const std::function<bool(const proto::SalvagePiece&)>& sink) {
  const auto pair = this->pair();
  const Result<Listed> item = FindItem(pair->ListSalvage(), request.name());
  if (!item.ok()) {
    return ReplyFor<SalvageReply>(item.status(), "");
  }
  const std::uint64_t whole = item->item.has_body() ? item->item.body_bytes() : 0;
  const std::uint64_t end = request.limit() == 0 ? whole : std::min(whole, request.limit());
  for (std::uint64_t offset = 0; offset < end;) {
    const auto octets = pair->ReadSalvage(
        item->item.token(), offset,
        static_cast<std::size_t>(std::min<std::uint64_t>(end - offset, limits::kFramePartBytes)));
    if (!octets.ok() || octets->empty()) {
      return ReplyFor<SalvageReply>(
          octets.ok() ? DataLoss("the saved octets end early") : octets.status(), "");
    }
    offset += octets->size();
    proto::SalvagePiece piece;
    piece.set_octets(*octets);
    if (!sink(piece)) {
      break;
    }
  }
  return ReplyFor<SalvageReply>(OkStatus(), "");
}

SalvageReply Node::SalvageReinject(const proto::SalvageRequest& request) {
  const auto pair = this->pair();
  const Result<Listed> item =
      FindItem(pair->ListSalvage(), request.names_size() == 1 ? request.names(0) : "");
  if (!item.ok()) {
    return ReplyFor<SalvageReply>(item.status(), "");
  }
  const Result<proto::GivenBack> given = pair->Reinject(item->item.token(), request.mailbox());
  if (!given.ok()) {
    return ReplyFor<SalvageReply>(given.status(), "");
  }
  SalvageReply reply = ReplyFor<SalvageReply>(
      OkStatus(), given->outcome() + (given->stored() ? " as UID " + std::to_string(given->uid())
                                                      : std::string()));
  reply.set_uid(given->uid());
  return reply;
}

SalvageReply Node::SalvageDiscard(const proto::SalvageRequest& request) {
  const auto pair = this->pair();
  if ((request.names_size() > 0) + request.settled() + request.all() != 1) {
    return ReplyFor<SalvageReply>(InvalidArgument("say what to discard: names, --settled or --all"),
                                  "");
  }
  std::vector<std::string> tokens;
  const std::vector<Listed> items = pair->ListSalvage();
  for (const std::string& name : request.names()) {
    const Result<Listed> item = FindItem(items, name);
    if (!item.ok()) {
      return ReplyFor<SalvageReply>(item.status(), "");
    }
    tokens.push_back(item->item.token());
  }
  const Result<std::size_t> removed = pair->DiscardSalvage(tokens, request.settled());
  SalvageReply reply = ReplyFor<SalvageReply>(
      removed.status(), removed.ok() ? std::to_string(*removed) + " discarded" : "");
  reply.set_items(removed.ok() ? *removed : 0);
  return reply;
}

}  // namespace twinspool::node
