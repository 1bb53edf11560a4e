// Mailboxes and the index. Messages and bodies: reader_fetch.cc.
#include "server/store/reader.h"

#include <algorithm>
#include <map>

#include "common/limits.h"
#include "server/store/annotations.h"
#include "server/store/changed_pages.h"
#include "server/store/engine.h"
#include "server/store/gaps.h"
#include "server/store/keyword_bits.h"
#include "server/store/page.h"

namespace twinspool::store {

Result<std::optional<std::string>> StoreReader::Get(Family family, const std::string& key) {
  if (!cached_only_) {
    return engine_.Get(family, key, snapshot_);
  }
  ASSIGN_OR_RETURN(auto cached, engine_.GetCached(family, key, snapshot_));
  if (!cached) {
    return Timeout("not in memory");
  }
  return std::move(*cached);
}

Result<StoreReader::Loaded> StoreReader::Load(MailboxRef mailbox) {
  ASSIGN_OR_RETURN(const auto row, Get(Family::kMailboxes, MailboxKey(mailbox.owner, mailbox.id)));
  if (!row) {
    return NotFound("the mailbox does not exist");
  }
  ASSIGN_OR_RETURN(const VersionedBytes versioned, DecodeVersioned(*row));
  proto::MailboxHeader header;
  if (!header.ParseFromString(versioned.bytes)) {
    return DataLoss("the header of mailbox " + mailbox.id.ToHex() + " does not parse");
  }
  if (header.deleted_modseq() != 0) {
    return NotFound("the mailbox was deleted");
  }
  ASSIGN_OR_RETURN(const auto derived, Get(Family::kMailboxes, MailboxStateKey(mailbox.id)));
  if (!derived) {
    return DataLoss("the state of mailbox " + mailbox.id.ToHex() + " is missing");
  }
  ASSIGN_OR_RETURN(const MailboxRow counts, DecodeMailboxRow(*derived));
  Loaded loaded;
  MailboxState& state = loaded.state;
  state.ref = mailbox;
  state.name = header.name();
  state.uid_validity = UidValidity(header.uid_validity());
  state.uid_next = Uid(counts.uid_next);
  state.highest_modseq = counts.highest_modseq;
  state.purge_floor = counts.purge_floor;
  state.exists = counts.exists;
  state.unseen = counts.unseen;
  state.deleted = counts.deleted;
  state.bytes = counts.bytes;
  state.use = static_cast<SpecialUse>(header.special_use());
  state.keywords = std::make_shared<const std::vector<std::string>>(header.keywords().begin(),
                                                                    header.keywords().end());
  loaded.header = std::move(header);
  return loaded;
}

Result<MailboxState> StoreReader::GetState(MailboxRef mailbox) {
  ASSIGN_OR_RETURN(Loaded loaded, Load(mailbox));
  return std::move(loaded.state);
}

Result<MailboxState> StoreReader::Find(UserId user, const std::string& name) {
  ASSIGN_OR_RETURN(const auto id, Get(Family::kMailboxes, MailboxNameKey(user, name)));
  if (!id) {
    return NotFound("no mailbox of this name");
  }
  return GetState({user, MailboxId::FromBytes(*id)});
}

Result<std::vector<MailboxListing>> StoreReader::List(UserId user) {
  ASSIGN_OR_RETURN(const auto header, ReadUserHeader(engine_, user, snapshot_));
  if (!header || header->deleted_ns() != 0) {
    return NotFound("no such user");
  }
  std::map<std::string, MailboxListing> lines;
  // One walk over the user's headers; deleted ones are skipped.
  RowIterator it =
      engine_.Iterate(Family::kMailboxes, KeyRange::Prefix(MailboxPrefix(user)), snapshot_);
  const std::size_t prefix = MailboxPrefix(user).size();
  proto::MailboxHeader mailbox;
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    ASSIGN_OR_RETURN(const VersionedBytes versioned, DecodeVersioned(it.value()));
    if (!mailbox.ParseFromString(versioned.bytes)) {
      return DataLoss("the header of a mailbox of user " + user.ToHex() + " does not parse");
    }
    if (mailbox.deleted_modseq() == 0) {
      lines[mailbox.name()] = {MailboxId::FromBytes(it.key().substr(prefix)), mailbox.name(),
                               static_cast<SpecialUse>(mailbox.special_use()), false};
    }
  }
  TRY(it.status());
  const std::string subscriptions = MiscKey(user, proto::MiscItem::SUBSCRIPTION, "");
  RowIterator misc = engine_.Iterate(Family::kMisc, KeyRange::Prefix(subscriptions), snapshot_);
  for (misc.SeekToFirst(); misc.Valid(); misc.Next()) {
    ASSIGN_OR_RETURN(const MiscRow row, DecodeMiscRow(misc.value()));
    if (!row.deleted) {
      MailboxListing& line = lines[std::string(misc.key().substr(subscriptions.size()))];
      line.name = std::string(misc.key().substr(subscriptions.size()));
      line.subscribed = true;
    }
  }
  TRY(misc.status());
  std::vector<MailboxListing> sorted;
  sorted.reserve(lines.size());
  if (const auto inbox = lines.find("INBOX"); inbox != lines.end()) {
    sorted.push_back(std::move(inbox->second));
    lines.erase(inbox);
  }
  for (auto& [name, line] : lines) {
    sorted.push_back(std::move(line));
  }
  return sorted;
}

Result<std::vector<Annotation>> StoreReader::Annotations(UserId user, MailboxId mailbox) {
  if (!mailbox.nil()) {
    TRY(Load({user, mailbox}).status());
  }
  const std::string prefix = MiscKey(user, proto::MiscItem::ANNOTATION, AnnotationKey(mailbox, ""));
  std::vector<Annotation> annotations;
  RowIterator misc = engine_.Iterate(Family::kMisc, KeyRange::Prefix(prefix), snapshot_);
  for (misc.SeekToFirst(); misc.Valid(); misc.Next()) {
    ASSIGN_OR_RETURN(MiscRow row, DecodeMiscRow(misc.value()));
    if (!row.deleted) {
      annotations.push_back({std::string(misc.key().substr(prefix.size())), std::move(row.value)});
    }
  }
  TRY(misc.status());
  return annotations;
}

Result<std::optional<UserId>> StoreReader::FindUser(const std::string& name) {
  ASSIGN_OR_RETURN(const auto row, Get(Family::kUsers, UserNameKey(name)));
  return row ? std::optional(UserId::FromBytes(*row)) : std::nullopt;
}

Result<std::optional<proto::UserHeader>> ReadUserHeader(Engine& engine, UserId user,
                                                        const Snapshot* snapshot) {
  ASSIGN_OR_RETURN(const auto row, engine.Get(Family::kUsers, UserKey(user), snapshot));
  if (!row) {
    return std::optional<proto::UserHeader>();
  }
  ASSIGN_OR_RETURN(const VersionedBytes versioned, DecodeVersioned(*row));
  proto::UserHeader header;
  if (!header.ParseFromString(versioned.bytes)) {
    return DataLoss("the header of user " + user.ToHex() + " does not parse");
  }
  return std::optional(std::move(header));
}

// --- the index

Result<std::optional<Uid>> StoreReader::AddPage(std::string_view octets, std::uint32_t page,
                                                const IndexQuery& query, IndexBatch* batch,
                                                UidSet* present) {
  PageScanner scanner(octets);
  const PageHeader& header = scanner.header();
  if (present == nullptr && scanner.status().ok() &&
      (query.since == Modseq() ? header.live == 0 : header.highest_modseq <= query.since)) {
    return std::optional<Uid>();
  }
  EntryView view;
  const bool only_live = query.since == Modseq() && present == nullptr;
  while (only_live ? scanner.NextLive(query.with, query.without, &view) : scanner.Next(&view)) {
    const Uid uid(page << kPageBits | view.uid_low);
    if (uid < query.from) {
      continue;
    }
    const bool live = !view.expunged();
    const bool wanted = view.modseq > query.since && (!query.uids || query.uids->Contains(uid));
    if (live && wanted) {
      if (batch->entries.size() >= query.limit) {
        return std::optional(uid);
      }
      batch->entries.push_back({uid, view.flags, false, view.modseq, ToKeywordBits(view.keywords)});
    } else if (!live && wanted && query.since > Modseq() && present == nullptr) {
      batch->vanished.Add(uid);
    }
    if (live && present != nullptr) {
      present->Add(uid);
    }
  }
  TRY(scanner.status());
  return std::optional<Uid>();
}

namespace {

/// Numbers of the first and last page that a query may concern.
std::pair<std::uint32_t, std::uint32_t> PagesOf(const IndexQuery& query) {
  const std::uint32_t from = std::max(query.uids ? query.uids->Min() : 1u, query.from.value());
  return {from >> kPageBits, (query.uids ? query.uids->Max() : UINT32_MAX) >> kPageBits};
}

}  // namespace

Status StoreReader::AddPages(MailboxRef mailbox, const IndexQuery& query, IndexBatch* batch,
                             UidSet* present) {
  const auto [first, last] = PagesOf(query);
  RowIterator it =
      engine_.Iterate(Family::kIndex, {PageKey(mailbox.id, first), PrefixEnd(mailbox.id.bytes())},
                      snapshot_, cached_only_);
  for (it.SeekToFirst(); it.Valid() && !batch->next; it.Next()) {
    const auto page = PageOfPageKey(it.key());
    if (!page) {
      return DataLoss("an index page of mailbox " + mailbox.id.ToHex() + " has a wrong key");
    }
    if (*page > last) {
      break;
    }
    ASSIGN_OR_RETURN(batch->next, AddPage(it.value(), *page, query, batch, present));
  }
  return it.status();
}

Status StoreReader::AddChanged(MailboxRef mailbox, const std::vector<std::uint32_t>& pages,
                               const IndexQuery& query, IndexBatch* batch) {
  const auto [first, last] = PagesOf(query);
  for (const std::uint32_t page : pages) {
    if (page < first || page > last) {
      continue;
    }
    ASSIGN_OR_RETURN(const auto row, Get(Family::kIndex, PageKey(mailbox.id, page)));
    if (row) {
      ASSIGN_OR_RETURN(batch->next, AddPage(*row, page, query, batch, nullptr));
    }
    if (batch->next) {
      break;
    }
  }
  return OkStatus();
}

Result<IndexBatch> StoreReader::ReadIndex(MailboxRef mailbox, const IndexQuery& given) {
  ASSIGN_OR_RETURN(Loaded loaded, Load(mailbox));
  IndexQuery query = given;
  IndexBatch batch;
  batch.state = std::move(loaded.state);
  // Too old to be told the difference: everything live, and every absent UID.
  const bool lost = InLostTime(loaded.header, query.since);
  const bool forgot = lost || (query.since > Modseq() && query.since < batch.state.purge_floor);
  if (lost) {
    query.since = Modseq();
  }
  if (query.since == Modseq() && !query.uids && (query.with | query.without) == 0) {
    batch.entries.reserve(std::min<std::size_t>(batch.state.exists, query.limit));
  }
  UidSet present;
  std::optional<std::vector<std::uint32_t>> changed;
  if (!forgot && query.since > Modseq() && changed_ != nullptr) {
    changed = changed_->Since(mailbox.id, query.since);
  }
  TRY(changed ? AddChanged(mailbox, *changed, query, &batch)
              : AddPages(mailbox, query, &batch, forgot ? &present : nullptr));
  const std::uint32_t end = batch.next ? batch.next->value() : batch.state.uid_next.value();
  if (query.from.value() < end) {
    const UidSet span = UidSet::Of(std::max(query.from.value(), 1u), end - 1);
    if (forgot) {
      batch.vanished = span.Minus(present);
    } else {
      batch.vanished.Add(SkippedSince(loaded.header, query.since).Intersect(span));
    }
    if (query.uids) {
      batch.vanished = batch.vanished.Intersect(*query.uids);
    }
  }
  return batch;
}

namespace {

/// Adds the members of `live`, numbers of page `page` that are not below `from`, run by run.
void AddLive(const std::bitset<256>& live, std::uint32_t page, Uid from, UidSet* uids) {
  const std::uint32_t base = page << kPageBits;
  if (live.all() && from.value() <= base) {
    return uids->Add(base, base + 255);
  }
  for (std::uint32_t low = 0; low < live.size(); ++low) {
    if (live.test(low) && base + low >= from.value()) {
      uids->Add(base + low);
    }
  }
}

}  // namespace

Result<UidBatch> StoreReader::ReadUids(MailboxRef mailbox, Uid from) {
  ASSIGN_OR_RETURN(Loaded loaded, Load(mailbox));
  UidBatch batch;
  batch.state = std::move(loaded.state);
  RowIterator it = engine_.Iterate(
      Family::kIndex,
      {PageKey(mailbox.id, from.value() >> kPageBits), PrefixEnd(mailbox.id.bytes())}, snapshot_,
      cached_only_);
  std::size_t pages = 0;
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    const auto page = PageOfPageKey(it.key());
    if (!page) {
      return DataLoss("an index page of mailbox " + mailbox.id.ToHex() + " has a wrong key");
    }
    if (++pages > limits::kUidBatchPages) {
      batch.next = Uid(*page << kPageBits);
      break;
    }
    const bool find_unseen = batch.first_unseen == Uid() && batch.state.unseen > 0;
    ASSIGN_OR_RETURN(const LiveEntries found, ReadLiveEntries(it.value(), find_unseen));
    AddLive(found.live, *page, from, &batch.uids);
    if (found.first_unseen >= 0) {
      batch.first_unseen = Uid(*page << kPageBits | static_cast<std::uint32_t>(found.first_unseen));
    }
  }
  TRY(it.status());
  return batch;
}

}  // namespace twinspool::store
