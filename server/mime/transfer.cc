#include "server/mime/transfer.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "server/mime/ascii.h"
#include "server/mime/header.h"

namespace twinspool::mime {
namespace {

constexpr std::array<int, 256> MakeBase64Values() {
  std::array<int, 256> values{};
  values.fill(-1);
  int value = 0;
  for (const char c :
       std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")) {
    values[static_cast<unsigned char>(c)] = value++;
  }
  return values;
}

constexpr std::array<int, 256> kBase64Values = MakeBase64Values();

/// Decodes one line without its line break; true if it ends in a soft break.
bool DecodeQuotedLine(std::string_view line, std::string* out) {
  while (!line.empty() && IsWsp(line.back())) {
    line.remove_suffix(1);
  }
  const bool soft = line.ends_with('=');
  if (soft) {
    line.remove_suffix(1);
  }
  for (std::size_t i = 0; i < line.size(); ++i) {
    const bool hex = line[i] == '=' && i + 2 < line.size() && HexValue(line[i + 1]) >= 0 &&
                     HexValue(line[i + 2]) >= 0;
    if (hex) {
      out->push_back(static_cast<char>(HexValue(line[i + 1]) * 16 + HexValue(line[i + 2])));
      i += 2;
    } else {
      out->push_back(line[i]);
    }
  }
  return soft;
}

}  // namespace

TransferKind TransferKindOf(std::string_view encoding) {
  for (const std::string_view plain : {"", "7bit", "8bit", "binary"}) {
    if (EqualsIgnoreCase(encoding, plain)) {
      return TransferKind::kIdentity;
    }
  }
  const bool known =
      EqualsIgnoreCase(encoding, "base64") || EqualsIgnoreCase(encoding, "quoted-printable");
  return known ? TransferKind::kEncoded : TransferKind::kUnknown;
}

std::string DecodeTransfer(std::string_view encoding, std::string_view body) {
  if (EqualsIgnoreCase(encoding, "base64")) {
    return DecodeBase64Loosely(body);
  }
  if (EqualsIgnoreCase(encoding, "quoted-printable")) {
    return DecodeQuotedPrintable(body);
  }
  return std::string(body);
}

std::string DecodeBase64Loosely(std::string_view text) {
  std::string out;
  out.reserve(text.size() / 4 * 3 + 3);
  TransferDecoder("base64").Feed(text, &out);
  return out;
}

TransferDecoder::TransferDecoder(std::string_view encoding)
    : base64_(EqualsIgnoreCase(encoding, "base64")),
      quoted_(EqualsIgnoreCase(encoding, "quoted-printable")) {}

void TransferDecoder::FeedBase64(std::string_view octets, std::string* out) {
  for (const char c : octets) {
    const int value = kBase64Values[static_cast<unsigned char>(c)];
    if (value < 0) {
      count_ = c == '=' ? 0 : count_;
      continue;
    }
    bits_ = bits_ << 6 | static_cast<std::uint32_t>(value);
    count_ += 6;
    if (count_ >= 8) {
      count_ -= 8;
      out->push_back(static_cast<char>(bits_ >> count_ & 0xff));
    }
  }
}

void TransferDecoder::Feed(std::string_view octets, std::string* out) {
  if (base64_) {
    return FeedBase64(octets, out);
  }
  if (!quoted_) {
    out->append(octets);
    return;
  }
  while (!octets.empty()) {
    const std::size_t end = std::min(octets.find('\n'), octets.size() - 1) + 1;
    line_.append(octets.substr(0, end));
    octets.remove_prefix(end);
    if (line_.ends_with('\n')) {
      out->append(DecodeQuotedPrintable(line_));
      line_.clear();
    } else if (line_.size() > kLineBytesMax) {
      // Not inside of "=XY": that begins at most two octets before the end.
      std::size_t cut = std::min(line_.find('=', line_.size() - 3), line_.size());
      // Nor before it is known whether white space ends the line.
      while (cut > 0 && IsWsp(line_[cut - 1])) {
        --cut;
      }
      out->append(cut == 0 ? line_ : DecodeQuotedPrintable(std::string_view(line_).substr(0, cut)));
      line_.erase(0, cut == 0 ? line_.size() : cut);
    }
  }
}

void TransferDecoder::Finish(std::string* out) {
  out->append(DecodeQuotedPrintable(line_));
  line_.clear();
}

std::string DecodeQuotedPrintable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = LineLength(text);
    std::string_view line = text.substr(0, length);
    text.remove_prefix(length);
    std::string_view line_break;
    if (line.ends_with("\r\n")) {
      line_break = "\r\n";
    } else if (line.ends_with('\n')) {
      line_break = "\n";
    }
    line.remove_suffix(line_break.size());
    if (!DecodeQuotedLine(line, &out)) {
      out.append(line_break);
    }
  }
  return out;
}

}  // namespace twinspool::mime
