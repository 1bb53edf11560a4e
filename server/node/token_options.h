// From the node's options to what server/auth and server/net want to know of logins.
#pragma once

#include <memory>

#include "common/config.h"
#include "common/status.h"
#include "server/auth/jwt.h"
#include "server/net/http_client.h"
#include "server/node/credentials.h"

namespace twinspool::node {

/// `introspection` is looked at whenever a token is to be asked about; it may be null until then.
CredentialOptions CredentialOptionsFor(const NodeConfig& config,
                                       const std::unique_ptr<net::HttpClient>& introspection);

/// Reads the files that the options name. Errors say which one is of no use, and why.
Result<auth::JwtKeys> LoadTokenKeys(const NodeConfig& config);
Result<std::unique_ptr<net::HttpClient>> OpenIntrospection(const NodeConfig& config);

}  // namespace twinspool::node
