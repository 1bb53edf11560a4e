#include "server/lmtp/command.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "common/limits.h"

namespace twinspool::lmtp {
namespace {

constexpr std::array<std::pair<std::string_view, Verb>, 11> kVerbs = {{
    {"LHLO", Verb::kLhlo},
    {"MAIL", Verb::kMail},
    {"RCPT", Verb::kRcpt},
    {"DATA", Verb::kData},
    {"RSET", Verb::kRset},
    {"NOOP", Verb::kNoop},
    {"QUIT", Verb::kQuit},
    {"VRFY", Verb::kVrfy},
    {"STARTTLS", Verb::kStartTls},
    {"HELO", Verb::kHelo},
    {"EHLO", Verb::kHelo},
}};

char Upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

bool SameWord(std::string_view text, std::string_view upper) {
  return std::equal(text.begin(), text.end(), upper.begin(), upper.end(),
                    [](char a, char b) { return Upper(a) == b; });
}

std::string_view TrimLeft(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return text;
}

// Index of the '>' that ends a path which begins at '<', quoted strings respected.
std::size_t FindPathEnd(std::string_view text) {
  bool quoted = false;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (quoted && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (text[i] == '>' && !quoted) {
      return i;
    }
  }
  return std::string_view::npos;
}

// "\"john doe\"@x" -> "john doe@x". False when the quotes do not close before '@' or the end.
bool Unquote(std::string_view text, std::string* out) {
  if (text.empty() || text.front() != '"') {
    *out = text;
    return true;
  }
  std::size_t i = 1;
  for (; i < text.size() && text[i] != '"'; ++i) {
    i += text[i] == '\\' ? 1u : 0u;
    if (i < text.size()) {
      out->push_back(text[i]);
    }
  }
  if (i >= text.size() || (i + 1 < text.size() && text[i + 1] != '@')) {
    return false;
  }
  out->append(text.substr(i + 1));
  return true;
}

std::optional<Reply> TakeSize(std::string_view value, Path* path) {
  std::uint64_t size = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), size);
  if (error != std::errc() || end != value.data() + value.size()) {
    return Reply{501, "5.5.4", "SIZE is not a number"};
  }
  path->size = size;
  return std::nullopt;
}

std::optional<Reply> TakeParameter(std::string_view word, Path* path) {
  const std::size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  const std::string_view value =
      equals == std::string_view::npos ? std::string_view() : word.substr(equals + 1);
  if (SameWord(name, "SIZE")) {
    return TakeSize(value, path);
  }
  if (SameWord(name, "SMTPUTF8") && equals == std::string_view::npos) {
    path->utf8 = true;
    return std::nullopt;
  }
  if (SameWord(name, "BODY")) {
    if (SameWord(value, "7BIT") || SameWord(value, "8BITMIME")) {
      return std::nullopt;
    }
    return Reply{501, "5.5.4", "BODY is 7BIT or 8BITMIME"};
  }
  return Reply{555, "5.5.4", "Parameter not supported: " + std::string(word)};
}

std::optional<Reply> TakeParameters(std::string_view text, bool allowed, Path* path) {
  text = TrimLeft(text);
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    if (!allowed) {
      return Reply{555, "5.5.4", "Parameter not supported: " + std::string(word)};
    }
    if (auto error = TakeParameter(word, path)) {
      return error;
    }
    text = TrimLeft(text.substr(word.size()));
  }
  return std::nullopt;
}

// The address between the brackets: source route off, quotes off, bounds checked.
std::optional<Reply> TakeAddress(std::string_view text, bool sender, Path* path) {
  const std::string_view enhanced = sender ? "5.1.7" : "5.1.3";
  if (!text.empty() && text.front() == '@') {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) {
      return Reply{501, enhanced, "A source route without an address"};
    }
    text.remove_prefix(colon + 1);
  }
  if (text.empty() && !sender) {
    return Reply{501, enhanced, "An empty recipient"};
  }
  if (text.size() > limits::kAddressBytesMax || !Unquote(text, &path->address)) {
    return Reply{501, enhanced, "Not an address"};
  }
  return std::nullopt;
}

}  // namespace

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string Reply::Line() const {
  std::string line = std::to_string(code) + " " + std::string(enhanced) + " " + text;
  for (char& c : line) {
    c = static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  }
  return line + "\r\n";
}

Command ParseCommand(std::string_view line) {
  const std::string_view word = line.substr(0, line.find(' '));
  Command command;
  command.rest = TrimLeft(line.substr(word.size()));
  while (!command.rest.empty() && command.rest.back() == ' ') {
    command.rest.remove_suffix(1);
  }
  for (const auto& [name, verb] : kVerbs) {
    if (SameWord(word, name)) {
      command.verb = verb;
    }
  }
  return command;
}

std::optional<Path> ParsePath(std::string_view rest, std::string_view keyword, Reply* error) {
  const bool sender = keyword == "FROM";
  const std::size_t colon = rest.find(':');
  if (colon == std::string_view::npos || !SameWord(rest.substr(0, colon), keyword)) {
    *error = {501, "5.5.4", "Expected " + std::string(keyword) + ":<address>"};
    return std::nullopt;
  }
  rest = TrimLeft(rest.substr(colon + 1));
  const std::size_t end =
      rest.empty() || rest.front() != '<' ? std::string_view::npos : FindPathEnd(rest);
  if (end == std::string_view::npos) {
    *error = {501, sender ? "5.1.7" : "5.1.3", "The address must stand in < and >"};
    return std::nullopt;
  }
  Path path;
  auto refusal = TakeAddress(rest.substr(1, end - 1), sender, &path);
  if (!refusal) {
    refusal = TakeParameters(rest.substr(end + 1), sender, &path);
  }
  if (!refusal && sender && !path.utf8 && !IsAscii(path.address)) {
    refusal = Reply{553, "5.6.7", "A sender beyond ASCII needs SMTPUTF8"};
  }
  if (refusal) {
    *error = *std::move(refusal);
    return std::nullopt;
  }
  return path;
}

}  // namespace twinspool::lmtp
