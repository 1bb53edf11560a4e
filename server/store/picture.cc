#include "server/store/picture.h"

#include <algorithm>
#include <utility>

#include "common/limits.h"

namespace twinspool::store {
namespace {

Result<EntryId> ReadEnd(const RowView& view, std::string_view key) {
  ASSIGN_OR_RETURN(const auto row, view.engine().Get(Family::kMeta, key, view.snapshot()));
  if (!row) {
    return EntryId{};
  }
  const std::optional<EntryId> id = UnpackEntryId(*row);
  if (!id) {
    return DataLoss("the store's log position \"" + std::string(key) + "\" does not parse");
  }
  return *id;
}

}  // namespace

Result<std::unique_ptr<StorePicture>> StorePicture::Take(Engine& engine, TouchedLimits limits) {
  std::unique_ptr<StorePicture> picture(new StorePicture(engine, engine.TakeSnapshot(), limits));
  ASSIGN_OR_RETURN(picture->position_, ReadEnd(picture->view_, kMetaLast));
  ASSIGN_OR_RETURN(const EntryId low, ReadEnd(picture->view_, kMetaLow));
  picture->low_ = low.seq;
  return picture;
}

Status StorePicture::StartSince(CommitSeq after) {
  if (after < low_ || after > position_.seq) {
    return NotFound("the log holds entries " + std::to_string(low_.value() + 1) + " to " +
                    std::to_string(position_.seq.value()) + ", not those from " +
                    std::to_string(after.value() + 1));
  }
  current_.reset();
  scan_ = std::make_unique<TouchedScan>(view_, after, position_.seq, limits_);
  return OkStatus();
}

Status StorePicture::StartUser(UserId user, std::vector<proto::BodyRef> have) {
  KnownBodies known;
  known.reserve(have.size());
  for (const proto::BodyRef& body : have) {
    known.emplace_back(BodyNo(body.body_no()), Guid::FromBytes(body.guid()));
  }
  std::ranges::sort(known);
  scan_.reset();
  current_.emplace();
  current_->user = user;
  current_->replace = true;
  ASSIGN_OR_RETURN(current_->sources, SourcesOfUser(view_, user, std::move(known)));
  return OkStatus();
}

Status StorePicture::StartMailbox(MailboxId mailbox) {
  scan_.reset();
  current_.reset();
  ASSIGN_OR_RETURN(const auto row, view_.MailboxRowOf(mailbox));
  if (!row) {
    return NotFound("no mailbox " + mailbox.ToHex() + " is known here");
  }
  current_.emplace();
  current_->user = row->owner;
  current_->only_mailbox = mailbox;
  current_->replace = true;
  current_->sources = SourcesOfMailbox(view_, row->owner, mailbox);
  return OkStatus();
}

Status StorePicture::NextUser() {
  if (!scan_) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(std::optional<TouchedUser> touched, scan_->Next());
  if (!touched) {
    scan_.reset();
    return OkStatus();
  }
  ASSIGN_OR_RETURN(const auto header, view_.UserHeader(touched->user));
  current_.emplace();
  current_->user = touched->user;
  // One who was forgotten is replaced by nothing.
  current_->replace = touched->whole || !header;
  if (current_->replace) {
    ASSIGN_OR_RETURN(current_->sources, SourcesOfUser(view_, touched->user, {}));
  } else {
    current_->sources = SourcesOfTouched(view_, *std::move(touched));
  }
  return OkStatus();
}

Result<std::optional<proto::CatchUpUnit>> StorePicture::NextUnit(std::size_t bytes_max) {
  if (!current_) {
    TRY(NextUser());
  }
  if (!current_) {
    return std::optional<proto::CatchUpUnit>();
  }
  proto::CatchUpUnit unit;
  unit.set_user_id(std::string(current_->user.bytes()));
  unit.set_number(++number_);
  if (!current_->only_mailbox.nil()) {
    unit.set_only_mailbox(std::string(current_->only_mailbox.bytes()));
  }
  unit.set_first(!current_->begun);
  unit.set_replace(!current_->begun && current_->replace);
  current_->begun = true;
  ASSIGN_OR_RETURN(const bool finished, FillUnit(&unit, bytes_max));
  if (finished) {
    TRY(Close(&unit));
    current_.reset();
  }
  return std::optional(std::move(unit));
}

Result<bool> StorePicture::FillUnit(proto::CatchUpUnit* unit, std::size_t bytes_max) {
  std::size_t bytes = unit->ByteSizeLong() + 64;  // room for the digest of a last unit
  while (true) {
    while (!current_->items.empty()) {
      // Tag and length of the item in the unit are at most 8 octets.
      const std::size_t size = current_->items.front().ByteSizeLong() + 8;
      if (bytes + size > bytes_max && unit->items_size() > 0) {
        return false;
      }
      bytes += size;
      *unit->add_items() = std::move(current_->items.front());
      current_->items.pop_front();
    }
    if (current_->sources.empty()) {
      return true;
    }
    ASSIGN_OR_RETURN(const bool more, current_->sources.front()->Fill(&current_->items));
    if (!more) {
      current_->sources.pop_front();
    }
  }
}

Status StorePicture::Close(proto::CatchUpUnit* unit) {
  unit->set_last(true);
  if (current_->only_mailbox.nil()) {
    ASSIGN_OR_RETURN(const DigestBytes digest, view_.DigestOfUser(current_->user));
    unit->set_user_digest(std::string(digest.bytes()));
    return OkStatus();
  }
  ASSIGN_OR_RETURN(const auto row, view_.MailboxRowOf(current_->only_mailbox));
  if (row) {
    unit->set_user_digest(std::string(row->digest.bytes()));
    unit->set_purge_floor(row->purge_floor.value());
  }
  return OkStatus();
}

Result<std::vector<proto::UserDigest>> StorePicture::Users() {
  return view_.UserDigests();
}

Result<std::vector<proto::MailboxDigest>> StorePicture::MailboxDigests(MailboxId after,
                                                                       std::size_t limit) {
  return view_.MailboxDigests(after, limit);
}

Result<std::unique_ptr<replica::Picture>> StorePictureSource::TakePicture() {
  ASSIGN_OR_RETURN(std::unique_ptr<StorePicture> picture, StorePicture::Take(engine_));
  return std::unique_ptr<replica::Picture>(std::move(picture));
}

}  // namespace twinspool::store
