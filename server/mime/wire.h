// Writes IMAP strings: quoted where that is possible, literals otherwise, NIL for what is not there
// (RFC 3501 §4.3, §9).
//
// Everything that quotes a message draws on one budget of octets. When a hostile message has used
// it up, strings become NIL (or "" where the grammar wants a string), so that the answer stays
// well-formed and bounded.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/limits.h"

namespace twinspool::mime {

/// Appends to a string that it owns. Values must hold no NUL; Unfold of header.h sees to that.
class WireWriter {
 public:
  explicit WireWriter(std::size_t budget = limits::kMimeWireBytesMax) : budget_(budget) {}

  /// Syntax: parentheses, blanks, NIL, atoms. Not counted.
  void Raw(std::string_view text) { out_.append(text); }
  void Number(std::uint64_t value) { out_.append(std::to_string(value)); }
  /// `string` of the grammar: quoted, or a literal if the value has line breaks or 8-bit octets or
  /// is longer than limits::kQuotedStringBytesMax.
  void String(std::string_view value);
  /// `nstring`: NIL for an empty value.
  void StringOrNil(std::string_view value);

  /// True while the budget lasts; callers of repeating structures stop when it does not.
  bool HasRoom() const { return budget_ > 0; }
  /// Draws `octets` of fixed syntax from the budget.
  void Charge(std::size_t octets) { budget_ -= octets < budget_ ? octets : budget_; }

  std::string Take() { return std::move(out_); }

 private:
  /// False, and the budget is gone, if `octets` do not fit.
  bool Reserve(std::size_t octets);

  std::string out_;
  std::size_t budget_;
};

}  // namespace twinspool::mime
