// Searches that a session has kept up to date (RFC 5267): what each has found so far, as the client
// was told, and what is to be told when messages come, go or change.
//
// A context keeps its program as the client wrote it, and the UIDs that it has found: nothing of
// the messages. After each sync the program judges those that are new or changed. Of a SORT, the
// order is made anew when anything is added.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/uid_set.h"
#include "server/imap/command.h"

namespace twinspool::imap {

class Core;
class SearchScan;
class SelectedView;
class SummaryReader;
class Task;
class SortTable;

struct SearchContext {
  std::string tag;
  /// Sequence numbers and "$" are UIDs by now: they are evaluated when the command is given.
  cmd::Search search;
  std::vector<SortCriterion> criteria;  // of SORT; empty for SEARCH
  UidSet found;                         // as told
  std::vector<std::uint32_t> order;     // of SORT: the same UIDs in their order
};

/// The command as a context keeps it, seen from `view` as it is now.
cmd::Search FixedSearch(cmd::Search command, const SelectedView& view);

/// Begins to keep a search up to date whose answer has just been told, or says why not (NO
/// [NOUPDATE]). `sorted`: the UIDs in the order of a SORT.
void AddContext(Core& core, cmd::Search command, std::vector<SortCriterion> criteria, UidSet found,
                std::vector<std::uint32_t> sorted);

/// "* ESEARCH (TAG …) REMOVEFROM …" for what is gone; before its EXPUNGE.
void TellGoneFromContexts(Core& core);

/// Brings all contexts up to date after a sync. Used once.
class ContextUpdate {
 public:
  /// New messages that a context has found, and the items it asks of these (RFC 5465 §7).
  using Wanted = std::vector<std::pair<UidSet, std::vector<FetchItem>>>;

  /// Both must outlive it. `task` is the one that it works for.
  ContextUpdate(Task& task, Core& core);
  ~ContextUpdate();

  /// `changed` and `fresh` are UIDs of the view whose flags changed and which are new to it.
  void Begin(UidSet changed, UidSet fresh, std::function<void()> done);
  /// ESEARCH responses, to be written behind those that tell of the changes themselves.
  const std::string& lines() const { return lines_; }
  const Wanted& wanted() const { return wanted_; }

 private:
  void Next();
  void Later(std::function<void()> next);
  void OnFound(bool sound);
  void Order();
  void Tell(std::vector<std::uint32_t> order);
  void GiveUp(const char* why);

  Task& task_;
  Core& core_;
  UidSet changed_;
  UidSet fresh_;
  std::function<void()> done_;
  std::size_t at_ = 0;
  std::unique_ptr<SearchScan> scan_;
  std::unique_ptr<SummaryReader> reader_;
  std::shared_ptr<SortTable> table_;
  UidSet added_;
  UidSet removed_;
  std::string lines_;
  Wanted wanted_;
};

}  // namespace twinspool::imap
