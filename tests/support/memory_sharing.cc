// The model's shared mailboxes: names, rights, \Seen of each viewer; annotations; quota.
#include <algorithm>

#include "tests/support/memory_mail_store.h"
#include "tests/support/memory_mail_store_inl.h"

namespace twinspool::testing {

UserRef MemoryMailStore::AddShared(std::string name) {
  const UserRef made = AddUser(std::move(name), "");
  users_.at(made.id).shared = true;
  return made;
}

void MemoryMailStore::Grant(UserId owner, const std::string& mailbox, const std::string& identifier,
                            Rights rights) {
  User& user = users_.at(owner);
  user.mailboxes.at(user.names.at(mailbox)).acl[identifier] = rights;
}

void MemoryMailStore::SetQuota(UserId owner, std::optional<std::uint64_t> bytes,
                               std::optional<std::uint64_t> messages) {
  users_.at(owner).bytes_max = bytes;
  users_.at(owner).messages_max = messages;
}

// --- who sees what

MemoryMailStore::User* MemoryMailStore::UserNamed(const std::string& name) {
  for (auto& [id, user] : users_) {
    if (user.ref.name == name) {
      return &user;
    }
  }
  return nullptr;
}

Rights MemoryMailStore::RightsOf(const Mailbox& mailbox, UserId viewer) const {
  Rights given = 0;
  Rights denied = 0;
  for (const std::string& name : {users_.at(viewer).ref.name, std::string("anyone")}) {
    const auto plus = mailbox.acl.find(name);
    const auto minus = mailbox.acl.find("-" + name);
    given = static_cast<Rights>(given | (plus == mailbox.acl.end() ? 0 : plus->second));
    denied = static_cast<Rights>(denied | (minus == mailbox.acl.end() ? 0 : minus->second));
  }
  return static_cast<Rights>(given & ~denied);
}

std::string MemoryMailStore::NameFor(const Place& place) const {
  if (place.viewer.nil()) {
    return place.mailbox->name;
  }
  const std::string top = place.user->shared ? "Shared/" : "Other Users/";
  return top + place.user->ref.name +
         (place.mailbox->name == "INBOX" ? "" : "/" + place.mailbox->name);
}

Result<MemoryMailStore::Named> MemoryMailStore::Resolve(UserId id, const std::string& given) {
  const std::string name = Canonical(given);
  const std::string top = name.substr(0, name.find('/'));
  if (top != "Other Users" && top != "Shared") {
    ASSIGN_OR_RETURN(User * user, FindUser(id));
    return Named{user, name, UserId()};
  }
  const std::string rest = name.size() > top.size() ? name.substr(top.size() + 1) : "";
  const std::string owner = rest.substr(0, rest.find('/'));
  User* user = UserNamed(owner);
  if (user == nullptr || user->shared != (top == "Shared")) {
    return NotFound("no mailbox of this name");
  }
  const std::string own = rest.size() > owner.size() ? rest.substr(owner.size() + 1) : "INBOX";
  return Named{user, Canonical(own), user->ref.id == id ? UserId() : id};
}

Result<MemoryMailStore::Place> MemoryMailStore::Find(MailboxRef ref, Rights needed) {
  ASSIGN_OR_RETURN(User * user, FindUser(ref.owner));
  const auto it = user->mailboxes.find(ref.id);
  if (it == user->mailboxes.end()) {
    return NotFound("the mailbox was deleted");
  }
  Place place;
  place.user = user;
  place.mailbox = &it->second;
  if (!ref.own()) {
    const auto& entries = user->annotations[ref.id];
    const auto all = entries.find(kSharedSeenEntry);
    place.viewer = ref.viewer;
    place.rights = RightsOf(it->second, ref.viewer);
    place.own_seen = all == entries.end() || all->second != "true";
  }
  if (place.rights == 0) {
    return NotFound("the mailbox does not exist");
  }
  if ((place.rights & needed) != needed) {
    return PermissionDenied("this takes more rights to the mailbox");
  }
  return place;
}

Result<MemoryMailStore::Place> MemoryMailStore::FindByName(UserId id, const std::string& name) {
  ASSIGN_OR_RETURN(const Named named, Resolve(id, name));
  const auto it = named.user->names.find(named.name);
  if (it == named.user->names.end()) {
    return NotFound("no mailbox of this name");
  }
  return Find({named.user->ref.id, it->second, named.viewer}, 0);
}

MemoryMailStore::Mailbox* MemoryMailStore::Above(const Named& named) {
  std::string name = named.name;
  for (std::size_t end = name.rfind('/'); end != std::string::npos; end = name.rfind('/')) {
    name.resize(end);
    if (const auto it = named.user->names.find(name); it != named.user->names.end()) {
      return &named.user->mailboxes.at(it->second);
    }
  }
  return named.viewer.nil() ? nullptr : &named.user->mailboxes.at(named.user->names.at("INBOX"));
}

Status MemoryMailStore::MayCreate(const Named& named) {
  if (named.viewer.nil()) {
    return OkStatus();
  }
  return Find({named.user->ref.id, Above(named)->id, named.viewer}, kRightCreate).status();
}

// --- flags of one's own

std::map<std::uint32_t, std::pair<bool, Modseq>>& MemoryMailStore::SeenOf(const Place& place) {
  return place.mailbox->seen[place.viewer];
}

IndexEntry MemoryMailStore::Viewed(const Place& place, const IndexEntry& entry) {
  IndexEntry viewed = entry;
  if (!place.own_seen || entry.expunged) {
    return viewed;
  }
  viewed.flags = static_cast<SystemFlags>(viewed.flags & ~kSeen);
  const auto& seen = SeenOf(place);
  if (const auto it = seen.find(entry.uid.value()); it != seen.end()) {
    viewed.flags = static_cast<SystemFlags>(viewed.flags | (it->second.first ? kSeen : 0));
    viewed.modseq = std::max(viewed.modseq, it->second.second);
  }
  return viewed;
}

SystemFlags MemoryMailStore::SplitSeen(const Place& place, Uid uid, SystemFlags flags,
                                       Modseq modseq) {
  if (!place.own_seen) {
    return flags;
  }
  if ((flags & kSeen) != 0) {
    SeenOf(place)[uid.value()] = {true, modseq};
  }
  return static_cast<SystemFlags>(flags & ~kSeen);
}

FlagList MemoryMailStore::Restricted(const Place& place, FlagList flags) {
  SystemFlags allowed = 0;
  allowed |= (place.rights & kRightSeen) != 0 ? kSeen : 0;
  allowed |= (place.rights & kRightDeleteMessages) != 0 ? kDeleted : 0;
  allowed |= (place.rights & kRightWrite) != 0 ? kAnswered | kFlagged | kDraft : 0;
  flags.system = static_cast<SystemFlags>(flags.system & allowed);
  if ((place.rights & kRightWrite) == 0) {
    flags.keywords.clear();
  }
  return flags;
}

// --- annotations, rights, quota

namespace {

constexpr std::string_view kPrivate = "/private/";

/// What an entry is kept under: private ones are each viewer's own.
std::string StoredEntry(const MailboxRef& ref, const std::string& entry) {
  return ref.own() || !entry.starts_with(kPrivate)
             ? entry
             : "/viewer/" + ref.viewer.ToHex() + "/" + entry.substr(kPrivate.size());
}

}  // namespace

void MemoryMailStore::GetAnnotations(MailboxRef ref, Done<std::vector<Annotation>> done) {
  using List = std::vector<Annotation>;
  if (Status status = Enter("GetAnnotations"); !status.ok()) {
    return Complete<List>(done, status);
  }
  const Result<User*> user = FindUser(ref.owner);
  if (!user.ok()) {
    return Complete<List>(done, user.status());
  }
  if (const Status found = ref.id.nil() ? OkStatus() : Find(ref).status(); !found.ok()) {
    return Complete<List>(done, found);
  }
  const std::string mine = StoredEntry(ref, "/private/");
  List list;
  for (const auto& [entry, value] : (*user)->annotations[ref.id]) {
    if (entry.starts_with(mine)) {
      list.push_back({std::string(kPrivate) + entry.substr(mine.size()), value});
    } else if (entry.starts_with("/shared/")) {
      list.push_back({entry, value});
    }
  }
  std::sort(list.begin(), list.end(),
            [](const Annotation& a, const Annotation& b) { return a.entry < b.entry; });
  Complete<List>(done, std::move(list));
}

void MemoryMailStore::SetAnnotations(MailboxRef ref, std::vector<Annotation> changes,
                                     Done<Unit> done) {
  if (Status status = EnterWrite("SetAnnotations"); !status.ok()) {
    return Complete<Unit>(done, status);
  }
  Complete<Unit>(done, Annotate(ref, changes));
}

Result<Unit> MemoryMailStore::Annotate(MailboxRef ref, std::vector<Annotation>& changes) {
  ASSIGN_OR_RETURN(User * user, FindUser(ref.owner));
  auto next = user->annotations[ref.id];
  UserNews changed;
  for (Annotation& change : changes) {
    const Rights needed = change.entry.starts_with(kPrivate) ? kRightRead
                          : change.entry == kSharedSeenEntry ? kRightAdminister
                                                             : kRightWrite;
    TRY(ref.id.nil() ? OkStatus() : Find(ref, needed).status());
    const std::string stored = StoredEntry(ref, change.entry);
    const auto at = next.find(stored);
    if (at == next.end() ? !change.value : change.value == at->second) {
      continue;
    }
    if (stored == change.entry) {
      changed.annotations.emplace_back(ref.id, change.entry);
    }
    if (change.value) {
      next[stored] = std::move(*change.value);
    } else {
      next.erase(stored);
    }
  }
  if (next.size() > limits::kAnnotationsPerMailboxMax) {
    return LimitExceeded("There are too many annotations");
  }
  user->annotations[ref.id] = std::move(next);
  if (!changed.annotations.empty()) {
    TellUser(ref.owner, [&](UserNews* news) {
      news->annotations.insert(news->annotations.end(), changed.annotations.begin(),
                               changed.annotations.end());
    });
  }
  return Unit{};
}

void MemoryMailStore::SetSpecialUse(UserId id, MailboxId mailbox, SpecialUse use,
                                    std::vector<Annotation> changes, Done<Unit> done) {
  if (Status status = EnterWrite("SetSpecialUse"); !status.ok()) {
    return Complete<Unit>(done, status);
  }
  const Result<Place> place = Find({id, mailbox});
  if (!place.ok()) {
    return Complete<Unit>(done, place.status());
  }
  const Result<Unit> annotated = Annotate({id, mailbox}, changes);
  if (annotated.ok() && place->mailbox->use != use) {
    place->mailbox->use = use;
    TellListing(id);
  }
  Complete<Unit>(done, annotated);
}

void MemoryMailStore::GetAcl(MailboxRef ref, Done<std::vector<AclEntry>> done) {
  if (Status status = Enter("GetAcl"); !status.ok()) {
    return Complete<std::vector<AclEntry>>(done, status);
  }
  const Result<Place> place = Find(ref, kRightAdminister);
  if (!place.ok()) {
    return Complete<std::vector<AclEntry>>(done, place.status());
  }
  std::vector<AclEntry> entries;
  for (const auto& [identifier, rights] : place->mailbox->acl) {
    entries.push_back({identifier, rights});
  }
  Complete<std::vector<AclEntry>>(done, std::move(entries));
}

void MemoryMailStore::SetAcl(MailboxRef ref, std::string identifier, RightsChange change,
                             Rights rights, Done<Unit> done) {
  if (Status status = EnterWrite("SetAcl"); !status.ok()) {
    return Complete<Unit>(done, status);
  }
  const std::string name = identifier.substr(identifier.starts_with('-') ? 1 : 0);
  const User* subject = UserNamed(name);
  if (name != "anyone" && (subject == nullptr || subject->ref.id == ref.owner)) {
    return Complete<Unit>(done, InvalidArgument("nobody of this name can be given rights"));
  }
  const Result<Place> place = Find(ref, kRightAdminister);
  if (!place.ok()) {
    return Complete<Unit>(done, place.status());
  }
  auto& acl = place->mailbox->acl;
  const Rights now = acl.contains(identifier) ? acl[identifier] : Rights{0};
  const int next = change == RightsChange::kReplace ? rights
                   : change == RightsChange::kAdd   ? now | rights
                                                    : now & ~rights;
  if (now == 0 && next != 0 && acl.size() >= limits::kAclEntriesMax) {
    return Complete<Unit>(done, LimitExceeded("the access control list of the mailbox is full"));
  }
  if (next == 0) {
    acl.erase(identifier);
  } else {
    acl[identifier] = static_cast<Rights>(next);
  }
  Complete<Unit>(done, Unit{});
}

Status MemoryMailStore::CheckRoom(const User& user, std::uint64_t bytes,
                                  std::uint64_t messages) const {
  for (const auto& [id, mailbox] : user.mailboxes) {
    for (const auto& [uid, message] : mailbox.messages) {
      bytes += message.entry.expunged ? 0 : message.record.size;
      messages += message.entry.expunged ? 0 : 1;
    }
  }
  return (user.bytes_max && bytes > *user.bytes_max) ||
                 (user.messages_max && messages > *user.messages_max)
             ? OverQuota("the mailboxes are full")
             : OkStatus();
}

void MemoryMailStore::GetQuota(UserId owner, Done<QuotaState> done) {
  if (Status status = Enter("GetQuota"); !status.ok()) {
    return Complete<QuotaState>(done, status);
  }
  const Result<User*> user = FindUser(owner);
  if (!user.ok()) {
    return Complete<QuotaState>(done, user.status());
  }
  QuotaState quota;
  quota.root = (*user)->ref.name;
  quota.bytes_max = (*user)->bytes_max;
  quota.messages_max = (*user)->messages_max;
  for (const auto& [id, mailbox] : (*user)->mailboxes) {
    for (const auto& [uid, message] : mailbox.messages) {
      quota.bytes += message.entry.expunged ? 0 : message.record.size;
      quota.messages += message.entry.expunged ? 0 : 1;
    }
  }
  Complete<QuotaState>(done, quota);
}

}  // namespace twinspool::testing
