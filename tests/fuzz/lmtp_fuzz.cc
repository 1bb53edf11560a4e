// Any bytes into an LMTP session, whole and cut: it must neither crash nor depend on the cut.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tests/lmtp/driver.h"
#include "tests/lmtp/fake_mail_store.h"

namespace {

using twinspool::lmtp::Driver;
using twinspool::lmtp::FakeMailStore;

struct Outcome {
  std::string output;
  std::string stored;
};

Outcome Run(std::string_view bytes, std::size_t piece) {
  FakeMailStore store;
  store.message_bytes = 1000;
  store.write_errors["carl"] = twinspool::OverQuota("full");
  Driver driver(store);
  driver.Feed(bytes, piece);
  Outcome outcome;
  outcome.output = driver.Take();
  for (const auto& delivery : store.deliveries) {
    outcome.stored += delivery.user + "|" + delivery.sender + "|" + delivery.octets + "|";
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Outcome whole = Run(bytes, std::string_view::npos);
  const Outcome cut = Run(bytes, 1 + size % 5);
  if (whole.output != cut.output || whole.stored != cut.stored) {
    std::abort();
  }
  return 0;
}
