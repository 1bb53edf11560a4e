#include "server/net/proxy_header.h"

#include <algorithm>
#include <array>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "common/limits.h"

namespace twinspool::net {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::string_view kSignature = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr std::size_t kFixedBytes = 16;
constexpr std::size_t kV4Bytes = 4 + 4 + 2 + 2;
constexpr std::size_t kV6Bytes = 16 + 16 + 2 + 2;
constexpr std::size_t kUnixBytes = 108 + 108;

enum Command : unsigned char { kLocal = 0x20, kProxy = 0x21 };  // with the version
enum Family : unsigned char { kUnknown = 0x00, kTcp4 = 0x11, kTcp6 = 0x21, kUnix = 0x31 };

std::string Numeric(int family, const char* octets) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  in6_addr v6{};
  if (family == AF_INET6) {
    std::copy_n(octets, sizeof(v6), reinterpret_cast<char*>(&v6));
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
      return Numeric(AF_INET, octets + 12);
    }
  }
  inet_ntop(family, octets, text.data(), text.size());
  return text.data();
}

// What the address block says of the client; false: it is too short, or of a kind that no stream
// comes from.
bool ReadAddress(unsigned char family, std::string_view block, std::string* address) {
  switch (family) {
    case kUnknown:
      return true;
    case kTcp4:
      if (block.size() >= kV4Bytes) {
        *address = Numeric(AF_INET, block.data());
      }
      return block.size() >= kV4Bytes;
    case kTcp6:
      if (block.size() >= kV6Bytes) {
        *address = Numeric(AF_INET6, block.data());
      }
      return block.size() >= kV6Bytes;
    case kUnix:
      return block.size() >= kUnixBytes;
    default:
      return false;
  }
}

}  // namespace

ProxyParse ParseProxyHeader(std::string_view bytes, ProxyHeader* header) {
  const std::size_t known = std::min(bytes.size(), kSignature.size());
  if (bytes.substr(0, known) != kSignature.substr(0, known)) {
    return ProxyParse::kBad;
  }
  if (bytes.size() < kFixedBytes) {
    return ProxyParse::kMore;
  }
  const auto octet = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
  const std::size_t length = octet(14) * 256u + octet(15);
  const unsigned char command = octet(12);
  if (length > limits::kProxyHeaderBytesMax || (command != kLocal && command != kProxy)) {
    return ProxyParse::kBad;
  }
  if (bytes.size() < kFixedBytes + length) {
    return ProxyParse::kMore;
  }
  header->size = kFixedBytes + length;
  header->address.clear();
  const bool good = command == kLocal ||
                    ReadAddress(octet(13), bytes.substr(kFixedBytes, length), &header->address);
  return good ? ProxyParse::kDone : ProxyParse::kBad;
}

}  // namespace twinspool::net
