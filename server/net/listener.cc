#include "server/net/listener.h"

#include <unistd.h>

#include <cerrno>
#include <future>
#include <system_error>
#include <utility>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <sys/socket.h>

#include "common/log.h"
#include "server/net/connection.h"
#include "server/net/io_thread.h"
#include "server/net/registry.h"
#include "server/net/socket.h"

namespace twinspool::net {
namespace {

// Clients taken per wake-up, so that a flood leaves room for those already here.
constexpr int kAcceptsPerTurn = 64;
constexpr std::uint64_t kFailuresPerLine = 100;
// How long a stop waits for the threads themselves after every connection was cut.
constexpr std::int64_t kCutMs = 5'000;

}  // namespace

// The accept loop. Lives on the pool's first thread; deals the clients out to all.
class Listener::Acceptor final : public Timed, public std::enable_shared_from_this<Acceptor> {
 public:
  Acceptor(IoPool& pool, Fd fd, std::shared_ptr<Registry> registry)
      : thread_(pool.thread(0)),
        registry_(std::move(registry)),
        socket_(thread_->context(), fd.release()) {
    for (std::size_t i = 0; i < pool.size(); ++i) {
      threads_.push_back(pool.thread(i));
    }
  }

  void Begin() {
    thread_->Post([self = shared_from_this()] { self->Arm(); });
  }

  /// Not on the pool's threads. When it returns, no connection is added any more.
  void Close() {
    auto closed = std::make_shared<std::promise<void>>();
    auto future = closed->get_future();
    thread_->Post([self = shared_from_this(), closed] {
      self->thread_->Cancel(self.get());
      boost::system::error_code ignored;
      self->socket_.close(ignored);
      closed->set_value();
    });
    future.wait();
  }

  void OnTime(Instant /*now*/) override { Arm(); }

 private:
  void Arm() {
    socket_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                       [self = shared_from_this()](const boost::system::error_code& error) {
                         if (!error) {
                           self->AcceptSome();
                         }
                       });
  }

  void AcceptSome() {
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
      Peer peer;
      Fd fd = AcceptOne(socket_.native_handle(), registry_->options(), &peer);
      if (fd.valid()) {
        Admit(std::move(fd), std::move(peer));
      } else if (errno == EAGAIN) {
        break;
      } else if (errno != EINTR && errno != ECONNABORTED) {
        const int error = errno;
        // One line per bout: it repeats every kAcceptRetryMs until descriptors are free again.
        if (registry_->stats().accept_failures.fetch_add(1) % kFailuresPerLine == 0) {
          LogWarn("accept_failed", {{"listener", registry_->options().name},
                                    {"error", std::generic_category().message(error)}});
        }
        thread_->Arm(this, IoThread::Now().PlusMs(limits::kAcceptRetryMs));
        return;
      }
    }
    Arm();
  }

  void Admit(Fd fd, Peer peer) {
    peer.unnamed = registry_->options().proxies.Contains(peer.address);
    if (!registry_->Reserve(peer.key())) {
      Refuse(fd.get());
      return;
    }
    registry_->stats().accepted.fetch_add(1);
    const auto& thread = threads_[next_++ % threads_.size()];
    auto connection =
        std::make_shared<Connection>(thread, fd.release(), std::move(peer), registry_);
    registry_->Add(connection);
    thread->Post([connection = std::move(connection)] { connection->Begin(); });
  }

  void Refuse(int fd) {
    registry_->stats().refused.fetch_add(1);
    const ListenerOptions& options = registry_->options();
    if (options.tls_mode != TlsMode::kImplicit && !options.refusal.empty()) {
      (void)send(fd, options.refusal.data(), options.refusal.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    ::shutdown(fd, SHUT_WR);
  }

  const std::shared_ptr<IoThread> thread_;
  const std::shared_ptr<Registry> registry_;
  std::vector<std::shared_ptr<IoThread>> threads_;
  boost::asio::posix::stream_descriptor socket_;
  std::size_t next_ = 0;
};

Result<std::unique_ptr<Listener>> Listener::Open(IoPool& pool, ListenerOptions options) {
  if (options.tls_mode != TlsMode::kNone && options.tls == nullptr) {
    return InvalidArgument("listener " + options.name +
                           ": TLS is asked for, but no certificate is configured");
  }
  ASSIGN_OR_RETURN(Fd fd, OpenListening(options));
  std::unique_ptr<Listener> listener(new Listener());
  listener->port_ = BoundPort(fd.get());
  listener->registry_ = std::make_shared<Registry>(std::move(options));
  listener->acceptor_ = std::make_shared<Acceptor>(pool, std::move(fd), listener->registry_);
  listener->acceptor_->Begin();
  return listener;
}

Listener::~Listener() {
  Stop("shutting down", 0);
}

std::size_t Listener::connections() const {
  return registry_->size();
}

const ListenerStats& Listener::stats() const {
  return registry_->stats();
}

void Listener::Stop(std::string_view reason, std::int64_t drain_ms) {
  if (acceptor_ == nullptr) {
    return;
  }
  acceptor_->Close();
  acceptor_.reset();
  if (!registry_->options().unix_path.empty()) {
    unlink(registry_->options().unix_path.c_str());
  }
  CloseAll(reason, drain_ms);
  if (!registry_->WaitEmpty(drain_ms)) {
    CloseAll(reason, 0);
    registry_->WaitEmpty(kCutMs);
  }
}

void Listener::CloseAll(std::string_view reason, std::int64_t drain_ms) {
  for (const auto& connection : registry_->All()) {
    connection->Shutdown(std::string(reason), drain_ms);
  }
}

}  // namespace twinspool::net
