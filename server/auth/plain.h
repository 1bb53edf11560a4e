// The message of SASL PLAIN (RFC 4616), as every shell that logs users in reads it. Pure.
#pragma once

#include <string>
#include <string_view>

#include "common/status.h"

namespace twinspool::auth {

struct PlainLogin {
  std::string user;
  std::string password;
};

/// Reads the base64 of one. kInvalidArgument, with a sentence for the client, when it is none;
/// kPermissionDenied when somebody wants to act for another user, which nobody may here.
Result<PlainLogin> ParsePlain(std::string_view base64);

}  // namespace twinspool::auth
