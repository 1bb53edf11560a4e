// UTF-8, one character at a time (RFC 3629; ICU's macros do not pass our warnings). Folding and
// normalising are ICU's and not here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace twinspool {

inline constexpr std::int32_t kNotUtf8 = -1;
inline constexpr std::int32_t kReplacementCharacter = 0xfffd;

/// The code point at *pos, which must be inside `text`, and *pos behind it; kNotUtf8 and *pos one
/// octet on if there is no well-formed character (overlong, surrogate, above U+10FFFF, cut).
std::int32_t NextUtf8(std::string_view text, std::size_t* pos);

/// Well-formed throughout; NUL and other control characters are characters like others.
bool IsUtf8(std::string_view text);

/// Appends a code point up to U+10FFFF.
void AppendUtf8(std::int32_t code_point, std::string* out);

}  // namespace twinspool
