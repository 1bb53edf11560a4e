#include "server/node/listeners.h"

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "server/imap/session.h"
#include "server/lmtp/session.h"
#include "server/node/http_pages.h"
#include "server/node/version.h"
#include "server/pop3/session.h"

namespace twinspool::node {
namespace {

/// For a client that is not on the list: one line, and the end.
class RefusedSession final : public net::Session {
 public:
  RefusedSession(net::SessionHost& host, std::string line) : host_(host), line_(std::move(line)) {}
  void Start() override {
    host_.Write(line_);
    host_.Close();
  }
  void Input(std::string_view) override {}
  void OnTimeout() override {}
  void OnShutdown(std::string_view) override { host_.Close(); }

 private:
  net::SessionHost& host_;
  const std::string line_;
};

net::ListenerOptions OptionsFor(const std::string& name, const ListenAddress& address,
                                const NodeConfig& config) {
  net::ListenerOptions options;
  options.name = name;
  options.address = address.host;
  options.port = address.port;
  options.unix_path = address.unix_path;
  options.connections_max = config.connections_max;
  options.connections_per_address_max = config.connections_per_address_max;
  options.plain_text_on_loopback = config.allow_plaintext;
  return options;
}

bool MayDeliver(const NodeConfig& config, const std::string& peer) {
  if (!config.lmtp_listen.unix_path.empty() || peer == "::1" || peer.starts_with("127.")) {
    return true;
  }
  return std::find(config.lmtp_allow.begin(), config.lmtp_allow.end(), peer) !=
         config.lmtp_allow.end();
}

constexpr int kScanThreads = 2;
constexpr std::size_t kScansWaitingMax = 1024;

imap::SessionOptions ImapOptions(Executor& scans) {
  imap::SessionOptions options;
  options.aside = [&scans](std::function<void()> work) { return scans.TryPost(std::move(work)); };
  options.version = kVersion;
  options.on_fault = [](std::string_view id, const Status& status) {
    LogError("imap_fault", {{"id", id}, {"error", status.ToString()}});
  };
  return options;
}

}  // namespace

Listeners::Listeners(const NodeConfig& config)
    : seats_(std::make_shared<auth::UserSeats>(config.connections_per_user_max)),
      scans_("scan", kScanThreads, kScansWaitingMax),
      pool_(static_cast<std::size_t>(config.net_threads)) {}

Result<std::unique_ptr<Listeners>> Listeners::Open(const NodeConfig& config,
                                                   const std::shared_ptr<TlsSource>& tls,
                                                   MailStore& store, Operations& operations,
                                                   Clock& clock) {
  std::unique_ptr<Listeners> listeners(new Listeners(config));
  TRY(listeners->OpenImap(config, tls, store, clock));
  TRY(listeners->OpenPop3(config, tls, store, clock));
  TRY(listeners->OpenLmtp(config, store));
  TRY(listeners->OpenHttp(config, operations));
  return listeners;
}

struct Listeners::Shell {
  std::string name;
  const ListenAddress& starttls;
  const ListenAddress& implicit;
  net::SessionFactory factory;
  std::string refusal;  // said to a client over a limit
};

Status Listeners::OpenShell(const NodeConfig& config, const std::shared_ptr<TlsSource>& tls,
                            const Shell& shell) {
  const std::pair<const ListenAddress*, net::TlsMode> doors[] = {
      {&shell.starttls, net::TlsMode::kStartTls}, {&shell.implicit, net::TlsMode::kImplicit}};
  for (const auto& [address, mode] : doors) {
    if (!address->enabled()) {
      continue;
    }
    net::ListenerOptions options = OptionsFor(
        mode == net::TlsMode::kImplicit ? shell.name + "s" : shell.name, *address, config);
    options.tls_mode = mode;
    options.tls = tls;
    ASSIGN_OR_RETURN(options.proxies, Networks::Parse(config.proxy_from));
    options.factory = shell.factory;
    options.refusal = shell.refusal;
    ASSIGN_OR_RETURN(auto listener, net::Listener::Open(pool_, std::move(options)));
    mail_.push_back(std::move(listener));
  }
  return OkStatus();
}

Status Listeners::OpenImap(const NodeConfig& config, const std::shared_ptr<TlsSource>& tls,
                           MailStore& store, Clock& clock) {
  imap::SessionOptions session = ImapOptions(scans_);
  session.seats = seats_;
  const auto factory = [&store, &clock, options = std::move(session)](net::SessionHost& host) {
    return imap::MakeSession(host, store, clock, options);
  };
  return OpenShell(config, tls,
                   {"imap", config.imap_listen, config.imaps_listen, factory,
                    "* BYE [UNAVAILABLE] too many connections\r\n"});
}

Status Listeners::OpenPop3(const NodeConfig& config, const std::shared_ptr<TlsSource>& tls,
                           MailStore& store, Clock& clock) {
  const auto factory = [&store, &clock, seats = seats_](net::SessionHost& host) {
    pop3::SessionOptions options;
    options.seats = seats;
    options.on_fault = [](std::string_view id, const Status& status) {
      LogError("pop3_fault", {{"id", id}, {"error", status.ToString()}});
    };
    return std::make_unique<pop3::Session>(host, store, clock, std::move(options));
  };
  return OpenShell(config, tls,
                   {"pop3", config.pop3_listen, config.pop3s_listen, factory,
                    "-ERR [SYS/TEMP] too many connections\r\n"});
}

Status Listeners::OpenLmtp(const NodeConfig& config, MailStore& store) {
  if (!config.lmtp_listen.enabled()) {
    return OkStatus();
  }
  net::ListenerOptions options = OptionsFor("lmtp", config.lmtp_listen, config);
  options.refusal = "421 4.7.0 too many connections\r\n";
  options.factory = [&store, &config](net::SessionHost& host) -> std::unique_ptr<net::Session> {
    if (!MayDeliver(config, host.peer_address())) {
      LogWarn("lmtp_refused", {{"peer", host.peer_address()}});
      return std::make_unique<RefusedSession>(
          host, "550 5.7.1 your address may not deliver here (option lmtp-allow)\r\n");
    }
    return std::make_unique<lmtp::Session>(host, store, config.node_name);
  };
  ASSIGN_OR_RETURN(auto listener, net::Listener::Open(pool_, std::move(options)));
  mail_.push_back(std::move(listener));
  return OkStatus();
}

Status Listeners::OpenHttp(const NodeConfig& config, Operations& operations) {
  if (!config.http_listen.enabled()) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(http_,
                   net::OpenHttpServer(pool_, OptionsFor("http", config.http_listen, config),
                                       [&operations, &config](const net::HttpRequest& request) {
                                         return AnswerHttp(operations, request,
                                                           config.http_listen.loopback());
                                       }));
  return OkStatus();
}

void Listeners::CloseSessions(std::string_view reason) {
  for (const auto& listener : mail_) {
    listener->CloseAll(reason);
  }
}

void Listeners::Stop(std::string_view reason) {
  for (const auto& listener : mail_) {
    listener->Stop(reason);
  }
  if (http_ != nullptr) {
    http_->Stop(reason);
  }
}

std::size_t Listeners::sessions() const {
  std::size_t count = 0;
  for (const auto& listener : mail_) {
    count += listener->connections();
  }
  return count;
}

}  // namespace twinspool::node
