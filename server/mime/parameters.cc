#include "server/mime/parameters.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "common/limits.h"
#include "server/mime/ascii.h"
#include "server/mime/charset.h"
#include "server/mime/encoded_word.h"

namespace twinspool::mime {
namespace {

constexpr std::string_view kTypeEnds = " \t\r\n;/()\"";
constexpr std::string_view kNameEnds = " \t\r\n;=()\"";
constexpr std::string_view kValueEnds = " \t\r\n;";

/// Token from *pos up to one of `ends`.
std::string_view ReadToken(std::string_view text, std::size_t* pos, std::string_view ends) {
  const std::size_t end = std::min(text.find_first_of(ends, *pos), text.size());
  const std::string_view token = text.substr(*pos, end - *pos);
  *pos = end;
  return token;
}

void ReadType(std::string_view text, std::size_t* pos, ValueWithParameters* out) {
  *pos = SkipCfws(text, *pos);
  out->value = ReadToken(text, pos, kTypeEnds);
  *pos = SkipCfws(text, *pos);
  if (*pos < text.size() && text[*pos] == '/') {
    *pos = SkipCfws(text, *pos + 1);
    out->subtype = ReadToken(text, pos, kTypeEnds);
  }
}

/// Reads "name = value" at *pos; false if there is no such thing.
bool ReadParameter(std::string_view text, std::size_t* pos, Parameter* out) {
  *pos = SkipCfws(text, *pos);
  out->name = ReadToken(text, pos, kNameEnds);
  *pos = SkipCfws(text, *pos);
  if (out->name.empty() || *pos >= text.size() || text[*pos] != '=') {
    return false;
  }
  *pos = SkipCfws(text, *pos + 1);
  if (*pos < text.size() && text[*pos] == '"') {
    ReadQuotedString(text, pos, &out->value);
  } else {
    out->value = ReadToken(text, pos, kValueEnds);
  }
  return true;
}

// --- RFC 2231

struct Piece {
  std::size_t index = 0;
  bool encoded = false;
  std::string_view value;
  std::size_t place = 0;  // among the parameters
};

/// Reads "*0*", "*1", "*" behind the name; false if it is something else.
bool ParsePieceSuffix(std::string_view suffix, Piece* piece) {
  piece->encoded = suffix.ends_with('*');
  if (piece->encoded) {
    suffix.remove_suffix(1);
  }
  if (suffix.empty()) {
    return piece->encoded;
  }
  if (suffix.front() != '*' || suffix.size() < 2 || suffix.size() > 6) {
    return false;
  }
  for (const char c : suffix.substr(1)) {
    if (!IsDigit(c)) {
      return false;
    }
    piece->index = piece->index * 10 + static_cast<std::size_t>(c - '0');
  }
  return true;
}

std::vector<Piece> FindPieces(const std::vector<Parameter>& parameters, std::string_view name) {
  std::vector<Piece> pieces;
  for (const Parameter& parameter : parameters) {
    const std::string_view full = parameter.name;
    Piece piece;
    if (full.size() > name.size() && EqualsIgnoreCase(full.substr(0, name.size()), name) &&
        ParsePieceSuffix(full.substr(name.size()), &piece)) {
      piece.value = parameter.value;
      pieces.push_back(piece);
    }
  }
  std::stable_sort(pieces.begin(), pieces.end(),
                   [](const Piece& a, const Piece& b) { return a.index < b.index; });
  return pieces;
}

std::string DecodePercent(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool hex = text[i] == '%' && i + 2 < text.size() && HexValue(text[i + 1]) >= 0 &&
                     HexValue(text[i + 2]) >= 0;
    if (hex) {
      out.push_back(static_cast<char>(HexValue(text[i + 1]) * 16 + HexValue(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

/// Takes "charset'language'" off the first piece's value.
std::string_view TakeCharset(std::string_view* value) {
  const std::size_t first = value->find('\'');
  const std::size_t second = first == std::string_view::npos ? first : value->find('\'', first + 1);
  if (second == std::string_view::npos) {
    return {};
  }
  const std::string_view charset = value->substr(0, first);
  value->remove_prefix(second + 1);
  return charset;
}

std::string JoinPieces(std::vector<Piece>& pieces) {
  std::string_view charset;
  std::string octets;
  std::size_t expected = pieces.front().index;  // 0; some mailers count from 1
  if (pieces.front().encoded) {
    charset = TakeCharset(&pieces.front().value);
  }
  for (const Piece& piece : pieces) {
    if (piece.index != expected) {
      break;
    }
    octets += piece.encoded ? DecodePercent(piece.value) : std::string(piece.value);
    ++expected;
  }
  return ToUtf8(charset, octets);
}

/// attribute-char of RFC 2231 §7: what an encoded value may hold as it is.
bool StandsForItself(char c) {
  return c > ' ' && c < 0x7f &&
         std::string_view(R"(*'%()<>@,;:\"/[]?=)").find(c) == std::string_view::npos;
}

std::string EncodePercent(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (StandsForItself(c)) {
      out.push_back(c);
    } else {
      const auto octet = static_cast<unsigned char>(c);
      out += {'%', kDigits[octet / 16], kDigits[octet % 16]};
    }
  }
  return out;
}

/// All pieces by name in lower case, each name's by index.
using PiecesByName = std::unordered_map<std::string, std::vector<Piece>>;

PiecesByName SortPieces(const std::vector<Parameter>& parameters) {
  PiecesByName found;
  for (std::size_t place = 0; place < parameters.size(); ++place) {
    const std::string_view name = parameters[place].name;
    const std::size_t star = name.find('*');
    Piece piece;
    if (star != std::string_view::npos && star > 0 && name.size() > star + 1 &&
        ParsePieceSuffix(name.substr(star), &piece)) {
      piece.value = parameters[place].value;
      piece.place = place;
      found[Lowercase(name.substr(0, star))].push_back(piece);
    }
  }
  for (auto& [name, pieces] : found) {
    std::stable_sort(pieces.begin(), pieces.end(),
                     [](const Piece& a, const Piece& b) { return a.index < b.index; });
  }
  return found;
}

/// Of sorted pieces those with the indexes 0, 1, 2 …, each once.
std::vector<Piece> Chain(const std::vector<Piece>& pieces) {
  std::vector<Piece> chain;
  for (const Piece& piece : pieces) {
    if (piece.index == chain.size()) {
      chain.push_back(piece);
    }
  }
  return chain;
}

Parameter JoinChain(std::string_view name, const std::vector<Piece>& chain) {
  const bool encoded =
      std::any_of(chain.begin(), chain.end(), [](const Piece& piece) { return piece.encoded; });
  Parameter joined{std::string(name) + (encoded ? "*" : ""), ""};
  if (encoded && !chain.front().encoded) {
    joined.value = "''";  // neither charset nor language were said
  }
  for (const Piece& piece : chain) {
    joined.value +=
        encoded && !piece.encoded ? EncodePercent(piece.value) : std::string(piece.value);
  }
  return joined;
}

}  // namespace

std::vector<Parameter> JoinContinuations(const std::vector<Parameter>& parameters) {
  std::vector<std::optional<Parameter>> shown(parameters.begin(), parameters.end());
  for (const auto& [name, pieces] : SortPieces(parameters)) {
    const std::vector<Piece> chain = Chain(pieces);
    if (chain.empty()) {
      continue;
    }
    std::size_t first = chain.front().place;
    for (const Piece& piece : chain) {
      first = std::min(first, piece.place);
      shown[piece.place].reset();
    }
    shown[first] =
        JoinChain(std::string_view(parameters[first].name).substr(0, name.size()), chain);
  }
  std::vector<Parameter> out;
  for (std::optional<Parameter>& parameter : shown) {
    if (parameter.has_value()) {
      out.push_back(std::move(*parameter));
    }
  }
  return out;
}

ValueWithParameters ParseValueWithParameters(std::string_view unfolded) {
  ValueWithParameters out;
  std::size_t pos = 0;
  ReadType(unfolded, &pos, &out);
  while (pos < unfolded.size() && out.parameters.size() < limits::kMimeParametersMax) {
    Parameter parameter;  // the first one is also taken if its ';' was forgotten
    if (ReadParameter(unfolded, &pos, &parameter)) {
      out.parameters.push_back(std::move(parameter));
    }
    const std::size_t semicolon = std::min(unfolded.find(';', pos), unfolded.size());
    pos = std::min(semicolon + 1, unfolded.size());
  }
  return out;
}

std::optional<std::string> DecodedParameter(const std::vector<Parameter>& parameters,
                                            std::string_view name) {
  for (const Parameter& parameter : parameters) {
    if (EqualsIgnoreCase(parameter.name, name)) {
      return DecodeEncodedWords(parameter.value);
    }
  }
  std::vector<Piece> pieces = FindPieces(parameters, name);
  if (pieces.empty()) {
    return std::nullopt;
  }
  return JoinPieces(pieces);
}

}  // namespace twinspool::mime
