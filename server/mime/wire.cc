#include "server/mime/wire.h"

#include <algorithm>

#include "server/mime/ascii.h"

namespace twinspool::mime {
namespace {

bool NeedsLiteral(std::string_view value) {
  return value.size() > limits::kQuotedStringBytesMax ||
         std::any_of(value.begin(), value.end(),
                     [](char c) { return !IsAscii(c) || c == '\r' || c == '\n' || c == '\0'; });
}

}  // namespace

bool WireWriter::Reserve(std::size_t octets) {
  if (octets > budget_) {
    budget_ = 0;
    return false;
  }
  budget_ -= octets;
  return true;
}

void WireWriter::String(std::string_view value) {
  if (!Reserve(value.size())) {
    out_.append("\"\"");
    return;
  }
  if (NeedsLiteral(value)) {
    out_.append("{" + std::to_string(value.size()) + "}\r\n");
    out_.append(value);
    return;
  }
  out_.push_back('"');
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      out_.push_back('\\');
    }
    out_.push_back(c);
  }
  out_.push_back('"');
}

void WireWriter::StringOrNil(std::string_view value) {
  if (value.empty() || value.size() > budget_) {
    Reserve(value.size());
    out_.append("NIL");
    return;
  }
  String(value);
}

}  // namespace twinspool::mime
