// Text in any charset that mail names -> UTF-8, through ICU's converters.
//
// Never fails: what a charset's name or its octets do not explain is guessed (UTF-8 if it is valid
// UTF-8, else windows-1252, the superset of latin-1), and broken sequences become U+FFFD. Only for
// search and for showing; stored octets are never converted.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace twinspool::mime {

/// True if ICU knows the charset by that name (ASCII case ignored); SEARCH CHARSET asks this.
bool KnownCharset(std::string_view charset);

/// `bytes` as UTF-8. An empty or unknown charset, and us-ascii with 8-bit octets in it, are
/// guessed as said above. Output is at most a few times the input.
std::string ToUtf8(std::string_view charset, std::string_view bytes);

/// The text as its label has it, where ToUtf8 did not believe the label: valid UTF-8 that is
/// labelled latin-1, or what is labelled UTF-8 and is not. Nothing where it did.
std::optional<std::string> AsLabelled(std::string_view charset, std::string_view bytes);

}  // namespace twinspool::mime
