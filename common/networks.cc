#include "common/networks.h"

#include <algorithm>
#include <charconv>

#include <arpa/inet.h>

namespace twinspool {
namespace {

constexpr int kMappedBits = 96;
constexpr int kAllBits = 128;

/// -1: none.
int ReadBits(const std::string& text, int most) {
  int bits = -1;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, bits);
  return error == std::errc() && rest == end && bits >= 0 && bits <= most ? bits : -1;
}

}  // namespace

bool Networks::Read(const std::string& text, Octets* octets) {
  octets->fill(0);
  if (inet_pton(AF_INET, text.c_str(), octets->data() + kMappedBits / 8) == 1) {
    (*octets)[10] = (*octets)[11] = 0xff;
    return true;
  }
  return inet_pton(AF_INET6, text.c_str(), octets->data()) == 1;
}

bool Networks::In(const Octets& octets, const Network& network) {
  const auto whole = static_cast<std::ptrdiff_t>(network.bits / 8);
  if (!std::equal(octets.begin(), octets.begin() + whole, network.octets.begin())) {
    return false;
  }
  const int rest = network.bits % 8;
  const auto at = static_cast<std::size_t>(whole);
  return rest == 0 || (octets[at] ^ network.octets[at]) >> (8 - rest) == 0;
}

Result<Networks> Networks::Parse(const std::vector<std::string>& texts) {
  Networks all;
  for (const std::string& text : texts) {
    Network network;
    const std::size_t slash = text.find('/');
    const std::string address = text.substr(0, slash);
    const bool v4 = address.find(':') == std::string::npos;
    const int base = v4 ? kMappedBits : 0;
    network.bits = kAllBits;
    if (slash != std::string::npos) {
      const int bits = ReadBits(text.substr(slash + 1), kAllBits - base);
      network.bits = bits < 0 ? -1 : base + bits;
    }
    if (!Read(address, &network.octets) || network.bits < 0) {
      return InvalidArgument("'" + text + "' is not an address or a network like 192.0.2.0/24");
    }
    all.networks_.push_back(network);
  }
  return all;
}

bool Networks::Contains(const std::string& address) const {
  Octets octets{};
  return Read(address, &octets) &&
         std::any_of(networks_.begin(), networks_.end(),
                     [&](const Network& network) { return In(octets, network); });
}

}  // namespace twinspool
