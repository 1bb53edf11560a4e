#include "server/auth/plain.h"

#include <string>

namespace twinspool::auth {

Result<SaslClaim> ParsePlain(std::string_view message) {
  const std::size_t first = message.find('\0');
  const std::size_t second =
      first == std::string_view::npos ? first : message.find('\0', first + 1);
  if (second == std::string_view::npos ||
      message.find('\0', second + 1) != std::string_view::npos) {
    return InvalidArgument("The response of PLAIN needs two NUL octets");
  }
  SaslClaim claim;
  claim.act_for = message.substr(0, first);
  claim.user = message.substr(first + 1, second - first - 1);
  claim.secret = message.substr(second + 1);
  return claim;
}

}  // namespace twinspool::auth
