#include "replica/grpc_link.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>

#include <grpc/grpc_security_constants.h>
#include <grpcpp/grpcpp.h>

#include "proto/replication.grpc.pb.h"

#include "common/certificates.h"
#include "common/limits.h"
#include "replica/stream_hub.h"

namespace twinspool::replica {
namespace {

constexpr int kKeepaliveMs = 2'000;
constexpr int kKeepaliveTimeoutMs = 3'000;
constexpr int kPingIntervalMinMs = 1'000;
constexpr std::chrono::seconds kShutdownWait(2);
/// Initial metadata of a stream that node 0 has accepted.
/// HTTP/2 window of the stream; our own window (limits::kSendWindowBytes) is the tighter one.
constexpr int kWindowBytes = static_cast<int>(limits::kSendWindowBytes);
constexpr char kStreamMark[] = "twinspool-stream";

/// Whether the other end's certificate has the name `wanted`.
Status CheckPeer(const grpc::AuthContext& auth, const std::string& wanted) {
  std::string shown;
  for (const grpc::string_ref& uri : auth.FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME)) {
    const std::string name(uri.data(), uri.size());
    if (name == wanted) {
      return OkStatus();
    }
    shown += shown.empty() ? name : ", " + name;
  }
  return PermissionDenied("the peer's certificate names " + (shown.empty() ? "nobody" : shown) +
                          " and not " + wanted + "; check the peer address and the certificates");
}

grpc::ChannelArguments ClientArguments() {
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride(kPeerDnsName);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // A fixed window: probing for the bandwidth costs a ping and its answer with every small message.
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kWindowBytes);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, static_cast<int>(limits::kRedialMsMin));
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, static_cast<int>(limits::kRedialMsMin));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, static_cast<int>(limits::kRedialMsMax));
  arguments.SetMaxReceiveMessageSize(limits::kPeerMessageBytesMax);
  arguments.SetMaxSendMessageSize(limits::kPeerMessageBytesMax);
  return arguments;
}

/// Either side's stream object behind RawStream.
template <typename Stream, typename Context>
class StreamAdapter : public RawStream {
 public:
  StreamAdapter(Stream& stream, Context& context) : stream_(stream), context_(context) {}
  bool Read(proto::PeerMessage* message) override { return stream_.Read(message); }
  bool Write(const proto::PeerMessage& message) override { return stream_.Write(message); }
  void Cancel() override { context_.TryCancel(); }
  void Ended() override {
    // A client's writes fail by themselves then, and cancelling would hide the server's reason.
    if constexpr (std::is_same_v<Context, grpc::ServerContext>) {
      context_.TryCancel();
    }
  }

 private:
  Stream& stream_;
  Context& context_;
};

/// The text of status about a link. Thread-safe.
class LastError {
 public:
  void Set(std::string text) {
    const std::lock_guard lock(mutex_);
    text_ = std::move(text);
  }
  std::string Get() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;
};

// --- node 1 --------------------------------------------------------------------------------

class Dialer : public PeerLink {
 public:
  Dialer(std::string address, const LinkCertificates& certificates, PairId pair_id, Random& random)
      : address_(std::move(address)), pair_id_(pair_id), random_(random) {
    grpc::SslCredentialsOptions tls;
    tls.pem_root_certs = certificates.authority;
    tls.pem_private_key = certificates.key;
    tls.pem_cert_chain = certificates.certificate;
    channel_ = grpc::CreateCustomChannel(address_, grpc::SslCredentials(tls), ClientArguments());
  }
  Dialer(const Dialer&) = delete;
  Dialer& operator=(const Dialer&) = delete;
  ~Dialer() override { Dialer::Stop(); }

  void Start(LinkListener* listener) override {
    hub_.Start(listener);
    thread_ = std::thread([this] { Loop(); });
    pthread_setname_np(thread_.native_handle(), "link-read");
  }
  bool Send(const proto::PeerMessage& message) override { return hub_.Send(message); }
  void Drop(const Status& why) override { hub_.Drop(why); }
  void Stop() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      if (context_ != nullptr) {
        context_->TryCancel();
      }
    }
    wake_.notify_all();
    hub_.Stop();
    if (thread_.joinable()) {
      thread_.join();
    }
  }
  std::string last_error() const override { return error_.Get(); }

 private:
  void Loop() {
    std::int64_t wait_ms = limits::kRedialMsMin;
    while (true) {
      const auto began = std::chrono::steady_clock::now();
      const bool connected = Converse();
      // A peer that takes the connection and refuses to talk is not dialled without a pause.
      const bool lasted = std::chrono::steady_clock::now() - began >
                          std::chrono::milliseconds(limits::kRedialMsMax);
      wait_ms =
          connected && lasted ? limits::kRedialMsMin : std::min(wait_ms * 2, limits::kRedialMsMax);
      const std::int64_t jitter =
          static_cast<std::int64_t>(random_.Below(static_cast<std::uint64_t>(wait_ms)));
      std::unique_lock lock(mutex_);
      if (wake_.wait_for(lock, std::chrono::milliseconds((wait_ms + jitter) / 2),
                         [this] { return stopping_; })) {
        return;
      }
    }
  }

  /// One connection from beginning to end; false if none came about.
  bool Converse() {
    grpc::ClientContext context;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) {
        return false;
      }
      context_ = &context;
    }
    const std::unique_ptr<proto::Replication::Stub> stub = proto::Replication::NewStub(channel_);
    const auto stream = stub->Converse(&context);
    stream->WaitForInitialMetadata();
    // Without the mark no stream came about: Finish knows why.
    const bool begun = context.GetServerInitialMetadata().contains(kStreamMark);
    Status status = begun ? CheckPeer(*context.auth_context(), NodeUri(pair_id_, 0)) : OkStatus();
    const bool good = begun && status.ok();
    if (good) {
      error_.Set("");
      StreamAdapter adapter(*stream, context);
      status = hub_.Serve(adapter);
    } else if (begun) {
      context.TryCancel();
    }
    const grpc::Status ended = stream->Finish();
    const bool told =
        !ended.error_message().empty() && ended.error_code() != grpc::StatusCode::CANCELLED;
    error_.Set(address_ + ": " + (told ? ended.error_message() : std::string(status.message())));
    const std::lock_guard lock(mutex_);
    context_ = nullptr;
    return good;
  }

  const std::string address_;
  const PairId pair_id_;
  Random& random_;
  std::shared_ptr<grpc::Channel> channel_;
  StreamHub hub_;
  LastError error_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;                   // guarded by mutex_
  grpc::ClientContext* context_ = nullptr;  // guarded by mutex_
};

// --- node 0 --------------------------------------------------------------------------------

class Service final : public PeerService, private proto::Replication::Service {
 public:
  Service(PairId pair_id, MemberQuestion member, JoinHandler join)
      : pair_id_(pair_id), member_(std::move(member)), join_(std::move(join)) {}

  grpc::Service* service() override { return this; }
  void Start(LinkListener* listener) override { hub_.Start(listener); }
  bool Send(const proto::PeerMessage& message) override { return hub_.Send(message); }
  void Drop(const Status& why) override { hub_.Drop(why); }
  void Stop() override { hub_.Stop(); }
  std::string last_error() const override { return error_.Get(); }

 private:
  using ServerStream = grpc::ServerReaderWriter<proto::PeerMessage, proto::PeerMessage>;

  grpc::Status Converse(grpc::ServerContext* context, ServerStream* stream) override {
    if (Status status = CheckMember(*context->auth_context()); !status.ok()) {
      error_.Set("refused a connection from " + context->peer() + ": " +
                 std::string(status.message()));
      return {grpc::StatusCode::PERMISSION_DENIED, std::string(status.message())};
    }
    context->AddInitialMetadata(kStreamMark, "1");
    stream->SendInitialMetadata();
    error_.Set("");
    StreamAdapter adapter(*stream, *context);
    const Status ended = hub_.Serve(adapter);
    error_.Set(std::string(ended.message()));
    return {grpc::StatusCode::UNAVAILABLE, std::string(ended.message())};
  }

  grpc::Status Join(grpc::ServerContext* /*context*/, const proto::JoinRequest* request,
                    proto::JoinReply* reply) override {
    if (join_) {
      *reply = join_(*request);
    } else {
      reply->set_refused("this node has no open invitation");
    }
    return grpc::Status::OK;
  }

  Status CheckMember(const grpc::AuthContext& auth) const {
    TRY(CheckPeer(auth, NodeUri(pair_id_, 1)));
    const NodeId member = member_();
    if (member.nil()) {
      return PermissionDenied("no second node belongs to this pair at the moment");
    }
    return CheckPeer(auth, MemberUri(pair_id_, member));
  }

  const PairId pair_id_;
  const MemberQuestion member_;
  const JoinHandler join_;
  StreamHub hub_;
  LastError error_;
};

class Server : public PeerServer {
 public:
  Server(std::unique_ptr<grpc::Server> server, int port)
      : server_(std::move(server)), port_(port) {}
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() override { Server::Stop(); }
  int port() const override { return port_; }
  void Stop() override {
    server_->Shutdown(std::chrono::system_clock::now() + kShutdownWait);
    server_->Wait();
  }

 private:
  std::unique_ptr<grpc::Server> server_;
  const int port_;
};

}  // namespace

std::unique_ptr<PeerLink> DialPeer(std::string address, const LinkCertificates& certificates,
                                   PairId pair_id, Random& random) {
  return std::make_unique<Dialer>(std::move(address), certificates, pair_id, random);
}

std::unique_ptr<PeerService> MakePeerService(PairId pair_id, MemberQuestion member,
                                             JoinHandler join) {
  return std::make_unique<Service>(pair_id, std::move(member), std::move(join));
}

Result<std::unique_ptr<PeerServer>> StartPeerServer(const std::string& address,
                                                    const LinkCertificates& certificates,
                                                    const std::vector<grpc::Service*>& services) {
  grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  tls.pem_root_certs = certificates.authority;
  tls.pem_key_cert_pairs.push_back({certificates.key, certificates.certificate});
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(address, grpc::SslServerCredentials(tls), &port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kPingIntervalMinMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kWindowBytes);
  builder.SetMaxReceiveMessageSize(limits::kPeerMessageBytesMax);
  builder.SetMaxSendMessageSize(limits::kPeerMessageBytesMax);
  for (grpc::Service* service : services) {
    builder.RegisterService(service);
  }
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    return IoError("cannot listen for the peer on " + address +
                   "; is the address right and free, are the certificates whole?");
  }
  return std::unique_ptr<PeerServer>(new Server(std::move(server), port));
}

}  // namespace twinspool::replica
