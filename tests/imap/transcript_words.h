// The words that lines of transcript.h are made of; for its two source files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "server/imap/command.h"

namespace twinspool::imap {

/// "'…'", other than printable ASCII as \hh.
std::string Quote(std::string_view text);
std::string FlagText(const FlagList& flags);
/// A command without its tag.
std::string Describe(const Command& command);

/// "NAME key=value key=value …", values left out when they are at rest.
class Shown {
 public:
  explicit Shown(std::string_view name) : text_(name) {}
  Shown& Text(std::string_view key, std::string_view value) { return Raw(key, Quote(value)); }
  Shown& Raw(std::string_view key, std::string_view value) {
    text_ += ' ';
    text_ += key;
    text_ += '=';
    text_ += value;
    return *this;
  }
  Shown& Number(std::string_view key, std::uint64_t value) {
    return value == 0 ? *this : Raw(key, std::to_string(value));
  }
  Shown& Flag(std::string_view key, bool value) {
    if (value) {
      text_ += ' ';
      text_ += key;
    }
    return *this;
  }
  std::string Done() { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace twinspool::imap
