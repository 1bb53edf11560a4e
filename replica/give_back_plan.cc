#include "replica/give_back_plan.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace twinspool::replica {
namespace {

using Item = proto::SalvageItem;

constexpr std::uint32_t kExpungedState = 1;  // EntryState.state

/// What happened to one thing: `first` and `last` of its items in time, and all of them.
struct Life {
  const Item* first = nullptr;
  const Item* last = nullptr;
  const Item* append = nullptr;  // of a message that came within the undone history
  bool moved_on = false;         // of a message: another step takes it away
  std::vector<std::string> tokens;

  void Add(const Item* item) {
    first = first == nullptr ? item : first;
    last = item;
    tokens.push_back(item->token());
  }
  bool expunged() const {
    return last->kind() == "expunge" || (last->entry_state().state() & kExpungedState) != 0;
  }
};

using MessageKey = std::pair<std::string, std::uint32_t>;

bool DeletedMailbox(const std::string& header) {
  proto::MailboxHeader decoded;
  return decoded.ParseFromString(header) && decoded.deleted_modseq() != 0;
}

/// Whether a mailbox has another name or special use by now.
bool OtherNameOrUse(const std::string& before, const std::string& after) {
  proto::MailboxHeader one;
  proto::MailboxHeader two;
  return one.ParseFromString(before) && two.ParseFromString(after) &&
         (one.name() != two.name() || one.special_use() != two.special_use());
}

bool DeletedUser(const std::string& header) {
  proto::UserHeader decoded;
  return decoded.ParseFromString(header) && decoded.deleted_ns() != 0;
}

/// Whether anything is left of what happened to a message that both have.
bool Changed(const Item& first, const Item& last) {
  return last.kind() == "expunge" || first.previous().flags() != last.entry_state().flags() ||
         first.previous().state() != last.entry_state().state() ||
         !std::ranges::equal(first.previous_keywords(), last.keywords());
}

bool OtherPassword(const Item& before, const Item& after) {
  proto::UserHeader one;
  proto::UserHeader two;
  return one.ParseFromString(before.previous_header()) && two.ParseFromString(after.header()) &&
         one.password_modseq() != two.password_modseq();
}

class Planner {
 public:
  /// Entries from the oldest on, the items of each as they are in it.
  explicit Planner(const std::vector<const Item*>& items) {
    for (std::size_t end = items.size(); end > 0;) {
      std::size_t begin = end - 1;
      while (begin > 0 && SameEntry(*items[begin - 1], *items[begin])) {
        --begin;
      }
      for (std::size_t i = begin; i < end; ++i) {
        Sort(*items[i]);
      }
      end = begin;
    }
  }

  std::vector<GiveBackStep> Run() {
    PlanUsers(false);
    PlanMailboxes();
    PlanMessages();
    PlanSmallRows();
    PlanUsers(true);
    return std::move(steps_);
  }

 private:
  /// Every thing in the order of its first change.
  template <typename Key>
  struct Lives {
    std::map<Key, Life> by_key;
    std::vector<Key> order;

    Life& operator[](const Key& key) {
      const auto [at, fresh] = by_key.try_emplace(key);
      if (fresh) {
        order.push_back(key);
      }
      return at->second;
    }
  };

  static bool SameEntry(const Item& one, const Item& other) {
    return one.seq() == other.seq() && one.incarnation() == other.incarnation() &&
           one.epoch() == other.epoch();
  }

  void Sort(const Item& item) {
    if (item.kind() == "append" || item.kind() == "flags" || item.kind() == "expunge") {
      Life& life = messages_[{item.mailbox_id(), item.uid()}];
      life.Add(&item);
      life.append = item.kind() == "append" ? &item : life.append;
    } else if (item.kind() == "mailbox") {
      mailboxes_[item.mailbox_id()].Add(&item);
    } else if (item.kind() == "user") {
      users_[item.user_id()].Add(&item);
    } else if (item.kind() == "misc" && !item.key().empty()) {
      small_rows_[{item.user_id(), item.key()}].Add(&item);
    } else if (item.kind() == "fork") {
      forks_[item.user_id()] = item.base_modseq();
    }
  }

  bool UserGone(const std::string& user) const {
    const auto found = users_.by_key.find(user);
    return found != users_.by_key.end() && DeletedUser(found->second.last->header());
  }
  bool MailboxGone(const std::string& mailbox) const {
    const auto found = mailboxes_.by_key.find(mailbox);
    return found != mailboxes_.by_key.end() && DeletedMailbox(found->second.last->header());
  }

  proto::GiveBack* Add(const Life& life, proto::GiveBack::Kind kind) {
    GiveBackStep& step = steps_.emplace_back();
    // The token of what came first, or of the message itself, names the step.
    const Item& named = life.append != nullptr ? *life.append : *life.first;
    step.covers = {named.token()};
    std::ranges::copy_if(life.tokens, std::back_inserter(step.covers),
                         [&](const std::string& token) { return token != named.token(); });
    proto::GiveBack* message = &step.message;
    message->set_token(named.token());
    message->set_kind(kind);
    message->set_user_id(named.user_id());
    message->set_mailbox_id(named.mailbox_id());
    message->set_mailbox_name(life.last->mailbox_name());
    message->set_acknowledged(life.last->acknowledged());
    message->set_base_modseq(life.first->base_modseq());
    if (const auto fork = forks_.find(named.user_id()); fork != forks_.end()) {
      message->set_fork_modseq(fork->second);
    }
    return message;
  }

  void AddHeaders(const Life& life, proto::GiveBack::Kind kind) {
    proto::GiveBack* message = Add(life, kind);
    message->set_header(life.last->header());
    message->set_base_header(life.first->previous_header());
  }

  void PlanUsers(bool deleted) {
    for (const std::string& user : users_.order) {
      const Life& life = users_.by_key[user];
      const bool made = life.first->previous_header().empty();
      const bool gone = UserGone(user);
      if (gone != deleted || (made && gone)) {
        continue;
      }
      if (made || gone || OtherPassword(*life.first, *life.last)) {
        AddHeaders(life, proto::GiveBack::USER);
      }
    }
  }

  void PlanMailboxes() {
    for (const std::string& mailbox : mailboxes_.order) {
      const Life& life = mailboxes_.by_key[mailbox];
      const bool made = life.first->previous_header().empty();
      const bool gone = MailboxGone(mailbox);
      if (UserGone(life.first->user_id()) || (made && gone)) {
        continue;
      }
      if (made || gone || OtherNameOrUse(life.first->previous_header(), life.last->header())) {
        AddHeaders(life, proto::GiveBack::MAILBOX);
      }
    }
  }

  void PlanMessages() {
    const auto stays = [&](const Life& life) {
      return !UserGone(life.first->user_id()) && !MailboxGone(life.first->mailbox_id());
    };
    for (const MessageKey& key : messages_.order) {
      const Life& life = messages_.by_key[key];
      if (life.append != nullptr && !life.expunged() && stays(life)) {
        if (Life* origin = OriginOf(*life.append)) {
          origin->moved_on = true;
        }
      }
    }
    for (const MessageKey& key : messages_.order) {
      const Life& life = messages_.by_key[key];
      if (!stays(life)) {
        continue;
      }
      if (life.append == nullptr && !life.moved_on && Changed(*life.first, *life.last)) {
        AddState(life);
      } else if (life.append != nullptr && life.append->has_body() && !life.expunged()) {
        AddMessage(life);
      }
    }
  }

  /// The message of the common history that a chain of moves began with; null: there is none.
  Life* OriginOf(const Item& append) {
    const Item* at = &append;
    std::set<MessageKey> seen;
    while (at != nullptr && !at->from_mailbox_id().empty()) {
      const MessageKey from{at->from_mailbox_id(), at->from_uid()};
      const auto found = messages_.by_key.find(from);
      if (found == messages_.by_key.end() || !seen.insert(from).second) {
        return nullptr;
      }
      if (found->second.append == nullptr) {
        return &found->second;
      }
      at = found->second.append;
    }
    return nullptr;
  }

  static void SetEnd(const Item& last, proto::GiveBack* message) {
    *message->mutable_entry() = last.entry_state();
    *message->mutable_keywords() = last.keywords();
  }
  static void SetBase(const Item& first, proto::GiveBack* message) {
    *message->mutable_base_entry() = first.previous();
    *message->mutable_base_keywords() = first.previous_keywords();
    message->set_base_modseq(first.base_modseq());
  }

  void AddState(const Life& life) {
    proto::GiveBack* message = Add(life, proto::GiveBack::STATE);
    message->set_uid(life.first->uid());
    *message->mutable_record() = life.last->record();
    SetBase(*life.first, message);
    SetEnd(*life.last, message);
  }

  void AddMessage(const Life& life) {
    proto::GiveBack* message = Add(life, proto::GiveBack::MESSAGE);
    GiveBackStep& step = steps_.back();
    step.body_bytes = life.append->body_bytes();
    *message->mutable_record() = life.append->record();
    SetEnd(*life.last, message);
    if (const Life* origin = OriginOf(*life.append)) {
      message->set_from_mailbox_id(origin->first->mailbox_id());
      message->set_from_uid(origin->first->uid());
      SetBase(*origin->first, message);
      step.covers.insert(step.covers.end(), origin->tokens.begin(), origin->tokens.end());
    }
  }

  void PlanSmallRows() {
    for (const auto& key : small_rows_.order) {
      const Life& life = small_rows_.by_key[key];
      if (!UserGone(key.first) && life.first->previous_header() != life.last->header()) {
        AddHeaders(life, proto::GiveBack::SMALL_ROW);
        steps_.back().message.set_key(key.second);
      }
    }
  }

  Lives<std::string> users_;
  Lives<std::string> mailboxes_;
  Lives<MessageKey> messages_;
  Lives<std::pair<std::string, std::string>> small_rows_;  // by user and key
  std::map<std::string, std::uint64_t> forks_;             // by user
  std::vector<GiveBackStep> steps_;
};

}  // namespace

std::vector<GiveBackStep> PlanGiveBack(const std::vector<const proto::SalvageItem*>& items) {
  return Planner(items).Run();
}

GiveBackStep PlanOrdered(const proto::SalvageItem& item, const std::string& into) {
  GiveBackStep step;
  step.covers = {item.token()};
  step.body_bytes = item.body_bytes();
  proto::GiveBack& message = step.message;
  message.set_token(item.token() + "!" + into);
  message.set_user_id(item.user_id());
  message.set_mailbox_id(item.mailbox_id());
  message.set_mailbox_name(item.mailbox_name());
  *message.mutable_record() = item.record();
  *message.mutable_entry() = item.entry_state();
  *message.mutable_keywords() = item.keywords();
  message.set_acknowledged(true);
  message.set_ordered(true);
  message.set_into(into);
  return step;
}

}  // namespace twinspool::replica
