// The first words of a message, for lists of messages (RFC 8970).
#pragma once

#include <string>
#include <string_view>

#include "server/mime/structure.h"

namespace twinspool::mime {

/// At most limits::kPreviewCharactersMax characters of the message's first readable text, in UTF-8
/// and on one line: of the first text/plain part that is no attachment and is not empty, without
/// what it quotes of other mail; else of the first text/html part, without its markup. Empty if
/// there is none. Looks at the first limits::kPreviewSourceBytesMax octets of a part.
std::string Preview(const Structure& structure, std::string_view message);

/// The text of an HTML document as words; not more than a preview needs.
std::string TextOfHtml(std::string_view utf8);

}  // namespace twinspool::mime
