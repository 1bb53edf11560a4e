// Modified UTF-7: base64 with ',' for '/', over UTF-16BE, between '&' and '-'.
#include "server/imap/mutf7.h"

#include <cstddef>
#include <cstdint>

#include "common/utf8.h"

namespace twinspool::imap {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

bool IsPrintable(std::uint32_t c) {
  return c >= 0x20 && c < 0x7f;
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
      AppendUtf8(static_cast<std::int32_t>(0x10000 + ((high_ - 0xd800) << 10) + (unit - 0xdc00)),
                 out_);
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
    AppendUtf8(static_cast<std::int32_t>(unit), out_);
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

std::string EncodeModifiedUtf7(std::string_view utf8) {
  std::string out;
  out.reserve(utf8.size());
  ShiftWriter shift(&out);
  for (std::size_t pos = 0; pos < utf8.size();) {
    const std::int32_t next = NextUtf8(utf8, &pos);
    const auto code = static_cast<std::uint32_t>(next == kNotUtf8 ? kReplacementCharacter : next);
    if (!IsPrintable(code)) {
      shift.PutCodePoint(code);
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
