// Networks: a list of addresses and networks (CIDR), as options name them. Pure.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "common/status.h"

namespace twinspool {

/// Immutable. IPv4 and IPv4 mapped into IPv6 are the same.
class Networks {
 public:
  Networks() = default;
  /// "192.0.2.1", "192.0.2.0/24", "2001:db8::/32", each. kInvalidArgument names what is none.
  static Result<Networks> Parse(const std::vector<std::string>& texts);

  bool empty() const { return networks_.empty(); }
  /// A text that is no numeric address is in none.
  bool Contains(const std::string& address) const;

 private:
  using Octets = std::array<unsigned char, 16>;  // IPv4 as mapped
  struct Network {
    Octets octets{};
    int bits = 0;
  };
  static bool Read(const std::string& text, Octets* octets);
  static bool In(const Octets& octets, const Network& network);

  std::vector<Network> networks_;
};

}  // namespace twinspool
