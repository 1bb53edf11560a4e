// Building and taking down; what operators ask is in node_operations.cc.
#include "server/node/node.h"

#include <unistd.h>

#include <filesystem>
#include <utility>

#include <grpcpp/grpcpp.h>
#include <sys/stat.h>

#include "common/log.h"
#include "server/mime/summary.h"
#include "server/node/token_options.h"
#include "server/node/version.h"

namespace twinspool::node {

using replica::core::Mode;
using replica::core::Outcome;

namespace {

std::string HostName() {
  char name[256] = "localhost";
  gethostname(name, sizeof name - 1);
  return name;
}

Mode ModeOf(const std::string& text) {
  return text == "strict" ? Mode::kStrict : text == "async" ? Mode::kAsync : Mode::kAvailable;
}

twinspool::Status MakeDataDirectory(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error || chmod(path.c_str(), 0700) != 0) {
    return IoError("cannot make the data directory " + path +
                   " for its owner alone: " + (error ? error.message() : "not permitted"));
  }
  return OkStatus();
}

store::StoreOptions StoreOptionsFor(const NodeConfig& config) {
  store::StoreOptions options;
  options.mail.message_bytes_max = config.message_bytes_max;
  options.mail.txn_threads = config.txn_threads;
  options.mail.read_threads = config.read_threads;
  options.disk.soft_bytes = config.disk_soft_reserve;
  options.disk.hard_bytes = config.disk_hard_reserve;
  options.disk.ballast_bytes = config.ballast_bytes;
  options.jobs.purge_after_s = config.expunged_retention_h * 3600;
  options.block_cache_bytes = config.cache_bytes;
  options.mail.delete_with_children = !config.keep_parents;
  if (config.quota_bytes > 0) {
    options.default_quota.bytes = config.quota_bytes;
  }
  if (config.quota_messages > 0) {
    options.default_quota.messages = config.quota_messages;
  }
  return options;
}

NodeConfig WithNames(NodeConfig config) {
  if (config.node_name.empty()) {
    config.node_name = HostName();
  }
  if (config.admin_socket.empty()) {
    config.admin_socket = config.data_dir + "/admin.sock";
  }
  return config;
}

}  // namespace

Result<std::unique_ptr<Node>> Node::Start(const NodeConfig& config) {
  std::unique_ptr<Node> node(new Node(WithNames(config)));
  TRY(node->Build());
  return node;
}

Node::Node(const NodeConfig& config)
    : config_(config),
      tls_files_(config.data_dir),
      credentials_(CredentialOptionsFor(config, introspection_), SystemClock(), SystemRandom()) {}

Node::~Node() {
  Stop();
}

twinspool::Status Node::Build() {
  TRY(MakeDataDirectory(config_.data_dir));
  TRY(OpenTokens());
  TRY(OpenStore());
  TRY(LoadLoginSecret());
  if (control_->role().grant == replica::core::Grant::kStanding) {
    TRY(pairing_->ForgetPeer());  // the process may have ended right after it became single
  }
  TRY(StartPair());
  TRY(OpenPeer());
  TRY(OpenDoors());
  // Last: who was told that this node serves finds its doors open.
  ASSIGN_OR_RETURN(admin_socket_, AdminSocket::Open(config_.admin_socket, *this));
  LogInfo("started",
          {{"node", config_.node_name}, {"version", kVersion}, {"status", StatusLine()}});
  return OkStatus();
}

twinspool::Status Node::OpenStore() {
  const std::string database = config_.data_dir + "/db";
  const bool is_new = !std::filesystem::exists(database);
  store::StoreOptions options = StoreOptionsFor(config_);
  // An empty store under this node's identity would pass for a history in which nothing happened.
  ASSIGN_OR_RETURN(options.may_create, replica::ControlFile(config_.data_dir).Absent());
  // The store first: its lock keeps a second process from touching the control file.
  store::StoreSeams seams;
  seams.clock = &SystemClock();
  seams.random = &SystemRandom();
  seams.summarizer = {
      .make = mime::Summarize, .usable = mime::IsCurrentSummary, .head = mime::SortHead};
  seams.credentials = &credentials_;
  ASSIGN_OR_RETURN(store_, store::Store::Open(database, options, std::move(seams)));
  ASSIGN_OR_RETURN(control_, NodeControl::Open(config_.data_dir, SystemRandom(), is_new));
  pairing_ = std::make_unique<Pairing>(*control_, tls_files_, SystemClock(), SystemRandom());
  observer_ = std::make_unique<NodeObserver>(metrics_, *control_, SystemClock(),
                                             [this] { CloseSessions(); });
  return OkStatus();
}

void Node::CloseSessions() {
  if (Listeners* doors = open_doors_.load()) {
    doors->CloseSessions("this node is no longer the primary; connect again");
  }
}

replica::PairPlace Node::Place() const {
  const replica::NodeIdentity identity = control_->identity();
  return {identity.pair_id, identity.node_index, certificate_expires_ns_};
}

twinspool::Status Node::Probe() {
  TRY(control_->Probe());
  return store_->Probe();
}

twinspool::Status Node::StartPair() {
  const replica::NodeIdentity identity = control_->identity();
  replica::ConversationOptions options;
  options.settings.node_index = identity.node_index;
  options.settings.mode = ModeOf(config_.mode);
  options.settings.async_waits = config_.sync_wait_ms > 0;
  options.pair_id = identity.pair_id;
  options.node_id = identity.node_id;
  options.version = kVersion;
  options.sync_wait_ms = config_.sync_wait_ms;
  options.outbox_bytes_max = config_.outbox_bytes_max;
  replica::SalvageOptions salvage;
  salvage.data_dir = config_.data_dir;
  auto pair = std::make_shared<replica::Pair>(
      replica::PairParts{.options = options,
                         .salvage = salvage,
                         .ports = store_->ports(),
                         .control = *control_,
                         .clock = SystemClock(),
                         .observer = *observer_,
                         .scrub = {.mib_per_second = config_.scrub_mib_per_second,
                                   .interval_h = config_.scrub_interval_h}});
  store_->SetCommitListener(&pair->commit_listener());
  TRY(pair->Start(control_->role(), control_->history()));
  const std::lock_guard lock(pair_mutex_);
  pair_ = std::move(pair);
  return OkStatus();
}

twinspool::Status Node::OpenPeer() {
  const replica::NodeIdentity identity = control_->identity();
  if (identity.pair_id.nil() || !tls_files_.HasNode()) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(const NodeCertificates files, tls_files_.Load());
  const replica::LinkCertificates certificates{files.ca_pem, files.node.certificate_pem,
                                               files.node.key_pem};
  if (peer_server_ != nullptr) {
    peer_server_->Stop();  // of the pair that this node was in before
    peer_server_ = nullptr;
  }
  remote_admin_ = MakeAdminService(*this, AdminUri(identity.pair_id));
  std::vector<grpc::Service*> services = {remote_admin_.get()};
  replica::PeerLink* link = nullptr;
  if (identity.node_index == 0) {
    peer_service_ = replica::MakePeerService(
        identity.pair_id, [this] { return control_->identity().peer_node_id; },
        [this](const proto::JoinRequest& request) { return AcceptJoin(request); });
    services.push_back(peer_service_->service());
    link = peer_service_.get();
  } else {
    const std::string address =
        config_.peer_address.empty() ? identity.peer_address : config_.peer_address;
    dialler_ = replica::DialPeer(address, certificates, identity.pair_id, SystemRandom());
    link = dialler_.get();
  }
  ASSIGN_OR_RETURN(peer_server_, replica::StartPeerServer(config_.peer_listen.ToString(),
                                                          certificates, services));
  ASSIGN_OR_RETURN(const CertificateFacts facts, ReadCertificate(files.node.certificate_pem));
  certificate_expires_ns_ = facts.not_after * 1'000'000'000;
  // An expelled node has nobody to talk to any more.
  const replica::core::Control role = control_->role();
  if (role.grant != replica::core::Grant::kStanding && !role.expelled) {
    pair()->Connect(Place(), *link);
  }
  return OkStatus();
}

void Node::ClosePeer() {
  if (peer_service_ != nullptr) {
    peer_service_->Drop(PermissionDenied("the pair was dissolved"));
  }
  if (dialler_ != nullptr) {
    dialler_->Stop();
  }
}

twinspool::Status Node::OpenDoors() {
  ASSIGN_OR_RETURN(TlsServerOptions tls, MailTlsOptions(config_));
  if (tls.certificate_file.empty()) {
    ASSIGN_OR_RETURN(const TlsFiles::MailPaths own, tls_files_.MailCertificate(config_.node_name));
    tls.certificate_file = own.certificate;
    tls.key_file = own.key;
  }
  ASSIGN_OR_RETURN(mail_tls_, TlsSource::Open(tls));
  ASSIGN_OR_RETURN(listeners_,
                   Listeners::Open(config_, mail_tls_, store_->mail_store(), *this, SystemClock()));
  open_doors_ = listeners_.get();
  return OkStatus();
}

twinspool::Status Node::LoadLoginSecret() {
  ASSIGN_OR_RETURN(std::string secret, tls_files_.LoginSecret(SystemRandom()));
  credentials_.SetDecoySecret(std::move(secret));
  return OkStatus();
}

std::shared_ptr<replica::Pair> Node::pair() const {
  const std::lock_guard lock(pair_mutex_);
  return pair_;
}

void Node::StopPair() {
  if (const std::shared_ptr<replica::Pair> old = pair()) {
    old->Stop();
    store_->SetCommitListener(nullptr);
  }
}

void Node::Stop() {
  if (std::exchange(stopped_, true)) {
    return;
  }
  if (const std::shared_ptr<replica::Pair> running = pair()) {
    const replica::OrderResult result =
        running->Run({replica::core::StopGracefully{}, Epoch(), "stop"}, limits::kStopHandoverMs);
    LogInfo("handed_over", {{"result", result.text}});
  }
  open_doors_ = nullptr;
  if (listeners_ != nullptr) {
    listeners_->Stop("this node is shutting down; connect again");
  }
  introspection_ = nullptr;  // nobody logs in any more, and what is under way needs the store
  if (admin_socket_ != nullptr) {
    admin_socket_->Stop();
  }
  StopPair();
  if (peer_server_ != nullptr) {
    peer_server_->Stop();
  }
  if (store_ != nullptr) {
    store_->Stop();
  }
}

std::string Node::StatusLine() {
  const replica::PairStatus status = pair()->LastSnapshot();
  std::string line = status.role;
  if (!status.role_detail.empty()) {
    line += " (" + status.role_detail + ")";
  }
  return line + ", epoch " + std::to_string(status.state.control.epoch.value()) + ", lag " +
         std::to_string(status.lag_records);
}

}  // namespace twinspool::node
