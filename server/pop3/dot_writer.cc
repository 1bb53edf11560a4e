#include "server/pop3/dot_writer.h"

#include <algorithm>

namespace twinspool::pop3 {

bool DotWriter::Write(std::string_view octets, std::string* out) {
  out->reserve(out->size() + octets.size() + octets.size() / 16);
  while (!octets.empty()) {
    if (!line_begun_ && octets.front() == '.') {
      out->push_back('.');
    }
    const std::size_t end = std::min(octets.find('\n'), octets.size());
    const std::string_view text = octets.substr(0, end);
    if (!text.empty()) {
      line_empty_ = !line_begun_ && text == "\r";
      line_begun_ = true;
      after_cr_ = text.back() == '\r';
      out->append(text);
    }
    if (end == octets.size()) {
      return true;
    }
    out->append(after_cr_ ? "\n" : "\r\n");
    octets.remove_prefix(end + 1);
    if (!EndLine()) {
      return false;
    }
  }
  return true;
}

bool DotWriter::EndLine() {
  const bool empty = line_empty_;
  line_begun_ = false;
  line_empty_ = true;
  after_cr_ = false;
  if (!lines_left_) {
    return true;
  }
  if (in_header_) {
    in_header_ = !empty;
  } else {
    --*lines_left_;
  }
  return in_header_ || *lines_left_ > 0;
}

void DotWriter::End(std::string* out) const {
  out->append(line_begun_ ? "\r\n.\r\n" : ".\r\n");
}

}  // namespace twinspool::pop3
