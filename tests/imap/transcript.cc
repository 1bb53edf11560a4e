// Events as text.
#include "tests/imap/transcript.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "common/check.h"
#include "server/imap/reader.h"
#include "tests/imap/transcript_words.h"

namespace twinspool::imap {
namespace {

std::string Show(const NeedContinuation& e) {
  return Shown("+").Text("tag", e.tag).Raw("size", std::to_string(e.size)).Done();
}
std::string Show(const CommandReady& e) {
  return e.command.tag + " " + Describe(e.command);
}
std::string Show(const AppendBegin& e) {
  if (e.replaces) {
    return e.tag + " REPLACE " + (e.replaces->uid ? "uid=" : "number=") +
           std::to_string(e.replaces->number) + " mailbox=" + Quote(e.mailbox);
  }
  return e.tag + " " + Shown("APPEND").Text("mailbox", e.mailbox).Done();
}
std::string Show(const AppendMessageBegin& e) {
  Shown line("MESSAGE");
  line.Raw("flags", FlagText(e.flags));
  if (e.date) {
    line.Raw("date", std::to_string(e.date->seconds) + "/" + std::to_string(e.date->zone_minutes));
  }
  return line.Raw("size", std::to_string(e.size))
      .Flag("sync", e.sync)
      .Flag("binary", e.binary)
      .Flag("catenate", e.catenate)
      .Done();
}
std::string Show(const CatenateUrl& e) {
  return Shown("URL").Text("url", e.url).Done();
}
std::string Show(const CatenateText& e) {
  return Shown("TEXT")
      .Raw("size", std::to_string(e.size))
      .Flag("sync", e.sync)
      .Flag("binary", e.binary)
      .Done();
}
std::string Show(const AppendData& e) {
  return Shown("DATA").Text("octets", e.octets).Done();
}
std::string Show(const AppendEnd& e) {
  return e.tag + " END";
}
std::string Show(const LiteralTooBig& e) {
  return Shown("TOOBIG")
      .Text("tag", e.tag)
      .Raw("size", std::to_string(e.size))
      .Flag("sync", e.sync)
      .Flag("message", e.message)
      .Done();
}
std::string Show(const RawLine& e) {
  return Shown("RAW").Text("text", e.text).Done();
}
std::string Show(const BadLine& e) {
  return Shown("BAD").Text("tag", e.tag).Text("text", e.text).Done();
}
std::string Show(const Fatal& e) {
  return Shown("FATAL").Text("text", e.text).Done();
}

// Answers events as a session would, and collects them.
class Driver {
 public:
  explicit Driver(const ReadOptions& options) : options_(options) {
    reader_.set_authenticated(options.authenticated);
    reader_.set_utf8_names(options.utf8_names);
    reader_.set_message_bytes_max(options.message_bytes_max);
  }

  void Feed(std::string_view bytes) {
    reader_.Feed(bytes);
    while (const auto event = reader_.Next()) {
      Take(*event);
    }
  }

  std::vector<std::string> Finish() {
    FlushData();
    return std::move(lines_);
  }

 private:
  void Take(const Event& event) {
    if (const auto* data = std::get_if<AppendData>(&event)) {
      data_ += data->octets;
      return;
    }
    FlushData();
    lines_.push_back(Describe(event));
    if (const auto* ready = std::get_if<CommandReady>(&event)) {
      if (std::holds_alternative<cmd::Authenticate>(ready->command.body) ||
          std::holds_alternative<cmd::Idle>(ready->command.body)) {
        reader_.ReadRawLine();
      }
    }
    const auto* begin = std::get_if<AppendMessageBegin>(&event);
    const bool message =
        begin != nullptr ? !begin->catenate : std::holds_alternative<CatenateText>(event);
    if (options_.refuse_literals && (message || std::holds_alternative<NeedContinuation>(event))) {
      reader_.RefuseLiteral();
    }
    if (options_.discard_messages && message) {
      reader_.DiscardCommand();
    }
  }

  void FlushData() {
    if (!data_.empty()) {
      lines_.push_back(Describe(Event(AppendData{data_})));
      data_.clear();
    }
  }

  const ReadOptions options_;
  CommandReader reader_;
  std::string data_;
  std::vector<std::string> lines_;
};

}  // namespace

std::string Describe(const Event& event) {
  return std::visit([](const auto& e) { return Show(e); }, event);
}

std::vector<std::string> ReadAll(std::string_view input, std::size_t piece,
                                 const ReadOptions& options) {
  Driver driver(options);
  const std::size_t step = piece == 0 ? input.size() : piece;
  while (!input.empty()) {
    driver.Feed(input.substr(0, step));
    input.remove_prefix(std::min(step, input.size()));
  }
  return driver.Finish();
}

std::vector<std::string> ReadEveryWay(std::string_view input, const ReadOptions& options) {
  std::vector<std::string> whole = ReadAll(input, 0, options);
  for (const std::size_t piece : {1u, 2u, 3u, 7u, 64u}) {
    TWINSPOOL_CHECK(ReadAll(input, piece, options) == whole, "the cut of the input shows");
  }
  return whole;
}

std::string Line(std::string_view line, const ReadOptions& options) {
  std::string joined;
  for (const std::string& event : ReadEveryWay(std::string(line) + "\r\n", options)) {
    joined += joined.empty() ? "" : " | ";
    joined += event;
  }
  return joined;
}

bool IsBad(std::string_view line) {
  const std::vector<std::string> events = ReadEveryWay(std::string(line) + "\r\nb NOOP\r\n");
  return events.size() == 2 && events[0].starts_with("BAD tag='a' ") && events[1] == "b NOOP";
}

}  // namespace twinspool::imap
