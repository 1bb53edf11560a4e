// Events of CommandReader as lines of text, so that a test compares what it can read.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "server/imap/events.h"

namespace twinspool::imap {

/// One line per event, every member shown that is not empty.
std::string Describe(const Event& event);
/// A search program as an S-expression.
std::string Describe(const SearchKey& key);

/// How the driver of ReadAll answers.
struct ReadOptions {
  bool authenticated = true;
  bool utf8_names = false;
  std::uint64_t message_bytes_max = 1'000'000;
  bool refuse_literals = false;   // RefuseLiteral at NeedContinuation and AppendMessageBegin
  bool discard_messages = false;  // DiscardCommand at AppendMessageBegin
};

/// Feeds `input` in pieces of `piece` octets (0: all at once) and describes the events.
/// Neighbouring AppendData are joined. After AUTHENTICATE and IDLE one raw line is asked for.
std::vector<std::string> ReadAll(std::string_view input, std::size_t piece,
                                 const ReadOptions& options = {});

/// ReadAll, whole; fails the process' check unless every other cut gives the same.
std::vector<std::string> ReadEveryWay(std::string_view input, const ReadOptions& options = {});

/// The events of one line (CRLF is added), read every way, joined by " | ".
std::string Line(std::string_view line, const ReadOptions& options = {});

/// Whether `line` is refused by exactly one BadLine with its tag "a", and the next command is read.
bool IsBad(std::string_view line);

}  // namespace twinspool::imap
