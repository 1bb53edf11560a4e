// Mailboxes and the index. Messages and bodies: reader_fetch.cc.
#include "server/store/reader.h"

#include <algorithm>
#include <map>

#include "common/limits.h"
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

Result<StoreReader::Loaded> StoreReader::LoadOwn(MailboxRef mailbox) {
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
  ASSIGN_OR_RETURN(Loaded loaded, Load(mailbox, 0));
  if (loaded.seen.active()) {
    ASSIGN_OR_RETURN(loaded.state.unseen, CountUnseen(mailbox, loaded.seen));
  }
  return std::move(loaded.state);
}

Result<MailboxId> StoreReader::FindOwn(UserId user, const std::string& name) {
  ASSIGN_OR_RETURN(const auto id, Get(Family::kMailboxes, MailboxNameKey(user, name)));
  if (!id) {
    return NotFound("no mailbox of this name");
  }
  return MailboxId::FromBytes(*id);
}

Result<MailboxState> StoreReader::Find(UserId user, const std::string& name) {
  ASSIGN_OR_RETURN(const auto foreign, ParseForeignName(name));
  if (foreign) {
    return FindForeign(user, *foreign);
  }
  ASSIGN_OR_RETURN(const MailboxId id, FindOwn(user, name));
  return GetState({user, id});
}

Result<std::vector<MailboxListing>> StoreReader::List(UserId user,
                                                      const std::set<GrantedMailbox>& others) {
  TRY(LiveHeader(user).status());
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
      lines[mailbox.name()] = {.id = MailboxId::FromBytes(it.key().substr(prefix)),
                               .name = mailbox.name(),
                               .use = static_cast<SpecialUse>(mailbox.special_use()),
                               .owner = user};
    }
  }
  TRY(it.status());
  TRY(ListForeign(user, others, &lines));
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
                                                const IndexQuery& query, const ViewerSeen& seen,
                                                IndexBatch* batch, UidSet* present) {
  PageScanner scanner(octets);
  const PageHeader& header = scanner.header();
  const Modseq highest = std::max(header.highest_modseq, seen.HighestOf(page));
  if (present == nullptr && scanner.status().ok() &&
      (query.since == Modseq() ? header.live == 0 : highest <= query.since)) {
    return std::optional<Uid>();
  }
  EntryView view;
  const bool only_live = query.since == Modseq() && present == nullptr;
  // What the entry says of \Seen is not what such a viewer sees.
  const auto own = static_cast<SystemFlags>(seen.active() ? kSeen : 0);
  const auto with = static_cast<SystemFlags>(query.with & ~own);
  const auto without = static_cast<SystemFlags>(query.without & ~own);
  while (only_live ? scanner.NextLive(with, without, &view) : scanner.Next(&view)) {
    const Uid uid(page << kPageBits | view.uid_low);
    if (uid < query.from) {
      continue;
    }
    const bool live = !view.expunged();
    if (live) {
      seen.Apply(uid, &view.flags, &view.modseq);
      if (only_live && (view.flags & (query.with | query.without)) != query.with) {
        continue;
      }
    }
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

Status StoreReader::AddPages(MailboxRef mailbox, const IndexQuery& query, const ViewerSeen& seen,
                             IndexBatch* batch, UidSet* present) {
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
    ASSIGN_OR_RETURN(batch->next, AddPage(it.value(), *page, query, seen, batch, present));
  }
  return it.status();
}

Status StoreReader::AddChanged(MailboxRef mailbox, const std::vector<std::uint32_t>& pages,
                               const IndexQuery& query, const ViewerSeen& seen, IndexBatch* batch) {
  const auto [first, last] = PagesOf(query);
  for (const std::uint32_t page : pages) {
    if (page < first || page > last) {
      continue;
    }
    ASSIGN_OR_RETURN(const auto row, Get(Family::kIndex, PageKey(mailbox.id, page)));
    if (row) {
      ASSIGN_OR_RETURN(batch->next, AddPage(*row, page, query, seen, batch, nullptr));
    }
    if (batch->next) {
      break;
    }
  }
  return OkStatus();
}

namespace {

/// Members of both, rising.
std::vector<std::uint32_t> Union(const std::vector<std::uint32_t>& a,
                                 const std::vector<std::uint32_t>& b) {
  std::vector<std::uint32_t> all;
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(all));
  return all;
}

}  // namespace

Result<IndexBatch> StoreReader::ReadIndex(MailboxRef mailbox, const IndexQuery& given) {
  ASSIGN_OR_RETURN(Loaded loaded, Load(mailbox, kRightRead));
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
  TRY(changed ? AddChanged(mailbox, Union(*changed, loaded.seen.PagesSince(query.since)), query,
                           loaded.seen, &batch)
              : AddPages(mailbox, query, loaded.seen, &batch, forgot ? &present : nullptr));
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

namespace {

/// Smallest live UID of a page that the viewer has not seen; 0: none.
Uid FirstUnseen(const std::bitset<256>& live, std::uint32_t page, const ViewerSeen& seen) {
  for (std::uint32_t low = 0; low < live.size(); ++low) {
    const Uid uid(page << kPageBits | low);
    if (live.test(low) && !seen.Seen(uid)) {
      return uid;
    }
  }
  return {};
}

}  // namespace

Result<std::uint32_t> StoreReader::CountUnseen(MailboxRef mailbox, const ViewerSeen& seen) {
  std::uint32_t unseen = 0;
  RowIterator it = engine_.Iterate(Family::kIndex, KeyRange::Prefix(mailbox.id.bytes()), snapshot_,
                                   cached_only_);
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    ASSIGN_OR_RETURN(const LiveEntries found, ReadLiveEntries(it.value(), false));
    const std::uint32_t page = PageOfPageKey(it.key()).value_or(0);
    for (std::uint32_t low = 0; low < found.live.size(); ++low) {
      unseen += found.live.test(low) && !seen.Seen(Uid(page << kPageBits | low)) ? 1u : 0u;
    }
  }
  TRY(it.status());
  return unseen;
}

Result<UidBatch> StoreReader::ReadUids(MailboxRef mailbox, Uid from) {
  ASSIGN_OR_RETURN(Loaded loaded, Load(mailbox, kRightRead));
  UidBatch batch;
  batch.state = std::move(loaded.state);
  if (loaded.seen.active()) {
    ASSIGN_OR_RETURN(batch.state.unseen, CountUnseen(mailbox, loaded.seen));
  }
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
    const bool look = batch.first_unseen == Uid() && batch.state.unseen > 0;
    ASSIGN_OR_RETURN(const LiveEntries found,
                     ReadLiveEntries(it.value(), look && !loaded.seen.active()));
    AddLive(found.live, *page, from, &batch.uids);
    if (look && loaded.seen.active()) {
      batch.first_unseen = FirstUnseen(found.live, *page, loaded.seen);
    } else if (found.first_unseen >= 0) {
      batch.first_unseen = Uid(*page << kPageBits | static_cast<std::uint32_t>(found.first_unseen));
    }
  }
  TRY(it.status());
  return batch;
}

}  // namespace twinspool::store
