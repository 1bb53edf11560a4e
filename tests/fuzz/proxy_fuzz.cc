// Any bytes as a PROXY header: never more than its bound, and the same however it is cut.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/limits.h"
#include "server/net/proxy_header.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using twinspool::net::ParseProxyHeader;
  using twinspool::net::ProxyParse;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  twinspool::net::ProxyHeader whole;
  const ProxyParse outcome = ParseProxyHeader(bytes, &whole);
  if (outcome == ProxyParse::kMore && size > 16 + twinspool::limits::kProxyHeaderBytesMax) {
    std::abort();
  }
  for (std::size_t cut = 0; cut < size; ++cut) {
    twinspool::net::ProxyHeader part;
    const ProxyParse early = ParseProxyHeader(bytes.substr(0, cut), &part);
    const bool enough = outcome == ProxyParse::kDone && cut >= whole.size;
    if (enough ? early != ProxyParse::kDone || part.address != whole.address
               : early == ProxyParse::kDone) {
      std::abort();
    }
  }
  return 0;
}
