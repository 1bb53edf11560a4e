// What must hold for every message, whatever its octets: used by the tests and by the fuzz target.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/mime/structure.h"

namespace twinspool::mime {

/// The first broken rule of ranges, links, counts and limits; empty if all hold.
std::string StructureFault(const Structure& structure, std::string_view message);

/// Number of elements in the one parenthesised list that `wire` is, or -1 if it is not exactly one
/// well-formed IMAP list of lists, quoted strings, literals, numbers and NIL.
int ListLength(std::string_view wire);

/// The first broken rule of anything that is derived: renderings, sections, summary, folded text.
std::string DerivedFault(const Structure& structure, std::string_view message);

/// The part numbers that name `index` as a part; empty for the roots of messages.
std::vector<std::uint32_t> NumbersOf(const Structure& structure, PartIndex index);

}  // namespace twinspool::mime
