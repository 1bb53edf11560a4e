// Content-Type, Content-Disposition and their parameters (RFC 2045 §5.1, RFC 2183, RFC 2231).
//
// Three levels: as written (names in their case, values unquoted), as BODYSTRUCTURE shows them
// (continuations joined, nothing decoded), and as meant (continuations joined, charsets decoded).
// Tolerant: an unquoted value ends at white space or ';' whatever else is in it; garbage is skipped
// up to the next ';'.
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

/// The same parameters as BODYSTRUCTURE shows them: pieces ("a*0", "a*1*") put together under the
/// name "a", where the first of them stood (RFC 2231 §6). If one of them is encoded, so is the
/// whole, under the name "a*". What the pieces from 0 up do not reach stays as it is.
std::vector<Parameter> JoinContinuations(const std::vector<Parameter>& parameters);

/// The value as meant, in UTF-8: a plain parameter of that name, or the RFC 2231 pieces put in
/// order, joined and decoded, up to the first gap. The plain form is decoded as encoded words, too,
/// which RFC 2047 forbids and mail does. Nothing if the name does not occur.
std::optional<std::string> DecodedParameter(const std::vector<Parameter>& parameters,
                                            std::string_view name);

}  // namespace twinspool::mime
