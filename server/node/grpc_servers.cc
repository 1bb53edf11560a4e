#include "server/node/grpc_servers.h"

#include <grp.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include <grpcpp/server_builder.h>
#include <sys/stat.h>

#include "common/limits.h"
#include "common/log.h"

namespace twinspool::node {

Status GrpcServer::Start(grpc::ServerBuilder* builder, const std::string& where,
                         GrpcServices services) {
  services_ = std::move(services);
  for (const auto& service : services_) {
    builder->RegisterService(service.get());
  }
  builder->SetMaxReceiveMessageSize(limits::kGrpcMessageBytesMax);
  builder->SetMaxSendMessageSize(limits::kGrpcMessageBytesMax);
  // Dead peers are noticed, and a peer that pings as often as ours does is not called a flood.
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 2000);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 3000);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 500);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  server_ = builder->BuildAndStart();
  if (server_ == nullptr) {
    return IoError("cannot listen on " + where + ": in use, or not permitted");
  }
  return OkStatus();
}

Result<std::unique_ptr<GrpcServer>> GrpcServer::OnSocket(const std::string& path,
                                                         GrpcServices services) {
  unlink(path.c_str());  // the data directory's lock has shown that nobody else lives here
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + path, grpc::InsecureServerCredentials());
  std::unique_ptr<GrpcServer> server(new GrpcServer());
  TRY(server->Start(&builder, path, std::move(services)));
  if (const group* owners = getgrnam("twinspool");
      owners != nullptr && chown(path.c_str(), static_cast<uid_t>(-1), owners->gr_gid) != 0) {
    LogWarn("admin_socket_group", {{"path", path}, {"what", "cannot give it to group twinspool"}});
  }
  if (chmod(path.c_str(), 0660) != 0) {
    return IoError("cannot set the mode of " + path);
  }
  return server;
}

Result<std::unique_ptr<GrpcServer>> GrpcServer::OnTls(const ListenAddress& address,
                                                      const NodeCertificates& certificates,
                                                      GrpcServices services) {
  grpc::SslServerCredentialsOptions options(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = certificates.ca_pem;
  options.pem_key_cert_pairs.push_back(
      {certificates.node.key_pem, certificates.node.certificate_pem});
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address.ToString(), grpc::SslServerCredentials(options));
  std::unique_ptr<GrpcServer> server(new GrpcServer());
  TRY(server->Start(&builder, address.ToString(), std::move(services)));
  return server;
}

void GrpcServer::Stop() {
  if (server_ != nullptr) {
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
    server_->Wait();
    server_ = nullptr;
  }
}

GrpcServer::~GrpcServer() {
  Stop();
}

}  // namespace twinspool::node
