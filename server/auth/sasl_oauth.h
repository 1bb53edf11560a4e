// OAUTHBEARER (RFC 7628) and XOAUTH2 (as the large mail providers have it). Internal to
// server/auth.
#pragma once

#include <memory>

#include "common/sasl.h"
#include "server/auth/sasl.h"

namespace twinspool::auth {

std::unique_ptr<SaslMechanism> MakeOauthBearer(const TokenOffer& offer);
std::unique_ptr<SaslMechanism> MakeXoauth2(const TokenOffer& offer);

}  // namespace twinspool::auth
