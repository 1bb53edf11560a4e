#include "server/mime/encoded_word.h"

#include <algorithm>

#include "server/mime/ascii.h"
#include "server/mime/charset.h"
#include "server/mime/transfer.h"

namespace twinspool::mime {
namespace {

constexpr std::size_t kCharsetBytesMax = 64;

struct EncodedWord {
  std::string_view charset;  // without a language (RFC 2231 §5)
  char encoding = 'b';       // 'b' or 'q'
  std::string_view text;
  std::size_t length = 0;  // of the whole word in the input
};

/// Parses the word at the start of `text`; false if there is none. Reads ahead at most to the next
/// '?' behind the encoding, so that repeated calls stay linear.
bool ParseWord(std::string_view text, EncodedWord* word) {
  if (!text.starts_with("=?")) {
    return false;
  }
  const std::size_t charset_end = text.substr(0, kCharsetBytesMax).find('?', 2);
  if (charset_end == std::string_view::npos || charset_end + 3 >= text.size() ||
      text[charset_end + 2] != '?') {
    return false;
  }
  word->encoding = ToLower(text[charset_end + 1]);
  if (word->encoding != 'b' && word->encoding != 'q') {
    return false;
  }
  const std::size_t begin = charset_end + 3;
  const std::size_t end = text.find('?', begin);
  if (end == std::string_view::npos || end + 1 >= text.size() || text[end + 1] != '=') {
    return false;
  }
  word->charset = text.substr(2, charset_end - 2);
  word->charset = word->charset.substr(0, word->charset.find('*'));
  word->text = text.substr(begin, end - begin);
  word->length = end + 2;
  return true;
}

std::string DecodeQ(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '_', ' ');
  // A trailing blank would be dropped as transport padding by the body's decoder.
  const std::size_t kept = spaced.find_last_not_of(' ') + 1;
  return DecodeQuotedPrintable(std::string_view(spaced).substr(0, kept)) + spaced.substr(kept);
}

/// Collects octets of neighbouring words of one charset, converts them together.
class Decoder {
 public:
  void Add(const EncodedWord& word) {
    if (!EqualsIgnoreCase(word.charset, charset_)) {
      Flush();
      charset_ = word.charset;
    }
    pending_ += word.encoding == 'b' ? DecodeBase64Loosely(word.text) : DecodeQ(word.text);
  }
  void AddPlain(std::string_view text) {
    Flush();
    out_ += ToUtf8("", text);
  }
  std::string Finish() {
    Flush();
    return std::move(out_);
  }

 private:
  void Flush() {
    if (!pending_.empty()) {
      out_ += ToUtf8(charset_, pending_);
      pending_.clear();
    }
  }

  std::string out_;
  std::string pending_;
  std::string_view charset_;
};

bool IsBlank(std::string_view text) {
  return std::all_of(text.begin(), text.end(), IsSpace);
}

}  // namespace

std::string DecodeEncodedWords(std::string_view unfolded) {
  Decoder decoder;
  bool after_word = false;
  std::size_t plain = 0;  // start of text that is not yet given to the decoder
  for (std::size_t pos = unfolded.find("=?"); pos != std::string_view::npos;
       pos = unfolded.find("=?", pos)) {
    EncodedWord word;
    if (!ParseWord(unfolded.substr(pos), &word)) {
      pos += 2;
      continue;
    }
    const std::string_view between = unfolded.substr(plain, pos - plain);
    if (!between.empty() && !(after_word && IsBlank(between))) {
      decoder.AddPlain(between);
    }
    decoder.Add(word);
    after_word = true;
    pos += word.length;
    plain = pos;
  }
  if (plain < unfolded.size()) {
    decoder.AddPlain(unfolded.substr(plain));
  }
  return decoder.Finish();
}

}  // namespace twinspool::mime
