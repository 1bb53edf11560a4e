// LOGIN, AUTHENTICATE, ID, ENABLE.
#include <utility>

#include "common/limits.h"
#include "server/imap/parse_parts.h"

namespace twinspool::imap {
namespace {

Status ParseIdPair(Cursor* in, cmd::Id* id) {
  if (id->fields.size() == limits::kIdFieldsMax) {
    return InvalidArgument("ID takes at most " + std::to_string(limits::kIdFieldsMax) + " pairs");
  }
  ASSIGN_OR_RETURN(std::string field, in->String());
  TRY(in->Space());
  ASSIGN_OR_RETURN(std::optional<std::string> value, in->Nstring());
  id->fields.emplace_back(std::move(field), std::move(value));
  return OkStatus();
}

}  // namespace

Result<CommandBody> ParseLogin(Cursor* in) {
  cmd::Login login;
  TRY(in->Space());
  ASSIGN_OR_RETURN(login.user, in->Astring());
  TRY(in->Space());
  ASSIGN_OR_RETURN(login.password, in->Astring());
  return CommandBody(std::move(login));
}

Result<CommandBody> ParseAuthenticate(Cursor* in) {
  cmd::Authenticate authenticate;
  TRY(in->Space());
  ASSIGN_OR_RETURN(authenticate.mechanism, in->Word());
  if (in->TryChar(' ')) {
    // Base64 and "=" are made of atom characters; the session decodes.
    ASSIGN_OR_RETURN(std::string response, in->Atom());
    if (response == "=") {
      response.clear();
    }
    authenticate.initial_response.emplace(std::move(response));
  }
  return CommandBody(std::move(authenticate));
}

Result<CommandBody> ParseId(Cursor* in) {
  cmd::Id id;
  TRY(in->Space());
  if (in->TryWord("NIL")) {
    return CommandBody(std::move(id));
  }
  TRY(ParseParenthesised(in, [&] { return ParseIdPair(in, &id); }));
  return CommandBody(std::move(id));
}

Result<CommandBody> ParseCompress(Cursor* in) {
  cmd::Compress compress;
  TRY(in->Space());
  ASSIGN_OR_RETURN(compress.mechanism, in->Word());
  return CommandBody(std::move(compress));
}

Result<CommandBody> ParseEnable(Cursor* in) {
  cmd::Enable enable;
  TRY(in->Space());
  do {
    ASSIGN_OR_RETURN(std::string extension, in->Word());
    enable.extensions.push_back(std::move(extension));
  } while (in->TryChar(' '));
  return CommandBody(std::move(enable));
}

}  // namespace twinspool::imap
