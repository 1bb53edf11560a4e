// BODY and BODYSTRUCTURE (RFC 3501 §7.4.2) of a scanned message, ready for the wire.
//
// Values stand as in the message: type names in their case, parameters unquoted and undecoded,
// but with their continuations joined (RFC 2231 §6).
// Where the message is silent: encoding "7BIT", charset "us-ascii" for every text type. Language
// is always a list. A multipart in which no boundary occurs shows one empty text/plain part,
// because the grammar wants one; section.h resolves that part to nothing but empty octets.
#pragma once

#include <string>
#include <string_view>

#include "server/mime/structure.h"

namespace twinspool::mime {

enum class BodyForm {
  kBody,           // without extension data
  kBodyStructure,  // with it
};

/// `structure` must be Scan(message).
std::string RenderBody(const Structure& structure, std::string_view message, BodyForm form);

}  // namespace twinspool::mime
