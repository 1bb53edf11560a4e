// Mailboxes that the former primary had made, renamed or deleted (semantics R15 to R17).
#include <array>
#include <ctime>
#include <map>
#include <set>

#include "server/store/mailbox_ops.h"
#include "server/store/message_ops.h"
#include "server/store/names.h"
#include "server/store/take_back_parts.h"

namespace twinspool::store {
namespace {

std::string Date(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm day{};
  gmtime_r(&time, &day);
  std::array<char, 16> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d", &day)};
}

/// All of one commit. Names are looked up as they will be after what was decided so far.
class MailboxReturn {
 public:
  MailboxReturn(StoreTxn& txn, Random& random, UserId user)
      : txn_(txn), user_(user), memory_(txn, user), writer_(txn, random, user) {}

  Result<Outcomes> Run(const GivenItems& items) {
    // Names change hands only after all that will be free are: two mailboxes may have swapped.
    for (const proto::GiveBack* item : items) {
      TRY(FreeOldName(*item));
    }
    Outcomes outcomes;
    for (const proto::GiveBack* item : items) {
      ASSIGN_OR_RETURN(proto::GivenBack outcome, One(*item));
      outcomes.push_back(std::move(outcome));
    }
    return outcomes;
  }

 private:
  struct Change {
    explicit Change(const proto::GiveBack& given)
        : item(given), id(MailboxId::FromBytes(given.mailbox_id())) {
      whole = before.ParseFromString(given.base_header()) && after.ParseFromString(given.header());
    }
    bool made() const { return item.base_header().empty(); }
    bool deleted() const { return after.deleted_modseq() != 0; }
    bool renamed() const { return before.name() != after.name(); }
    /// The special use to give to the mailbox as it is now; nothing: it stays.
    std::optional<SpecialUse> UseFor(const HeadMailbox& mailbox) const {
      const bool ours = before.special_use() != after.special_use() &&
                        mailbox.header->decoded.special_use() == before.special_use();
      return ours ? std::optional(static_cast<SpecialUse>(after.special_use())) : std::nullopt;
    }

    const proto::GiveBack& item;
    const MailboxId id;
    proto::MailboxHeader before;
    proto::MailboxHeader after;
    bool whole = false;
  };

  Status FreeOldName(const proto::GiveBack& item) {
    const Change change(item);
    ASSIGN_OR_RETURN(const auto known, memory_.Recall(item.token()));
    if (known || !change.whole || change.made() || change.deleted() || !change.renamed()) {
      return OkStatus();
    }
    ASSIGN_OR_RETURN(const HeadMailbox* mailbox, txn_.edit().Mailbox(user_, change.id));
    if (mailbox->exists() && mailbox->header->decoded.name() == change.before.name()) {
      names_[change.before.name()] = std::nullopt;
      renames_.insert(change.id);
    }
    return OkStatus();
  }

  Result<proto::GivenBack> One(const proto::GiveBack& item) {
    const Change change(item);
    if (!change.whole) {
      return DataLoss("the header of a mailbox given back does not parse");
    }
    ASSIGN_OR_RETURN(const auto known, memory_.Recall(item.token()));
    if (known) {
      return *known;
    }
    ASSIGN_OR_RETURN(proto::GivenBack outcome, change.made()      ? Make(change)
                                               : change.deleted() ? Delete(change)
                                               : change.renamed() ? Rename(change)
                                                                  : Reuse(change));
    TRY(memory_.Remember(outcome));
    return outcome;
  }

  Result<std::optional<MailboxId>> Find(const std::string& name) {
    const auto found = names_.find(name);
    return found != names_.end() ? Result<std::optional<MailboxId>>(found->second)
                                 : FindByName(txn_, user_, name);
  }

  Status MakeParents(const std::string& name) {
    for (const std::string& parent : ParentNames(name)) {
      ASSIGN_OR_RETURN(const auto existing, Find(parent));
      if (!existing) {
        TRY(MakeOne(parent, 0).status());
      }
    }
    return OkStatus();
  }

  Result<MailboxId> MakeOne(const std::string& name, SpecialUse use) {
    TRY(writer_.CheckRoom(++made_));
    ASSIGN_OR_RETURN(const MailboxState made, writer_.Make(name, use, 0));
    names_[name] = made.ref.id;
    return made.ref.id;
  }

  /// A new mailbox: what clients know of the old one's UIDs must not count for it.
  Result<proto::GivenBack> Make(const Change& change) {
    const std::string& name = change.after.name();
    ASSIGN_OR_RETURN(const std::optional<MailboxId> existing, Find(name));
    proto::GivenBack outcome = MakeOutcome(change.item, "");
    if (existing) {
      outcome.set_outcome("its name is taken: its messages join that mailbox");
      outcome.set_mailbox_id(std::string(existing->bytes()));
      TRY(memory_.RememberHome(change.id, *existing));
      return outcome;
    }
    TRY(MakeParents(name));
    ASSIGN_OR_RETURN(const MailboxId made,
                     MakeOne(name, static_cast<SpecialUse>(change.after.special_use())));
    outcome.set_stored(true);
    outcome.set_outcome("made again");
    outcome.set_mailbox_id(std::string(made.bytes()));
    TRY(memory_.RememberHome(change.id, made));
    return outcome;
  }

  /// Its special use alone was changed.
  Result<proto::GivenBack> Reuse(const Change& change) {
    ASSIGN_OR_RETURN(const HeadMailbox* mailbox, txn_.edit().Mailbox(user_, change.id));
    if (!mailbox->exists()) {
      return MakeOutcome(change.item, "the mailbox is gone");
    }
    const std::optional<SpecialUse> use = change.UseFor(*mailbox);
    if (!use) {
      return MakeOutcome(change.item, "its special use was changed meanwhile", true);
    }
    TRY(writer_.SetUse(change.id, *use));
    proto::GivenBack outcome = MakeOutcome(change.item, "its special use was set");
    outcome.set_stored(true);
    outcome.set_mailbox_id(std::string(change.id.bytes()));
    return outcome;
  }

  Result<proto::GivenBack> Rename(const Change& change) {
    ASSIGN_OR_RETURN(const HeadMailbox* mailbox, txn_.edit().Mailbox(user_, change.id));
    if (!mailbox->exists()) {
      return MakeOutcome(change.item, "the mailbox is gone");
    }
    if (!renames_.contains(change.id)) {
      return MakeOutcome(change.item, "not renamed: it was renamed meanwhile", true);
    }
    std::string target = change.after.name();
    ASSIGN_OR_RETURN(const std::optional<MailboxId> taken, Find(target));
    if (taken) {
      target = change.item.acknowledged() ? target : change.before.name();
      ASSIGN_OR_RETURN(target, FreeName(target));
    }
    if (target == change.before.name()) {
      names_[target] = change.id;
      return MakeOutcome(change.item, "not renamed: the name is taken", true);
    }
    TRY(Move(change, target));
    proto::GivenBack outcome =
        MakeOutcome(change.item, "renamed" + (taken ? " to " + target : ""), taken.has_value());
    outcome.set_stored(true);
    outcome.set_mailbox_id(std::string(change.id.bytes()));
    return outcome;
  }

  Status Move(const Change& change, const std::string& target) {
    ASSIGN_OR_RETURN(const HeadUser* user, txn_.edit().User(user_));
    const bool inbox = user->header->decoded.inbox_id() == change.id.bytes();
    TRY(MakeParents(target));
    ASSIGN_OR_RETURN(const HeadMailbox* mailbox, txn_.edit().Mailbox(user_, change.id));
    TRY(writer_.MoveOne(change.id, target, change.UseFor(*mailbox)));
    names_[target] = change.id;
    if (inbox) {
      ASSIGN_OR_RETURN(names_["INBOX"], writer_.RenewInbox());
    }
    return OkStatus();
  }

  /// The name, or one that says where it comes from.
  Result<std::string> FreeName(const std::string& name) {
    ASSIGN_OR_RETURN(std::optional<MailboxId> taken, Find(name));
    std::string free = name;
    for (int i = 1; taken; ++i) {
      free =
          name + " (recovered " + Date(txn_.now_s()) + (i > 1 ? " " + std::to_string(i) : "") + ")";
      TRY(CanonicalMailboxName(free).status());
      ASSIGN_OR_RETURN(taken, Find(free));
    }
    return free;
  }

  /// Whether any message of it came or changed since both were the same. Its own row does not tell:
  /// a forced promotion touches all of them.
  Result<bool> Touched(const Change& change) {
    const Modseq fork(change.item.fork_modseq());
    bool touched = fork.value() == 0;
    if (!touched) {
      TRY(ForEntries(txn_.edit(), {user_, change.id}, nullptr, Uid(1),
                     [&](Uid, const PageEntry& entry) {
                       touched = entry.modseq > fork;
                       return !touched;
                     })
              .status());
    }
    return touched;
  }

  Result<proto::GivenBack> Delete(const Change& change) {
    ASSIGN_OR_RETURN(const HeadMailbox* mailbox, txn_.edit().Mailbox(user_, change.id));
    if (!mailbox->exists()) {
      return MakeOutcome(change.item, "the mailbox is gone");
    }
    const std::string& name = mailbox->header->decoded.name();
    ASSIGN_OR_RETURN(const bool touched, Touched(change));
    if (touched || name != change.before.name() || name == "INBOX") {
      return MakeOutcome(change.item, "not deleted: something has happened in it meanwhile", true);
    }
    names_[name] = std::nullopt;
    TRY(writer_.MakeTombstone(*mailbox));
    proto::GivenBack outcome = MakeOutcome(change.item, "deleted");
    outcome.set_stored(true);
    return outcome;
  }

  StoreTxn& txn_;
  const UserId user_;
  TakeBackMemory memory_;
  MailboxWriter writer_;
  std::size_t made_ = 0;
  std::map<std::string, std::optional<MailboxId>> names_;  // as decided here; nothing: free
  std::set<MailboxId> renames_;
};

}  // namespace

Result<Outcomes> TakeMailboxes(StoreTxn& txn, Random& random, const GivenItems& items) {
  return MailboxReturn(txn, random, UserId::FromBytes(items[0]->user_id())).Run(items);
}

}  // namespace twinspool::store
