// STORE, COPY, MOVE, EXPUNGE.
#include <utility>

#include "server/imap/parse_parts.h"

namespace twinspool::imap {
namespace {

Result<CommandBody> CopyOrMove(Cursor* in, bool uid, bool move) {
  cmd::Copy copy;
  copy.uid = uid;
  copy.move = move;
  TRY(in->Space());
  ASSIGN_OR_RETURN(copy.set, ParseSequenceSet(in));
  TRY(in->Space());
  ASSIGN_OR_RETURN(copy.mailbox, in->Mailbox());
  return CommandBody(std::move(copy));
}

// "(UNCHANGEDSINCE n)" (RFC 7162 §3.1.3).
Status ParseStoreModifier(Cursor* in, cmd::Store* store) {
  if (!in->TryWord("UNCHANGEDSINCE")) {
    return in->Expected("UNCHANGEDSINCE");
  }
  TRY(in->Space());
  ASSIGN_OR_RETURN(store->unchanged_since, in->Number63());
  return OkStatus();
}

// "[+|-]FLAGS[.SILENT]".
Status ParseStoreVerb(Cursor* in, cmd::Store* store) {
  if (in->TryChar('+')) {
    store->change = FlagChange::kAdd;
  } else if (in->TryChar('-')) {
    store->change = FlagChange::kRemove;
  }
  if (in->TryWord("FLAGS.SILENT")) {
    store->silent = true;
    return OkStatus();
  }
  return in->TryWord("FLAGS") ? OkStatus() : in->Expected("FLAGS or FLAGS.SILENT");
}

}  // namespace

Result<CommandBody> ParseStore(Cursor* in, bool uid) {
  cmd::Store store;
  store.uid = uid;
  TRY(in->Space());
  ASSIGN_OR_RETURN(store.set, ParseSequenceSet(in));
  TRY(in->Space());
  if (in->Peek() == '(') {
    TRY(ParseParenthesised(in, [&] { return ParseStoreModifier(in, &store); }));
    TRY(in->Space());
  }
  TRY(ParseStoreVerb(in, &store));
  TRY(in->Space());
  ASSIGN_OR_RETURN(store.flags, ParseStoreFlags(in));
  return CommandBody(std::move(store));
}

Result<CommandBody> ParseCopy(Cursor* in, bool uid) {
  return CopyOrMove(in, uid, false);
}

Result<CommandBody> ParseMove(Cursor* in, bool uid) {
  return CopyOrMove(in, uid, true);
}

Result<CommandBody> ParseExpunge(Cursor* in, bool uid) {
  cmd::Expunge expunge;
  if (uid) {
    TRY(in->Space());
    ASSIGN_OR_RETURN(expunge.uids, ParseSequenceSet(in));
  }
  return CommandBody(std::move(expunge));
}

}  // namespace twinspool::imap
