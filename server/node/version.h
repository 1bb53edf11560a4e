// The version that greetings, ID, status and --version show.
#pragma once

namespace twinspool::node {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace twinspool::node
