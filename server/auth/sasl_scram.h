// SCRAM (RFC 5802, RFC 7677) by GNU SASL, over stored verifiers. Internal to server/auth.
//
// A step costs some HMACs, so it may run on any thread. A server that has a channel binding and is
// told by the client that it had none on offer ("y") refuses: somebody between them took it away.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "server/auth/sasl.h"

namespace twinspool::auth {

/// `name`: SCRAM-SHA-1, SCRAM-SHA-256, with or without -PLUS, which needs a `tls_exporter`. `find`
/// is called within the first step.
Result<std::unique_ptr<SaslMechanism>> MakeScram(std::string_view name, std::string tls_exporter,
                                                 FindVerifier find);

}  // namespace twinspool::auth
