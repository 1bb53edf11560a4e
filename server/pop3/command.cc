#include "server/pop3/command.h"

#include <algorithm>
#include <charconv>

namespace twinspool::pop3 {
namespace {

/// What may follow a command's name.
enum class Arguments { kNone, kText, kMaybeMessage, kMessage, kMessageAndLines };

struct Row {
  std::string_view name;
  Verb verb;
  When when;
  Arguments arguments;
};

constexpr Row kCommands[] = {
    {"USER", Verb::kUser, When::kBeforeLogin, Arguments::kText},
    {"PASS", Verb::kPass, When::kBeforeLogin, Arguments::kText},
    {"AUTH", Verb::kAuth, When::kBeforeLogin, Arguments::kText},
    {"STLS", Verb::kStls, When::kBeforeLogin, Arguments::kNone},
    {"STAT", Verb::kStat, When::kAfterLogin, Arguments::kNone},
    {"LIST", Verb::kList, When::kAfterLogin, Arguments::kMaybeMessage},
    {"UIDL", Verb::kUidl, When::kAfterLogin, Arguments::kMaybeMessage},
    {"RETR", Verb::kRetr, When::kAfterLogin, Arguments::kMessage},
    {"TOP", Verb::kTop, When::kAfterLogin, Arguments::kMessageAndLines},
    {"DELE", Verb::kDele, When::kAfterLogin, Arguments::kMessage},
    {"RSET", Verb::kRset, When::kAfterLogin, Arguments::kNone},
    {"NOOP", Verb::kNoop, When::kAfterLogin, Arguments::kNone},
    {"CAPA", Verb::kCapa, When::kAnytime, Arguments::kNone},
    {"QUIT", Verb::kQuit, When::kAnytime, Arguments::kNone},
};

/// Takes a number, and the blanks before it, from the front of *text.
std::optional<std::uint64_t> TakeNumber(std::string_view* text) {
  text->remove_prefix(std::min(text->find_first_not_of(' '), text->size()));
  std::uint64_t number = 0;
  const char* const end = text->data() + text->size();
  const auto [rest, failure] = std::from_chars(text->data(), end, number);
  if (failure != std::errc()) {
    return std::nullopt;
  }
  text->remove_prefix(static_cast<std::size_t>(rest - text->data()));
  return number;
}

bool OnlyBlanks(std::string_view text) {
  return text.find_first_not_of(' ') == std::string_view::npos;
}

/// Reads what follows the name; false: it is not what the command takes.
bool TakeArguments(Arguments arguments, std::string_view rest, Command* command) {
  switch (arguments) {
    case Arguments::kNone:
      return OnlyBlanks(rest);
    case Arguments::kText:
      command->text = rest;
      return !rest.empty();
    case Arguments::kMaybeMessage:
      if (OnlyBlanks(rest)) {
        return true;
      }
      [[fallthrough]];
    case Arguments::kMessage:
      command->message = TakeNumber(&rest);
      return command->message && OnlyBlanks(rest);
    case Arguments::kMessageAndLines: {
      command->message = TakeNumber(&rest);
      const auto lines = TakeNumber(&rest);
      command->lines = lines.value_or(0);
      return command->message && lines && OnlyBlanks(rest);
    }
  }
  return false;
}

std::string_view Expected(Arguments arguments) {
  switch (arguments) {
    case Arguments::kNone:
      return "This command takes nothing behind it";
    case Arguments::kText:
      return "This command needs something behind it";
    case Arguments::kMaybeMessage:
      return "This command takes the number of a message, or nothing";
    case Arguments::kMessage:
      return "This command takes the number of a message";
    case Arguments::kMessageAndLines:
      return "This command takes the number of a message and a number of lines";
  }
  return "";
}

}  // namespace

bool SameWord(std::string_view text, std::string_view upper) {
  return std::equal(text.begin(), text.end(), upper.begin(), upper.end(), [](char a, char b) {
    return (a >= 'a' && a <= 'z' ? static_cast<char>(a - 32) : a) == b;
  });
}

std::optional<Command> ParseCommand(std::string_view line, std::string_view* error) {
  if (line.find('\0') != std::string_view::npos) {
    *error = "A command has no NUL octets";
    return std::nullopt;
  }
  const std::string_view word = line.substr(0, line.find(' '));
  const std::string_view rest = line.substr(std::min(word.size() + 1, line.size()));
  const Row* const row = std::find_if(std::begin(kCommands), std::end(kCommands),
                                      [&](const Row& one) { return SameWord(word, one.name); });
  if (row == std::end(kCommands)) {
    *error = "Unknown command";
    return std::nullopt;
  }
  Command command;
  command.verb = row->verb;
  command.when = row->when;
  if (!TakeArguments(row->arguments, rest, &command)) {
    *error = Expected(row->arguments);
    return std::nullopt;
  }
  return command;
}

}  // namespace twinspool::pop3
