// The message of SASL PLAIN (RFC 4616). Pure.
#pragma once

#include <string_view>

#include "common/sasl.h"
#include "common/status.h"

namespace twinspool::auth {

/// kInvalidArgument, with a sentence for the client, when `message` is none.
Result<SaslClaim> ParsePlain(std::string_view message);

}  // namespace twinspool::auth
