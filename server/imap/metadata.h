// What GETMETADATA and LIST … RETURN (METADATA …) answer of a mailbox's annotations (RFC 5464,
// RFC 9590). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/imap/command.h"
#include "server/mail_store.h"

namespace twinspool::imap {

struct MetadataAnswer {
  /// Each once: what is there, sorted, then without a value what was asked for itself and is not.
  std::vector<Annotation> entries;
  /// The largest value that was left out because of its size; 0: none was.
  std::uint64_t longest = 0;
};

/// `all`: everything that the mailbox has, sorted by entry.
MetadataAnswer SelectMetadata(const std::vector<Annotation>& all,
                              const std::vector<std::string>& entries, MetadataDepth depth,
                              std::optional<std::uint32_t> size_max);

/// The entry that is the special use of a mailbox (RFC 6154 §4), and no annotation of its own.
inline constexpr std::string_view kSpecialUseEntry = "/private/specialuse";
/// Adds that entry to all that a mailbox has, in its place.
void AddSpecialUse(SpecialUse use, std::vector<Annotation>* all);

/// "* METADATA name (entry value …)" CRLF; nothing when there are no entries. An empty name is the
/// server.
void AppendMetadata(std::string* out, std::string_view name, bool utf8_names,
                    const std::vector<Annotation>& entries);

}  // namespace twinspool::imap
