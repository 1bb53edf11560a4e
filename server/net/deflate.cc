#include "server/net/deflate.h"

#include <zlib.h>

#include <algorithm>
#include <array>

namespace twinspool::net {
namespace {

// Negative: raw streams without zlib's header. 2^13 octets of window and 2^(5+9) of hash tables.
constexpr int kOwnWindowBits = -13;
constexpr int kMemoryLevel = 5;
// The other side may use the largest window there is.
constexpr int kTheirWindowBits = -15;
constexpr std::size_t kPieceBytes = 16u << 10;

Bytef* In(std::string_view bytes) {
  // zlib reads only; its pointer is not const by history.
  return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
}

}  // namespace

struct Deflate::Streams {
  z_stream out{};
  z_stream in{};
  bool out_ready = false;
  bool in_ready = false;
};

Deflate::Deflate() : streams_(std::make_unique<Streams>()) {}

Deflate::~Deflate() {
  if (streams_->out_ready) {
    deflateEnd(&streams_->out);
  }
  if (streams_->in_ready) {
    inflateEnd(&streams_->in);
  }
}

std::unique_ptr<Deflate> Deflate::Make() {
  std::unique_ptr<Deflate> made(new Deflate);
  Streams& streams = *made->streams_;
  streams.out_ready = deflateInit2(&streams.out, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kOwnWindowBits,
                                   kMemoryLevel, Z_DEFAULT_STRATEGY) == Z_OK;
  streams.in_ready = inflateInit2(&streams.in, kTheirWindowBits) == Z_OK;
  return streams.out_ready && streams.in_ready ? std::move(made) : nullptr;
}

void Deflate::Run(std::string_view plain, int flush, std::string* out) {
  z_stream& stream = streams_->out;
  stream.next_in = In(plain);
  stream.avail_in = static_cast<uInt>(plain.size());
  std::array<char, kPieceBytes> piece;
  do {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    // Cannot fail: there is room, and the stream is sound.
    deflate(&stream, flush);
    out->append(piece.data(), piece.size() - stream.avail_out);
  } while (stream.avail_out == 0 || stream.avail_in > 0);
}

void Deflate::Write(std::string_view plain, std::string* out) {
  // Never more at a time than zlib's counters hold.
  constexpr std::size_t kOnceMax = 1u << 30;
  for (; !plain.empty(); plain.remove_prefix(std::min(plain.size(), kOnceMax))) {
    Run(plain.substr(0, kOnceMax), Z_NO_FLUSH, out);
    written_ = true;
  }
}

void Deflate::Flush(std::string* out) {
  if (written_) {
    Run({}, Z_SYNC_FLUSH, out);
    written_ = false;
  }
}

Deflate::Step Deflate::Read(char* out, std::size_t size, std::size_t* read) {
  z_stream& stream = streams_->in;
  const std::string_view input = std::string_view(input_).substr(used_);
  stream.next_in = In(input);
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(out);
  stream.avail_out = static_cast<uInt>(size);
  const int result = inflate(&stream, Z_SYNC_FLUSH);
  used_ += input.size() - stream.avail_in;
  *read = size - stream.avail_out;
  pending_ = stream.avail_out == 0;
  if (used_ == input_.size()) {
    std::string().swap(input_);
    used_ = 0;
  }
  if (*read > 0) {
    return Step::kDone;
  }
  return result == Z_OK || result == Z_BUF_ERROR ? Step::kWantInput : Step::kFailed;
}

}  // namespace twinspool::net
