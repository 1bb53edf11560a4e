// Messages of the model: reading and watching.
#include <algorithm>

#include "server/mime/text.h"
#include "tests/support/memory_mail_store.h"
#include "tests/support/memory_mail_store_inl.h"

namespace twinspool::testing {

// --- reading

void MemoryMailStore::AddLine(const IndexEntry& entry, const IndexQuery& query, IndexBatch* batch) {
  if (query.since.value() > 0 && entry.modseq <= query.since) {
    return;
  }
  if (!entry.expunged) {
    if ((entry.flags & (query.with | query.without)) == query.with) {
      batch->entries.push_back(entry);
    }
  } else if (query.since.value() > 0) {
    batch->vanished.Add(entry.uid);
  }
}

Result<IndexBatch> MemoryMailStore::IndexNow(MailboxRef ref, const IndexQuery& query) {
  ASSIGN_OR_RETURN(const Place place, Find(ref));
  IndexBatch batch;
  batch.state = StateOf(place);
  const bool forgot = query.since.value() > 0 && query.since < place.mailbox->purge_floor;
  std::uint64_t next = query.from.value();
  UidSet present;
  for (auto it = place.mailbox->messages.lower_bound(query.from.value());
       it != place.mailbox->messages.end(); ++it) {
    if (batch.entries.size() >= query.limit) {
      batch.next = Uid(it->first);
      break;
    }
    if (!it->second.entry.expunged) {
      present.Add(it->first);
    }
    if (!query.uids || query.uids->Contains(it->first)) {
      AddLine(Viewed(place, it->second.entry), query, &batch);
    }
  }
  const std::uint64_t end = batch.next ? batch.next->value() : place.mailbox->uid_next.value();
  if (forgot && next < end) {
    const UidSet range =
        UidSet::Of(static_cast<std::uint32_t>(next), static_cast<std::uint32_t>(end - 1));
    const UidSet absent = range.Minus(present);
    batch.vanished = query.uids ? absent.Intersect(*query.uids) : absent;
  }
  return batch;
}

void MemoryMailStore::ReadIndex(MailboxRef mailbox, IndexQuery query, Done<IndexBatch> done) {
  if (Status status = Enter("ReadIndex"); !status.ok()) {
    return Complete<IndexBatch>(done, status);
  }
  Complete<IndexBatch>(done, IndexNow(mailbox, query));
}

void MemoryMailStore::ReadUids(MailboxRef mailbox, Uid from, Done<UidBatch> done) {
  if (Status status = Enter("ReadUids"); !status.ok()) {
    return Complete<UidBatch>(done, status);
  }
  IndexQuery query;
  query.from = from;
  const Result<IndexBatch> index = IndexNow(mailbox, query);
  if (!index.ok()) {
    return Complete<UidBatch>(done, index.status());
  }
  UidBatch batch;
  batch.state = index->state;
  batch.next = index->next;
  for (const IndexEntry& entry : index->entries) {
    batch.uids.Add(entry.uid);
    if (batch.first_unseen == Uid() && (entry.flags & kSeen) == 0) {
      batch.first_unseen = entry.uid;
    }
  }
  Complete<UidBatch>(done, std::move(batch));
}

FetchedMessage MemoryMailStore::FetchOne(const Place& place, const Message& message,
                                         const FetchRequest& request) {
  FetchedMessage out;
  out.uid = message.entry.uid;
  out.entry = Viewed(place, message.entry);
  out.record = message.record;
  const bool summary = (request.parts & (kFetchSummary | kFetchSort)) != 0;
  const bool bodies = summary || request.body_bytes > 0;
  if (bodies && damaged_.contains(message.record.body)) {
    out.failure = DataLoss("the body is damaged");
    return out;
  }
  const std::string& octets = place.user->bodies.at(message.record.body);
  if (summary && summarise_) {
    out.summary = summarise_(octets);
  }
  const std::uint64_t count = std::min<std::uint64_t>(request.body_bytes, limits::kFetchBatchBytes);
  out.octets = octets.substr(0, static_cast<std::size_t>(count));
  return out;
}

Result<FetchBatch> MemoryMailStore::FetchNow(MailboxRef ref, const FetchRequest& request) {
  ASSIGN_OR_RETURN(const Place place, Find(ref));
  FetchBatch batch;
  batch.keywords = place.mailbox->keywords;
  std::size_t bytes = 0;
  for (auto it = place.mailbox->messages.lower_bound(request.uids.Min());
       it != place.mailbox->messages.end() && it->first <= request.uids.Max(); ++it) {
    if (!request.uids.Contains(it->first)) {
      continue;
    }
    if (!batch.messages.empty() &&
        (bytes >= request.batch_bytes || batch.messages.size() >= limits::kFetchBatchMessages)) {
      batch.rest = request.uids.Minus(UidSet::Of(1, it->first - 1));
      break;
    }
    batch.messages.push_back(FetchOne(place, it->second, request));
    bytes += batch.messages.back().octets.size() + batch.messages.back().summary.size();
  }
  return batch;
}

void MemoryMailStore::Fetch(MailboxRef mailbox, FetchRequest request, Done<FetchBatch> done) {
  if (Status status = Enter("Fetch"); !status.ok()) {
    return Complete<FetchBatch>(done, status);
  }
  Complete<FetchBatch>(done, FetchNow(mailbox, request));
}

namespace {

bool Holds(const std::string& folded, const TextKey& key) {
  switch (key.in) {
    case TextKey::In::kHeader:
      return mime::FoldedHeaderContains(folded, key.field, key.folded);
    case TextKey::In::kBody:
      return mime::FoldedBodyContains(folded, key.folded);
    default:
      return mime::FoldedTextContains(folded, key.folded);
  }
}

}  // namespace

Result<TextBatch> MemoryMailStore::SearchNow(MailboxRef ref, const TextQuery& query) {
  constexpr std::size_t kMessages = 10;  // little, so that searches have several batches
  ASSIGN_OR_RETURN(const Place place, Find(ref));
  TextBatch batch;
  batch.found.resize(query.keys.size());
  for (const auto& [uid, message] : place.mailbox->messages) {
    if (!query.uids.Contains(uid)) {
      continue;
    }
    if (batch.judged.Count() + batch.open.Count() == kMessages) {
      batch.rest = query.uids.Intersect(UidSet::Of(uid, UINT32_MAX));
      break;
    }
    const std::string& octets = place.user->bodies.at(message.record.body);
    if (damaged_.contains(message.record.body) || octets.size() > text_bytes_max_) {
      batch.open.Add(uid);
      continue;
    }
    batch.judged.Add(uid);
    const std::string folded = mime::FoldedText(octets);
    for (std::size_t i = 0; i < query.keys.size(); ++i) {
      if (Holds(folded, query.keys[i])) {
        batch.found[i].Add(uid);
      }
    }
  }
  return batch;
}

void MemoryMailStore::SearchText(MailboxRef mailbox, TextQuery query, Done<TextBatch> done) {
  if (Status status = Enter("SearchText"); !status.ok()) {
    return Complete<TextBatch>(done, status);
  }
  Complete<TextBatch>(done, SearchNow(mailbox, query));
}

void MemoryMailStore::ReadBody(UserId owner, BodyNo body, std::uint64_t offset, std::size_t length,
                               Done<std::string> done) {
  if (Status status = Enter("ReadBody"); !status.ok()) {
    return Complete<std::string>(done, status);
  }
  const Result<User*> user = FindUser(owner);
  if (!user.ok() || !(*user)->bodies.contains(body) || damaged_.contains(body)) {
    return Complete<std::string>(done, NotFound("no such body"));
  }
  const std::string& octets = (*user)->bodies.at(body);
  const std::size_t from = static_cast<std::size_t>(std::min<std::uint64_t>(offset, octets.size()));
  Complete<std::string>(done, octets.substr(from, length));
}

// --- watching

struct MemoryMailStore::Watcher {
  MailboxId mailbox;
  std::function<void()> wake;
};

class MemoryMailStore::MemoryWatch : public Watch {
 public:
  explicit MemoryWatch(std::shared_ptr<Watcher> watcher) : watcher_(std::move(watcher)) {}

 private:
  std::shared_ptr<Watcher> watcher_;
};

/// Tells its owner once, until it is asked.
class MemoryMailStore::MemoryUserWatch : public UserWatch {
 public:
  MemoryUserWatch(MemoryMailStore& store, UserId user, std::function<void()> wake)
      : store_(store), user_(user), wake_(std::move(wake)) {
    store_.user_watches_.push_back(this);
  }
  ~MemoryUserWatch() override { std::erase(store_.user_watches_, this); }
  MemoryUserWatch(const MemoryUserWatch&) = delete;
  MemoryUserWatch& operator=(const MemoryUserWatch&) = delete;

  UserId user() const { return user_; }
  UserNews Take() override {
    signalled_ = false;
    return std::exchange(news_, {});
  }
  void Tell(const std::function<void(UserNews*)>& add) {
    add(&news_);
    if (news_.mailboxes.size() + news_.annotations.size() > limits::kUserNewsMax) {
      news_ = {};
      news_.overflow = true;
    }
    if (!std::exchange(signalled_, true)) {
      wake_();
    }
  }

 private:
  MemoryMailStore& store_;
  const UserId user_;
  const std::function<void()> wake_;
  UserNews news_;
  bool signalled_ = false;
};

void MemoryMailStore::Wake(UserId user, MailboxId id) {
  std::erase_if(watchers_, [](const std::weak_ptr<Watcher>& weak) { return weak.expired(); });
  const std::vector<std::weak_ptr<Watcher>> watchers = watchers_;
  for (const std::weak_ptr<Watcher>& weak : watchers) {
    if (const std::shared_ptr<Watcher> watcher = weak.lock(); watcher && watcher->mailbox == id) {
      watcher->wake();
    }
  }
  TellUser(user, [id](UserNews* news) {
    if (std::find(news->mailboxes.begin(), news->mailboxes.end(), id) == news->mailboxes.end()) {
      news->mailboxes.push_back(id);
    }
  });
}

void MemoryMailStore::TellUser(UserId user, const std::function<void(UserNews*)>& add) {
  const std::vector<MemoryUserWatch*> watches = user_watches_;
  for (MemoryUserWatch* watch : watches) {
    if (watch->user() == user) {
      watch->Tell(add);
    }
  }
}

std::unique_ptr<Watch> MemoryMailStore::WatchMailbox(MailboxRef mailbox,
                                                     std::function<void()> wake) {
  auto watcher = std::make_shared<Watcher>(Watcher{mailbox.id, std::move(wake)});
  watchers_.push_back(watcher);
  return std::make_unique<MemoryWatch>(std::move(watcher));
}

std::unique_ptr<UserWatch> MemoryMailStore::WatchUser(UserId user, std::function<void()> wake) {
  return std::make_unique<MemoryUserWatch>(*this, user, std::move(wake));
}

}  // namespace twinspool::testing
