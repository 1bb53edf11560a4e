#include "server/lmtp/dot_reader.h"

#include <algorithm>

namespace twinspool::lmtp {

std::size_t DotReader::Feed(std::string_view in, std::string* out) {
  std::size_t used = 0;
  while (used < in.size() && !done()) {
    if (state_ == State::kInLine) {
      // The bulk of a message goes through here.
      const std::size_t cr = std::min(in.find('\r', used), in.size());
      out->append(in, used, cr - used);
      used = cr;
      if (used == in.size()) {
        break;
      }
    }
    Step(in[used++], out);
  }
  return used;
}

void DotReader::Step(char c, std::string* out) {
  switch (state_) {
    case State::kLineStart:
      if (c == '.') {
        state_ = State::kDot;
        return;
      }
      break;
    case State::kDot:
      if (c == '\r') {
        state_ = State::kDotCr;
        return;
      }
      break;  // the dot was stuffing
    case State::kDotCr:
      if (c == '\n') {
        state_ = State::kDone;
        return;
      }
      out->push_back('\r');
      break;
    case State::kCr:
      if (c == '\n') {
        out->push_back(c);
        state_ = State::kLineStart;
        return;
      }
      break;
    case State::kInLine:
    case State::kDone:
      break;
  }
  out->push_back(c);
  state_ = c == '\r' ? State::kCr : State::kInLine;
}

}  // namespace twinspool::lmtp
