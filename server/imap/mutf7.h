// Modified UTF-7, in which IMAP writes mailbox names (RFC 3501 §5.1.3).
//
// Pure text conversion. Normalisation (NFC) and limits of names are not here.
#pragma once

#include <string>
#include <string_view>

#include "common/status.h"

namespace twinspool::imap {

/// `utf8` must be well-formed; octets that are not are written as U+FFFD. Linear.
std::string EncodeModifiedUtf7(std::string_view utf8);

/// Strict, so that a name has one spelling only. kInvalidArgument for: octets outside printable
/// ASCII, a shift that is not closed, holds printable ASCII, directly follows another, does not end
/// on whole UTF-16 units with zero padding, holds a lone surrogate or U+0000.
Result<std::string> DecodeModifiedUtf7(std::string_view wire);

}  // namespace twinspool::imap
