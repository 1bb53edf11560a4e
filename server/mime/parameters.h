// Content-Type, Content-Disposition and their parameters (RFC 2045 §5.1, RFC 2183, RFC 2231).
//
// Two levels: as written (what BODYSTRUCTURE shows: names in their case, values unquoted, nothing
// decoded or joined) and as meant (continuations joined, charsets decoded). Tolerant: an unquoted
// value ends at white space or ';' whatever else is in it; garbage is skipped up to the next ';'.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace twinspool::mime {

/// One parameter as written. With RFC 2231 the name may read "filename*0*".
struct Parameter {
  std::string name;
  std::string value;
  bool operator==(const Parameter&) const = default;
};

/// A value like "text/plain; charset=x" or "attachment; filename=y".
struct ValueWithParameters {
  std::string value;    // "text", "attachment", "base64"; empty if there is no token
  std::string subtype;  // behind a '/'; empty if there is none
  std::vector<Parameter> parameters;
};

/// Parses an unfolded value. At most limits::kMimeParametersMax parameters, the first ones.
ValueWithParameters ParseValueWithParameters(std::string_view unfolded);

/// The value as meant, in UTF-8: a plain parameter of that name, or the RFC 2231 pieces put in
/// order, joined and decoded, up to the first gap. The plain form is decoded as encoded words, too,
/// which RFC 2047 forbids and mail does. Nothing if the name does not occur.
std::optional<std::string> DecodedParameter(const std::vector<Parameter>& parameters,
                                            std::string_view name);

}  // namespace twinspool::mime
