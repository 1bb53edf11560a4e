// SORT and THREAD (RFC 5256), DISPLAYFROM and DISPLAYTO (RFC 5957), RETURN of SORT (RFC 5267).
#include <algorithm>
#include <memory>
#include <utility>

#include "server/imap/messages.h"
#include "server/imap/search_answer.h"
#include "server/imap/search_scan.h"
#include "server/imap/sort.h"
#include "server/imap/summary_reader.h"
#include "server/imap/tasks.h"
#include "server/imap/thread.h"

namespace twinspool::imap {
namespace {

/// What both have in common: find messages, read what is compared, arrange it beside the thread
/// that others wait for, answer.
class ArrangeTask : public Task {
 public:
  ArrangeTask(Core& core, cmd::Search command, SearchProgram program)
      : Task(core),
        command_(command.update ? FixedSearch(std::move(command), *core.view())
                                : std::move(command)),
        scan_(*this, core, *core.view(), std::move(program)),
        reader_(*this, core, core.view()->ref()) {}

  void Begin() {
    scan_.Begin([this](const Status& status) {
      if (!status.ok()) {
        return Fail(status);
      }
      reader_.Begin(
          scan_.found().uids, NeedsSummaries(),
          [this](const FetchedMessage& message, const mime::SortSummaryView& summary) {
            Take(Named(message.uid), message, summary);
          },
          [this](const Status& read) { OnRead(read); });
    });
  }

 protected:
  virtual bool NeedsSummaries() const = 0;
  virtual void Take(std::uint32_t number, const FetchedMessage& message,
                    const mime::SortSummaryView& summary) = 0;
  /// All is taken: arrange it, then Tell.
  virtual void Arrange() = 0;

  /// Runs `work` aside when there is much to do.
  template <typename T, typename Work, typename Fn>
  void ArrangeBy(Work work, Fn fn) {
    if (scan_.found().uids.Count() < limits::kSortAsideMin) {
      return fn(Result<T>(work()));
    }
    Aside<T>(std::move(work), std::move(fn));
  }

  void Finish(const char* done) {
    core().set_sync_uid(command_.uid);
    core().FinishWith(scan_.found().failure, done);
  }

  std::optional<Modseq> modseq() {
    const SearchScan::Found& found = scan_.found();
    const bool asked = scan_.program().uses_modseq() && !found.uids.empty();
    return asked ? std::optional(found.highest) : std::nullopt;
  }

  const cmd::Search& command() const { return command_; }
  const UidSet& found() { return scan_.found().uids; }
  /// Every message could be judged.
  bool sound() { return scan_.found().failure.ok(); }

 private:
  std::uint32_t Named(Uid uid) { return command_.uid ? uid.value() : core().view()->NumberOf(uid); }

  void OnRead(const Status& status) {
    if (!status.ok()) {
      return Fail(status);
    }
    Arrange();
  }

  void Fail(const Status& status) {
    if ((command_.returns & kReturnSave) != 0) {
      core().view()->Save(UidSet());
    }
    core().Fail(status);
  }

  cmd::Search command_;
  SearchScan scan_;
  SummaryReader reader_;
};

class SortTask : public ArrangeTask {
 public:
  SortTask(Core& core, cmd::Sort command, SearchProgram program)
      : ArrangeTask(core, std::move(command.search), std::move(program)),
        table_(std::make_shared<SortTable>(std::move(command.criteria))) {}

 private:
  bool NeedsSummaries() const override { return NeedsSummary(table_->criteria()); }

  void Take(std::uint32_t number, const FetchedMessage& message,
            const mime::SortSummaryView& summary) override {
    table_->Add(number, message.record, summary);
  }

  void Arrange() override {
    ArrangeBy<std::vector<std::uint32_t>>(
        [table = table_] { return table->Sorted(); },
        [this](Result<std::vector<std::uint32_t>> sorted) { Tell(std::move(*sorted)); });
  }

  void Tell(std::vector<std::uint32_t> sorted) {
    SearchAnswer answer;
    answer.sorted = std::move(sorted);
    answer.numbers = NumbersOf(*core().view(), found(), command().uid);
    answer.modseq = modseq();
    if ((command().returns & kReturnSave) != 0) {
      core().view()->Save(sound() ? SavedPart(command(), found(), Uids(answer.sorted)) : UidSet());
    }
    if (!command().esearch) {
      AppendSearch(&core().out(), answer, "SORT");
    } else if (command().returns != kReturnSave) {
      AppendEsearch(&core().out(), core().tag(), command(), answer);
    }
    if (command().update && sound()) {
      AddContext(core(), command(), table_->criteria(), found(), Uids(answer.sorted));
    }
    Finish("SORT completed");
  }

  std::vector<std::uint32_t> Uids(std::vector<std::uint32_t> numbers) {
    for (std::uint32_t& number : numbers) {
      number = command().uid ? number : core().view()->UidAt(number).value();
    }
    return numbers;
  }

  std::shared_ptr<SortTable> table_;
};

class ThreadTask : public ArrangeTask {
 public:
  ThreadTask(Core& core, cmd::Thread command, SearchProgram program)
      : ArrangeTask(core, std::move(command.search), std::move(program)),
        algorithm_(command.algorithm) {}

 private:
  bool NeedsSummaries() const override { return true; }

  void Take(std::uint32_t number, const FetchedMessage& message,
            const mime::SortSummaryView& summary) override {
    ThreadMessage& line = messages_.emplace_back();
    line.number = number;
    line.sent = SentSeconds(message.record, summary.date);
    line.arrived = message.record.internal_date;
    line.subject = summary.sort.subject;
    line.reply = summary.sort.reply;
    line.id = summary.sort.message_id;
    line.references = summary.sort.References();
  }

  void Arrange() override {
    const auto messages = std::make_shared<std::vector<ThreadMessage>>(std::move(messages_));
    ArrangeBy<std::string>(
        [algorithm = algorithm_, messages] {
          // Those without a summary came last.
          std::sort(messages->begin(), messages->end(),
                    [](const auto& a, const auto& b) { return a.number < b.number; });
          return Threads(algorithm, std::move(*messages));
        },
        [this](Result<std::string> threads) { Tell(*threads); });
  }

  void Tell(const std::string& threads) {
    std::string& out = core().out();
    out += "* THREAD";
    out += threads.empty() ? "" : " " + threads;
    out += "\r\n";
    Finish("THREAD completed");
  }

  const ThreadAlgorithm algorithm_;
  std::vector<ThreadMessage> messages_;
};

template <typename TaskType, typename CommandType>
std::unique_ptr<Task> Start(Core& core, CommandType command) {
  std::optional<SearchProgram> program = PrepareSearch(core, command.search);
  if (!program) {
    return nullptr;
  }
  auto task = std::make_unique<TaskType>(core, std::move(command), std::move(*program));
  task->Begin();
  return task;
}

}  // namespace

std::unique_ptr<Task> Run(Core& core, cmd::Sort command) {
  return Start<SortTask>(core, std::move(command));
}

std::unique_ptr<Task> Run(Core& core, cmd::Thread command) {
  return Start<ThreadTask>(core, std::move(command));
}

}  // namespace twinspool::imap
