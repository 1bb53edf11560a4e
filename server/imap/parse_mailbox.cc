// SELECT, EXAMINE, CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, STATUS.
#include <utility>

#include "server/imap/parse_parts.h"

namespace twinspool::imap {
namespace {

struct UseName {
  std::string_view name;
  SpecialUse use;
};

constexpr UseName kUseNames[] = {
    {"ALL", kUseAll},   {"ARCHIVE", kUseArchive}, {"DRAFTS", kUseDrafts}, {"FLAGGED", kUseFlagged},
    {"JUNK", kUseJunk}, {"SENT", kUseSent},       {"TRASH", kUseTrash}};

Status ParseUse(Cursor* in, cmd::Create* create) {
  TRY(in->Expect('\\'));
  for (const UseName& use : kUseNames) {
    if (in->TryWord(use.name)) {
      create->use = static_cast<SpecialUse>(create->use | use.use);
      return OkStatus();
    }
  }
  create->unknown_use = true;
  return in->Atom().status();
}

// "USE (\Sent …)" (RFC 6154 §3).
Status ParseCreateParameter(Cursor* in, cmd::Create* create) {
  if (!in->TryWord("USE")) {
    return in->Expected("USE");
  }
  TRY(in->Space());
  return ParseParenthesised(in, [&] { return ParseUse(in, create); });
}

// "(known-sequence-set SP known-uid-set)" (RFC 7162 §3.2.5.2).
Status ParseSequenceMatch(Cursor* in, cmd::Qresync* qresync) {
  TRY(in->Expect('('));
  ASSIGN_OR_RETURN(qresync->match_sequence, ParseUidSet(in));
  TRY(in->Space());
  ASSIGN_OR_RETURN(qresync->match_uids, ParseUidSet(in));
  if (qresync->match_sequence.Count() != qresync->match_uids.Count()) {
    return InvalidArgument("the two sets of the sequence match data differ in length");
  }
  return in->Expect(')');
}

Result<cmd::Qresync> ParseQresync(Cursor* in) {
  cmd::Qresync qresync;
  TRY(in->Space());
  TRY(in->Expect('('));
  ASSIGN_OR_RETURN(const std::uint32_t uid_validity, in->NzNumber());
  qresync.uid_validity = UidValidity(uid_validity);
  TRY(in->Space());
  ASSIGN_OR_RETURN(const std::uint64_t modseq, in->Number63());
  if (modseq == 0) {
    return InvalidArgument("the mod-sequence of QRESYNC must be above 0");
  }
  qresync.modseq = Modseq(modseq);
  bool more = in->TryChar(' ');
  if (more && in->Peek() != '(') {
    ASSIGN_OR_RETURN(qresync.known_uids, ParseUidSet(in));
    more = in->TryChar(' ');
  }
  if (more) {
    TRY(ParseSequenceMatch(in, &qresync));
  }
  TRY(in->Expect(')'));
  return qresync;
}

Status ParseSelectParameter(Cursor* in, cmd::Select* select) {
  if (in->TryWord("CONDSTORE")) {
    select->condstore = true;
    return OkStatus();
  }
  if (in->TryWord("QRESYNC")) {
    ASSIGN_OR_RETURN(select->qresync, ParseQresync(in));
    return OkStatus();
  }
  return in->Expected("CONDSTORE or QRESYNC");
}

Result<CommandBody> SelectOrExamine(Cursor* in, bool examine) {
  cmd::Select select;
  select.examine = examine;
  TRY(in->Space());
  ASSIGN_OR_RETURN(select.mailbox, in->Mailbox());
  if (in->TryChar(' ')) {
    TRY(ParseParenthesised(in, [&] { return ParseSelectParameter(in, &select); }));
  }
  return CommandBody(std::move(select));
}

Result<std::string> OneMailbox(Cursor* in) {
  TRY(in->Space());
  return in->Mailbox();
}

Result<CommandBody> Subscription(Cursor* in, bool subscribed) {
  ASSIGN_OR_RETURN(std::string mailbox, OneMailbox(in));
  return CommandBody(cmd::Subscribe{std::move(mailbox), subscribed});
}

}  // namespace

Result<CommandBody> ParseSelect(Cursor* in) {
  return SelectOrExamine(in, false);
}

Result<CommandBody> ParseExamine(Cursor* in) {
  return SelectOrExamine(in, true);
}

Result<CommandBody> ParseCreate(Cursor* in) {
  cmd::Create create;
  ASSIGN_OR_RETURN(create.mailbox, OneMailbox(in));
  if (in->TryChar(' ')) {
    TRY(ParseParenthesised(in, [&] { return ParseCreateParameter(in, &create); }));
  }
  return CommandBody(std::move(create));
}

Result<CommandBody> ParseDelete(Cursor* in) {
  ASSIGN_OR_RETURN(std::string mailbox, OneMailbox(in));
  return CommandBody(cmd::Delete{std::move(mailbox)});
}

Result<CommandBody> ParseRename(Cursor* in) {
  cmd::Rename rename;
  ASSIGN_OR_RETURN(rename.from, OneMailbox(in));
  ASSIGN_OR_RETURN(rename.to, OneMailbox(in));
  return CommandBody(std::move(rename));
}

Result<CommandBody> ParseSubscribe(Cursor* in) {
  return Subscription(in, true);
}

Result<CommandBody> ParseUnsubscribe(Cursor* in) {
  return Subscription(in, false);
}

Result<CommandBody> ParseStatus(Cursor* in) {
  cmd::Status status;
  ASSIGN_OR_RETURN(status.mailbox, OneMailbox(in));
  TRY(in->Space());
  ASSIGN_OR_RETURN(status.items, ParseStatusItems(in));
  return CommandBody(std::move(status));
}

}  // namespace twinspool::imap
