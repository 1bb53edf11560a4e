// Users and mailboxes of the model, and its switches for misbehaviour.
#include "tests/support/memory_mail_store.h"

#include <algorithm>
#include <array>

#include <openssl/evp.h>

#include "tests/support/memory_mail_store_inl.h"

namespace twinspool::testing {
namespace {

std::string Upper(std::string text) {
  for (char& c : text) {
    c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return text;
}

std::string Lower(std::string text) {
  for (char& c : text) {
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return text;
}

Status CheckName(const std::string& name) {
  if (name.empty() || name.front() == '/' || name.back() == '/' ||
      name.find("//") != std::string::npos) {
    return InvalidArgument("a mailbox name needs characters between the separators");
  }
  if (name.size() > limits::kMailboxNameBytesMax) {
    return LimitExceeded("the mailbox name is too long");
  }
  if (std::count(name.begin(), name.end(), '/') >=
      static_cast<std::ptrdiff_t>(limits::kMailboxDepthMax)) {
    return LimitExceeded("the mailbox name has too many levels");
  }
  return {};
}

}  // namespace

std::string Canonical(const std::string& name) {
  const std::string first = name.substr(0, name.find('/'));
  return Upper(first) == "INBOX" ? "INBOX" + name.substr(first.size()) : name;
}

Guid GuidOf(std::string_view octets) {
  Guid guid;
  unsigned int size = 0;
  EVP_Digest(octets.data(), octets.size(), guid.data(), &size, EVP_sha256(), nullptr);
  return guid;
}

// --- misbehaving

std::size_t MemoryMailStore::RunCompletions() {
  std::size_t ran = 0;
  while (!waiting_.empty()) {
    const std::function<void()> fn = std::move(waiting_.front());
    waiting_.pop_front();
    fn();
    ++ran;
  }
  return ran;
}

void MemoryMailStore::Later(std::function<void()> fn) {
  waiting_.push_back(std::move(fn));
}

int MemoryMailStore::calls(const std::string& call) const {
  const auto it = calls_.find(call);
  return it == calls_.end() ? 0 : it->second;
}

Status MemoryMailStore::Enter(const std::string& call) {
  ++calls_[call];
  const auto it = failures_.find(call);
  if (it == failures_.end()) {
    return {};
  }
  Status status = it->second;
  failures_.erase(it);
  return status;
}

Status MemoryMailStore::EnterWrite(const std::string& call) {
  if (Status status = Enter(call); !status.ok()) {
    return status;
  }
  return writes_blocked_;
}

void MemoryMailStore::DamageBody(MailboxRef mailbox, Uid uid) {
  damaged_.insert(Find(mailbox)->mailbox->messages.at(uid.value()).record.body);
}

// --- users

UserRef MemoryMailStore::AddUser(std::string name, std::string password, bool folders) {
  User user;
  user.ref = UserRef{random_.NewId<UserId>(), Lower(std::move(name))};
  user.password = std::move(password);
  const UserId id = user.ref.id;
  User& kept = users_[id] = std::move(user);
  Make(kept, "INBOX", 0);
  if (folders) {
    const std::array<std::pair<const char*, SpecialUse>, 5> usual = {{{"Drafts", kUseDrafts},
                                                                      {"Sent", kUseSent},
                                                                      {"Junk", kUseJunk},
                                                                      {"Trash", kUseTrash},
                                                                      {"Archive", kUseArchive}}};
    for (const auto& [folder, use] : usual) {
      Make(kept, folder, use);
      kept.subscriptions.insert(folder);
    }
  }
  return kept.ref;
}

void MemoryMailStore::FindRecipient(std::string address, Done<UserRef> done) {
  if (Status status = Enter("FindRecipient"); !status.ok()) {
    return Complete<UserRef>(done, status);
  }
  const std::string whole = Lower(std::move(address));
  std::vector<std::string> tries = {whole};
  const std::size_t at = whole.rfind('@');
  if (at != std::string::npos && domains_.contains(whole.substr(at + 1))) {
    tries.push_back(whole.substr(0, at));
  } else if (at == std::string::npos) {
    tries.push_back(whole);
  }
  const std::string local = tries.back();
  if (tries.size() > 1 && local.find('+') != std::string::npos) {
    tries.push_back(local.substr(0, local.find('+')));
  }
  for (const std::string& name : tries) {
    for (const auto& [id, one] : users_) {
      if (one.ref.name == name) {
        return Complete<UserRef>(done, one.ref);
      }
    }
  }
  Complete<UserRef>(done, NotFound("no such user here"));
}

Result<MemoryMailStore::User*> MemoryMailStore::FindUser(UserId id) {
  const auto it = users_.find(id);
  if (it == users_.end()) {
    return NotFound("no such user");
  }
  return &it->second;
}

// --- mailboxes

MailboxState MemoryMailStore::StateOf(const Place& place) const {
  const Mailbox& mailbox = *place.mailbox;
  MailboxState state;
  state.ref = {place.user->ref.id, mailbox.id, place.viewer};
  state.name = NameFor(place);
  state.rights = place.rights;
  state.uid_validity = mailbox.uid_validity;
  state.uid_next = mailbox.uid_next;
  state.highest_modseq = mailbox.highest;
  state.purge_floor = mailbox.purge_floor;
  state.use = place.viewer.nil() ? mailbox.use : 0;
  state.keywords = mailbox.keywords;
  if ((place.rights & kRightRead) == 0) {
    return state;
  }
  for (const auto& [uid, message] : mailbox.messages) {
    const IndexEntry entry = Viewed(place, message.entry);
    state.highest_modseq = std::max(state.highest_modseq, entry.modseq);
    if (!message.entry.expunged) {
      ++state.exists;
      state.unseen += (entry.flags & kSeen) == 0 ? 1 : 0;
      state.deleted += (message.entry.flags & kDeleted) != 0 ? 1 : 0;
      state.bytes += message.record.size;
    }
  }
  return state;
}

MemoryMailStore::Mailbox& MemoryMailStore::Make(User& user, const std::string& name,
                                                SpecialUse use) {
  Mailbox mailbox;
  mailbox.id = random_.NewId<MailboxId>();
  mailbox.name = name;
  mailbox.uid_validity = UidValidity(++user.uid_validity);
  mailbox.use = use;
  mailbox.keywords = std::make_shared<const std::vector<std::string>>();
  NextModseq(user, mailbox);
  user.names[name] = mailbox.id;
  TellListing(user.ref.id);
  return user.mailboxes[mailbox.id] = std::move(mailbox);
}

void MemoryMailStore::MakeParents(User& user, const std::string& name) {
  for (std::size_t at = name.find('/'); at != std::string::npos; at = name.find('/', at + 1)) {
    const std::string parent = name.substr(0, at);
    if (!user.names.contains(parent)) {
      Make(user, parent, 0);
    }
  }
}

void MemoryMailStore::ListMailboxes(UserId id, Done<std::vector<MailboxListing>> done) {
  if (Status status = Enter("ListMailboxes"); !status.ok()) {
    return Complete<std::vector<MailboxListing>>(done, status);
  }
  const Result<User*> user = FindUser(id);
  if (!user.ok()) {
    return Complete<std::vector<MailboxListing>>(done, user.status());
  }
  std::map<std::string, MailboxListing> lines;
  for (const auto& [name, mailbox] : (*user)->names) {
    lines[name] = {
        .id = mailbox, .name = name, .use = (*user)->mailboxes.at(mailbox).use, .owner = id};
  }
  for (auto& [owner, other] : users_) {
    for (auto& [mailbox, one] : other.mailboxes) {
      const Result<Place> place =
          owner == id ? NotFound("his own") : Find({owner, mailbox, id}, kRightLookup);
      if (place.ok()) {
        const std::string name = NameFor(*place);
        lines[name] = {.id = mailbox, .name = name, .owner = owner, .rights = place->rights};
      }
    }
  }
  for (const std::string& name : (*user)->subscriptions) {
    lines[name].name = name;
    lines[name].subscribed = true;
  }
  std::vector<MailboxListing> sorted;
  if (const auto inbox = lines.find("INBOX"); inbox != lines.end()) {
    sorted.push_back(inbox->second);
    lines.erase(inbox);
  }
  for (auto& [name, line] : lines) {
    sorted.push_back(std::move(line));
  }
  Complete<std::vector<MailboxListing>>(done, std::move(sorted));
}

void MemoryMailStore::FindMailbox(UserId user, std::string name, Done<MailboxState> done) {
  if (Status status = Enter("FindMailbox"); !status.ok()) {
    return Complete<MailboxState>(done, status);
  }
  const Result<Place> place = FindByName(user, name);
  if (!place.ok()) {
    return Complete<MailboxState>(done, place.status());
  }
  Complete<MailboxState>(done, StateOf(*place));
}

void MemoryMailStore::GetState(MailboxRef ref, Done<MailboxState> done) {
  if (Status status = Enter("GetState"); !status.ok()) {
    return Complete<MailboxState>(done, status);
  }
  const Result<Place> place = Find(ref, 0);
  if (!place.ok()) {
    return Complete<MailboxState>(done, place.status());
  }
  Complete<MailboxState>(done, StateOf(*place));
}

void MemoryMailStore::CreateMailbox(UserId id, std::string name, SpecialUse use,
                                    Done<MailboxState> done) {
  if (Status status = EnterWrite("CreateMailbox"); !status.ok()) {
    return Complete<MailboxState>(done, status);
  }
  const Result<Named> named = Resolve(id, name);
  if (!named.ok()) {
    return Complete<MailboxState>(done, named.status());
  }
  if (Status status = CheckName(named->name); !status.ok()) {
    return Complete<MailboxState>(done, status);
  }
  if (Status status = MayCreate(*named); !status.ok()) {
    return Complete<MailboxState>(done, status);
  }
  User& user = *named->user;
  if (user.names.contains(named->name)) {
    return Complete<MailboxState>(done, AlreadyExists("a mailbox of this name exists"));
  }
  if (user.names.size() >= limits::kMailboxesPerUserMax) {
    return Complete<MailboxState>(done, LimitExceeded("the user has too many mailboxes"));
  }
  const Mailbox* above = Above(*named);
  const std::map<std::string, Rights> acl = above == nullptr ? decltype(above->acl)() : above->acl;
  MakeParents(user, named->name);
  Mailbox& made = Make(user, named->name, use);
  made.acl = acl;
  Complete<MailboxState>(done, StateOf(*Find({user.ref.id, made.id, named->viewer}, 0)));
}

void MemoryMailStore::DeleteMailbox(UserId id, std::string name, Done<Unit> done) {
  if (Status status = EnterWrite("DeleteMailbox"); !status.ok()) {
    return Complete<Unit>(done, status);
  }
  if (Canonical(name) == "INBOX") {
    return Complete<Unit>(done, PermissionDenied("INBOX cannot be deleted"));
  }
  const Result<Place> place = FindByName(id, name);
  if (!place.ok()) {
    return Complete<Unit>(done, place.status());
  }
  if ((place->rights & kRightDeleteMailbox) == 0) {
    return Complete<Unit>(done, PermissionDenied("this takes the right \"x\" to the mailbox"));
  }
  if (place->mailbox->name == "INBOX") {
    return Complete<Unit>(done, PermissionDenied("INBOX cannot be deleted"));
  }
  const MailboxId mailbox = place->mailbox->id;
  place->user->names.erase(place->mailbox->name);
  place->user->mailboxes.erase(mailbox);
  Wake(place->user->ref.id, mailbox);
  TellListing(place->user->ref.id);
  Complete<Unit>(done, Unit{});
}

Result<Unit> MemoryMailStore::Rename(UserId id, const std::string& from_name,
                                     const std::string& to_name) {
  ASSIGN_OR_RETURN(const Named wanted, Resolve(id, to_name));
  ASSIGN_OR_RETURN(const Named source, Resolve(id, from_name));
  const std::string& from = source.name;
  const std::string& to = wanted.name;
  TRY(CheckName(to));
  User* user = source.user;
  if (user != wanted.user) {
    return PermissionDenied("a mailbox stays with its owner; copy its messages");
  }
  if (to.starts_with(from + "/") && from != "INBOX") {
    return InvalidArgument("a mailbox cannot move below itself");
  }
  if (!user->names.contains(from)) {
    return NotFound("no mailbox of this name");
  }
  if (!source.viewer.nil()) {
    TRY(Find({user->ref.id, user->names.at(from), source.viewer}, kRightDeleteMailbox).status());
    if (from == "INBOX") {
      return PermissionDenied("only its owner can rename an INBOX");
    }
    TRY(MayCreate(wanted));
  }
  std::vector<std::string> moving = {from};
  for (const auto& [name, mailbox] : user->names) {
    if (from != "INBOX" && name.starts_with(from + "/")) {
      moving.push_back(name);
    }
  }
  for (const std::string& name : moving) {
    const std::string target = to + name.substr(from.size());
    TRY(CheckName(target));
    if (user->names.contains(target)) {
      return AlreadyExists("a mailbox named " + target + " exists");
    }
  }
  for (const std::string& name : moving) {
    const MailboxId mailbox = user->names.extract(name).mapped();
    const std::string target = to + name.substr(from.size());
    user->mailboxes.at(mailbox).name = target;
    user->names[target] = mailbox;
    Wake(user->ref.id, mailbox);
  }
  TellListing(user->ref.id);
  MakeParents(*user, to);
  if (from == "INBOX" && !user->names.contains("INBOX")) {
    Make(*user, "INBOX", 0);
  }
  return Unit{};
}

void MemoryMailStore::RenameMailbox(UserId user, std::string from, std::string to,
                                    Done<Unit> done) {
  if (Status status = EnterWrite("RenameMailbox"); !status.ok()) {
    return Complete<Unit>(done, status);
  }
  Complete<Unit>(done, Rename(user, from, to));
}

void MemoryMailStore::Subscribe(UserId id, std::string name, bool subscribed, Done<Unit> done) {
  if (Status status = EnterWrite("Subscribe"); !status.ok()) {
    return Complete<Unit>(done, status);
  }
  const Result<User*> user = FindUser(id);
  if (!user.ok()) {
    return Complete<Unit>(done, user.status());
  }
  name = Canonical(name);
  if (Status status = CheckName(name); !status.ok()) {
    return Complete<Unit>(done, status);
  }
  if (subscribed) {
    if ((*user)->subscriptions.size() >= limits::kSubscriptionsPerUserMax) {
      return Complete<Unit>(done, LimitExceeded("the user has too many subscriptions"));
    }
    (*user)->subscriptions.insert(name);
  } else {
    (*user)->subscriptions.erase(name);
  }
  TellListing(id);
  Complete<Unit>(done, Unit{});
}

}  // namespace twinspool::testing
