// DotReader: the body of DATA (RFC 5321 §4.5.2): takes the dots out that the sender put in, and
// finds the end.
//
// Lines end with CRLF and with nothing else: only CRLF "." CRLF ends the message, so that a bare
// LF cannot smuggle a second message in; a bare LF, a bare CR and NUL are octets like others. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace twinspool::lmtp {

/// One message; not thread-safe.
class DotReader {
 public:
  /// Takes octets from `in`, appends the message's to *out, and returns how many of `in` were used:
  /// all of them, unless the end was found.
  std::size_t Feed(std::string_view in, std::string* out);
  /// The terminating line was read; it is not part of the message, the CRLF before it is.
  bool done() const { return state_ == State::kDone; }

 private:
  enum class State {
    kLineStart,
    kDot,    // a line began with a dot, which was not put out
    kDotCr,  // … and a CR follows
    kInLine,
    kCr,  // a CR was put out
    kDone,
  };

  void Step(char c, std::string* out);

  State state_ = State::kLineStart;
};

}  // namespace twinspool::lmtp
