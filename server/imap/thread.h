// The algorithms of THREAD: ORDEREDSUBJECT and REFERENCES (RFC 5256 §3), and REFS, which is
// REFERENCES without joining by subject, the threads in the order of their latest arrivals.
//
// Pure, and without recursion: a hostile mailbox makes chains as long as it likes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/imap/command.h"
#include "server/mime/sort_fields.h"

namespace twinspool::imap {

/// What threading looks at of one message.
struct ThreadMessage {
  std::uint32_t number = 0;  // what the answer names it by; breaks ties of dates
  std::int64_t sent = 0;     // seconds since 1970, as SORT DATE has it
  std::int64_t arrived = 0;  // INTERNALDATE
  std::string subject;       // base subject, folded; moved from
  bool reply = false;
  mime::MessageIdHash id{};
  std::vector<mime::MessageIdHash> references;
};

/// The threads as THREAD answers them: "(2)(3 6 (4 23)(44 7 96))"; "" without messages. `messages`
/// are in the order of their numbers.
std::string Threads(ThreadAlgorithm algorithm, std::vector<ThreadMessage> messages);

}  // namespace twinspool::imap
