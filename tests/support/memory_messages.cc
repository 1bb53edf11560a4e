// Messages of the model: writing and staging.
#include <algorithm>

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

void MemoryMailStore::Purge(MailboxRef ref) {
  const Result<Place> place = Find(ref);
  TWINSPOOL_CHECK(place.ok(), "purge of a mailbox that is not there");
  std::erase_if(place->mailbox->messages,
                [](const auto& item) { return item.second.entry.expunged; });
  place->mailbox->purge_floor = place->mailbox->highest;
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
  ASSIGN_OR_RETURN(const Place place, Find(ref, kRightInsert));
  if (messages.size() > limits::kAtomicMessagesMax) {
    return LimitExceeded("too many messages in one command");
  }
  std::vector<KeywordBits> bits;
  for (AppendMessage& message : messages) {
    message.flags = Restricted(place, std::move(message.flags));
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
    const SystemFlags flags =
        SplitSeen(place, place.mailbox->uid_next, message.flags.system, modseq);
    result.uids.Add(Add(*place.mailbox, modseq, record, flags, bits[i]));
    result.modseq = modseq;
  }
  Wake(ref.owner, ref.id);
  return result;
}

void MemoryMailStore::Append(MailboxRef mailbox, std::vector<AppendMessage> messages,
                             Done<AppendResult> done) {
  if (Status status = EnterWrite("Append"); !status.ok()) {
    return Complete<AppendResult>(done, status);
  }
  std::uint64_t bytes = 0;
  for (const AppendMessage& message : messages) {
    bytes += message.body->size();
  }
  const Result<User*> owner = FindUser(mailbox.owner);
  if (owner.ok() && !CheckRoom(**owner, bytes, messages.size()).ok()) {
    return Complete<AppendResult>(done, CheckRoom(**owner, bytes, messages.size()));
  }
  Complete<AppendResult>(done, AppendNow(mailbox, messages));
}

void MemoryMailStore::Replace(MailboxRef to, AppendMessage message, MailboxRef from, Uid old,
                              Done<AppendResult> done) {
  if (Status status = EnterWrite("Replace"); !status.ok()) {
    return Complete<AppendResult>(done, status);
  }
  const Result<Place> source = Find(from, kRightDeleteMessages | kRightExpunge);
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
    Wake(from.owner, from.id);
  }
  Complete<AppendResult>(done, std::move(result));
}

Result<StoreResult> MemoryMailStore::StoreNow(MailboxRef ref, const StoreRequest& request) {
  ASSIGN_OR_RETURN(const Place place, Find(ref));
  const SystemFlags allowed = Restricted(place, {.system = 0xff, .keywords = {}}).system;
  const FlagList flags = Restricted(place, request.flags);
  const bool named = request.flags.system != 0 || !request.flags.keywords.empty();
  const bool some = flags.system != 0 || !flags.keywords.empty() || (!named && allowed != 0);
  if (place.rights != kRightsAll && !some) {
    return PermissionDenied("these flags take rights to the mailbox");
  }
  ASSIGN_OR_RETURN(const KeywordBits bits,
                   BitsOf(*place.mailbox, flags,
                          request.change == FlagChange::kRemove ? NewName::kSkip : NewName::kAdd));
  StoreResult result;
  result.missing = request.uids;
  UidSet changed;
  Modseq modseq;
  for (auto& [uid, message] : place.mailbox->messages) {
    const IndexEntry entry = Viewed(place, message.entry);
    if (entry.expunged || !request.uids.Contains(uid)) {
      continue;
    }
    result.missing.Remove(uid);
    if (request.unchanged_since && entry.modseq > *request.unchanged_since) {
      result.modified.Add(uid);
      continue;
    }
    if (request.known > Modseq() && entry.modseq > request.known) {
      result.news.Add(uid);
    }
    IndexEntry next = Changed(entry, request.change, flags.system, bits);
    next.flags = static_cast<SystemFlags>((entry.flags & ~allowed) | (next.flags & allowed));
    next.keywords = (place.rights & kRightWrite) != 0 ? next.keywords : entry.keywords;
    if (next.flags == entry.flags && next.keywords == entry.keywords) {
      continue;
    }
    modseq = changed.empty() ? NextModseq(*place.user, *place.mailbox) : modseq;
    if (place.own_seen && ((next.flags ^ entry.flags) & kSeen) != 0) {
      SeenOf(place)[uid] = {(next.flags & kSeen) != 0, modseq};
    }
    if (place.own_seen) {
      next.flags = static_cast<SystemFlags>((next.flags & ~kSeen) | (message.entry.flags & kSeen));
    }
    if (next.flags != message.entry.flags || next.keywords != message.entry.keywords) {
      next.modseq = modseq;
      message.entry = next;
    }
    changed.Add(uid);
  }
  if (!changed.empty()) {
    result.changed.emplace_back(changed, modseq);
    Wake(ref.owner, ref.id);
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
  const Result<Place> place = Find(ref, kRightExpunge);
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
    Wake(ref.owner, ref.id);
  }
  Complete<ExpungeResult>(done, result);
}

Result<CopyResult> MemoryMailStore::CopyNow(MailboxRef from, const UidSet& uids, MailboxRef to,
                                            bool move) {
  ASSIGN_OR_RETURN(const Place source, Find(from));
  ASSIGN_OR_RETURN(const Place target, Find(to, kRightInsert));
  CopyResult result;
  result.uid_validity = target.mailbox->uid_validity;
  std::vector<Message> copied;
  std::uint64_t bytes = 0;
  for (const auto& [uid, message] : source.mailbox->messages) {
    if (!message.entry.expunged && uids.Contains(uid)) {
      copied.push_back(message);
      copied.back().entry = Viewed(source, message.entry);
      bytes += message.record.size;
    }
  }
  if (!move || source.user != target.user) {
    TRY(CheckRoom(*target.user, bytes, copied.size()));
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
    flags.system = message.entry.flags;
    flags = Restricted(target, std::move(flags));
    ASSIGN_OR_RETURN(const KeywordBits bits,
                     BitsOf(*target.mailbox, flags, NewName::kAddWhileRoom));
    const Modseq modseq = NextModseq(*target.user, *target.mailbox);
    MessageRecord record = message.record;
    if (source.user != target.user) {
      record.body =
          KeepBody(*target.user, modseq, source.user->bodies.at(record.body), &record.guid);
    }
    const SystemFlags kept = SplitSeen(target, target.mailbox->uid_next, flags.system, modseq);
    result.pairs.emplace_back(message.entry.uid, Add(*target.mailbox, modseq, record, kept, bits));
  }
  if (!copied.empty()) {
    Wake(to.owner, to.id);
  }
  return result;
}

void MemoryMailStore::Copy(MailboxRef from, UidSet uids, MailboxRef to, Done<CopyResult> done) {
  if (Status status = EnterWrite("Copy"); !status.ok()) {
    return Complete<CopyResult>(done, status);
  }
  Complete<CopyResult>(done, CopyNow(from, uids, to, false));
}

void MemoryMailStore::Move(MailboxRef from, UidSet uids, MailboxRef to, Done<CopyResult> done) {
  if (Status status = EnterWrite("Move"); !status.ok()) {
    return Complete<CopyResult>(done, status);
  }
  const Result<Place> allowed = Find(from, kRightDeleteMessages | kRightExpunge);
  if (!allowed.ok()) {
    return Complete<CopyResult>(done, allowed.status());
  }
  Result<CopyResult> result = CopyNow(from, uids, to, true);
  if (result.ok() && !result->pairs.empty()) {
    const Place source = *Find(from);
    const Modseq modseq = NextModseq(*source.user, *source.mailbox);
    for (const auto& [old_uid, new_uid] : result->pairs) {
      ExpungeOne(*source.mailbox, old_uid.value(), modseq);
    }
    Wake(from.owner, from.id);
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
  TRY(CheckRoom(*inbox.user, record.size, 1));
  const Modseq modseq = NextModseq(*inbox.user, *inbox.mailbox);
  record.body = KeepBody(*inbox.user, modseq, std::move(octets), &record.guid);
  record.internal_date = now;
  const Uid uid = Add(*inbox.mailbox, modseq, record, 0, {});
  deliveries_[key] = {uid, now};
  Wake(inbox.user->ref.id, inbox.mailbox->id);
  return DeliverResult{uid, false, {}};
}

void MemoryMailStore::Deliver(DeliverRequest request, Done<DeliverResult> done) {
  if (Status status = EnterWrite("Deliver"); !status.ok()) {
    return Complete<DeliverResult>(done, status);
  }
  Complete<DeliverResult>(done, DeliverNow(request));
}

}  // namespace twinspool::testing
