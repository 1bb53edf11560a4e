// SEARCH and UID SEARCH (RFC 3501 §6.4.4), ESEARCH (RFC 4731), MODSEQ (RFC 7162 §3.1.5),
// SAVE (RFC 5182), PARTIAL (RFC 9394), UPDATE and CANCELUPDATE (RFC 5267).
#include <algorithm>
#include <utility>

#include "server/imap/messages.h"
#include "server/imap/search_answer.h"
#include "server/imap/search_scan.h"
#include "server/imap/tasks.h"

namespace twinspool::imap {
namespace {

class SearchTask : public Task {
 public:
  SearchTask(Core& core, cmd::Search command, SearchProgram program)
      : Task(core),
        command_(command.update ? FixedSearch(std::move(command), *core.view())
                                : std::move(command)),
        scan_(*this, core, *core.view(), std::move(program)) {}

  void Begin() {
    scan_.Begin([this](const Status& status) { OnFound(status); });
  }

 private:
  void OnFound(const Status& status) {
    SearchScan::Found& found = scan_.found();
    const Status& failure = status.ok() ? found.failure : status;
    if ((command_.returns & kReturnSave) != 0) {
      core().view()->Save(failure.ok() ? SavedPart(command_, found.uids) : UidSet());
    }
    if (!status.ok()) {
      return core().Fail(status);
    }
    Tell(found);
    core().set_sync_uid(command_.uid);
    core().FinishWith(failure, "SEARCH completed");
  }

  void Tell(const SearchScan::Found& found) {
    SearchAnswer answer;
    answer.numbers = NumbersOf(*core().view(), found.uids, command_.uid);
    if (scan_.program().uses_modseq() && !answer.numbers.empty()) {
      answer.modseq = ModseqOfReturned(found);
    }
    if (!command_.esearch) {
      AppendSearch(&core().out(), answer);
    } else if (command_.returns != kReturnSave) {
      AppendEsearch(&core().out(), core().tag(), command_, answer);
    }
    if (command_.update && found.failure.ok()) {
      AddContext(core(), command_, {}, found.uids, {});
    }
  }

  /// Of the messages that the answer names (RFC 4731 §3.2).
  Modseq ModseqOfReturned(const SearchScan::Found& found) const {
    switch (command_.returns & ~kReturnSave) {
      case kReturnMin:
        return found.first.modseq;
      case kReturnMax:
        return found.last.modseq;
      case kReturnMin | kReturnMax:
        return std::max(found.first.modseq, found.last.modseq);
      default:
        return found.highest;
    }
  }

  cmd::Search command_;
  SearchScan scan_;
};

}  // namespace

std::optional<SearchProgram> PrepareSearch(Core& core, const cmd::Search& command) {
  const auto& contexts = core.contexts();
  if (command.update && std::any_of(contexts.begin(), contexts.end(),
                                    [&](auto& context) { return context.tag == core.tag(); })) {
    core.Bad("This tag names another search that is kept up to date");  // RFC 5267 §4.3
    return std::nullopt;
  }
  if (core.uid_only() && NamesNumbers(command.program)) {
    core.Bad("[UIDREQUIRED] This session names messages by UID");
    return std::nullopt;
  }
  Result<SearchProgram> program =
      SearchProgram::Prepare(command, *core.view(), core.clock().WallSeconds());
  if (program.status().Is(Code::kConflict)) {
    core.Bad(std::string(program.status().message()));
    return std::nullopt;
  }
  if (!program.ok()) {
    if ((command.returns & kReturnSave) != 0) {
      core.view()->Save(UidSet());
    }
    core.No("[BADCHARSET (US-ASCII UTF-8)] The charset is not known here");
    return std::nullopt;
  }
  if (program->uses_modseq()) {
    core.EnableCondstore();
  }
  return std::move(*program);
}

std::unique_ptr<Task> Run(Core& core, const cmd::CancelUpdate& command) {
  std::vector<SearchContext>& contexts = core.contexts();
  for (const std::string& tag : command.tags) {
    const auto of_tag = [&](const SearchContext& context) { return context.tag == tag; };
    if (std::none_of(contexts.begin(), contexts.end(), of_tag)) {
      core.Bad("No search that is kept up to date has this tag");
      return nullptr;
    }
  }
  std::erase_if(contexts, [&](const SearchContext& context) {
    return std::find(command.tags.begin(), command.tags.end(), context.tag) != command.tags.end();
  });
  core.Ok("CANCELUPDATE completed");
  return nullptr;
}

std::unique_ptr<Task> Run(Core& core, cmd::Search command) {
  if (core.utf8() && !core.rev2() && !command.charset.empty()) {
    core.Bad("After ENABLE UTF8=ACCEPT everything is UTF-8: leave CHARSET out");  // RFC 6855 §3
    return nullptr;
  }
  if (core.rev2() && !command.esearch) {
    // RFC 9051 §6.4.4: without RETURN as with RETURN (ALL).
    command.esearch = true;
    command.returns = kReturnAll;
  }
  std::optional<SearchProgram> program = PrepareSearch(core, command);
  if (!program) {
    return nullptr;
  }
  auto task = std::make_unique<SearchTask>(core, std::move(command), std::move(*program));
  task->Begin();
  return task;
}

}  // namespace twinspool::imap
