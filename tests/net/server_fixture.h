// What the tests of server/net share: sessions made of lambdas, a log of what happened to them that
// a test can wait on, and a listener with a certificate.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "common/certificates.h"
#include "common/tls.h"
#include "server/net/io_pool.h"
#include "server/net/listener.h"
#include "server/net/session.h"

namespace twinspool::net {

/// What happened, in order. Thread-safe.
class EventLog {
 public:
  void Add(std::string event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
    changed_.notify_all();
  }
  /// True once `event` was added `times` times; false after 10 s.
  bool WaitFor(const std::string& event, int times = 1) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10),
                             [&] { return CountLocked(event) >= times; });
  }
  int Count(const std::string& event) {
    const std::lock_guard lock(mutex_);
    return CountLocked(event);
  }

 private:
  int CountLocked(const std::string& event) const {
    int count = 0;
    for (const std::string& each : events_) {
      count += each == event ? 1 : 0;
    }
    return count;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> events_;
};

/// What a session does; what isn't set does nothing, but shutdown and timeout close.
struct Behaviour {
  std::function<void(SessionHost&)> start = {};
  std::function<void(SessionHost&, std::string_view)> input = {};
  std::function<void(SessionHost&)> drained = {};
  std::function<void(SessionHost&)> tls = {};
  std::function<void(SessionHost&)> timeout = [](SessionHost& host) { host.Close(); };
  std::function<void(SessionHost&)> deadline = [](SessionHost& host) { host.Close(); };
  std::function<void(SessionHost&, std::string_view)> shutdown = [](SessionHost& host,
                                                                    std::string_view reason) {
    host.Write("BYE " + std::string(reason) + "\r\n");
    host.Close();
  };
};

class LambdaSession final : public Session {
 public:
  LambdaSession(SessionHost& host, const Behaviour& behaviour, EventLog& log)
      : host_(host), behaviour_(behaviour), log_(log) {
    log_.Add("made");
  }
  LambdaSession(const LambdaSession&) = delete;
  LambdaSession& operator=(const LambdaSession&) = delete;
  ~LambdaSession() override { log_.Add("gone"); }

  void Start() override { Run(behaviour_.start, "start"); }
  void OnDrained() override { Run(behaviour_.drained, "drained"); }
  void OnTls() override { Run(behaviour_.tls, "tls"); }
  void OnTimeout() override { Run(behaviour_.timeout, "timeout"); }
  void OnDeadline() override { Run(behaviour_.deadline, "deadline"); }
  void Input(std::string_view bytes) override {
    if (behaviour_.input) {
      behaviour_.input(host_, bytes);
    }
    log_.Add("input");
  }
  void OnShutdown(std::string_view reason) override {
    if (behaviour_.shutdown) {
      behaviour_.shutdown(host_, reason);
    }
    log_.Add("shutdown");
  }

 private:
  void Run(const std::function<void(SessionHost&)>& fn, const char* event) {
    if (fn) {
      fn(host_);
    }
    log_.Add(event);
  }

  SessionHost& host_;
  const Behaviour behaviour_;
  EventLog& log_;
};

/// A pool of two threads, a certificate, and listeners on loopback.
class NetTest : public ::testing::Test {
 protected:
  static Behaviour Echo() {
    return {.start = [](SessionHost& host) { host.Write("hello\r\n"); },
            .input = [](SessionHost& host, std::string_view bytes) { host.Write(bytes); }};
  }

  /// Options of a listener whose sessions behave so.
  ListenerOptions Options(Behaviour behaviour, TlsMode mode = TlsMode::kNone) {
    ListenerOptions options;
    options.name = "test";
    options.tls_mode = mode;
    options.tls = mode == TlsMode::kNone ? nullptr : Tls();
    options.factory = [this, behaviour = std::move(behaviour)](SessionHost& host) {
      return std::make_unique<LambdaSession>(host, behaviour, log_);
    };
    return options;
  }

  std::unique_ptr<Listener> Open(ListenerOptions options) {
    auto listener = Listener::Open(pool_, std::move(options));
    EXPECT_TRUE(listener.ok()) << listener.status().ToString();
    return std::move(listener).value();
  }

  /// A server context that asks for certificates of authority_ without requiring them.
  std::shared_ptr<TlsSource> Tls() {
    const auto leaf = IssueCertificate(authority_, {.common_name = "localhost"}).value();
    return std::make_shared<TlsSource>(
        TlsContext::FromPem({.certificate = leaf.certificate_pem,
                             .key = leaf.key_pem,
                             .client_ca = authority_.certificate_pem})
            .value());
  }

  const KeyAndCertificate authority_ = MakeAuthority("tests").value();
  EventLog log_;
  IoPool pool_{2};
};

}  // namespace twinspool::net
