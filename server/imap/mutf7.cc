// Modified UTF-7: base64 with ',' for '/', over UTF-16BE, between '&' and '-'.
#include "server/imap/mutf7.h"

#include <cstddef>
#include <cstdint>

namespace twinspool::imap {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";
constexpr std::uint32_t kBadCodePoint = 0xffffffff;

bool IsPrintable(std::uint32_t c) {
  return c >= 0x20 && c < 0x7f;
}

// Length that the first octet announces, 0 when it cannot be a first octet.
std::size_t SequenceLength(std::uint8_t first) {
  if (first < 0x80) {
    return 1;
  }
  if (first >= 0xc2 && first <= 0xdf) {
    return 2;
  }
  if (first >= 0xe0 && first <= 0xef) {
    return 3;
  }
  return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

// Takes one code point from the front; kBadCodePoint takes one octet.
std::uint32_t TakeCodePoint(std::string_view* text) {
  const auto first = static_cast<std::uint8_t>(text->front());
  const std::size_t length = SequenceLength(first);
  constexpr std::uint8_t kFirstMask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
  constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (length == 0 || length > text->size()) {
    text->remove_prefix(1);
    return kBadCodePoint;
  }
  std::uint32_t code = first & kFirstMask[length];
  for (std::size_t i = 1; i < length; ++i) {
    const auto octet = static_cast<std::uint8_t>((*text)[i]);
    if ((octet & 0xc0) != 0x80) {
      text->remove_prefix(1);
      return kBadCodePoint;
    }
    code = code << 6 | (octet & 0x3fu);
  }
  if (code < kSmallest[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
    text->remove_prefix(1);
    return kBadCodePoint;
  }
  text->remove_prefix(length);
  return code;
}

void PutUtf8(std::string* out, std::uint32_t code) {
  const auto put = [out](std::uint32_t octet) { out->push_back(static_cast<char>(octet)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

// Writes UTF-16 units as one shift sequence.
class ShiftWriter {
 public:
  explicit ShiftWriter(std::string* out) : out_(out) {}
  void PutCodePoint(std::uint32_t code) {
    if (!open_) {
      out_->push_back('&');
      open_ = true;
    }
    if (code >= 0x10000) {
      PutUnit(0xd800 + ((code - 0x10000) >> 10));
      PutUnit(0xdc00 + ((code - 0x10000) & 0x3ff));
    } else {
      PutUnit(code);
    }
  }
  void Close() {
    if (!open_) {
      return;
    }
    if (bits_ > 0) {
      out_->push_back(kAlphabet[pending_ << (6 - bits_) & 0x3f]);
    }
    out_->push_back('-');
    open_ = false;
    bits_ = 0;
    pending_ = 0;
  }

 private:
  void PutUnit(std::uint32_t unit) {
    pending_ = pending_ << 16 | unit;
    bits_ += 16;
    while (bits_ >= 6) {
      bits_ -= 6;
      out_->push_back(kAlphabet[pending_ >> bits_ & 0x3f]);
    }
    pending_ &= (1u << bits_) - 1;
  }
  std::string* out_;
  bool open_ = false;
  int bits_ = 0;  // bits of pending_ not yet written, below 6 between units
  std::uint32_t pending_ = 0;
};

// Collects the UTF-16 units of one shift sequence.
class ShiftReader {
 public:
  explicit ShiftReader(std::string* out) : out_(out) {}
  bool Put(char c) {
    const std::size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) {
      return false;
    }
    pending_ = pending_ << 6 | static_cast<std::uint32_t>(value);
    bits_ += 6;
    if (bits_ < 16) {
      return true;
    }
    bits_ -= 16;
    const std::uint32_t unit = pending_ >> bits_ & 0xffff;
    pending_ &= (1u << bits_) - 1;
    return PutUnit(unit);
  }
  // Less than one more base64 character may be left over, of zero bits.
  bool Finish() const { return high_ == 0 && bits_ < 6 && pending_ == 0; }

 private:
  bool PutUnit(std::uint32_t unit) {
    const bool low = unit >= 0xdc00 && unit <= 0xdfff;
    if (low != (high_ != 0)) {
      return false;
    }
    if (low) {
      PutUtf8(out_, 0x10000 + ((high_ - 0xd800) << 10) + (unit - 0xdc00));
      high_ = 0;
      return true;
    }
    if (unit >= 0xd800 && unit <= 0xdbff) {
      high_ = unit;
      return true;
    }
    if (unit == 0 || IsPrintable(unit)) {
      return false;
    }
    PutUtf8(out_, unit);
    return true;
  }
  std::string* out_;
  int bits_ = 0;
  std::uint32_t pending_ = 0;
  std::uint32_t high_ = 0;
};

// Decodes what stands between '&' and '-'.
bool DecodeShift(std::string_view base64, std::string* out) {
  ShiftReader reader(out);
  for (const char c : base64) {
    if (!reader.Put(c)) {
      return false;
    }
  }
  return reader.Finish();
}

}  // namespace

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    if (TakeCodePoint(&text) == kBadCodePoint) {
      return false;
    }
  }
  return true;
}

std::string EncodeModifiedUtf7(std::string_view utf8) {
  std::string out;
  out.reserve(utf8.size());
  ShiftWriter shift(&out);
  while (!utf8.empty()) {
    const std::uint32_t code = TakeCodePoint(&utf8);
    if (!IsPrintable(code)) {
      shift.PutCodePoint(code == kBadCodePoint ? 0xfffd : code);
      continue;
    }
    shift.Close();
    out.push_back(static_cast<char>(code));
    if (code == '&') {
      out.push_back('-');
    }
  }
  shift.Close();
  return out;
}

Result<std::string> DecodeModifiedUtf7(std::string_view wire) {
  const auto bad = [] { return InvalidArgument("the mailbox name is not valid modified UTF-7"); };
  std::string out;
  out.reserve(wire.size());
  bool after_shift = false;
  while (!wire.empty()) {
    const char c = wire.front();
    wire.remove_prefix(1);
    if (c < 0x20 || c > 0x7e) {
      return bad();
    }
    if (c != '&') {
      out.push_back(c);
      after_shift = false;
      continue;
    }
    const std::size_t end = wire.find('-');
    if (end == std::string_view::npos) {
      return bad();
    }
    if (end == 0) {
      out.push_back('&');
    } else if (after_shift || !DecodeShift(wire.substr(0, end), &out)) {
      return bad();
    }
    after_shift = end != 0;
    wire.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace twinspool::imap
