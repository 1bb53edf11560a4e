// What SEARCH looks through: headers and texts of a message, decoded and folded.
//
// FoldedText is made once per message and kept; the Folded… questions answer SEARCH from it alone,
// as plain substring scans. Exact within its bound: limits::kFoldedTextBytesMax of folded octets.
//
// Layout (all octets folded, see fold.h; the separators cannot occur in folded text):
//   each header field of the message:   NAME ": " value 0x1e; a line that is no field: 0x1f line
//   0x1e end of the header:                  0x1d for each further part in order:     its header
//   fields as above, and decoded file names that
//                                       RFC 2231 hides, each with 0x1e behind it
//   for each text or message/* leaf:    its decoded text 0x1e, and once more as its charset has it
//                                       where that was not believed
//   if the bound was met:               0x1c
#pragma once

#include <string>
#include <string_view>

#include "server/mime/fold.h"
#include "server/mime/structure.h"

namespace twinspool::mime {

/// Decoded, folded text of a whole message, as said above.
std::string FoldedText(std::string_view message);

/// True if the text was cut at the bound, so that a negative answer may be wrong.
bool FoldedIsCut(std::string_view folded);

/// SEARCH HEADER name key, FROM, TO, CC, BCC, SUBJECT: some field of that name (ASCII case ignored)
/// holds the key, which must be folded. An empty key asks whether the field is there.
bool FoldedHeaderContains(std::string_view folded, std::string_view name,
                          std::string_view folded_key);
/// SEARCH BODY: the key is in one of the texts, or in the header of a part inside.
bool FoldedBodyContains(std::string_view folded, std::string_view folded_key);
/// SEARCH TEXT: the key is in the header or in the body.
bool FoldedTextContains(std::string_view folded, std::string_view folded_key);

/// A field's value for people: unfolded, encoded words decoded, UTF-8.
std::string DecodedValue(std::string_view raw_value);

}  // namespace twinspool::mime
