// LIST's patterns: which mailbox names match "work/%" or "*" (RFC 3501 §6.3.8).
//
// Names and patterns are UTF-8 with '/' between levels; nothing is normalised here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace twinspool::imap {

/// The pattern of a LIST with its reference put before it; as servers with one hierarchy do it, by
/// joining the two.
std::string JoinReference(std::string_view reference, std::string_view pattern);

/// A compiled pattern. '*' matches any octets, '%' any but '/'. A first level INBOX is compared
/// without regard to case, all else exactly.
///
/// Matching steps once per octet of the name, over all places in the pattern at a time (64 per
/// machine word), so that no pattern makes it slow. A pattern with more than
/// limits::kMailboxNameBytesMax plain octets matches nothing.
class ListPattern {
 public:
  explicit ListPattern(std::string_view pattern);
  bool Matches(std::string_view name) const;

 private:
  using Words = std::vector<std::uint64_t>;

  // Place i means: the first i plain octets of the pattern are matched.
  bool impossible_ = false;
  std::size_t plain_ = 0;  // number of plain octets; the place of success
  std::size_t words_ = 0;
  Words stay_any_;     // places before a '*': any octet stays there
  Words stay_level_;   // places before a '*' or '%': any octet but '/' stays there
  Words plain_masks_;  // [octet * words_ ...]: places that this octet leads on from
};

}  // namespace twinspool::imap
