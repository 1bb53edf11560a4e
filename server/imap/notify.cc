#include "server/imap/notify.h"

#include <algorithm>
#include <optional>

#include "server/imap/answers.h"
#include "server/imap/core.h"
#include "server/imap/metadata.h"

namespace twinspool::imap {
namespace {

constexpr NotifyEvents kOfMessages = kNotifyMessageNew | kNotifyMessageExpunge | kNotifyFlagChange;

std::string ParentOf(const std::string& name) {
  const std::size_t end = name.rfind('/');
  return end == std::string::npos ? std::string() : name.substr(0, end);
}

bool Covers(const SearchSource& which, const std::string& name, bool subscribed) {
  switch (which.scope) {
    case SearchScope::kSelected:
    case SearchScope::kSubtreeOne:
      return false;
    case SearchScope::kInboxes:
      return name == "INBOX";
    case SearchScope::kPersonal:
      return true;
    case SearchScope::kSubscribed:
      return subscribed;
    case SearchScope::kMailboxes:
      return std::find(which.mailboxes.begin(), which.mailboxes.end(), name) !=
             which.mailboxes.end();
    case SearchScope::kSubtree:
      return std::any_of(which.mailboxes.begin(), which.mailboxes.end(), [&](const auto& top) {
        return name == top || name.starts_with(top + "/");
      });
  }
  return false;
}

/// What STATUS says at first of a mailbox of such events (RFC 5465 §3.1).
StatusItems FirstItems(NotifyEvents events, bool condstore) {
  StatusItems items = kStatusMessages | kStatusUidNext | kStatusUidValidity;
  if ((events & kNotifyFlagChange) != 0) {
    items |= kStatusUnseen | kStatusHighestModseq;
  }
  return static_cast<StatusItems>(condstore ? items | kStatusHighestModseq : items);
}

}  // namespace

Notifier::Notifier(std::vector<NotifyGroup> groups) {
  selected_.messages = selected_.flags = false;
  for (NotifyGroup& group : groups) {
    if (group.which.scope != SearchScope::kSelected) {
      for (std::string& name : group.which.mailboxes) {
        name = NormalName(name);
      }
      groups_.push_back(std::move(group));
      continue;
    }
    selected_.messages = (group.events & kNotifyMessageNew) != 0;
    selected_.flags = (group.events & kNotifyFlagChange) != 0;
    selected_.expunges_at_once = selected_.messages && !group.delayed;
    selected_.items = std::move(group.items);
    for (FetchItem& item : selected_.items) {
      item.peek = true;  // nobody has read it
    }
  }
}

void Notifier::OwnName(const std::string& name) {
  if (own_names_.size() < limits::kUserNewsMax) {
    own_names_.insert(name);
  }
}

void Notifier::OwnMessages(MailboxId mailbox, std::size_t count) {
  if (own_messages_.size() < limits::kUserNewsMax) {
    own_messages_[mailbox] += count;
  }
}

void Notifier::OwnEntry(MailboxId mailbox, const std::string& entry) {
  if (own_entries_.size() < limits::kUserNewsMax) {
    own_entries_.emplace(mailbox, entry);
  }
}

NotifyEvents Notifier::EventsOf(const std::string& name, bool subscribed) const {
  NotifyEvents events = 0;
  for (const NotifyGroup& group : groups_) {
    if (Covers(group.which, name, subscribed)) {
      events = static_cast<NotifyEvents>(events | group.events);
    }
  }
  return events;
}

StatusItems Notifier::Compare(const MailboxState& state, Known* known, NotifyEvents events,
                              bool condstore) {
  const std::size_t own = std::exchange(own_messages_[state.ref.id], 0);
  own_messages_.erase(state.ref.id);
  const bool counts = state.uid_next != known->next || state.exists != known->exists;
  const bool ours = own > 0 && state.uid_next.value() == known->next.value() + own &&
                    state.exists == known->exists + own;
  const bool unseen = state.unseen != known->unseen;
  const bool flags = !counts && known->highest.value() > 0 && state.highest_modseq > known->highest;
  StatusItems items = 0;
  if (!known->counted || (counts && !ours)) {
    items |= kStatusMessages | kStatusUidNext;
    items |= condstore ? kStatusHighestModseq : 0;
  }
  const bool telling = items != 0;
  if ((events & kNotifyFlagChange) != 0 && (telling || flags) && !ours) {
    items |= unseen || !known->counted ? kStatusUnseen | kStatusUidValidity : 0;
    items |= condstore ? kStatusHighestModseq | kStatusUidValidity : 0;
  }
  known->counted = true;
  known->exists = state.exists;
  known->unseen = state.unseen;
  known->next = state.uid_next;
  known->highest = state.highest_modseq;
  return (events & kNotifyMessageNew) != 0 ? items : 0;
}

// --- the listing

void Notifier::TakeListing(std::vector<MailboxListing> listing, bool first) {
  std::unordered_map<MailboxId, Known> now;
  names_.clear();
  subscribed_.clear();
  for (MailboxListing& line : listing) {
    if (line.subscribed) {
      subscribed_.insert(line.name);
    }
    if (line.id.nil()) {
      continue;
    }
    Known known;
    if (const auto before = known_.find(line.id); before != known_.end()) {
      known = std::move(before->second);
    } else if (!first) {
      known.counted = true;  // it is new: it was empty
      known.next = Uid(1);
    }
    known.name = std::move(line.name);
    known.use = line.use;
    known.subscribed = line.subscribed;
    names_.emplace(known.name, line.id);
    now.emplace(line.id, std::move(known));
  }
  known_ = std::move(now);
}

std::string Notifier::LineOf(const std::string& name) const {
  std::string attributes;
  const auto add = [&attributes](std::string_view word) {
    attributes += attributes.empty() ? "" : " ";
    attributes += word;
  };
  const auto here = names_.find(name);
  if (here == names_.end()) {
    add("\\NonExistent");
  }
  if (subscribed_.contains(name)) {
    add("\\Subscribed");
  }
  const auto below = names_.lower_bound(name + "/");
  const bool children = below != names_.end() && below->first.starts_with(name + "/");
  add(children ? "\\HasChildren" : "\\HasNoChildren");
  if (here != names_.end() && known_.at(here->second).use != 0) {
    attributes += ' ';
    AppendSpecialUse(&attributes, known_.at(here->second).use);
  }
  return attributes;
}

/// LIST responses for names that came, went or changed hands, and for subscriptions.
void Notifier::TellListing(const std::unordered_map<MailboxId, Known>& before,
                           const std::set<std::string>& subscribed_before, Core& core) {
  std::map<std::string, std::string> lines;  // name -> what it was called
  const auto name_event = [&](const std::string& name, const std::string& old_name) {
    const bool subscribed = subscribed_.contains(name) || subscribed_before.contains(name);
    const NotifyEvents events = static_cast<NotifyEvents>(
        EventsOf(name, subscribed) |
        (old_name.empty() ? 0 : EventsOf(old_name, subscribed_before.contains(old_name))));
    if (!name.empty() && (events & kNotifyMailboxName) != 0 && !own_names_.contains(name)) {
      lines.emplace(name, old_name);
    }
  };
  std::map<std::string, std::string> moved;  // former names
  for (const auto& [id, known] : known_) {
    const auto old = before.find(id);
    if (old != before.end() && old->second.name != known.name) {
      moved.emplace(old->second.name, known.name);
    }
  }
  for (const auto& [from, to] : moved) {
    const auto parent = moved.find(ParentOf(from));
    if (parent == moved.end() || parent->second != ParentOf(to)) {
      name_event(to, from);
    }
  }
  const auto came_or_went = [&](const std::string& name) {
    if (!own_names_.contains(name)) {
      name_event(name, "");
      name_event(ParentOf(name), "");
    }
  };
  for (const auto& [id, known] : known_) {
    // A renamed INBOX leaves a new one, of which nothing is said.
    if (!before.contains(id) && known.name != "INBOX") {
      came_or_went(known.name);
    }
  }
  for (const auto& [id, old] : before) {
    if (!known_.contains(id)) {
      came_or_went(old.name);
    }
  }
  std::vector<std::string> changed;
  std::set_symmetric_difference(subscribed_.begin(), subscribed_.end(), subscribed_before.begin(),
                                subscribed_before.end(), std::back_inserter(changed));
  for (const std::string& name : changed) {
    if ((EventsOf(name, true) & kNotifySubscriptionChange) != 0 && !own_names_.contains(name)) {
      lines.emplace(name, "");
    }
  }
  own_names_.clear();
  for (const auto& [name, old_name] : lines) {
    AppendListLine(&core.out(), LineOf(name), name, old_name, core.utf8());
  }
}

// --- one look

/// Either the first look of all, or at what the watch names.
class Notifier::Run : public Task {
 public:
  Run(Core& core, Notifier& notifier, std::function<void(const Status&)> done)
      : Task(core), notifier_(notifier), done_(std::move(done)) {}

  void Begin(bool status) {
    first_ = true;
    status_ = status;
    ReadListing();
  }

  void Tell() {
    news_ = notifier_.watch_->Take();
    AddMissed(std::exchange(notifier_.missed_, {}));
    if (news_.overflow && (WantsEntries() || core().Blocked())) {
      return done_(LimitExceeded("too much has changed"));
    }
    for (const MailboxId id : news_.mailboxes) {
      ids_.push_back(id);
    }
    if (news_.listing || news_.overflow) {
      return ReadListing();
    }
    Next();
  }

  void OnDrained() override {
    if (waiting_) {
      waiting_ = false;
      Next();
    }
  }

 private:
  bool WantsEntries() const {
    return std::any_of(
        notifier_.groups_.begin(), notifier_.groups_.end(), [](const NotifyGroup& group) {
          return (group.events & (kNotifyMailboxMetadata | kNotifyServerMetadata)) != 0;
        });
  }

  void AddMissed(UserNews missed) {
    news_.listing = news_.listing || missed.listing;
    news_.overflow = news_.overflow || missed.overflow;
    news_.mailboxes.insert(news_.mailboxes.end(), missed.mailboxes.begin(), missed.mailboxes.end());
    news_.annotations.insert(news_.annotations.end(), missed.annotations.begin(),
                             missed.annotations.end());
    if (news_.mailboxes.size() + news_.annotations.size() > limits::kUserNewsMax) {
      news_ = {};
      news_.overflow = true;
    }
  }

  /// What could not be read is looked at again; what was told meanwhile is known and told once.
  void Fail(const Status& status) {
    notifier_.missed_ = std::move(news_);
    done_(status);
  }

  void ReadListing() {
    core().store().ListMailboxes(
        core().user().id,
        Then<std::vector<MailboxListing>>([this](Result<std::vector<MailboxListing>> listing) {
          if (!listing.ok()) {
            return Fail(listing.status());
          }
          // News come of the user's own mailboxes; of others' only their names would be known.
          std::erase_if(*listing, [this](const MailboxListing& one) {
            return !one.id.nil() && one.owner != core().user().id;
          });
          OnListing(std::move(*listing));
        }));
  }

  void OnListing(std::vector<MailboxListing> listing) {
    if (!first_) {
      const std::unordered_map<MailboxId, Known> before = notifier_.known_;
      const std::set<std::string> subscribed = notifier_.subscribed_;
      notifier_.TakeListing(std::move(listing), false);
      notifier_.TellListing(before, subscribed, core());
      AddUses(before);
    } else {
      notifier_.TakeListing(std::move(listing), true);
    }
    if (first_ || news_.overflow) {
      ids_.clear();
      for (const auto& [name, id] : notifier_.names_) {
        ids_.push_back(id);
      }
    }
    Next();
  }

  /// A special use is an entry of METADATA, too.
  void AddUses(const std::unordered_map<MailboxId, Known>& before) {
    for (const auto& [id, known] : notifier_.known_) {
      const auto old = before.find(id);
      if (old != before.end() && old->second.use != known.use) {
        news_.annotations.emplace_back(id, std::string(kSpecialUseEntry));
      }
    }
  }

  /// The states of the mailboxes that may have changed, one after the other.
  void Next() {
    while (at_ < ids_.size()) {
      const MailboxId id = ids_[at_++];
      const auto known = notifier_.known_.find(id);
      if (known == notifier_.known_.end() ||
          (notifier_.EventsOf(known->second.name, known->second.subscribed) & kOfMessages) == 0) {
        continue;
      }
      return core().store().GetState({core().user().id, id},
                                     Then<MailboxState>([this](const Result<MailboxState>& state) {
                                       // Deleted meanwhile: another look will tell.
                                       if (!state.ok() && !state.status().Is(Code::kNotFound)) {
                                         return Fail(state.status());
                                       }
                                       if (state.ok()) {
                                         OnState(*state);
                                       }
                                       waiting_ = core().FlushAndCheckBlocked();
                                       if (!waiting_) {
                                         Next();
                                       }
                                     }));
    }
    TellEntries();
    notifier_.own_names_.clear();
    notifier_.own_messages_.clear();
    done_(OkStatus());
  }

  void OnState(const MailboxState& state) {
    const auto found = notifier_.known_.find(state.ref.id);
    if (found == notifier_.known_.end()) {
      return;
    }
    Known& known = found->second;
    const NotifyEvents events = notifier_.EventsOf(known.name, known.subscribed);
    StatusItems items = notifier_.Compare(state, &known, events, core().condstore());
    if (first_) {
      items = status_ ? FirstItems(events, core().condstore()) : 0;
    }
    // The selected mailbox has its own responses; what is known of it goes on all the same.
    const bool selected = core().view() != nullptr && core().view()->ref().id == state.ref.id;
    if (items != 0 && !selected) {
      AppendStatusData(&core().out(), state, items, state.highest_modseq,
                       core().store().message_bytes_max(), core().utf8());
    }
  }

  /// "* METADATA name entry …" (RFC 5464 §4.4.2), each mailbox once.
  void TellEntries() {
    std::map<MailboxId, std::set<std::string>> entries;
    for (const auto& one : news_.annotations) {
      if (!notifier_.own_entries_.contains(one)) {
        entries[one.first].insert(one.second);
      }
    }
    notifier_.own_entries_.clear();
    for (const auto& [id, names] : entries) {
      std::string& out = core().out();
      if (id.nil() && WantsServer()) {
        out += "* METADATA \"\"";
      } else if (const auto known = notifier_.known_.find(id);
                 known != notifier_.known_.end() &&
                 (notifier_.EventsOf(known->second.name, known->second.subscribed) &
                  kNotifyMailboxMetadata) != 0) {
        AppendMailbox(&(out += "* METADATA "), known->second.name, core().utf8());
      } else {
        continue;
      }
      for (const std::string& name : names) {
        AppendAstring(&(out += ' '), name);
      }
      out += "\r\n";
    }
  }

  bool WantsServer() const {
    return std::any_of(
        notifier_.groups_.begin(), notifier_.groups_.end(),
        [](const NotifyGroup& group) { return (group.events & kNotifyServerMetadata) != 0; });
  }

  Notifier& notifier_;
  std::function<void(const Status&)> done_;
  bool first_ = false;
  bool status_ = false;
  UserNews news_;
  std::vector<MailboxId> ids_;
  std::size_t at_ = 0;
  bool waiting_ = false;
};

std::unique_ptr<Task> Notifier::Begin(Core& core, bool status,
                                      std::function<void(const Status&)> done) {
  // Before anything is read: what comes in between is told.
  watch_ = core.store().WatchUser(
      core.user().id, [post = core.poster(), session = &core, weak = std::weak_ptr<int>(alive_)] {
        post([session, weak] {
          if (!weak.expired()) {
            session->Step([session] { session->OnUserNews(); });
          }
        });
      });
  auto run = std::make_unique<Run>(core, *this, std::move(done));
  run->Begin(status);
  return run;
}

std::unique_ptr<Task> Notifier::Tell(Core& core, std::function<void(const Status&)> done) {
  auto run = std::make_unique<Run>(core, *this, std::move(done));
  run->Tell();
  return run;
}

}  // namespace twinspool::imap
