// Address lists of From, To, Cc … (RFC 5322 §3.4, obsolete forms of §4.4) as ENVELOPE shows them.
//
// Iterative, linear in time, nothing refused: what cannot be an address becomes one with a missing
// half. Names and local parts lose their quoting, encoded words stay encoded.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace twinspool::mime {

/// What stands in ENVELOPE for a half that the message does not give. IMAP reads NIL in these
/// places as a group mark, so something must be said; clients know these words from other servers.
inline constexpr std::string_view kMissingMailbox = "MISSING_MAILBOX";
inline constexpr std::string_view kMissingDomain = "MISSING_DOMAIN";

struct Address {
  enum class Kind {
    kMailbox,
    kGroupStart,  // only `name` counts
    kGroupEnd,    // nothing counts
  };
  Kind kind = Kind::kMailbox;
  std::string name;     // display name, or the comment in its place; empty: none
  std::string route;    // "@a,@b" of an obsolete source route; empty: none
  std::string mailbox;  // local part; empty: missing
  std::string host;     // domain, or "[literal]"; empty: missing
  bool operator==(const Address&) const = default;
};

/// Appends the addresses of one unfolded (or still folded) value to *out, until *out holds
/// limits::kAddressesMax. A group that is not closed gets closed; groups do not nest, so a group
/// inside a group ends the outer one.
void ParseAddressList(std::string_view value, std::vector<Address>* out);

}  // namespace twinspool::mime
