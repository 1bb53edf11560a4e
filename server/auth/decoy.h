// Decoys: SCRAM verifiers for users that do not exist, so that a prober who asks for one sees what
// he would see of a real user: the usual number of rounds, and a salt that is the same whenever and
// on whichever node he asks.
//
// Hence the salt is a keyed hash of the name, under a secret that both nodes of a pair have and
// nobody else. It is no password and protects no mail: who knows it can tell which users exist.
// The first node makes it, the second gets it when it joins; it lies in tls/login.secret.
#pragma once

#include <string>
#include <string_view>

#include "common/env.h"
#include "server/auth/scram.h"

namespace twinspool::auth {

inline constexpr std::size_t kDecoySecretBytes = 32;

/// `user` in the spelling in which users are found. The keys are random: no password fits them.
ScramVerifier MakeDecoy(std::string_view secret, ScramHash hash, std::string_view user,
                        Random& random);

}  // namespace twinspool::auth
