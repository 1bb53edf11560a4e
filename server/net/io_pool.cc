#include "server/net/io_pool.h"

#include <pthread.h>

#include <chrono>
#include <string>
#include <utility>

#include <boost/asio/post.hpp>

#include "common/check.h"
#include "server/net/io_thread.h"

namespace twinspool::net {

using SteadyClock = std::chrono::steady_clock;

namespace {

// More than any chain of handlers that a dead connection can leave behind.
constexpr int kLastTurns = 100;

}  // namespace

IoThread::~IoThread() {
  Stop();
}

void IoThread::Start(std::size_t index) {
  thread_ = std::thread([this, index] { Run(index); });
}

void IoThread::Run(std::size_t index) {
  id_ = std::this_thread::get_id();
  pthread_setname_np(pthread_self(), ("net-" + std::to_string(index)).c_str());
  const auto work = boost::asio::make_work_guard(context_);
  try {
    context_.run();
  } catch (const std::exception& error) {
    CheckFailed(__FILE__, __LINE__, error.what());
  }
}

void IoThread::Stop() {
  context_.stop();
  if (!thread_.joinable()) {
    return;
  }
  thread_.join();
  // Handlers of dead connections may still lie in the queue; they hold connections, and those hold
  // this object. They run here, to their early end.
  timer_.cancel();
  context_.restart();
  for (int i = 0; i < kLastTurns && context_.poll() > 0; ++i) {
  }
  context_.stop();
}

void IoThread::Post(std::function<void()> fn) {
  boost::asio::post(context_, std::move(fn));
}

Instant IoThread::Now() {
  return {std::chrono::nanoseconds(SteadyClock::now().time_since_epoch()).count()};
}

void IoThread::Arm(Timed* timed, Instant when) {
  deadlines_.Arm(timed, when);
  ArmTimer();
}

void IoThread::ArmTimer() {
  const auto next = deadlines_.next();
  if (!next || (timer_at_ && *timer_at_ <= *next)) {
    return;
  }
  timer_at_ = next;
  timer_.expires_at(SteadyClock::time_point(std::chrono::nanoseconds(next->ns)));
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) {
      return;  // replaced by an earlier time
    }
    timer_at_.reset();
    deadlines_.Run(Now());
    ArmTimer();
  });
}

IoPool::IoPool(std::size_t threads) {
  TWINSPOOL_CHECK(threads >= 1, "an I/O pool needs a thread");
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.push_back(std::make_shared<IoThread>());
    threads_.back()->Start(i);
  }
}

IoPool::~IoPool() {
  for (const auto& thread : threads_) {
    thread->Stop();
  }
}

}  // namespace twinspool::net
