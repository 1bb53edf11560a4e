// The MIME structure of a message with exact octet ranges (RFC 2045, RFC 2046, IMAP's view of it).
//
// One iterative pass over the lines with a stack of open parts; never recursive, never
// backtracking. Time is linear in the message (times at most limits::kMimeDepthMax for lines that
// begin with
// "--"), memory linear in the headers that are looked at. Any octets are a message: there are no
// errors.
//
// Rules:
//  * A header is the lines up to the first empty line, or up to a boundary, or to the end.
//  * Each line that starts with "--" and an open multipart's boundary is that boundary, whatever
//    follows on the line, also inside a header; of several that fit the longest wins, of equal ones
//    the innermost. A boundary of an outer multipart ends everything inside.
//  * The line break before a boundary line belongs to the boundary (CRLF or LF), so to no part; a
//    header's empty line is never taken for it.
//  * The end boundary ("--boundary--") is seen once; what follows is epilogue.
//  * Of a header, no field beyond its first MiB is looked at.
//  * A boundary line that has no line break, at the end of the message, opens no part.
//  * A missing or unreadable Content-Type is text/plain, in multipart/digest message/rfc822.
//  * A multipart without a boundary parameter is taken as text/plain: its text stays readable.
//  * At the limits of depth and number, a container is not opened and becomes application/
//    octet-stream; the last part keeps what is left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/mime/parameters.h"

namespace twinspool::mime {

/// Octets [begin, end) of the message.
struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;

  std::size_t size() const { return end - begin; }
  std::string_view Of(std::string_view message) const { return message.substr(begin, size()); }
  bool operator==(const Range&) const = default;
};

using PartIndex = std::int32_t;
inline constexpr PartIndex kNoPart = -1;

enum class PartKind {
  kLeaf,       // no children
  kMultipart,  // children are its body parts; there may be none
  kMessage,    // message/rfc822; one child, the root of the nested message
};

/// The Content- fields of a part as written, unfolded; empty where absent. Only the first field of
/// a name counts (for plain texts the first that is not empty).
struct ContentFields {
  std::vector<Parameter> parameters;  // of Content-Type
  std::string id;
  std::string description;
  std::string encoding;  // "" means 7bit
  std::string md5;
  std::string disposition;  // "" means none
  std::vector<Parameter> disposition_parameters;
  std::vector<std::string> languages;
  std::string location;
};

/// A body part, or the root of a message or of a nested message.
struct Part {
  PartKind kind = PartKind::kLeaf;
  PartIndex parent = kNoPart;
  PartIndex first_child = kNoPart;
  PartIndex next_sibling = kNoPart;
  Range header;                  // with its empty line, if it has one; header.end == body.begin
  Range body;                    // a kMessage's body is the whole nested message
  std::uint64_t body_lines = 0;  // number of LF in the body
  std::string type;              // never empty; case as written, defaults in capitals
  std::string subtype;
  ContentFields fields;
};

/// Parts in the order in which their headers begin; parts[0] is the message itself and is always
/// there. Holds no views: it may outlive the octets it was made from.
struct Structure {
  std::vector<Part> parts;

  const Part& root() const { return parts.front(); }
  const Part& at(PartIndex index) const { return parts[static_cast<std::size_t>(index)]; }
};

/// Finds all parts of `message`.
Structure Scan(std::string_view message);

/// The same for a message that comes piece by piece, cut anywhere. Holds little more of it than the
/// header that is being read.
class StructureScanner {
 public:
  StructureScanner();
  ~StructureScanner();
  StructureScanner(const StructureScanner&) = delete;
  StructureScanner& operator=(const StructureScanner&) = delete;

  void Feed(std::string_view octets);
  /// The message ends here. Once.
  Structure Finish();

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace twinspool::mime
