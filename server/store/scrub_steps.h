// The steps of a scrub's pass, each looking for one kind of damage and healing it. For scrub.cc.
//
// Each tells the host what it read, checked and found. Errors are kUnavailable when the pass is to
// end, and those of the disk as a whole; damage is no error.
#pragma once

#include <string>
#include <vector>

#include "common/status.h"
#include "common/types.h"
#include "replica/ports.h"
#include "server/store/engine.h"
#include "server/store/mend.h"
#include "server/store/txn.h"

namespace twinspool::store {

class OutboxLog;

struct ScrubParts {
  const WritePath& path;
  OutboxLog& log;
  replica::ScrubHost& host;
  std::uint64_t* left;  // damage of this pass that was not healed
};

/// kUnavailable when the host says that the pass is to end.
Status TellRead(replica::ScrubHost& host, std::uint64_t bytes);
/// Tells of damage that was found and what came of it.
void TellFound(const ScrubParts& parts, const char* kind, const Object& object, Uid uid,
               const std::string& what, const MendOutcome& outcome);

/// Files of the database that cannot be read everywhere.
Result<std::vector<Engine::Table>> ScrubTables(const ScrubParts& parts);
/// After everything was searched: what their rows say was found, and healed, where the rows are
/// looked for. If nothing is left of that, they are emptied and taken out.
Status ScrubBadTables(const ScrubParts& parts, const std::vector<Engine::Table>& tables);

/// Entries of the change log: readable, whole, in a row. A damaged one is forgotten with all
/// before.
Status ScrubLog(const ScrubParts& parts);
/// A mailbox, or a user's own rows: digests of all rows, counters, references to bodies. True: it
/// is sound, perhaps since it was healed.
Result<bool> ScrubObject(const ScrubParts& parts, const Object& object);
/// Names of a user and of his mailboxes, which are derived from the headers; references to messages
/// that are not there. Only of a user of whom all objects are sound: what seems to be too much may
/// belong to what is damaged.
Status ScrubDerived(const ScrubParts& parts, UserId user);
/// Octets of all bodies of a user.
Status ScrubBodies(const ScrubParts& parts, UserId user);

}  // namespace twinspool::store
