// LIST in all its forms and LSUB (RFC 3501 §6.3.8, RFC 3348, RFC 5258, RFC 5819, RFC 6154).
#include <algorithm>
#include <map>
#include <set>

#include "server/imap/answers.h"
#include "server/imap/deleted_storage.h"
#include "server/imap/list_match.h"
#include "server/imap/metadata.h"
#include "server/imap/tasks.h"

namespace twinspool::imap {
namespace {

/// One line to be: a mailbox, a subscription without one, or a level that exists only in names.
struct Line {
  MailboxListing listing;
  bool selected = false;        // by the selection options, the name aside
  bool matches = false;         // its name one of the patterns
  bool child_selected = false;  // a selected mailbox below it
  bool child_hidden = false;    // such a one whose name does not match
};

class ListTask : public Task {
 public:
  ListTask(Core& core, cmd::List command) : Task(core), command_(std::move(command)) {
    for (const std::string& pattern : command_.patterns) {
      patterns_.emplace_back(JoinReference(NormalForm(command_.reference), NormalForm(pattern)));
    }
  }

  void Begin(bool lsub) {
    lsub_ = lsub;
    core().store().ListMailboxes(
        core().user().id,
        Then<std::vector<MailboxListing>>([this](Result<std::vector<MailboxListing>> all) {
          if (!all.ok()) {
            return core().Fail(all.status());
          }
          OnListing(std::move(*all));
        }));
  }

  void OnDrained() override {
    if (waiting_) {
      waiting_ = false;
      Go();
    }
  }

 private:
  void OnListing(std::vector<MailboxListing> all) {
    for (MailboxListing& listing : all) {
      if (!listing.id.nil()) {
        real_.insert(real_.end(), listing.name);  // they come sorted
      }
      Line line{std::move(listing)};
      line.selected = Selects(line.listing);
      lines_.push_back(std::move(line));
    }
    MatchOn();
  }

  /// Compares names with patterns, so many at a time that others on this thread get their turn.
  void MatchOn() {
    for (std::size_t compared = 0; at_ < lines_.size(); ++at_) {
      if (compared >= limits::kListMatchesPerTurn) {
        return Then<Unit>([this](const Result<Unit>&) { MatchOn(); })(Unit{});
      }
      compared += patterns_.size();
      lines_[at_].matches = Matches(lines_[at_].listing.name);
    }
    if (!std::exchange(levels_added_, true)) {
      AddLevels();
      return MatchOn();
    }
    std::erase_if(lines_, [this](const Line& line) { return !Shown(line); });
    at_ = 0;
    Go();
  }

  bool Selects(const MailboxListing& listing) const {
    if (lsub_ || (command_.select & kSelectSubscribed) != 0) {
      return listing.subscribed && ((command_.select & kSelectSpecialUse) == 0 || listing.use != 0);
    }
    if ((command_.select & kSelectSpecialUse) != 0) {
      return listing.use != 0;
    }
    return !listing.id.nil();
  }

  /// Levels above mailboxes which are none themselves, where a pattern could show them; and the
  /// CHILDINFO of RECURSIVEMATCH, for LSUB the same by its own rule (RFC 3501 §6.3.9).
  void AddLevels() {
    const bool recursive = (command_.select & kSelectRecursiveMatch) != 0;
    const bool bare = (lsub_ || command_.select == 0) && level_patterns();
    if (!recursive && !bare) {
      return;
    }
    std::map<std::string, std::size_t> known;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      known.emplace(lines_[i].listing.name, i);
    }
    const std::size_t count = lines_.size();
    for (std::size_t i = 0; i < count; ++i) {
      if (!lines_[i].selected) {
        continue;
      }
      const std::string name = lines_[i].listing.name;
      for (std::size_t end = name.rfind('/'); end != std::string::npos && end > 0;
           end = name.rfind('/', end - 1)) {
        const auto [it, added] = known.emplace(name.substr(0, end), lines_.size());
        if (added) {
          lines_.push_back({.listing = {.id = {}, .name = it->first}});
        }
        Line& level = lines_[it->second];
        level.child_selected = true;
        level.child_hidden = level.child_hidden || !lines_[i].matches;
      }
    }
  }

  bool Shown(const Line& line) const {
    if (!line.matches || line.selected) {
      return line.matches;
    }
    if (!line.child_selected) {
      return false;
    }
    if ((command_.select & kSelectRecursiveMatch) != 0) {
      // Needless when the children speak for themselves (RFC 5258 §3.5).
      return line.child_hidden;
    }
    // A bare level appears where "%" would hide what is below it; so does LSUB's.
    return (lsub_ || line.listing.id.nil()) && level_patterns();
  }

  bool Matches(const std::string& name) const {
    return std::any_of(patterns_.begin(), patterns_.end(),
                       [&](const ListPattern& pattern) { return pattern.Matches(name); });
  }

  bool level_patterns() const {
    return std::any_of(command_.patterns.begin(), command_.patterns.end(),
                       [](const std::string& pattern) { return pattern.ends_with('%'); });
  }

  bool HasChildren(const std::string& name) const {
    const auto it = real_.lower_bound(name + "/");
    return it != real_.end() && it->starts_with(name + "/");
  }

  // --- writing, and STATUS of each

  void Go() {
    while (at_ < lines_.size()) {
      const Line& line = lines_[at_++];
      Write(line);
      if ((command_.returns & kListReturnMetadata) != 0 && !line.listing.id.nil()) {
        return AskMetadata(line.listing);
      }
      if ((command_.returns & kListReturnStatus) != 0 && !line.listing.id.nil()) {
        return AskState(RefOf(line.listing, core().user().id));
      }
      if (core().FlushAndCheckBlocked()) {
        waiting_ = true;
        return;
      }
    }
    core().Ok(lsub_ ? "LSUB completed" : "LIST completed");
  }

  void AskMetadata(const MailboxListing& listing) {
    const MailboxRef ref = RefOf(listing, core().user().id);
    core().store().GetAnnotations(
        ref, Then<std::vector<Annotation>>([this, ref, name = listing.name, use = listing.use](
                                               Result<std::vector<Annotation>> all) {
          if (all.ok()) {
            AddSpecialUse(use, &*all);
            const cmd::GetMetadata& asked = command_.metadata;
            AppendMetadata(
                &core().out(), name, core().utf8(),
                SelectMetadata(*all, asked.entries, asked.depth, asked.size_max).entries);
          } else if (!Untold(all.status())) {
            return core().Fail(all.status());
          }
          if ((command_.returns & kListReturnStatus) != 0) {
            return AskState(ref);
          }
          GoWhenDrained();
        }));
  }

  void GoWhenDrained() {
    waiting_ = core().FlushAndCheckBlocked();
    if (!waiting_) {
      Go();
    }
  }

  /// Deleted meanwhile, or not to be read: its line alone is told (RFC 5819 §2).
  static bool Untold(const Status& status) {
    return status.Is(Code::kNotFound) || status.Is(Code::kPermissionDenied);
  }

  void AskState(const MailboxRef& ref) {
    core().store().GetState(
        ref, Then<MailboxState>([this](const Result<MailboxState>& state) { OnState(state); }));
  }

  void OnState(const Result<MailboxState>& state) {
    if (!state.ok() && !Untold(state.status())) {
      return core().Fail(state.status());
    }
    if (!state.ok() || (state->rights & kRightRead) == 0) {
      return GoWhenDrained();
    }
    if ((command_.status & kStatusDeletedStorage) == 0) {
      return TellState(*state, 0);
    }
    CountDeletedBytes(*this, core(), *state, [this, state = *state](Result<std::uint64_t> bytes) {
      return bytes.ok() ? TellState(state, *bytes) : core().Fail(bytes.status());
    });
  }

  void TellState(const MailboxState& state, std::uint64_t deleted_bytes) {
    AppendStatusData(&core().out(), state, command_.status, core().TellableModseq(state),
                     core().store().message_bytes_max(), core().utf8(), deleted_bytes);
    GoWhenDrained();
  }

  void Write(const Line& line) {
    std::string& out = core().out();
    out += lsub_ ? "* LSUB (" : "* LIST (";
    out += Attributes(line);
    out += ") \"/\" ";
    AppendMailbox(&out, line.listing.name, core().utf8());
    if (line.child_hidden && (command_.select & kSelectRecursiveMatch) != 0) {
      out += " (\"CHILDINFO\" (\"SUBSCRIBED\"))";
    }
    out += "\r\n";
    if ((command_.returns & kListReturnMyRights) != 0 && !line.listing.id.nil()) {
      AppendMyRights(&out, line.listing.name, line.listing.rights, core().utf8());
    }
  }

  std::string Attributes(const Line& line) {
    std::string text;
    const auto add = [&text](std::string_view word) {
      text += text.empty() ? "" : " ";
      text += word;
    };
    const MailboxListing& listing = line.listing;
    const bool bare = listing.id.nil();
    if (lsub_) {
      return line.selected ? text : "\\Noselect";
    }
    if (bare) {
      add(command_.extended || core().rev2() ? "\\NonExistent" : "\\Noselect");
    }
    const bool tell_subscribed = (command_.select & kSelectSubscribed) != 0 ||
                                 (command_.returns & kListReturnSubscribed) != 0;
    if (listing.subscribed && tell_subscribed) {
      add("\\Subscribed");
    }
    add(HasChildren(listing.name) ? "\\HasChildren" : "\\HasNoChildren");
    if (listing.use != 0) {
      text += " ";
      AppendSpecialUse(&text, listing.use);
    }
    return text;
  }

  cmd::List command_;
  bool lsub_ = false;
  bool waiting_ = false;
  std::vector<ListPattern> patterns_;
  std::set<std::string> real_;
  std::vector<Line> lines_;
  std::size_t at_ = 0;  // the next to be compared, then to be written
  bool levels_added_ = false;
};

}  // namespace

std::unique_ptr<Task> Run(Core& core, cmd::List command) {
  if (!command.extended && command.patterns.size() == 1 && command.patterns.front().empty()) {
    // The question for the separator (RFC 3501 §6.3.8).
    core.Untagged("LIST (\\Noselect) \"/\" \"\"");
    core.Ok("LIST completed");
    return nullptr;
  }
  if ((command.status & kStatusHighestModseq) != 0) {
    core.EnableCondstore();
  }
  auto task = std::make_unique<ListTask>(core, std::move(command));
  task->Begin(false);
  return task;
}

std::unique_ptr<Task> Run(Core& core, cmd::Lsub command) {
  cmd::List list;
  list.reference = std::move(command.reference);
  list.patterns.push_back(std::move(command.pattern));
  auto task = std::make_unique<ListTask>(core, std::move(list));
  task->Begin(true);
  return task;
}

}  // namespace twinspool::imap
