// OutputQueue: bytes on their way to a client, in chunks that one gathered write can take.
//
// Small writes join in one chunk; an empty queue holds no memory. Pure: no socket.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

struct iovec;

namespace twinspool::net {

/// Not thread-safe.
class OutputQueue {
 public:
  void Append(std::string_view bytes);
  /// Bytes not yet consumed.
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  /// The first bytes, at most `bytes_max` of them and only as far as they lie together.
  std::string_view Front(std::size_t bytes_max) const;
  /// Points `out` at up to `count` chunks in order; returns how many. Valid until the next change.
  std::size_t Gather(iovec* out, std::size_t count) const;
  /// Forgets the first `bytes` bytes; at most size().
  void Consume(std::size_t bytes);
  void Clear();

 private:
  std::vector<std::string> chunks_;
  std::size_t head_ = 0;    // first chunk not yet consumed
  std::size_t offset_ = 0;  // consumed bytes of it
  std::size_t size_ = 0;
};

}  // namespace twinspool::net
