// PROXY headers as a proxy writes them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <arpa/inet.h>

namespace twinspool::net {

inline std::string ProxyHeaderOf(unsigned char command, unsigned char family,
                                 const std::string& block) {
  std::string header("\r\n\r\n\0\r\nQUIT\n", 12);
  header += static_cast<char>(command);
  header += static_cast<char>(family);
  header += static_cast<char>(block.size() >> 8);
  header += static_cast<char>(block.size() & 0xff);
  return header + block;
}

/// Of a client at `address`, with `tlvs` behind.
inline std::string ProxyHeaderFor(const std::string& address, const std::string& tlvs = "") {
  const bool v6 = address.find(':') != std::string::npos;
  std::string octets(v6 ? 16 : 4, '\0');
  inet_pton(v6 ? AF_INET6 : AF_INET, address.c_str(), octets.data());
  const std::string block = octets + std::string(octets.size(), '\x7f') + "\x12\x34\x03\xe1";
  return ProxyHeaderOf(0x21, v6 ? 0x21 : 0x11, block + tlvs);
}

}  // namespace twinspool::net
