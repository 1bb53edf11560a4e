// The table of commands.
#include "server/imap/parser.h"

#include <algorithm>
#include <utility>

#include "server/imap/parse_parts.h"

namespace twinspool::imap {
namespace {

using PlainParser = Result<CommandBody> (*)(Cursor* in);
using MessageParser = Result<CommandBody> (*)(Cursor* in, bool uid);

template <typename T>
Result<CommandBody> NoArguments(Cursor* /*in*/) {
  return CommandBody(T{});
}

struct PlainEntry {
  std::string_view verb;
  PlainParser parse;
};

constexpr PlainEntry kPlainCommands[] = {
    {"NOOP", NoArguments<cmd::Noop>},
    {"IDLE", NoArguments<cmd::Idle>},
    {"SELECT", ParseSelect},
    {"STATUS", ParseStatus},
    {"LIST", ParseList},
    {"CAPABILITY", NoArguments<cmd::Capability>},
    {"LOGIN", ParseLogin},
    {"AUTHENTICATE", ParseAuthenticate},
    {"ID", ParseId},
    {"ENABLE", ParseEnable},
    {"EXAMINE", ParseExamine},
    {"CREATE", ParseCreate},
    {"DELETE", ParseDelete},
    {"RENAME", ParseRename},
    {"SUBSCRIBE", ParseSubscribe},
    {"UNSUBSCRIBE", ParseUnsubscribe},
    {"LSUB", ParseLsub},
    {"NAMESPACE", NoArguments<cmd::Namespace>},
    {"UNAUTHENTICATE", NoArguments<cmd::Unauthenticate>},
    {"COMPRESS", ParseCompress},
    {"ESEARCH", ParseMultiSearch},
    {"CANCELUPDATE", ParseCancelUpdate},
    {"NOTIFY", ParseNotify},
    {"GETMETADATA", ParseGetMetadata},
    {"SETMETADATA", ParseSetMetadata},
    {"SETACL", ParseSetAcl},
    {"DELETEACL", ParseDeleteAcl},
    {"GETACL", ParseGetAcl},
    {"LISTRIGHTS", ParseListRights},
    {"MYRIGHTS", ParseMyRights},
    {"GETQUOTA", ParseGetQuota},
    {"GETQUOTAROOT", ParseGetQuotaRoot},
    {"SETQUOTA", ParseSetQuota},
    {"CHECK", NoArguments<cmd::Check>},
    {"CLOSE", NoArguments<cmd::Close>},
    {"UNSELECT", NoArguments<cmd::Unselect>},
    {"LOGOUT", NoArguments<cmd::Logout>},
    {"STARTTLS", NoArguments<cmd::StartTls>},
};

struct MessageEntry {
  std::string_view verb;
  MessageParser parse;
};

// These also come with UID before them.
constexpr MessageEntry kMessageCommands[] = {
    {"FETCH", ParseFetch}, {"STORE", ParseStore},   {"SEARCH", ParseSearch},
    {"COPY", ParseCopy},   {"MOVE", ParseMove},     {"EXPUNGE", ParseExpunge},
    {"SORT", ParseSort},   {"THREAD", ParseThread},
};

template <typename Table>
auto Find(const Table& table, std::string_view verb) {
  const auto* found = std::find_if(std::begin(table), std::end(table),
                                   [verb](const auto& entry) { return entry.verb == verb; });
  return found == std::end(table) ? nullptr : found;
}

bool IsTagChar(char c) {
  return (IsAtomChar(c) || c == ']') && c != '+';
}

Status UnknownCommand() {
  return InvalidArgument("unknown command");
}

bool TakesMessage(std::string_view verb) {
  return verb == "APPEND" || verb == "REPLACE";
}

bool IsKnownVerb(std::string_view verb) {
  return verb == "UID" || TakesMessage(verb) || Find(kPlainCommands, verb) != nullptr ||
         Find(kMessageCommands, verb) != nullptr;
}

Result<CommandBody> ParseMessageCommand(Cursor* in, std::string_view verb, bool uid) {
  const MessageEntry* entry = Find(kMessageCommands, verb);
  return entry == nullptr ? Result<CommandBody>(UnknownCommand()) : entry->parse(in, uid);
}

Result<CommandBody> ParseBody(Cursor* in, std::string_view verb) {
  if (const PlainEntry* entry = Find(kPlainCommands, verb)) {
    return entry->parse(in);
  }
  if (TakesMessage(verb)) {
    return InvalidArgument("APPEND and REPLACE need a message as a literal");
  }
  if (verb != "UID") {
    return ParseMessageCommand(in, verb, false);
  }
  TRY(in->Space());
  ASSIGN_OR_RETURN(const std::string uid_verb, in->Word());
  if (uid_verb == "REPLACE") {
    return InvalidArgument("REPLACE needs a message as a literal");
  }
  return ParseMessageCommand(in, uid_verb, true);
}

}  // namespace

std::string TagOf(std::string_view line) {
  const auto end = std::find_if_not(line.begin(), line.end(), IsTagChar);
  if (end != line.end() && *end != ' ') {
    return {};
  }
  return std::string(line.begin(), end);
}

Result<CommandHead> ParseHead(std::string_view line) {
  CommandHead head;
  head.tag = TagOf(line);
  if (head.tag.empty()) {
    return InvalidArgument("a command begins with a tag and a space");
  }
  head.arguments_at = head.tag.size();
  if (line.size() == head.arguments_at) {
    return InvalidArgument("a command is missing after the tag");
  }
  const std::string_view rest = line.substr(head.arguments_at + 1);
  const auto end = std::find_if_not(rest.begin(), rest.end(), IsAtomChar);
  head.verb = AsciiUpper(rest.substr(0, static_cast<std::size_t>(end - rest.begin())));
  head.arguments_at += 1 + head.verb.size();
  if (!IsKnownVerb(head.verb)) {
    return UnknownCommand();
  }
  return head;
}

Result<Command> ParseCommand(const CommandText& text, bool utf8_names) {
  ASSIGN_OR_RETURN(CommandHead head, ParseHead(text.line));
  Cursor in(text, utf8_names);
  in.Skip(head.arguments_at);
  ASSIGN_OR_RETURN(CommandBody body, ParseBody(&in, head.verb));
  TRY(in.End());
  return Command{std::move(head.tag), std::move(body)};
}

}  // namespace twinspool::imap
