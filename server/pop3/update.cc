// QUIT: the UPDATE state (RFC 1939 §6).
#include "server/pop3/session.h"

namespace twinspool::pop3 {

void Session::Quit() {
  if (!logged_in_) {
    return Goodbye(OkLine("Bye"));
  }
  updating_ = true;
  const UidSet doomed = drop_.Deleted();
  if (doomed.empty()) {
    return MarkSeen();
  }
  StoreRequest request;
  request.uids = doomed;
  request.change = FlagChange::kAdd;
  request.flags.system = kDeleted;
  store_.StoreFlags(drop_.mailbox(), std::move(request),
                    Await<StoreResult>([this, doomed](const Result<StoreResult>& result) {
                      if (!result.ok()) {
                        return EndUpdate(result.status());
                      }
                      Expunge(doomed.Minus(result->missing));
                    }));
}

void Session::Expunge(const UidSet& doomed) {
  store_.Expunge(drop_.mailbox(), doomed,
                 Await<ExpungeResult>([this, doomed](const Result<ExpungeResult>& result) {
                   if (!result.ok()) {
                     return EndUpdate(result.status());
                   }
                   CheckGone(doomed.Minus(result->expunged));
                 }));
}

// Those that were not expunged now are gone by another session's hand, or have lost their \Deleted
// to one: then they are still there.
void Session::CheckGone(UidSet left) {
  if (left.empty()) {
    return MarkSeen();
  }
  IndexQuery query;
  query.uids = std::move(left);
  query.limit = 1;
  store_.ReadIndex(drop_.mailbox(), std::move(query),
                   Await<IndexBatch>([this](const Result<IndexBatch>& batch) {
                     if (!batch.ok()) {
                       return EndUpdate(batch.status());
                     }
                     if (!batch->entries.empty()) {
                       return EndUpdate(Conflict("another client has kept some of them"));
                     }
                     MarkSeen();
                   }));
}

void Session::MarkSeen() {
  StoreRequest request;
  request.uids = drop_.Retrieved();
  if (request.uids.empty()) {
    return EndUpdate(OkStatus());
  }
  request.change = FlagChange::kAdd;
  request.flags.system = kSeen;
  store_.StoreFlags(drop_.mailbox(), std::move(request),
                    Await<StoreResult>([this](const Result<StoreResult>& result) {
                      // Refused, it was not to be: what QUIT promises has happened.
                      const bool unknown = result.status().Is(Code::kOutcomeUnknown);
                      EndUpdate(unknown ? result.status() : OkStatus());
                    }));
}

void Session::EndUpdate(const Status& status) {
  if (status.ok()) {
    return Goodbye(OkLine("Bye"));
  }
  const Refusal refusal = RefusalFor(status, Report(status));
  if (refusal.then == Refusal::Then::kCloseOnly) {
    return Close();
  }
  Goodbye(ErrLine(refusal.code, "Not all deleted messages were removed: " + refusal.text));
}

}  // namespace twinspool::pop3
