// App passwords: one for each device or program of a user, made by the server and taken back alone.
//
// They are 24 letters and digits chosen by chance, 120 bits. Nobody finds one by trying, so one
// round of SHA-256 keeps it as well as a slow hash would: slowness only makes up for passwords that
// people choose. Therefore checking one takes no turn in the line of slow checks, needs no memory
// of logins that went well (login_cache.h), and one that is taken back is of no use from that very
// moment.
#pragma once

#include <string>
#include <string_view>

#include "common/env.h"

namespace twinspool::auth {

struct AppPassword {
  std::string text;  // "abcd-efgh-…", for the user's eyes only
  std::string hash;  // what is stored
};

AppPassword MakeAppPassword(Random& random);

/// `password` as somebody typed it: hyphens, blanks and case do not matter.
bool IsAppPassword(std::string_view password, std::string_view hash);

}  // namespace twinspool::auth
