#include "server/store/item_source.h"

#include <algorithm>
#include <functional>

#include "server/store/entry_state.h"
#include "server/store/item_makers.h"
#include "server/store/page.h"

namespace twinspool::store {
namespace {

/// A source that is one function, called once.
class OnceSource : public ItemSource {
 public:
  explicit OnceSource(std::function<Status(Items*)> fill) : fill_(std::move(fill)) {}
  Result<bool> Fill(Items* out) override {
    if (!fill_) {
      return false;
    }
    const auto fill = std::exchange(fill_, nullptr);
    TRY(fill(out));
    return true;
  }

 private:
  std::function<Status(Items*)> fill_;
};

/// A source that is one function per element of a list.
template <typename T>
class EachSource : public ItemSource {
 public:
  EachSource(std::deque<T> list, std::function<Status(const T&, Items*)> fill)
      : list_(std::move(list)), fill_(std::move(fill)) {}
  Result<bool> Fill(Items* out) override {
    if (list_.empty()) {
      return false;
    }
    const T next = std::move(list_.front());
    list_.pop_front();
    TRY(fill_(next, out));
    return true;
  }

 private:
  std::deque<T> list_;
  std::function<Status(const T&, Items*)> fill_;
};

/// Walks rows with a prefix, one per call.
class RowSource : public ItemSource {
 public:
  using Make = std::function<Status(std::string_view key, std::string_view value, Items*)>;
  RowSource(const RowView& view, Family family, std::string_view prefix, Make make)
      : it_(view.engine().Iterate(family, KeyRange::Prefix(prefix), view.snapshot())),
        make_(std::move(make)) {
    it_.SeekToFirst();
  }
  Result<bool> Fill(Items* out) override {
    if (!it_.Valid()) {
      TRY(it_.status());
      return false;
    }
    TRY(make_(it_.key(), it_.value(), out));
    it_.Next();
    return true;
  }

 private:
  RowIterator it_;
  Make make_;
};

// --- bodies

/// Whole bodies of the pool, chunk by chunk.
class BodySource : public ItemSource {
 public:
  BodySource(const RowView& view, UserId user, std::vector<PooledBody> bodies, KnownBodies have)
      : view_(view), user_(user), bodies_(std::move(bodies)), have_(std::move(have)) {}

  Result<bool> Fill(Items* out) override {
    if (next_ == bodies_.size()) {
      return false;
    }
    const PooledBody& body = bodies_[next_];
    if (std::ranges::binary_search(have_, std::pair(body.entry.body, body.guid))) {
      proto::CopyBodyItem* item = out->emplace_back().mutable_copy_body();
      item->set_body_no(body.entry.body.value());
      item->set_from_user(std::string(user_.bytes()));
      item->set_from_body_no(body.entry.body.value());
      item->set_guid(std::string(body.guid.bytes()));
      item->set_size(body.entry.size);
      chunk_ = body.entry.chunks;
    } else {
      TRY(AddChunk(view_, user_, body.entry.body, chunk_, body, out));
      ++chunk_;
    }
    if (chunk_ >= body.entry.chunks) {
      ++next_;
      chunk_ = 0;
    }
    return true;
  }

 private:
  const RowView& view_;
  const UserId user_;
  const std::vector<PooledBody> bodies_;
  const KnownBodies have_;
  std::size_t next_ = 0;
  std::uint32_t chunk_ = 0;
};

/// The bodies that one mailbox's records name.
class NamedBodySource : public ItemSource {
 public:
  NamedBodySource(const RowView& view, UserId user, MailboxId mailbox)
      : view_(view),
        user_(user),
        records_(view.engine().Iterate(Family::kRecords, KeyRange::Prefix(mailbox.bytes()),
                                       view.snapshot())) {
    records_.SeekToFirst();
  }
  Result<bool> Fill(Items* out) override {
    if (chunk_ == 0 && !records_.Valid()) {
      TRY(records_.status());
      return false;
    }
    if (chunk_ == 0) {
      proto::RecordHeader record;
      const std::string_view octets = records_.value();
      if (!record.ParseFromArray(octets.data(), static_cast<int>(octets.size()))) {
        return DataLoss("a record does not parse");
      }
      records_.Next();
      ASSIGN_OR_RETURN(body_, view_.Pooled(user_, BodyNo(record.body_no())));
      if (!body_) {
        return DataLoss("a record names body " + std::to_string(record.body_no()) +
                        ", which is not in the pool");
      }
    }
    TRY(AddChunk(view_, user_, body_->entry.body, chunk_, body_, out));
    chunk_ = chunk_ + 1 < body_->entry.chunks ? chunk_ + 1 : 0;
    return true;
  }

 private:
  const RowView& view_;
  const UserId user_;
  RowIterator records_;
  std::optional<PooledBody> body_;
  std::uint32_t chunk_ = 0;
};

/// Pool entries of a user in arrival order.
Result<std::vector<PooledBody>> PoolOf(const RowView& view, UserId user) {
  std::vector<PooledBody> bodies;
  const Status scanned =
      view.Scan(Family::kGuids, user.bytes(),
                [&](std::string_view key, std::string_view value) -> Result<bool> {
                  ASSIGN_OR_RETURN(const PoolEntry entry, DecodePoolEntry(value));
                  bodies.push_back({Guid::FromBytes(key.substr(UserId::kSize)), entry});
                  return true;
                });
  TRY(scanned);
  std::ranges::sort(bodies, {}, [](const PooledBody& body) { return body.entry.body; });
  return bodies;
}

/// Chunks of bodies whose last one has not come yet.
Result<std::deque<std::pair<BodyNo, std::uint32_t>>> UnfinishedChunks(const RowView& view,
                                                                      UserId user) {
  std::deque<std::pair<BodyNo, std::uint32_t>> chunks;
  const Status scanned = view.Scan(
      Family::kMeta, StagingKey(user, BodyNo()).substr(0, 1 + UserId::kSize),
      [&](std::string_view key, std::string_view value) -> Result<bool> {
        ASSIGN_OR_RETURN(const LooseBody loose, DecodeLooseBody(value));
        if (!loose.guid.nil()) {
          return true;
        }
        const Status inner = view.Scan(Family::kBodies, key.substr(1),
                                       [&](std::string_view row, std::string_view) -> Result<bool> {
                                         if (const auto parts = PartsOfBodyKey(row)) {
                                           chunks.emplace_back(parts->body, parts->chunk);
                                         }
                                         return true;
                                       });
        TRY(inner);
        return true;
      });
  TRY(scanned);
  return chunks;
}

// --- messages

/// Messages of one mailbox, page by page: records with their entry, or entries alone, neighbours in
/// the same state together.
class MessageSource : public ItemSource {
 public:
  /// Without sets: every record.
  MessageSource(const RowView& view, MailboxId mailbox, std::optional<UidSet> records,
                UidSet entries)
      : view_(view),
        mailbox_(mailbox),
        records_(std::move(records)),
        entries_(std::move(entries)),
        pages_(view.engine().Iterate(Family::kIndex, Range(), view.snapshot())) {
    pages_.SeekToFirst();
  }

  Result<bool> Fill(Items* out) override {
    if (!pages_.Valid()) {
      TRY(pages_.status());
      return false;
    }
    const std::optional<std::uint32_t> number = PageOfPageKey(pages_.key());
    if (!number) {
      return DataLoss("an index page has a malformed key");
    }
    ASSIGN_OR_RETURN(const Page page, Page::Decode(pages_.value()));
    for (const PageEntry& entry : page.entries()) {
      TRY(AddEntry(Uid(*number << kPageBits | entry.uid_low), entry, out));
    }
    FlushGroup(out);
    pages_.Next();
    return true;
  }

 private:
  KeyRange Range() const {
    if (!records_) {
      return KeyRange::Prefix(mailbox_.bytes());
    }
    return {PageKey(mailbox_, entries_.Min() >> kPageBits),
            PrefixEnd(PageKey(mailbox_, entries_.Max() >> kPageBits))};
  }

  Status AddEntry(Uid uid, const PageEntry& entry, Items* out) {
    if (!records_ || records_->Contains(uid)) {
      return AddRecord(uid, entry, out);
    }
    if (!entries_.Contains(uid)) {
      return OkStatus();
    }
    PageEntry state = entry;
    state.uid_low = 0;
    if (!group_.empty() && state != group_state_) {
      FlushGroup(out);
    }
    group_.Add(uid);
    group_state_ = std::move(state);
    return OkStatus();
  }

  Status AddRecord(Uid uid, const PageEntry& entry, Items* out) {
    ASSIGN_OR_RETURN(
        auto row, view_.engine().Get(Family::kRecords, RecordKey(mailbox_, uid), view_.snapshot()));
    if (!row) {
      return DataLoss("message " + std::to_string(uid.value()) + " of mailbox " + mailbox_.ToHex() +
                      " has no record");
    }
    proto::RecordItem* item = out->emplace_back().mutable_record();
    item->set_mailbox_id(std::string(mailbox_.bytes()));
    item->set_uid(uid.value());
    item->set_record(*std::move(row));
    *item->mutable_entry() = ToState(entry);
    item->set_modseq(entry.modseq.value());
    return OkStatus();
  }

  void FlushGroup(Items* out) {
    if (group_.empty()) {
      return;
    }
    proto::EntryItem* item = out->emplace_back().mutable_entry();
    item->set_mailbox_id(std::string(mailbox_.bytes()));
    group_.Encode(item->mutable_uids());
    *item->mutable_entry() = ToState(group_state_);
    item->set_modseq(group_state_.modseq.value());
    group_ = UidSet();
  }

  const RowView& view_;
  const MailboxId mailbox_;
  const std::optional<UidSet> records_;
  const UidSet entries_;
  RowIterator pages_;
  UidSet group_;
  PageEntry group_state_;
};

/// Makes a source when its turn comes, so that a thousand mailboxes don't hold a thousand
/// iterators.
class LazySource : public ItemSource {
 public:
  explicit LazySource(std::function<std::unique_ptr<ItemSource>()> make) : make_(std::move(make)) {}
  Result<bool> Fill(Items* out) override {
    if (make_) {
      source_ = std::exchange(make_, nullptr)();
    }
    return source_->Fill(out);
  }

 private:
  std::function<std::unique_ptr<ItemSource>()> make_;
  std::unique_ptr<ItemSource> source_;
};

void AddOnce(ItemSources* sources, std::function<Status(Items*)> fill) {
  sources->push_back(std::make_unique<OnceSource>(std::move(fill)));
}

template <typename T>
void AddEach(ItemSources* sources, std::deque<T> list,
             std::function<Status(const T&, Items*)> fill) {
  sources->push_back(std::make_unique<EachSource<T>>(std::move(list), std::move(fill)));
}

void AddMessages(ItemSources* sources, const RowView& view, MailboxId mailbox,
                 std::optional<UidSet> records, UidSet entries) {
  sources->push_back(std::make_unique<LazySource>([&view, mailbox, records = std::move(records),
                                                   entries = std::move(entries)]() mutable {
    return std::make_unique<MessageSource>(view, mailbox, std::move(records), std::move(entries));
  }));
}

void AddRows(ItemSources* sources, const RowView& view, Family family, UserId user,
             RowSource::Make make) {
  sources->push_back(
      std::make_unique<LazySource>([&view, family, user, make = std::move(make)]() mutable {
        return std::make_unique<RowSource>(view, family, user.bytes(), std::move(make));
      }));
}

// --- the small rows of a touched user

Status AddTouchedMisc(const RowView& view, UserId user, const std::string& key, Items* out) {
  ASSIGN_OR_RETURN(const auto row, view.engine().Get(Family::kMisc, std::string(user.bytes()) + key,
                                                     view.snapshot()));
  return row ? AddMisc(key, *row, out) : AddForgottenMisc(view, user, key, out);
}

Status AddTouchedMailbox(const RowView& view, UserId user, MailboxId mailbox, Items* out) {
  ASSIGN_OR_RETURN(const auto header, view.MailboxHeader(user, mailbox));
  return header ? AddMailbox(view, user, mailbox, out)
                : AddForgottenMailbox(view, user, mailbox, out);
}

Status AddTouchedToken(const RowView& view, UserId user,
                       const std::pair<std::string, Modseq>& token, Items* out) {
  const std::string key = TokenKey(user, token.first);
  ASSIGN_OR_RETURN(const auto row, view.engine().Get(Family::kTokens, key, view.snapshot()));
  if (row) {
    return AddToken(token.first, *row, out);
  }
  proto::TokenItem* item = out->emplace_back().mutable_token();
  item->set_key(token.first);
  item->set_modseq(token.second.value());
  item->set_deleted(true);
  return OkStatus();
}

Status AddCollect(const RowView& view, UserId user, BodyNo body, Items* out) {
  ASSIGN_OR_RETURN(const auto first,
                   view.engine().Get(Family::kBodies, BodyKey(user, body, 0), view.snapshot()));
  if (!first) {
    ASSIGN_OR_RETURN(const UserState state, view.StateOf(user));
    proto::CollectItem* item = out->emplace_back().mutable_collect();
    item->add_body_no(body.value());
    item->set_modseq(state.last_modseq.value());
  }
  return OkStatus();
}

Status AddTouchedChunk(const RowView& view, UserId user,
                       const std::pair<BodyNo, std::uint32_t>& chunk, Items* out) {
  ASSIGN_OR_RETURN(const auto pooled, view.Pooled(user, chunk.first));
  ASSIGN_OR_RETURN(
      const auto first,
      view.engine().Get(Family::kBodies, BodyKey(user, chunk.first, 0), view.snapshot()));
  return first ? AddChunk(view, user, chunk.first, chunk.second, pooled, out) : OkStatus();
}

template <typename Container>
auto ToDeque(const Container& container) {
  return std::deque<std::pair<std::string, Modseq>>(container.begin(), container.end());
}

}  // namespace

ItemSources SourcesOfTouched(const RowView& view, TouchedUser touched) {
  ItemSources sources;
  const UserId user = touched.user;
  if (touched.header) {
    AddOnce(&sources, [&view, user](Items* out) { return AddUser(view, user, out); });
  }
  for (auto& [mailbox, what] : touched.mailboxes) {
    if (what.header) {
      AddOnce(&sources, [&view, user, id = mailbox](Items* out) {
        return AddTouchedMailbox(view, user, id, out);
      });
    }
  }
  for (auto& [mailbox, what] : touched.mailboxes) {
    if (what.purged) {
      AddOnce(&sources, [&view, id = mailbox, uids = what.entries](Items* out) -> Status {
        ASSIGN_OR_RETURN(const UidSet gone, Absent(view, id, uids));
        return AddPurge(view, id, gone, out);
      });
    }
  }
  AddEach<BodyNo>(
      &sources, {touched.collected.begin(), touched.collected.end()},
      [&view, user](const BodyNo& body, Items* out) { return AddCollect(view, user, body, out); });
  for (const auto& [mailbox, what] : touched.mailboxes) {
    UidSet known = what.entries.Minus(what.records);
    if (!known.empty()) {
      AddMessages(&sources, view, mailbox, UidSet(), std::move(known));
    }
  }
  AddEach<std::pair<BodyNo, std::uint32_t>>(&sources,
                                            {touched.chunks.begin(), touched.chunks.end()},
                                            [&view, user](const auto& chunk, Items* out) {
                                              return AddTouchedChunk(view, user, chunk, out);
                                            });
  for (auto& mailbox : touched.mailboxes) {
    auto& what = mailbox.second;
    if (!what.records.empty()) {
      AddMessages(&sources, view, mailbox.first, what.records, what.records);
    }
  }
  AddEach<std::string>(&sources, {touched.misc.begin(), touched.misc.end()},
                       [&view, user](const std::string& key, Items* out) {
                         return AddTouchedMisc(view, user, key, out);
                       });
  AddEach<std::pair<std::string, Modseq>>(&sources, ToDeque(touched.tokens),
                                          [&view, user](const auto& token, Items* out) {
                                            return AddTouchedToken(view, user, token, out);
                                          });
  return sources;
}

Result<ItemSources> SourcesOfUser(const RowView& view, UserId user, KnownBodies have) {
  ASSIGN_OR_RETURN(const std::vector<MailboxId> mailboxes, view.MailboxesOf(user));
  ASSIGN_OR_RETURN(std::vector<PooledBody> pool, PoolOf(view, user));
  ASSIGN_OR_RETURN(auto unfinished, UnfinishedChunks(view, user));
  const std::deque<MailboxId> ids(mailboxes.begin(), mailboxes.end());
  ItemSources sources;
  AddOnce(&sources, [&view, user](Items* out) { return AddUser(view, user, out); });
  AddEach<MailboxId>(&sources, ids, [&view, user](const MailboxId& mailbox, Items* out) -> Status {
    TRY(AddMailbox(view, user, mailbox, out));
    return AddFloor(view, mailbox, out);
  });
  sources.push_back(std::make_unique<BodySource>(view, user, std::move(pool), std::move(have)));
  AddEach<std::pair<BodyNo, std::uint32_t>>(
      &sources, std::move(unfinished), [&view, user](const auto& chunk, Items* out) {
        return AddChunk(view, user, chunk.first, chunk.second, std::nullopt, out);
      });
  for (const MailboxId mailbox : mailboxes) {
    AddMessages(&sources, view, mailbox, std::nullopt, {});
  }
  AddRows(&sources, view, Family::kMisc, user,
          [](std::string_view key, std::string_view value, Items* out) {
            return AddMisc(key.substr(UserId::kSize), value, out);
          });
  AddRows(&sources, view, Family::kTokens, user,
          [](std::string_view key, std::string_view value, Items* out) {
            return AddToken(key.substr(UserId::kSize), value, out);
          });
  return sources;
}

ItemSources SourcesOfMailbox(const RowView& view, UserId user, MailboxId mailbox) {
  ItemSources sources;
  AddOnce(&sources, [&view, user, mailbox](Items* out) -> Status {
    TRY(AddMailbox(view, user, mailbox, out));
    return AddFloor(view, mailbox, out);
  });
  sources.push_back(std::make_unique<NamedBodySource>(view, user, mailbox));
  AddMessages(&sources, view, mailbox, std::nullopt, {});
  return sources;
}

}  // namespace twinspool::store
