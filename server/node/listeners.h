// Listeners: the doors of a node for clients: IMAP, IMAPS, POP3, POP3S, LMTP, HTTP. Opened once,
// closed last; when the node stops being primary the doors stay open and the sessions are told
// goodbye.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/config.h"
#include "common/env.h"
#include "common/executor.h"
#include "common/status.h"
#include "common/tls.h"
#include "server/auth/user_seats.h"
#include "server/mail_store.h"
#include "server/net/io_pool.h"
#include "server/net/listener.h"
#include "server/node/operations.h"

namespace twinspool::node {

class Listeners {
 public:
  /// Binds everything that `config` names; the error names the address that could not be had. All
  /// references outlive this object.
  static Result<std::unique_ptr<Listeners>> Open(const NodeConfig& config,
                                                 const std::shared_ptr<TlsSource>& tls,
                                                 MailStore& store, Operations& operations,
                                                 Clock& clock);

  /// Says goodbye to every mail client; new connections go on being greeted (by BYE, while the node
  /// is not primary). Does not wait.
  void CloseSessions(std::string_view reason);
  /// Accepts no more and waits, bounded, for the sessions to end.
  void Stop(std::string_view reason);
  std::size_t sessions() const;

 private:
  explicit Listeners(const NodeConfig& config);
  struct Shell;
  /// The doors of a protocol for mail clients: where TLS is asked for, and where it comes first.
  Status OpenShell(const NodeConfig& config, const std::shared_ptr<TlsSource>& tls,
                   const Shell& shell);
  Status OpenImap(const NodeConfig& config, const std::shared_ptr<TlsSource>& tls, MailStore& store,
                  Clock& clock);
  Status OpenPop3(const NodeConfig& config, const std::shared_ptr<TlsSource>& tls, MailStore& store,
                  Clock& clock);
  Status OpenLmtp(const NodeConfig& config, MailStore& store);
  Status OpenHttp(const NodeConfig& config, Operations& operations);

  std::shared_ptr<auth::UserSeats> seats_;  // of IMAP and POP3 together
  Executor scans_;  // outlives the sessions, which give it what computes for long
  net::IoPool pool_;
  std::vector<std::unique_ptr<net::Listener>> mail_;
  std::unique_ptr<net::Listener> http_;
};

}  // namespace twinspool::node
