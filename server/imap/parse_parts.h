// Parsers of what several commands share, and of each family of commands; inside of parser.h.
//
// Every function takes what it parses from the cursor and leaves the rest. A command's parser
// begins at the space after its verb and leaves the check for the end to ParseCommand.
#pragma once

#include <variant>
#include <vector>

#include "server/imap/command.h"
#include "server/imap/cursor.h"

namespace twinspool::imap {

using CommandBody = decltype(Command::body);

// --- shared pieces (parse_parts.cc)

/// sequence-set with '*', or "$" (RFC 5182).
Result<SequenceSet> ParseSequenceSet(Cursor* in);
/// "first:last" of PARTIAL.
Result<PartialRange> ParsePartialRange(Cursor* in);
/// sequence-set without '*' (RFC 7162's known-uids); sorted.
Result<UidSet> ParseUidSet(Cursor* in);
/// "(" [flag *(SP flag)] ")". \Recent and unknown system flags are errors.
Result<FlagList> ParseFlagList(Cursor* in);
/// As ParseFlagList, or the flags without parentheses (STORE).
Result<FlagList> ParseStoreFlags(Cursor* in);
/// "(" item *(SP item) ")".
Result<StatusItems> ParseStatusItems(Cursor* in);

/// "(" [item *(SP item)] ")", where `item` takes one from the cursor and answers a Status.
template <typename Item>
Status ParseParenthesised(Cursor* in, Item&& item) {
  TRY(in->Expect('('));
  if (in->TryChar(')')) {
    return OkStatus();
  }
  do {
    TRY(item());
  } while (in->TryChar(' '));
  return in->Expect(')');
}

/// An entry, or "(" entry *(SP entry) ")"; and the options in parentheses (RFC 5464, RFC 9590).
Status ParseMetadataEntries(Cursor* in, std::vector<std::string>* entries);
Status ParseMetadataOptions(Cursor* in, cmd::GetMetadata* get);

/// "(" fetch-att *(SP fetch-att) ")": no macros.
Status ParseFetchItems(Cursor* in, std::vector<FetchItem>* items);
/// Which mailboxes: of ESEARCH, or, without SUBTREE-ONE, of NOTIFY. At most `names_max` names.
Status ParseSearchSource(Cursor* in, std::size_t names_max, SearchSource* source);

/// The inside of BODY[…] up to its ']', which is taken, too.
Result<Section> ParseSection(Cursor* in);

// --- commands

// parse_session.cc
Result<CommandBody> ParseLogin(Cursor* in);
Result<CommandBody> ParseAuthenticate(Cursor* in);
Result<CommandBody> ParseId(Cursor* in);
Result<CommandBody> ParseEnable(Cursor* in);
Result<CommandBody> ParseCompress(Cursor* in);

// parse_mailbox.cc
Result<CommandBody> ParseSelect(Cursor* in);
Result<CommandBody> ParseExamine(Cursor* in);
Result<CommandBody> ParseCreate(Cursor* in);
Result<CommandBody> ParseDelete(Cursor* in);
Result<CommandBody> ParseRename(Cursor* in);
Result<CommandBody> ParseSubscribe(Cursor* in);
Result<CommandBody> ParseUnsubscribe(Cursor* in);
Result<CommandBody> ParseStatus(Cursor* in);

// parse_metadata.cc
Result<CommandBody> ParseGetMetadata(Cursor* in);
Result<CommandBody> ParseSetMetadata(Cursor* in);

// parse_acl.cc
Result<CommandBody> ParseSetAcl(Cursor* in);
Result<CommandBody> ParseDeleteAcl(Cursor* in);
Result<CommandBody> ParseGetAcl(Cursor* in);
Result<CommandBody> ParseListRights(Cursor* in);
Result<CommandBody> ParseMyRights(Cursor* in);
Result<CommandBody> ParseGetQuota(Cursor* in);
Result<CommandBody> ParseGetQuotaRoot(Cursor* in);
Result<CommandBody> ParseSetQuota(Cursor* in);

// parse_list.cc
Result<CommandBody> ParseList(Cursor* in);
Result<CommandBody> ParseLsub(Cursor* in);

// parse_fetch.cc, parse_search.cc, parse_message.cc; `uid` when UID stood before.
Result<CommandBody> ParseFetch(Cursor* in, bool uid);
Result<CommandBody> ParseSearch(Cursor* in, bool uid);
Result<CommandBody> ParseMultiSearch(Cursor* in);
Result<CommandBody> ParseCancelUpdate(Cursor* in);
// parse_notify.cc
Result<CommandBody> ParseNotify(Cursor* in);
Result<CommandBody> ParseSort(Cursor* in, bool uid);
Result<CommandBody> ParseThread(Cursor* in, bool uid);
Result<CommandBody> ParseStore(Cursor* in, bool uid);
Result<CommandBody> ParseCopy(Cursor* in, bool uid);
Result<CommandBody> ParseMove(Cursor* in, bool uid);
Result<CommandBody> ParseExpunge(Cursor* in, bool uid);

}  // namespace twinspool::imap
