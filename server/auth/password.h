// Password hashes: yescrypt through libxcrypt.
//
// A check costs about 15 ms of CPU by design: run it on the auth threads, never on an I/O thread.
// Hashes are strings of crypt(5), so other methods of the same library ("$6$…", "$2b$…") verify,
// too; new ones are always yescrypt. Passwords are octets without NUL, at most
// limits::kPasswordBytesMax; nothing here ever puts one into a Status or a log.
#pragma once

#include <string>
#include <string_view>

#include "common/env.h"
#include "common/status.h"

namespace twinspool::auth {

/// Cost of yescrypt as crypt_gensalt counts it; 0 is the library's own choice (5).
inline constexpr unsigned long kDefaultCost = 0;
/// For tests: as cheap as the method allows.
inline constexpr unsigned long kTestCost = 1;

/// A new "$y$…" hash. kInvalidArgument for an empty password, one with NUL or too long.
Result<std::string> HashPassword(std::string_view password, Random& random,
                                 unsigned long cost = kDefaultCost);

/// Whether `password` is the one of `hash`. An empty or unusable hash (no such user, no password
/// set) costs the same time and answers false, so that a prober learns nothing from the clock.
/// Thread-safe.
bool VerifyPassword(std::string_view password, std::string_view hash);

}  // namespace twinspool::auth
