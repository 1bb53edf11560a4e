// Any input, cut in any way, gives the same events, within the memory that the limits allow.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/check.h"
#include "common/utf8.h"
#include "server/imap/date.h"
#include "server/imap/imap_url.h"
#include "server/imap/list_match.h"
#include "server/imap/mutf7.h"
#include "tests/imap/transcript.h"

namespace {

using twinspool::imap::ReadAll;
using twinspool::imap::ReadOptions;

// Inputs beyond this only slow the search down; limits have tests of their own.
constexpr std::size_t kInputBytesMax = 4096;

void CheckCuts(std::string_view input, const ReadOptions& options) {
  const std::vector<std::string> whole = ReadAll(input, 0, options);
  const std::size_t odd = 2 + input.size() % 13;
  TWINSPOOL_CHECK(ReadAll(input, 1, options) == whole, "octet by octet differs from whole");
  TWINSPOOL_CHECK(ReadAll(input, odd, options) == whole, "a cut differs from whole");
}

// A name has one spelling, and a spelling one name.
void CheckName(std::string_view wire) {
  const auto name = twinspool::imap::DecodeModifiedUtf7(wire);
  if (name.ok()) {
    TWINSPOOL_CHECK(twinspool::IsUtf8(*name), "a decoded name is not UTF-8");
    TWINSPOOL_CHECK(twinspool::imap::EncodeModifiedUtf7(*name) == wire, "two spellings of a name");
  }
  if (twinspool::IsUtf8(wire) && wire.find('\0') == std::string_view::npos) {
    const auto back =
        twinspool::imap::DecodeModifiedUtf7(twinspool::imap::EncodeModifiedUtf7(wire));
    TWINSPOOL_CHECK(back.ok() && *back == wire, "a name does not survive its encoding");
  }
}

void CheckTexts(std::string_view text) {
  CheckName(text.substr(0, text.find('\n')));
  const std::size_t half = text.size() / 2;
  const twinspool::imap::ListPattern pattern(text.substr(0, half));
  (void)pattern.Matches(text.substr(half));
  const std::string_view line = text.substr(0, text.find('\n'));
  (void)twinspool::imap::ParseImapUrl(line, std::nullopt);
  (void)twinspool::imap::ParseImapUrl(line, "a/b");
  (void)twinspool::imap::ParseDate(text.substr(0, 11));
  (void)twinspool::imap::ParseDateTime(text.substr(0, 26));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), std::min(size, kInputBytesMax));
  ReadOptions options;
  options.message_bytes_max = 500;
  CheckCuts(input, options);
  options.utf8_names = true;
  options.discard_messages = true;
  CheckCuts(input, options);
  options.authenticated = false;
  options.refuse_literals = true;
  CheckCuts(input, options);
  CheckTexts(input);
  return 0;
}
