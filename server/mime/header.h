// The fields of a raw header block (RFC 5322 §2.2): where each lies, its name, its value.
//
// A header block is the lines up to and including the first empty line; a block without one ends
// with its octets. Nothing is refused: a line without a colon is a field without a name, so that
// the raw ranges of all fields always add up to the block (less its empty line). Lines end with
// CRLF or bare LF. Decoding of values is in encoded_word.h, parameters.h, address.h and date.h.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace twinspool::mime {

/// One field; all views lie in the block that was iterated.
struct HeaderField {
  std::string_view name;   // without the colon; empty for a line that has none
  std::string_view value;  // behind the colon, folded as it is, without the last line break
  std::string_view raw;    // the whole field with its last line break
};

/// Walks a block field by field, in time linear in its size. Does not own the block.
class HeaderIterator {
 public:
  explicit HeaderIterator(std::string_view block) : rest_(block) {}

  /// False at the empty line or the end of the block; *field is then left alone.
  bool Next(HeaderField* field);
  /// What Next has not passed; once it answered false, the empty line and what follows it.
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

/// Length of the line at the start of `text`, line break included; text.size() if it has none.
std::size_t LineLength(std::string_view text);
/// True for CRLF or LF at the start.
bool StartsWithLineBreak(std::string_view text);

/// Length of the header block that `message` starts with, its empty line included.
std::size_t HeaderBlockLength(std::string_view message);

/// First field of that name, ASCII case ignored; nothing if there is none.
std::optional<HeaderField> FindField(std::string_view block, std::string_view name);

/// A value on one line: line breaks and NUL dropped, white space at both ends trimmed; the white
/// space that followed a line break stays (RFC 5322 §2.2.3). Looks at the first
/// limits::kHeaderFieldBytesMax octets.
std::string Unfold(std::string_view value);

}  // namespace twinspool::mime
