#include "server/cli/client.h"

#include <fstream>
#include <iterator>
#include <utility>

namespace twinspool::cli {
namespace {

Result<std::string> ReadWhole(const std::string& path, const char* what) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return InvalidArgument("cannot read the " + std::string(what) + " file '" + path + "'");
  }
  return std::string(std::istreambuf_iterator<char>(file), {});
}

Result<std::shared_ptr<grpc::ChannelCredentials>> Credentials(const Target& target) {
  if (target.address.empty()) {
    return grpc::InsecureChannelCredentials();
  }
  if (target.ca_file.empty() || target.certificate_file.empty() || target.key_file.empty()) {
    return InvalidArgument(
        "--host needs --tls-ca, --tls-cert and --tls-key: copies of tls/ca.pem, tls/admin.pem and "
        "tls/admin.key of the node where `pair init` ran");
  }
  grpc::SslCredentialsOptions options;
  ASSIGN_OR_RETURN(options.pem_root_certs, ReadWhole(target.ca_file, "--tls-ca"));
  ASSIGN_OR_RETURN(options.pem_cert_chain, ReadWhole(target.certificate_file, "--tls-cert"));
  ASSIGN_OR_RETURN(options.pem_private_key, ReadWhole(target.key_file, "--tls-key"));
  return grpc::SslCredentials(options);
}

}  // namespace

Result<std::unique_ptr<Client>> Client::Make(const Target& target) {
  ASSIGN_OR_RETURN(const auto credentials, Credentials(target));
  grpc::ChannelArguments arguments;
  if (!target.address.empty()) {
    // Nodes are known by their role in the pair's certificates, not by host names.
    arguments.SetSslTargetNameOverride("twinspool-node");
  }
  const std::string uri = target.address.empty() ? "unix:" + target.socket : target.address;
  auto channel = grpc::CreateCustomChannel(uri, credentials, arguments);
  return std::unique_ptr<Client>(new Client(target, std::move(channel)));
}

/// Waits until the connection stands or has failed once.
bool Client::Connected(std::chrono::system_clock::time_point deadline) const {
  while (true) {
    const grpc_connectivity_state state = channel_->GetState(true);
    const bool settled = state == GRPC_CHANNEL_READY || state == GRPC_CHANNEL_TRANSIENT_FAILURE;
    if (settled || !channel_->WaitForStateChange(state, deadline)) {
      return state == GRPC_CHANNEL_READY;
    }
  }
}

void Client::SetDeadline(grpc::ClientContext* context, int timeout_s) const {
  context->set_deadline(std::chrono::system_clock::now() +
                        std::chrono::seconds(timeout_s > 0 ? timeout_s : target_.timeout_s));
}

Status Client::Translate(const grpc::Status& status, bool asked) const {
  const std::string where = target_.address.empty() ? "socket " + target_.socket : target_.address;
  switch (status.error_code()) {
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return Timeout("the node at " + where + " did not answer in time");
    case grpc::StatusCode::UNAVAILABLE:
      if (asked) {
        return OutcomeUnknown("the connection to the node at " + where +
                              " broke before it answered (" + status.error_message() +
                              "); look at its state: twinspoolctl status");
      }
      return Unavailable("the node at " + where + " cannot be reached (" + status.error_message() +
                         "); is twinspoold running, and " +
                         (target_.address.empty() ? "may you use its socket?"
                                                  : "are the certificates of its pair?"));
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED:
      return PermissionDenied(status.error_message());
    case grpc::StatusCode::INVALID_ARGUMENT:
      return InvalidArgument(status.error_message());
    case grpc::StatusCode::NOT_FOUND:
      return NotFound(status.error_message());
    case grpc::StatusCode::FAILED_PRECONDITION:
      return Fenced(status.error_message());
    case grpc::StatusCode::ALREADY_EXISTS:
      return AlreadyExists(status.error_message());
    default:
      return Internal(status.error_message());
  }
}

}  // namespace twinspool::cli
