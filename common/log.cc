#include "common/log.h"

#include <atomic>
#include <memory>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "common/json.h"

namespace twinspool {
namespace {

std::atomic<bool> log_as_json{false};

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

spdlog::logger& Logger() {
  static const auto kLogger = [] {
    auto logger = std::make_shared<spdlog::logger>(
        "twinspool", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
    logger->flush_on(spdlog::level::info);
    return logger;
  }();
  return *kLogger;
}

bool NeedsQuotes(std::string_view value) {
  return value.empty() || value.find_first_of(" \"=\n\r\t\\") != std::string_view::npos;
}

}  // namespace

std::string FormatText(std::string_view event, std::initializer_list<LogField> fields) {
  std::string line(event);
  for (const LogField& field : fields) {
    line.push_back(' ');
    line += field.key;
    line.push_back('=');
    line += NeedsQuotes(field.value) ? JsonString(field.value) : field.value;
  }
  return line;
}

std::string FormatJson(std::string_view event, std::initializer_list<LogField> fields) {
  JsonWriter writer = JsonWriter::Object();
  writer.Add("event", event);
  for (const LogField& field : fields) {
    writer.Add(field.key, std::string_view(field.value));
  }
  return writer.Finish();
}

void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  const auto severity = ToSpdlog(level);
  if (!Logger().should_log(severity)) {
    return;
  }
  const std::string line = log_as_json ? FormatJson(event, fields) : FormatText(event, fields);
  Logger().log(severity, spdlog::string_view_t(line.data(), line.size()));
}

void SetUpLog(std::string_view level, bool json) {
  log_as_json = json;
  Logger().set_level(level == "debug"   ? spdlog::level::debug
                     : level == "warn"  ? spdlog::level::warn
                     : level == "error" ? spdlog::level::err
                                        : spdlog::level::info);
  if (json) {
    Logger().set_pattern(R"({"time": "%Y-%m-%dT%H:%M:%S.%eZ", "level": "%l", "line": %v})",
                         spdlog::pattern_time_type::utc);
  }
}

}  // namespace twinspool
