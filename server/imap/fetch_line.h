// The hot line: a FETCH response of flags, written without allocating per message.
//
// A `FETCH 1:* (FLAGS)` of 100,000 messages is 100,000 of these.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/mail_store.h"

namespace twinspool::imap {

using KeywordTable = std::vector<std::string>;

/// Which items an update of flags carries; at least one.
struct UpdateItems {
  bool uid = false;
  bool flags = true;
  bool modseq = false;
  /// UIDONLY (RFC 9586): messages are named by UID; as an item it is there only if asked for.
  bool by_uid = false;
};

/// "* 7 FETCH (", or "* 9 UIDFETCH (" when messages are named by UID.
void AppendFetchHead(std::string* out, std::uint32_t number, Uid uid, bool by_uid);

/// "* 7 FETCH (UID 9 FLAGS (\Seen) MODSEQ (12))" CRLF.
void AppendUpdate(std::string* out, std::uint32_t number, const IndexEntry& entry,
                  const KeywordTable& keywords, UpdateItems items);

}  // namespace twinspool::imap
