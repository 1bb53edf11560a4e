// SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314); GETQUOTA, GETQUOTAROOT, SETQUOTA
// (RFC 9208).
#include <utility>

#include "server/imap/parse_parts.h"

namespace twinspool::imap {
namespace {

/// SP mailbox
Result<std::string> MailboxArgument(Cursor* in) {
  TRY(in->Space());
  return in->Mailbox();
}

/// SP mailbox SP identifier
template <typename T>
Result<T> MailboxAndIdentifier(Cursor* in) {
  T command;
  ASSIGN_OR_RETURN(command.mailbox, MailboxArgument(in));
  TRY(in->Space());
  ASSIGN_OR_RETURN(command.identifier, in->Astring());
  return command;
}

Status ParseResource(Cursor* in) {
  TRY(in->Atom().status());
  TRY(in->Space());
  return in->Number63().status();
}

}  // namespace

Result<CommandBody> ParseSetAcl(Cursor* in) {
  ASSIGN_OR_RETURN(auto set, MailboxAndIdentifier<cmd::SetAcl>(in));
  TRY(in->Space());
  ASSIGN_OR_RETURN(const std::string given, in->Astring());
  std::string_view letters = given;
  if (letters.starts_with('+') || letters.starts_with('-')) {
    set.change = letters.front() == '+' ? RightsChange::kAdd : RightsChange::kRemove;
    letters.remove_prefix(1);
  }
  ASSIGN_OR_RETURN(set.rights, ParseRights(letters));
  return CommandBody(std::move(set));
}

Result<CommandBody> ParseDeleteAcl(Cursor* in) {
  ASSIGN_OR_RETURN(auto erase, MailboxAndIdentifier<cmd::SetAcl>(in));
  erase.erase = true;
  return CommandBody(std::move(erase));
}

Result<CommandBody> ParseGetAcl(Cursor* in) {
  ASSIGN_OR_RETURN(std::string mailbox, MailboxArgument(in));
  return CommandBody(cmd::GetAcl{std::move(mailbox)});
}

Result<CommandBody> ParseListRights(Cursor* in) {
  ASSIGN_OR_RETURN(auto list, MailboxAndIdentifier<cmd::ListRights>(in));
  return CommandBody(std::move(list));
}

Result<CommandBody> ParseMyRights(Cursor* in) {
  ASSIGN_OR_RETURN(std::string mailbox, MailboxArgument(in));
  return CommandBody(cmd::MyRights{std::move(mailbox)});
}

Result<CommandBody> ParseGetQuota(Cursor* in) {
  TRY(in->Space());
  ASSIGN_OR_RETURN(std::string root, in->Astring());
  return CommandBody(cmd::GetQuota{std::move(root)});
}

Result<CommandBody> ParseGetQuotaRoot(Cursor* in) {
  ASSIGN_OR_RETURN(std::string mailbox, MailboxArgument(in));
  return CommandBody(cmd::GetQuotaRoot{std::move(mailbox)});
}

Result<CommandBody> ParseSetQuota(Cursor* in) {
  TRY(in->Space());
  ASSIGN_OR_RETURN(std::string root, in->Astring());
  TRY(in->Space());
  TRY(ParseParenthesised(in, [&] { return ParseResource(in); }));
  return CommandBody(cmd::SetQuota{std::move(root)});
}

}  // namespace twinspool::imap
