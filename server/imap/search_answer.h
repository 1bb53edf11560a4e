// The answers of SEARCH and SORT: plain ones, and ESEARCH with what RETURN asked for.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/types.h"
#include "common/uid_set.h"
#include "server/imap/command.h"
#include "server/imap/core.h"
#include "server/imap/search.h"

namespace twinspool::imap {

/// The program of SEARCH, SORT or THREAD for the selected mailbox; nothing when the command has
/// been refused.
std::optional<SearchProgram> PrepareSearch(Core& core, const cmd::Search& command);

/// What was found, as UIDs or sequence numbers.
struct SearchAnswer {
  UidSet numbers;
  /// The same in the order of a SORT; empty for a SEARCH, whose order is rising.
  std::vector<std::uint32_t> sorted;
  std::optional<Modseq> modseq;  // to be told when MODSEQ was asked for
};

/// "* SEARCH 2 3 (MODSEQ 7)" CRLF; "* SORT …" when there is an order.
void AppendSearch(std::string* out, const SearchAnswer& answer, std::string_view word = "SEARCH");
/// "* ESEARCH (TAG "a") UID COUNT 3 …" CRLF. MIN and MAX of a SORT are its first and last
/// (RFC 5267 §3.1).
void AppendEsearch(std::string* out, std::string_view tag, const cmd::Search& command,
                   const SearchAnswer& answer);

/// The part of it behind ")" or ") UID", with CRLF.
void AppendResults(std::string* out, const cmd::Search& command, const SearchAnswer& answer);

/// Whether the program names messages by sequence number ("$" aside).
bool NamesNumbers(const SearchKey& key);

/// What RETURN (SAVE …) keeps of the UIDs found: the first, the last and the named part when those
/// alone are asked for, else all (RFC 5182 §2.4, RFC 9394 §3.3). `sorted`: the same in the order of
/// a SORT, or empty.
UidSet SavedPart(const cmd::Search& command, const UidSet& uids,
                 const std::vector<std::uint32_t>& sorted = {});

}  // namespace twinspool::imap
