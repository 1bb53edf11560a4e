// twinspoolctl: reads the command line, finds the verb in the table, runs it.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include <boost/program_options.hpp>

#include "server/cli/commands.h"

namespace twinspool::cli {
namespace {

namespace po = boost::program_options;

// Nothing is guessed: half a word must not turn into --allow-data-loss.
constexpr int kStyle = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
constexpr const char* kDefaultSocket = "/run/twinspool/admin.sock";

po::options_description GlobalOptions() {
  po::options_description options("Options");
  const char* socket = std::getenv("TWINSPOOL_SOCKET");
  auto add = options.add_options();
  add("socket", po::value<std::string>()->default_value(socket ? socket : kDefaultSocket),
      "Unix socket of the node (or TWINSPOOL_SOCKET)");
  add("host", po::value<std::string>()->default_value(""),
      "host:port of a remote node (mutual TLS)");
  add("tls-ca", po::value<std::string>()->default_value(""), "the pair's CA certificate");
  add("tls-cert", po::value<std::string>()->default_value(""), "a certificate with the admin role");
  add("tls-key", po::value<std::string>()->default_value(""), "its private key");
  add("json", "one JSON object (or one a line) for scripts; fields are stable");
  add("help,h", "this text, or the help of a command");
  return options;
}

const CommandInfo* FindCommand(const std::vector<std::string>& words, std::size_t* used) {
  constexpr std::size_t kWordsMax = 3;
  std::string typed;
  for (std::size_t count = 0; count < std::min(words.size(), kWordsMax); ++count) {
    typed += (count == 0 ? "" : " ") + words[count];
    for (const CommandInfo& command : Commands()) {
      if (typed == command.name) {
        *used = count + 1;
        return &command;
      }
    }
  }
  return nullptr;
}

int PrintHelp() {
  std::cout << "Usage: twinspoolctl [OPTIONS] COMMAND [ARGUMENTS]\n\n"
               "Looks at and steers a node of a Twinspool pair.\n\nCommands\n";
  for (const CommandInfo& command : Commands()) {
    const std::string name = std::string(command.name) + " " + command.synopsis;
    std::printf("  %-30s %s\n", name.c_str(), command.help);
  }
  std::cout.flush();
  std::cout
      << "\n"
      << GlobalOptions()
      << "\nExit codes\n"
         "  0 done · 1 internal error · 2 usage, or not permitted · 3 refused: not eligible · 4 "
         "refused: the peer\n"
         "  is still primary or answers · 5 done, but writes are blocked · 6 timeout, nothing\n"
         "  changed · 7 timeout, state unknown: ask again · 8 data would be lost (needs force) ·\n"
         "  9 node not reachable · 10 the answer is no · 11 the two copies differ\n"
         "\nExamples\n"
         "  twinspoolctl status\n"
         "  twinspoolctl promote --peer-fenced       the primary is dead and powered off\n"
         "  twinspoolctl switchover                  planned, nothing is lost\n"
         "  twinspoolctl wait --role primary --timeout 60 && echo primary\n"
         "  twinspoolctl --host mail-a.example.org:4190 --tls-ca ca.pem --tls-cert admin.pem \\\n"
         "      --tls-key admin.key status           from afar; `pair init` put the files below "
         "tls/\n"
         "  echo 'secret' | twinspoolctl user add anna@example.org\n";
  return proto::DONE;
}

int PrintCommandHelp(const CommandInfo& command) {
  std::printf("Usage: twinspoolctl %s %s\n\n%s\n", command.name, command.synopsis, command.help);
  for (const CommandOption& option : command.options) {
    const std::string name =
        "--" + std::string(option.name) + (option.value ? " " + std::string(option.value) : "");
    std::printf("  %-22s %s\n", name.c_str(), option.help);
  }
  std::printf("\nExample\n  %s\n", command.example);
  return proto::DONE;
}

po::options_description CommandOptions(const CommandInfo& command) {
  po::options_description options;
  for (const CommandOption& option : command.options) {
    if (option.value == nullptr) {
      options.add_options()(option.name, option.help);
    } else {
      options.add_options()(option.name, po::value<std::string>(), option.help);
    }
  }
  return options;
}

Status ReadOption(const CommandOption& option, const po::variables_map& values, Arguments* out) {
  if (!values.contains(option.name)) {
    return OkStatus();
  }
  if (option.value == nullptr) {
    out->options[option.name] = "yes";
    return OkStatus();
  }
  const std::string value = values[option.name].as<std::string>();
  const bool number = std::string(option.value) == "N" || std::string(option.value) == "S";
  if (number && (value.empty() || value.size() > 9 ||
                 value.find_first_not_of("0123456789") != std::string::npos)) {
    return InvalidArgument("--" + std::string(option.name) + ": '" + value + "' is no number");
  }
  if (option.name == std::string_view("expect-epoch") && std::stoul(value) == 0) {
    return InvalidArgument("--expect-epoch: epochs begin at 1, and 0 would protect from nothing");
  }
  out->options[option.name] = value;
  return OkStatus();
}

Target ReadTarget(const po::variables_map& values) {
  Target target;
  target.socket = values["socket"].as<std::string>();
  target.address = values["host"].as<std::string>();
  target.ca_file = values["tls-ca"].as<std::string>();
  target.certificate_file = values["tls-cert"].as<std::string>();
  target.key_file = values["tls-key"].as<std::string>();
  return target;
}

/// `plain` stood behind "--": arguments, whatever they begin with.
int Run(const CommandInfo& command, const std::vector<std::string>& rest,
        const std::vector<std::string>& plain, const Target& target, bool json) {
  po::options_description options = CommandOptions(command);
  options.add_options()("positional", po::value<std::vector<std::string>>());
  options.add_options()("json", "");
  options.add_options()("help", "");
  po::positional_options_description positional;
  positional.add("positional", -1);
  po::variables_map values;
  po::store(
      po::command_line_parser(rest).options(options).positional(positional).style(kStyle).run(),
      values);
  if (values.contains("help")) {
    return PrintCommandHelp(command);
  }
  Arguments arguments;
  arguments.json = json || values.contains("json");
  if (values.contains("positional")) {
    arguments.positional = values["positional"].as<std::vector<std::string>>();
  }
  arguments.positional.insert(arguments.positional.end(), plain.begin(), plain.end());
  for (const CommandOption& option : command.options) {
    if (Status status = ReadOption(option, values, &arguments); !status.ok()) {
      return Fail(status, arguments.json);
    }
  }
  const std::size_t count = arguments.positional.size();
  if (count < command.positional_min || count > command.positional_max) {
    return Fail(InvalidArgument(std::string("usage: twinspoolctl ") + command.name + " " +
                                command.synopsis),
                arguments.json);
  }
  auto client = Client::Make(target);
  return client.ok() ? command.run(**client, arguments) : Fail(client.status(), arguments.json);
}

int Main(int argc, char** argv) {
  po::options_description all = GlobalOptions();
  all.add_options()("words", po::value<std::vector<std::string>>());
  po::positional_options_description positional;
  positional.add("words", -1);
  char** const end = std::find(argv + 1, argv + argc, std::string_view("--"));
  const std::vector<std::string> given(argv + 1, end);
  const std::vector<std::string> plain(end == argv + argc ? end : end + 1, argv + argc);
  const po::parsed_options parsed = po::command_line_parser(given)
                                        .options(all)
                                        .positional(positional)
                                        .style(kStyle)
                                        .allow_unregistered()
                                        .run();
  po::variables_map values;
  po::store(parsed, values);
  // Everything that is not one of the global options belongs to the command.
  std::vector<std::string> words = po::collect_unrecognized(parsed.options, po::include_positional);
  std::size_t used = 0;
  const CommandInfo* command = FindCommand(words, &used);
  if (command == nullptr) {
    if (values.contains("help")) {
      return PrintHelp();
    }
    const std::string word = words.empty() ? "" : words[0];
    return Fail(InvalidArgument((word.empty() ? "which command?" : "no command '" + word + "'") +
                                std::string(" See twinspoolctl --help")),
                values.contains("json"));
  }
  if (values.contains("help")) {
    return PrintCommandHelp(*command);
  }
  words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(used));
  return Run(*command, words, plain, ReadTarget(values), values.contains("json"));
}

}  // namespace
}  // namespace twinspool::cli

int main(int argc, char** argv) {
  try {
    return twinspool::cli::Main(argc, argv);
  } catch (const std::exception& error) {
    return twinspool::cli::Fail(
        twinspool::InvalidArgument(std::string(error.what()) + " (see twinspoolctl --help)"),
        std::find(argv, argv + argc, std::string_view("--json")) != argv + argc);
  }
}
