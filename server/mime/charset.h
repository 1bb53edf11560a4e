// Text in any charset that mail names -> UTF-8, through ICU's converters.
//
// Never fails: what a charset's name or its octets do not explain is guessed (UTF-8 if it is valid
// UTF-8, else windows-1252, the superset of latin-1), and broken sequences become U+FFFD. Only for
// search and for showing; stored octets are never converted.
#pragma once

#include <string>
#include <string_view>

namespace twinspool::mime {

/// True if ICU knows the charset by that name (ASCII case ignored); SEARCH CHARSET asks this.
bool KnownCharset(std::string_view charset);

/// `bytes` as UTF-8. An empty or unknown charset, and us-ascii with 8-bit octets in it, are
/// guessed as said above. Output is at most a few times the input.
std::string ToUtf8(std::string_view charset, std::string_view bytes);

/// True if ToUtf8 takes `bytes` for UTF-8 although they are labelled latin-1, which they may be.
bool GuessedAgainstLabel(std::string_view charset, std::string_view bytes);

}  // namespace twinspool::mime
