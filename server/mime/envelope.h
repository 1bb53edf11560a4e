// ENVELOPE (RFC 3501 §7.4.2) of a header block, ready for the wire.
//
// Values stand as in the message: unfolded, unquoted where they are addresses, encoded words
// undecoded, 8-bit text in literals. Single fields: the first of the name; address fields: all of
// the name, one behind the other.
#pragma once

#include <string>
#include <string_view>

#include "server/mime/wire.h"

namespace twinspool::mime {

/// Appends "(date subject from sender reply-to to cc bcc in-reply-to message-id)". Absent fields
/// are NIL; an empty Date, Subject, In-Reply-To or Message-ID is ""; Sender and Reply-To without
/// any address repeat From.
void WriteEnvelope(std::string_view header_block, WireWriter* out);

/// The same as a string of its own.
std::string RenderEnvelope(std::string_view header_block);

}  // namespace twinspool::mime
