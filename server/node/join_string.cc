#include "server/node/join_string.h"

#include <string_view>

#include "common/codec.h"

namespace twinspool::node {
namespace {

constexpr std::string_view kPrefix = "twinspool1:";

}  // namespace

std::string EncodeJoinString(const proto::JoinTicket& ticket) {
  std::string bytes = ticket.SerializeAsString();
  PutBe32(&bytes, Crc32c(bytes));
  return std::string(kPrefix) + Base64Encode(bytes);
}

Result<proto::JoinTicket> DecodeJoinString(const std::string& text) {
  const Status bad = InvalidArgument(
      "this is no join string: copy the whole line that `twinspoolctl pair invite` printed");
  std::string bytes;
  if (!text.starts_with(kPrefix) || !Base64Decode(text.substr(kPrefix.size()), &bytes) ||
      bytes.size() < 4) {
    return bad;
  }
  const std::string body = bytes.substr(0, bytes.size() - 4);
  Reader checksum(std::string_view(bytes).substr(body.size()));
  proto::JoinTicket ticket;
  if (checksum.Be32() != Crc32c(body) || !ticket.ParseFromString(body) ||
      ticket.address().empty() || ticket.secret().empty() || ticket.ca_pem().empty()) {
    return bad;
  }
  return ticket;
}

}  // namespace twinspool::node
