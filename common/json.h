// Writing JSON: a tiny builder for status, logs and the command line. Reading JSON is not needed
// here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace twinspool {

/// `text` with quotes and escapes; bytes that are not UTF-8 become U+FFFD.
std::string JsonString(std::string_view text);

/// Builds one object or array, members in the order of the calls.
class JsonWriter {
 public:
  static JsonWriter Object() { return JsonWriter('{', '}'); }
  static JsonWriter Array() { return JsonWriter('[', ']'); }

  JsonWriter& Add(std::string_view key, std::string_view value);
  JsonWriter& Add(std::string_view key, const char* value) {
    return Add(key, std::string_view(value));
  }
  JsonWriter& Add(std::string_view key, bool value);
  JsonWriter& Add(std::string_view key, std::uint64_t value);
  JsonWriter& Add(std::string_view key, std::int64_t value);
  JsonWriter& Add(std::string_view key, std::uint32_t value) {
    return Add(key, std::uint64_t{value});
  }
  JsonWriter& Add(std::string_view key, int value) { return Add(key, std::int64_t{value}); }
  JsonWriter& Add(std::string_view key, double value);
  /// `json` is taken as it is.
  JsonWriter& AddRaw(std::string_view key, std::string_view json);
  /// For arrays.
  JsonWriter& AddRaw(std::string_view json);

  std::string Finish() const { return body_ + close_; }

 private:
  JsonWriter(char open, char close) : body_(1, open), close_(1, close) {}
  void Separate();
  std::string body_;
  std::string close_;
};

}  // namespace twinspool
