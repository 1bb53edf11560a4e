// BODY[…] sections (RFC 3501 §6.4.5): which octets of a message a section means.
//
// Answers are ranges of the stored octets; only filtered headers are composed, from whole fields as
// they stand. Nothing is decoded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/mime/structure.h"

namespace twinspool::mime {

/// What a section names below its part numbers.
enum class SectionKind {
  kAll,              // the message, or a part's body
  kHeader,           // HEADER: of the message or of a nested message
  kHeaderFields,     // HEADER.FIELDS (…)
  kHeaderFieldsNot,  // HEADER.FIELDS.NOT (…)
  kText,             // TEXT: the message or nested message without its header
  kMime,             // MIME: a part's own header
};

struct SectionSpec {
  std::vector<std::uint32_t> part;  // "1.2.3"; empty: the message itself
  SectionKind kind = SectionKind::kAll;
  std::vector<std::string> fields;  // for the two field filters; ASCII case does not matter
};

/// The octets of a section: a range of the message, or a composed header.
struct SectionData {
  Range range;                          // meant if nothing was composed
  std::optional<std::string> composed;  // filtered fields and the empty line

  std::string_view Octets(std::string_view message) const {
    return composed.has_value() ? std::string_view(*composed) : range.Of(message);
  }
};

/// Nothing (IMAP: NIL) if there is no such part, if HEADER or TEXT is asked of a part that is no
/// message/rfc822, or MIME of the message itself. In a message that is no multipart, part 1 is its
/// body (RFC 3501: "every message has at least one part number").
std::optional<SectionData> ResolveSection(const Structure& structure, std::string_view message,
                                          const SectionSpec& spec);

/// The part that numbers name, or kNoPart. Empty numbers name parts[0].
PartIndex FindPart(const Structure& structure, const std::vector<std::uint32_t>& numbers);

/// The fields of `header_block` whose name is (keep = true) or is not (false) in `names`, with
/// their octets, then the block's empty line, if it has one (RFC 3501 §6.4.5).
std::string FilterHeader(std::string_view header_block, const std::vector<std::string>& names,
                         bool keep);

}  // namespace twinspool::mime
