#include "server/mime/header.h"

#include "common/limits.h"
#include "server/mime/ascii.h"

namespace twinspool::mime {
namespace {

std::string_view WithoutLineBreak(std::string_view line) {
  if (line.ends_with('\n')) {
    line.remove_suffix(1);
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
  }
  return line;
}

void SplitAtColon(std::string_view raw, HeaderField* field) {
  field->raw = raw;
  const std::string_view text = WithoutLineBreak(raw);
  // Only the first line can hold the name.
  const std::size_t colon =
      IsWsp(text.front()) ? std::string_view::npos : text.substr(0, LineLength(text)).find(':');
  if (colon == std::string_view::npos) {
    field->name = {};
    field->value = text;
    return;
  }
  field->name = Trim(text.substr(0, colon));
  field->value = text.substr(colon + 1);
}

}  // namespace

std::size_t LineLength(std::string_view text) {
  const std::size_t end = text.find('\n');
  return end == std::string_view::npos ? text.size() : end + 1;
}

bool StartsWithLineBreak(std::string_view text) {
  return text.starts_with('\n') || text.starts_with("\r\n");
}

bool HeaderIterator::Next(HeaderField* field) {
  if (rest_.empty() || StartsWithLineBreak(rest_)) {
    return false;
  }
  std::size_t length = LineLength(rest_);
  while (length < rest_.size() && IsWsp(rest_[length])) {
    length += LineLength(rest_.substr(length));
  }
  SplitAtColon(rest_.substr(0, length), field);
  rest_.remove_prefix(length);
  return true;
}

std::size_t HeaderBlockLength(std::string_view message) {
  std::size_t pos = 0;
  while (pos < message.size()) {
    const std::string_view rest = message.substr(pos);
    const bool blank = StartsWithLineBreak(rest);
    pos += LineLength(rest);
    if (blank) {
      break;
    }
  }
  return pos;
}

std::optional<HeaderField> FindField(std::string_view block, std::string_view name) {
  HeaderIterator fields(block);
  HeaderField field;
  while (fields.Next(&field)) {
    if (EqualsIgnoreCase(field.name, name)) {
      return field;
    }
  }
  return std::nullopt;
}

std::string Unfold(std::string_view value) {
  std::string out(Trim(value.substr(0, limits::kHeaderFieldBytesMax)));
  std::erase_if(out, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
  return out;
}

}  // namespace twinspool::mime
