// Encoded words in header values (RFC 2047): "=?charset?B?…?=" -> UTF-8.
//
// For search and showing only: ENVELOPE carries values as they stand in the message.
#pragma once

#include <string>
#include <string_view>

namespace twinspool::mime {

/// An unfolded value as UTF-8. White space between two encoded words goes, and neighbours of one
/// charset are joined before conversion, so that a character cut in two survives. Words are also
/// decoded inside quoted strings and comments, which RFC 2047 forbids and mail does. Text outside
/// the words, and what only looks like a word, is taken as UTF-8 or else as windows-1252.
std::string DecodeEncodedWords(std::string_view unfolded);

}  // namespace twinspool::mime
