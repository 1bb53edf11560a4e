// Messages of the model: reading, writing, staging, watching.
#include <algorithm>

#include "server/mime/text.h"
#include "tests/support/memory_mail_store.h"
#include "tests/support/memory_mail_store_inl.h"

namespace twinspool::testing {
namespace {

bool SameKeyword(std::string_view a, std::string_view b) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

/// What `now` becomes by the change.
IndexEntry Changed(IndexEntry now, FlagChange change, SystemFlags flags, KeywordBits bits) {
  for (std::size_t i = 0; i < 2; ++i) {
    std::uint64_t& word = now.keywords.words[i];
    word = change == FlagChange::kReplace ? bits.words[i]
           : change == FlagChange::kAdd   ? word | bits.words[i]
                                          : word & ~bits.words[i];
  }
  now.flags = change == FlagChange::kReplace ? flags
              : change == FlagChange::kAdd   ? static_cast<SystemFlags>(now.flags | flags)
                                             : static_cast<SystemFlags>(now.flags & ~flags);
  return now;
}

}  // namespace

/// Octets that arrived, in memory whatever their number.
class MemoryMailStore::MemoryStage : public BodyStage {
 public:
  explicit MemoryStage(MemoryMailStore& store) : store_(store) {}

  void Write(std::string octets, Done<Unit> done) override {
    if (Status status = store_.EnterWrite("Write"); !status.ok()) {
      return store_.Complete<Unit>(done, status);
    }
    if (octets_.size() + octets.size() > store_.message_bytes_max_) {
      return store_.Complete<Unit>(done, LimitExceeded("the message is too large"));
    }
    octets_ += octets;
    store_.Complete<Unit>(done, Unit{});
  }
  std::uint64_t size() const override { return octets_.size(); }
  std::string Take() { return std::move(octets_); }

 private:
  MemoryMailStore& store_;
  std::string octets_;
};

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

// --- pieces

Modseq MemoryMailStore::NextModseq(User& user, Mailbox& mailbox) {
  mailbox.highest = Modseq(++user.modseq);
  return mailbox.highest;
}

Result<KeywordBits> MemoryMailStore::BitsOf(Mailbox& mailbox, const FlagList& flags,
                                            NewName new_name) {
  KeywordBits bits;
  std::vector<std::string> table = *mailbox.keywords;
  for (const std::string& keyword : flags.keywords) {
    if (keyword.size() > limits::kKeywordBytesMax) {
      return LimitExceeded("the keyword is too long");
    }
    auto it = std::find_if(table.begin(), table.end(),
                           [&](const std::string& known) { return SameKeyword(known, keyword); });
    if (it == table.end()) {
      const bool full = table.size() >= limits::kKeywordsPerMailboxMax;
      if (new_name == NewName::kSkip || (full && new_name == NewName::kAddWhileRoom)) {
        continue;
      }
      if (full) {
        return LimitExceeded("the mailbox has too many keywords");
      }
      it = table.insert(table.end(), keyword);
    }
    bits.Set(static_cast<std::size_t>(it - table.begin()));
  }
  if (table.size() != mailbox.keywords->size()) {
    mailbox.keywords = std::make_shared<const std::vector<std::string>>(std::move(table));
  }
  return bits;
}

BodyNo MemoryMailStore::KeepBody(User& user, Modseq modseq, std::string octets, Guid* guid) {
  *guid = GuidOf(octets);
  const auto [it, added] = user.guids.try_emplace(*guid, modseq.value());
  if (added) {
    user.bodies[it->second] = std::move(octets);
  }
  return it->second;
}

Uid MemoryMailStore::Add(Mailbox& mailbox, Modseq modseq, MessageRecord record, SystemFlags flags,
                         KeywordBits bits) {
  const Uid uid = mailbox.uid_next;
  mailbox.uid_next = uid.Next();
  record.created = modseq;
  record.save_date = clock_.WallSeconds();
  mailbox.messages[uid.value()] = {IndexEntry{uid, flags, false, modseq, bits}, record};
  return uid;
}

void MemoryMailStore::ExpungeOne(Mailbox& mailbox, std::uint32_t uid, Modseq modseq) {
  IndexEntry& entry = mailbox.messages.at(uid).entry;
  entry.expunged = true;
  entry.modseq = modseq;
}

void MemoryMailStore::Wake(MailboxId id) {
  std::erase_if(watchers_, [](const std::weak_ptr<Watcher>& weak) { return weak.expired(); });
  const std::vector<std::weak_ptr<Watcher>> watchers = watchers_;
  for (const std::weak_ptr<Watcher>& weak : watchers) {
    if (const std::shared_ptr<Watcher> watcher = weak.lock(); watcher && watcher->mailbox == id) {
      watcher->wake();
    }
  }
}

void MemoryMailStore::Purge(MailboxRef ref) {
  const Result<Place> place = Find(ref);
  TWINSPOOL_CHECK(place.ok(), "purge of a mailbox that is not there");
  std::erase_if(place->mailbox->messages,
                [](const auto& item) { return item.second.entry.expunged; });
  place->mailbox->purge_floor = place->mailbox->highest;
}

// --- reading

void MemoryMailStore::AddLine(const Message& message, const IndexQuery& query, IndexBatch* batch) {
  if (query.since.value() > 0 && message.entry.modseq <= query.since) {
    return;
  }
  if (!message.entry.expunged) {
    if ((message.entry.flags & (query.with | query.without)) == query.with) {
      batch->entries.push_back(message.entry);
    }
  } else if (query.since.value() > 0) {
    batch->vanished.Add(message.entry.uid);
  }
}

Result<IndexBatch> MemoryMailStore::IndexNow(MailboxRef ref, const IndexQuery& query) {
  ASSIGN_OR_RETURN(const Place place, Find(ref));
  IndexBatch batch;
  batch.state = StateOf(*place.user, *place.mailbox);
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
      AddLine(it->second, query, &batch);
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

FetchedMessage MemoryMailStore::FetchOne(User& user, const Message& message,
                                         const FetchRequest& request) {
  FetchedMessage out;
  out.uid = message.entry.uid;
  out.entry = message.entry;
  out.record = message.record;
  const bool summary = (request.parts & (kFetchSummary | kFetchSort)) != 0;
  const bool bodies = summary || request.body_bytes > 0;
  if (bodies && damaged_.contains(message.record.body)) {
    out.failure = DataLoss("the body is damaged");
    return out;
  }
  const std::string& octets = user.bodies.at(message.record.body);
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
    batch.messages.push_back(FetchOne(*place.user, it->second, request));
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

// --- writing

Result<std::unique_ptr<BodyStage>> MemoryMailStore::StageBody(UserId owner, std::uint64_t size) {
  TRY(EnterWrite("StageBody"));
  ASSIGN_OR_RETURN([[maybe_unused]] User * user, FindUser(owner));
  if (size > message_bytes_max_) {
    return LimitExceeded("the message is too large");
  }
  return std::unique_ptr<BodyStage>(std::make_unique<MemoryStage>(*this));
}

Result<AppendResult> MemoryMailStore::AppendNow(MailboxRef ref,
                                                std::vector<AppendMessage>& messages) {
  ASSIGN_OR_RETURN(const Place place, Find(ref));
  if (messages.size() > limits::kAtomicMessagesMax) {
    return LimitExceeded("too many messages in one command");
  }
  std::vector<KeywordBits> bits;
  for (const AppendMessage& message : messages) {
    ASSIGN_OR_RETURN(KeywordBits one, BitsOf(*place.mailbox, message.flags, NewName::kAdd));
    bits.push_back(one);
  }
  AppendResult result;
  result.uid_validity = place.mailbox->uid_validity;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    AppendMessage& message = messages[i];
    const Modseq modseq = NextModseq(*place.user, *place.mailbox);
    MessageRecord record;
    record.size = message.body->size();
    record.body = KeepBody(*place.user, modseq, dynamic_cast<MemoryStage&>(*message.body).Take(),
                           &record.guid);
    record.internal_date = message.internal_date.value_or(clock_.WallSeconds());
    record.zone_minutes = message.zone_minutes;
    result.uids.Add(Add(*place.mailbox, modseq, record, message.flags.system, bits[i]));
    result.modseq = modseq;
  }
  Wake(ref.id);
  return result;
}

void MemoryMailStore::Append(MailboxRef mailbox, std::vector<AppendMessage> messages,
                             Done<AppendResult> done) {
  if (Status status = EnterWrite("Append"); !status.ok()) {
    return Complete<AppendResult>(done, status);
  }
  Complete<AppendResult>(done, AppendNow(mailbox, messages));
}

void MemoryMailStore::Replace(MailboxRef to, AppendMessage message, MailboxRef from, Uid old,
                              Done<AppendResult> done) {
  if (Status status = EnterWrite("Replace"); !status.ok()) {
    return Complete<AppendResult>(done, status);
  }
  const Result<Place> source = Find(from);
  if (!source.ok()) {
    return Complete<AppendResult>(done, source.status());
  }
  auto& messages = source->mailbox->messages;
  const auto it = messages.find(old.value());
  if (it == messages.end() || it->second.entry.expunged) {
    return Complete<AppendResult>(done, NotFound("the message to be replaced has gone"));
  }
  std::vector<AppendMessage> one;
  one.push_back(std::move(message));
  Result<AppendResult> result = AppendNow(to, one);
  if (result.ok()) {
    ExpungeOne(*source->mailbox, old.value(), NextModseq(*source->user, *source->mailbox));
    Wake(from.id);
  }
  Complete<AppendResult>(done, std::move(result));
}

Result<StoreResult> MemoryMailStore::StoreNow(MailboxRef ref, const StoreRequest& request) {
  ASSIGN_OR_RETURN(const Place place, Find(ref));
  ASSIGN_OR_RETURN(const KeywordBits bits,
                   BitsOf(*place.mailbox, request.flags,
                          request.change == FlagChange::kRemove ? NewName::kSkip : NewName::kAdd));
  StoreResult result;
  result.missing = request.uids;
  UidSet changed;
  Modseq modseq;
  for (auto& [uid, message] : place.mailbox->messages) {
    IndexEntry& entry = message.entry;
    if (entry.expunged || !request.uids.Contains(uid)) {
      continue;
    }
    result.missing.Remove(uid);
    if (request.unchanged_since && entry.modseq > *request.unchanged_since) {
      result.modified.Add(uid);
      continue;
    }
    const IndexEntry next = Changed(entry, request.change, request.flags.system, bits);
    if (next.flags == entry.flags && next.keywords == entry.keywords) {
      continue;
    }
    modseq = changed.empty() ? NextModseq(*place.user, *place.mailbox) : modseq;
    entry = next;
    entry.modseq = modseq;
    changed.Add(uid);
  }
  if (!changed.empty()) {
    result.changed.emplace_back(changed, modseq);
    Wake(ref.id);
  }
  return result;
}

void MemoryMailStore::StoreFlags(MailboxRef mailbox, StoreRequest request, Done<StoreResult> done) {
  if (Status status = EnterWrite("StoreFlags"); !status.ok()) {
    return Complete<StoreResult>(done, status);
  }
  Complete<StoreResult>(done, StoreNow(mailbox, request));
}

void MemoryMailStore::Expunge(MailboxRef ref, std::optional<UidSet> uids,
                              Done<ExpungeResult> done) {
  if (Status status = EnterWrite("Expunge"); !status.ok()) {
    return Complete<ExpungeResult>(done, status);
  }
  const Result<Place> place = Find(ref);
  if (!place.ok()) {
    return Complete<ExpungeResult>(done, place.status());
  }
  ExpungeResult result;
  for (auto& [uid, message] : place->mailbox->messages) {
    if (message.entry.expunged || (message.entry.flags & kDeleted) == 0 ||
        (uids && !uids->Contains(uid))) {
      continue;
    }
    if (result.expunged.empty()) {
      result.modseq = NextModseq(*place->user, *place->mailbox);
    }
    result.expunged.Add(uid);
    ExpungeOne(*place->mailbox, uid, result.modseq);
  }
  if (!result.expunged.empty()) {
    Wake(ref.id);
  }
  Complete<ExpungeResult>(done, result);
}

Result<CopyResult> MemoryMailStore::CopyNow(MailboxRef from, const UidSet& uids, MailboxRef to) {
  ASSIGN_OR_RETURN(const Place source, Find(from));
  ASSIGN_OR_RETURN(const Place target, Find(to));
  CopyResult result;
  result.uid_validity = target.mailbox->uid_validity;
  std::vector<Message> copied;
  for (const auto& [uid, message] : source.mailbox->messages) {
    if (!message.entry.expunged && uids.Contains(uid)) {
      copied.push_back(message);
    }
  }
  if (copied.size() > limits::kAtomicMessagesMax) {
    return LimitExceeded("too many messages in one command");
  }
  for (const Message& message : copied) {
    FlagList flags;
    for (std::size_t i = 0; i < source.mailbox->keywords->size(); ++i) {
      if (message.entry.keywords.Test(i)) {
        flags.keywords.push_back((*source.mailbox->keywords)[i]);
      }
    }
    ASSIGN_OR_RETURN(const KeywordBits bits,
                     BitsOf(*target.mailbox, flags, NewName::kAddWhileRoom));
    const Modseq modseq = NextModseq(*target.user, *target.mailbox);
    MessageRecord record = message.record;
    if (source.user != target.user) {
      record.body =
          KeepBody(*target.user, modseq, source.user->bodies.at(record.body), &record.guid);
    }
    result.pairs.emplace_back(message.entry.uid,
                              Add(*target.mailbox, modseq, record, message.entry.flags, bits));
  }
  if (!copied.empty()) {
    Wake(to.id);
  }
  return result;
}

void MemoryMailStore::Copy(MailboxRef from, UidSet uids, MailboxRef to, Done<CopyResult> done) {
  if (Status status = EnterWrite("Copy"); !status.ok()) {
    return Complete<CopyResult>(done, status);
  }
  Complete<CopyResult>(done, CopyNow(from, uids, to));
}

void MemoryMailStore::Move(MailboxRef from, UidSet uids, MailboxRef to, Done<CopyResult> done) {
  if (Status status = EnterWrite("Move"); !status.ok()) {
    return Complete<CopyResult>(done, status);
  }
  Result<CopyResult> result = CopyNow(from, uids, to);
  if (result.ok() && !result->pairs.empty()) {
    const Place source = *Find(from);
    const Modseq modseq = NextModseq(*source.user, *source.mailbox);
    for (const auto& [old_uid, new_uid] : result->pairs) {
      ExpungeOne(*source.mailbox, old_uid.value(), modseq);
    }
    Wake(from.id);
  }
  Complete<CopyResult>(done, std::move(result));
}

Result<DeliverResult> MemoryMailStore::DeliverNow(DeliverRequest& request) {
  ASSIGN_OR_RETURN(const Place inbox, FindByName(request.user.id, "INBOX"));
  auto& stage = dynamic_cast<MemoryStage&>(*request.body);
  MessageRecord record;
  record.size = stage.size();
  std::string octets = stage.Take();
  const auto key =
      std::make_tuple(inbox.mailbox->id, GuidOf(octets), request.sender, request.recipient);
  const std::int64_t now = clock_.WallSeconds();
  if (const auto it = deliveries_.find(key);
      it != deliveries_.end() && now - it->second.second <= limits::kDeliveryMemorySeconds) {
    return DeliverResult{it->second.first, true, {}};
  }
  const Modseq modseq = NextModseq(*inbox.user, *inbox.mailbox);
  record.body = KeepBody(*inbox.user, modseq, std::move(octets), &record.guid);
  record.internal_date = now;
  const Uid uid = Add(*inbox.mailbox, modseq, record, 0, {});
  deliveries_[key] = {uid, now};
  Wake(inbox.mailbox->id);
  return DeliverResult{uid, false, {}};
}

void MemoryMailStore::Deliver(DeliverRequest request, Done<DeliverResult> done) {
  if (Status status = EnterWrite("Deliver"); !status.ok()) {
    return Complete<DeliverResult>(done, status);
  }
  Complete<DeliverResult>(done, DeliverNow(request));
}

std::unique_ptr<Watch> MemoryMailStore::WatchMailbox(MailboxRef mailbox,
                                                     std::function<void()> wake) {
  auto watcher = std::make_shared<Watcher>(Watcher{mailbox.id, std::move(wake)});
  watchers_.push_back(watcher);
  return std::make_unique<MemoryWatch>(std::move(watcher));
}

}  // namespace twinspool::testing
