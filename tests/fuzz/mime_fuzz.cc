// Any octets as a message: what must hold for every message holds.
#include <cstdint>
#include <string>

#include "common/check.h"
#include "server/mime/date.h"
#include "server/mime/text.h"
#include "tests/mime/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace mime = twinspool::mime;
  const std::string message(data, data + size);
  const mime::Structure structure = mime::Scan(message);
  std::string fault = mime::StructureFault(structure, message);
  TWINSPOOL_CHECK(fault.empty(), fault);
  fault = mime::DerivedFault(structure, message);
  TWINSPOOL_CHECK(fault.empty(), fault);
  if (const auto date = mime::ParseDate(message); date.has_value()) {
    TWINSPOOL_CHECK(date->LocalDay() >= mime::DaysFromCivil(1, 1, 1), "a date before the year 1");
  }
  const std::string folded = mime::Fold(message);
  TWINSPOOL_CHECK(mime::FoldedContains(folded, mime::Fold(message.substr(0, size / 2))) ||
                      (size > 1 && (data[size / 2] & 0x80) != 0) || message[size / 2] == '\n',
                  "a beginning is not found in its text");
  return 0;
}
