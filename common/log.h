// One line per event: a name and key=value fields; never mail content, never secrets.
//
// Levels: error = an operator must act; warn = will heal by itself; info = roles, connections,
// start-up; debug = per batch. Writing is spdlog's; lines go to standard error, as text for people
// or as JSON lines for journald and collectors. Thread-safe. Set up once by main; before that,
// lines are text.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace twinspool {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

/// A field of a log line. Numbers are turned into text by the constructor.
struct LogField {
  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(v) {}
  template <typename Number>
  LogField(std::string_view k, Number v) : key(k), value(std::to_string(v)) {}
  std::string_view key;
  std::string value;
};

/// Writes one line, e.g. Log(LogLevel::kInfo, "role_change", {{"from", "standby"}, {"to",
/// "primary"}}).
void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});

inline void LogDebug(std::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kDebug, event, fields);
}
inline void LogInfo(std::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kInfo, event, fields);
}
inline void LogWarn(std::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kWarn, event, fields);
}
inline void LogError(std::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kError, event, fields);
}

/// `level`: debug, info, warn, error. Unknown texts mean info.
void SetUpLog(std::string_view level, bool json);

/// key=value with quotes where the value needs them; for Log and its tests.
std::string FormatText(std::string_view event, std::initializer_list<LogField> fields);
/// One JSON object without the time.
std::string FormatJson(std::string_view event, std::initializer_list<LogField> fields);

}  // namespace twinspool
