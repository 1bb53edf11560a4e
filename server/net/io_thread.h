// IoThread: one event loop with its thread, read buffers and deadlines.
//
// Internal to server/net (it shows Asio). Connections of a thread share its buffers, which is why
// an idle connection holds none.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "common/limits.h"
#include "server/net/deadline_queue.h"

namespace twinspool::net {

/// Everything but Post, Start, Stop and OnThisThread is for the thread itself.
class IoThread {
 public:
  IoThread() : context_(1), timer_(context_) {}
  ~IoThread();
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  /// Runs the loop in a new thread called "net-<index>".
  void Start(std::size_t index);
  /// Ends the loop and joins. What is queued is dropped.
  void Stop();

  /// Any thread: runs `fn` on this one. Dropped when the loop has ended.
  void Post(std::function<void()> fn);
  bool OnThisThread() const { return std::this_thread::get_id() == id_.load(); }

  boost::asio::io_context& context() { return context_; }
  /// For ciphertext, or for the input of plain connections.
  std::array<char, limits::kReadBytes>& read_buffer() { return read_buffer_; }
  /// For decrypted input.
  std::array<char, limits::kReadBytes>& plain_buffer() { return plain_buffer_; }
  std::array<char, limits::kReadBytes>& inflate_buffer() { return inflate_buffer_; }

  /// See DeadlineQueue.
  void Arm(Timed* timed, Instant when);
  void Cancel(Timed* timed) { deadlines_.Cancel(timed); }
  /// The loop's clock (steady).
  static Instant Now();

 private:
  void Run(std::size_t index);
  void ArmTimer();

  boost::asio::io_context context_;
  boost::asio::steady_timer timer_;
  std::optional<Instant> timer_at_;
  DeadlineQueue deadlines_;
  std::thread thread_;
  std::atomic<std::thread::id> id_;  // set by the thread itself
  std::array<char, limits::kReadBytes> read_buffer_{};
  std::array<char, limits::kReadBytes> plain_buffer_{};
  std::array<char, limits::kReadBytes> inflate_buffer_{};
};

}  // namespace twinspool::net
