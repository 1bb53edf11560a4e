// DotWriter: a message as RETR and TOP send it (RFC 1939 §3): a dot is put before each line that
// begins with one, a last line without an end gets it, and a line of one dot ends it all.
//
// What goes out has no line end but CRLF: a bare LF, which mail may not hold but some does, becomes
// one. A client that ends lines at LF could otherwise take a dot of the message for its end. Such a
// message is longer on the wire than LIST says, by its bare LFs; a bare CR, NUL and octets beyond
// ASCII are sent as they are. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace twinspool::pop3 {

/// One message; not thread-safe.
class DotWriter {
 public:
  /// `body_lines`: TOP, which ends after the header, the empty line, and so many lines.
  explicit DotWriter(std::optional<std::uint64_t> body_lines) : lines_left_(body_lines) {}

  /// Appends the message's next octets to *out, at most twice as many and one. False: no more are
  /// wanted.
  bool Write(std::string_view octets, std::string* out);
  /// Ends the message.
  void End(std::string* out) const;

 private:
  /// False: it was the last one wanted.
  bool EndLine();

  std::optional<std::uint64_t> lines_left_;
  bool in_header_ = true;
  bool line_begun_ = false;  // an octet of the line was written
  bool line_empty_ = true;   // … and if so, it was one CR
  bool after_cr_ = false;    // the octet before was a CR
};

}  // namespace twinspool::pop3
