// Deflate: both directions of a connection under COMPRESS=DEFLATE (RFC 4978), as a pure
// transformer.
//
// Raw deflate streams (RFC 1951) through zlib. The own window is smaller than zlib's choice, so
// that both directions together take 93 KiB (docs/imap.md). No socket, no thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace twinspool::net {

/// Not thread-safe.
class Deflate {
 public:
  enum class Step {
    kDone,       // bytes were read
    kWantInput,  // all input is used up
    kFailed,     // no deflate stream, or its end: the connection is of no use any more
  };

  /// Null when zlib has no memory for it.
  static std::unique_ptr<Deflate> Make();
  ~Deflate();
  Deflate(const Deflate&) = delete;
  Deflate& operator=(const Deflate&) = delete;

  /// Appends to *out what `plain` becomes; some of it may stay inside until Flush.
  void Write(std::string_view plain, std::string* out);
  /// Appends what is still inside, so that the other side can read all that was written.
  void Flush(std::string* out);

  /// Keeps what the other side sent until Read has used it. A few octets can become a thousand
  /// times as many: the caller reads them piece by piece.
  void GiveInput(std::string_view bytes) { input_.append(bytes); }
  /// Whether Read may have something.
  bool has_input() const { return pending_ || used_ < input_.size(); }
  /// Inflates up to `size` octets; with kDone *read is > 0.
  Step Read(char* out, std::size_t size, std::size_t* read);

 private:
  struct Streams;

  Deflate();
  void Run(std::string_view plain, int flush, std::string* out);

  std::unique_ptr<Streams> streams_;
  std::string input_;
  std::size_t used_ = 0;  // of input_
  bool pending_ = false;  // the last Read filled its room: more may be inside
  bool written_ = false;  // since the last Flush
};

}  // namespace twinspool::net
