// Telling a session what changed in its selected mailbox: FETCH, EXPUNGE or VANISHED, EXISTS, FLAGS
// responses from one read of the index since the session's view (RFC 3501 §7, RFC 7162 §3.2).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/status.h"
#include "common/types.h"
#include "common/uid_set.h"

namespace twinspool::imap {

class Core;
class SelectedView;
class Task;

/// What the command at work adds to a sync.
struct SyncStyle {
  /// FETCH responses carry UID (a UID command). They always do under QRESYNC.
  bool uid = false;
  /// Changes that this command made, as StoreResult::changed says.
  std::vector<std::pair<UidSet, Modseq>> own;
  /// .SILENT: flags of own changes are not told; their MODSEQ still is once CONDSTORE is in use.
  bool own_silent = false;
  /// Flags that others changed are told, too.
  bool flags = true;
};

/// Tells a keyword table that has grown, as FLAGS and PERMANENTFLAGS: a keyword is named before a
/// FETCH shows it. To be called with the table of each batch whose flags are to be written.
void TellKeywords(Core& core, SelectedView& view,
                  const std::shared_ptr<const std::vector<std::string>>& now);

/// Begins a sync of core.view(), which must be there. Calls `done` on the session's thread once all
/// responses are in core.out(): OK, or why the index could not be read. Destroying the task ends
/// it.
std::unique_ptr<Task> StartSync(Core& core, SyncStyle style, bool tell_expunges,
                                std::function<void(Status)> done);

}  // namespace twinspool::imap
