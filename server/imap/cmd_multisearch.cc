// ESEARCH: one search in several mailboxes (RFC 7377), one after the other.
#include <algorithm>
#include <utility>

#include "server/imap/answers.h"
#include "server/imap/search_answer.h"
#include "server/imap/search_scan.h"
#include "server/imap/tasks.h"
#include "server/imap/view_loader.h"

namespace twinspool::imap {
namespace {

class MultiSearchTask : public Task {
 public:
  MultiSearchTask(Core& core, cmd::MultiSearch command)
      : Task(core),
        command_(std::move(command)),
        loader_(*this, core),
        selected_(core.view() == nullptr ? std::nullopt : std::optional(core.view()->ref().id)) {
    for (SearchSource& source : command_.sources) {
      for (std::string& name : source.mailboxes) {
        name = NormalName(name);
      }
    }
  }

  void Begin() {
    core().store().ListMailboxes(
        core().user().id,
        Then<std::vector<MailboxListing>>([this](Result<std::vector<MailboxListing>> all) {
          if (!all.ok()) {
            return core().Fail(all.status());
          }
          for (MailboxListing& listing : *all) {
            if (!listing.id.nil() && Wanted(listing)) {
              mailboxes_.push_back(std::move(listing));
            }
          }
          Next();
        }));
  }

  void OnDrained() override {
    if (std::exchange(waiting_, false)) {
      Next();
    }
  }

 private:
  bool Wanted(const MailboxListing& listing) {
    return std::any_of(command_.sources.begin(), command_.sources.end(),
                       [&](const SearchSource& source) { return Wanted(source, listing); });
  }

  bool Wanted(const SearchSource& source, const MailboxListing& listing) {
    switch (source.scope) {
      case SearchScope::kSelected:
        return listing.id == selected_;
      case SearchScope::kInboxes:
        return listing.name == "INBOX";
      case SearchScope::kPersonal:
        return listing.owner == core().user().id;
      case SearchScope::kSubscribed:
        return listing.subscribed;
      default:
        return std::any_of(
            source.mailboxes.begin(), source.mailboxes.end(),
            [&](const std::string& name) { return Named(source.scope, name, listing.name); });
    }
  }

  /// Whether `mailbox` is `name`, or one of those below it that the scope means.
  static bool Named(SearchScope scope, const std::string& name, const std::string& mailbox) {
    if (mailbox == name) {
      return true;
    }
    const bool below =
        mailbox.size() > name.size() && mailbox.starts_with(name) && mailbox[name.size()] == '/';
    return below &&
           (scope == SearchScope::kSubtree || (scope == SearchScope::kSubtreeOne &&
                                               mailbox.find('/', name.size() + 1) == mailbox.npos));
  }

  void Next() {
    if (at_ == mailboxes_.size()) {
      core().set_sync_uid(true);
      return core().FinishWith(failure_, "ESEARCH completed");
    }
    const MailboxRef ref = RefOf(mailboxes_[at_++], core().user().id);
    if (core().view() == nullptr || ref.id != core().view()->ref().id) {
      return loader_.Load(ref, true, [this](const Status& status) {
        OnLoaded(status, loader_.state(), loader_.view());
      });
    }
    // The session's own picture, with its sequence numbers.
    core().store().GetState(ref, Then<MailboxState>([this](const Result<MailboxState>& state) {
                              OnLoaded(state.status(), state.ok() ? *state : MailboxState(),
                                       *core().view());
                            }));
  }

  void OnLoaded(const Status& status, const MailboxState& state, const SelectedView& view) {
    if (status.Is(Code::kNotFound) || status.Is(Code::kPermissionDenied)) {
      return Next();  // deleted meanwhile, or not his to read
    }
    if (!status.ok()) {
      return core().Fail(status);
    }
    state_ = state;
    Result<SearchProgram> program =
        SearchProgram::Prepare(command_.search, view, core().clock().WallSeconds());
    if (program.status().Is(Code::kConflict)) {
      return core().Bad(std::string(program.status().message()));
    }
    if (!program.ok()) {
      return core().No("[BADCHARSET (US-ASCII UTF-8)] The charset is not known here");
    }
    if (program->uses_modseq()) {
      core().EnableCondstore();
    }
    scan_.emplace(*this, core(), view, std::move(*program));
    scan_->Begin([this](const Status& found) { OnFound(found); });
  }

  void OnFound(const Status& status) {
    if (!status.ok() && !status.Is(Code::kNotFound)) {
      return core().Fail(status);
    }
    if (!scan_->found().failure.ok()) {
      failure_ = scan_->found().failure;
    }
    if ((command_.search.returns & kReturnSave) != 0) {
      core().view()->Save(SavedPart(command_.search, scan_->found().uids));
    }
    if (!scan_->found().uids.empty() && command_.search.returns != kReturnSave) {
      Tell();
    }
    if (core().FlushAndCheckBlocked()) {
      waiting_ = true;
      return;
    }
    // Through the queue: this scan is still on the stack.
    Then<Unit>([this](const Result<Unit>&) { Next(); })(Unit{});
  }

  void Tell() {
    const SearchScan::Found& found = scan_->found();
    SearchAnswer answer;
    answer.numbers = found.uids;
    if (scan_->program().uses_modseq()) {
      answer.modseq = found.highest;
    }
    std::string& out = core().out();
    AppendString(&(out += "* ESEARCH (TAG "), core().tag());
    AppendMailbox(&(out += " MAILBOX "), state_.name, core().utf8());
    AppendNumber(&(out += " UIDVALIDITY "), state_.uid_validity.value());
    out += ") UID";
    AppendResults(&out, command_.search, answer);
  }

  cmd::MultiSearch command_;
  ViewLoader loader_;
  MailboxState state_;  // of the mailbox at work
  std::optional<SearchScan> scan_;
  std::vector<MailboxListing> mailboxes_;
  std::size_t at_ = 0;
  Status failure_;
  bool waiting_ = false;
  const std::optional<MailboxId> selected_;  // nothing: none is
};

}  // namespace

std::unique_ptr<Task> Run(Core& core, cmd::MultiSearch command) {
  const auto& sources = command.sources;
  const auto is_selected = [](const auto& source) {
    return source.scope == SearchScope::kSelected;
  };
  if (core.view() == nullptr && std::any_of(sources.begin(), sources.end(), is_selected)) {
    core.Bad("Select a mailbox first");
    return nullptr;
  }
  const bool alone = std::all_of(sources.begin(), sources.end(), is_selected);
  if (NamesNumbers(command.search.program) && (!alone || core.uid_only())) {
    core.Bad("[UIDREQUIRED] Sequence numbers have no meaning here");  // RFC 7377 §2.1
    return nullptr;
  }
  if ((command.search.returns & kReturnSave) != 0 && !alone) {
    core.Bad("SAVE is for a search in the selected mailbox alone");  // RFC 7377 §2.1
    return nullptr;
  }
  auto task = std::make_unique<MultiSearchTask>(core, std::move(command));
  task->Begin();
  return task;
}

}  // namespace twinspool::imap
