#include "server/net/output_queue.h"

#include <algorithm>

#include <sys/uio.h>

#include "common/check.h"
#include "common/limits.h"

namespace twinspool::net {
namespace {

// Consumed chunks at the front are taken out of the list when so many have gathered.
constexpr std::size_t kCompactAfter = 64;

}  // namespace

void OutputQueue::Append(std::string_view bytes) {
  if (bytes.empty()) {
    return;
  }
  const bool joins = !chunks_.empty() && head_ < chunks_.size() &&
                     chunks_.back().size() + bytes.size() <= limits::kWriteBytes;
  if (joins) {
    chunks_.back().append(bytes);
  } else {
    chunks_.emplace_back(bytes);
  }
  size_ += bytes.size();
}

std::string_view OutputQueue::Front(std::size_t bytes_max) const {
  return empty() ? std::string_view()
                 : std::string_view(chunks_[head_]).substr(offset_).substr(0, bytes_max);
}

std::size_t OutputQueue::Gather(iovec* out, std::size_t count) const {
  std::size_t used = 0;
  std::size_t skip = offset_;
  for (std::size_t i = head_; i < chunks_.size() && used < count; ++i) {
    const std::string& chunk = chunks_[i];
    out[used].iov_base = const_cast<char*>(chunk.data() + skip);  // sendmsg only reads
    out[used].iov_len = chunk.size() - skip;
    ++used;
    skip = 0;
  }
  return used;
}

void OutputQueue::Consume(std::size_t bytes) {
  TWINSPOOL_CHECK(bytes <= size_, "more output consumed than there is");
  size_ -= bytes;
  if (size_ == 0) {
    Clear();
    return;
  }
  while (bytes > 0) {
    const std::size_t step = std::min(bytes, chunks_[head_].size() - offset_);
    offset_ += step;
    bytes -= step;
    if (offset_ == chunks_[head_].size()) {
      std::string().swap(chunks_[head_]);
      ++head_;
      offset_ = 0;
    }
  }
  if (head_ >= kCompactAfter) {
    chunks_.erase(chunks_.begin(), chunks_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

void OutputQueue::Clear() {
  std::vector<std::string>().swap(chunks_);
  head_ = 0;
  offset_ = 0;
  size_ = 0;
}

}  // namespace twinspool::net
