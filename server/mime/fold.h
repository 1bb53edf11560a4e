// Folding of text for comparison: i;unicode-casemap of RFC 5051 (title case, then NFKD).
//
// Two texts are equal for SEARCH if their folded octets are equal; one contains the other if its
// folded octets do. Two additions of our own, for texts and keys alike: CRLF becomes LF, and the
// control characters U+001C to U+001F, which text.h uses as separators, become a blank.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace twinspool::mime {

/// Folds UTF-8; octets that are not UTF-8 become U+FFFD. Up to eleven times as long as the input
/// for single exotic characters, about as long for real text.
std::string Fold(std::string_view utf8);

/// Appends the folded text to *out, but stops before *out exceeds `bytes_max`; false if it had to.
bool FoldInto(std::string_view utf8, std::size_t bytes_max, std::string* out);

/// True if `folded_text` holds `folded_key`; always for an empty key.
bool FoldedContains(std::string_view folded_text, std::string_view folded_key);

}  // namespace twinspool::mime
