// The header by which a proxy says who the client is: HAProxy's PROXY protocol, version 2 (binary).
// Pure; fuzzed.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace twinspool::net {

enum class ProxyParse {
  kMore,  // so far so good: there is not enough of it yet
  kDone,
  kBad,
};

struct ProxyHeader {
  /// Of the client, numeric. Empty: the connection is the proxy's own (a health check), or the
  /// proxy does not know.
  std::string address;
  std::size_t size = 0;  // octets of it all; what follows is the client's
};

/// `bytes`: all that came from the beginning of the connection. A header of more than
/// limits::kProxyHeaderBytesMax octets is bad. What it holds besides (TLVs) is passed over.
ProxyParse ParseProxyHeader(std::string_view bytes, ProxyHeader* header);

}  // namespace twinspool::net
