#include "server/auth/plain.h"

#include "common/codec.h"

namespace twinspool::auth {

Result<PlainLogin> ParsePlain(std::string_view base64) {
  std::string message;
  if (!Base64Decode(base64, &message)) {
    return InvalidArgument("The response is not base64");
  }
  const std::size_t first = message.find('\0');
  const std::size_t second =
      first == std::string::npos ? std::string::npos : message.find('\0', first + 1);
  if (second == std::string::npos || message.find('\0', second + 1) != std::string::npos) {
    return InvalidArgument("The response of PLAIN needs two NUL octets");
  }
  PlainLogin login{message.substr(first + 1, second - first - 1), message.substr(second + 1)};
  if (first != 0 && message.compare(0, first, login.user) != 0) {
    return PermissionDenied("Nobody may act for another user here");
  }
  return login;
}

}  // namespace twinspool::auth
