// One command as its client sent it: the text of its lines and the octets of its literals.
//
// Made by CommandReader, which finds the ends of lines and literals; read by Cursor, which finds
// tokens. Neither knows the other.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace twinspool::imap {

/// A literal of the command. Its announcement, e.g. "{5}", stays in CommandText::line.
struct Literal {
  std::size_t begin = 0;  // where the announcement starts in the line
  std::size_t end = 0;    // one after its '}'
  std::string octets;
  bool binary = false;  // literal8: may hold NUL
};

/// All lines of a command in one string, without line ends, and its literals in order. Bounded by
/// limits::kCommandLineBytesMax and kCommandLiteralBytesMax.
struct CommandText {
  std::string line;
  std::vector<Literal> literals;

  void Clear() {
    line.clear();
    literals.clear();
  }
};

}  // namespace twinspool::imap
