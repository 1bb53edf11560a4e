// Every message of the torture collection, and damaged copies of it: nothing that must hold breaks.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include <gtest/gtest.h>

#include "tests/mime/check.h"

namespace twinspool::mime {
namespace {

namespace fs = std::filesystem;

/// TWINSPOOL_TORTURE, or shared/corpus/torture beside the source tree or beside one of its parents.
fs::path FindCollection() {
  if (const char* named = std::getenv("TWINSPOOL_TORTURE"); named != nullptr) {
    return named;
  }
  for (fs::path at = TWINSPOOL_SOURCE_DIR; at.has_relative_path(); at = at.parent_path()) {
    fs::path candidate = at.parent_path() / "shared" / "corpus" / "torture";
    if (fs::is_directory(candidate)) {
      return candidate;
    }
  }
  return {};
}

std::vector<std::pair<std::string, std::string>> LoadCollection() {
  std::vector<std::pair<std::string, std::string>> messages;
  const fs::path folder = FindCollection();
  if (!fs::is_directory(folder)) {
    return messages;
  }
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      std::ifstream file(entry.path(), std::ios::binary);
      messages.emplace_back(entry.path().string(),
                            std::string(std::istreambuf_iterator<char>(file), {}));
    }
  }
  std::sort(messages.begin(), messages.end());
  return messages;
}

std::string WithCrlf(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) {
      out.push_back('\r');
    }
    out.push_back(text[i]);
  }
  return out;
}

std::string Fault(std::string_view message) {
  const Structure structure = Scan(message);
  const std::string fault = StructureFault(structure, message);
  return fault.empty() ? DerivedFault(structure, message) : fault;
}

TEST(Torture, EveryMessageHoldsTheRules) {
  const auto messages = LoadCollection();
  if (messages.empty()) {
    GTEST_SKIP() << "no torture collection found; set TWINSPOOL_TORTURE to its folder";
  }
  for (const auto& [name, octets] : messages) {
    EXPECT_EQ(Fault(octets), "") << name;
    EXPECT_EQ(Fault(WithCrlf(octets)), "") << name << " with CRLF";
  }
}

/// Cuts, repeats, overwrites or moves a piece of the message.
void Mutate(std::mt19937* random, std::string* message) {
  static constexpr std::string_view kPieces[] = {
      "\r\n",
      "\n",
      "--",
      "--b",
      "\r\n\r\n",
      "\"",
      "(",
      ";",
      ":",
      "=?utf-8?q?",
      "?=",
      "\xff",
      "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n",
      "Content-Type: message/rfc822\r\n\r\n"};
  const auto below = [&](std::size_t n) { return n == 0 ? 0 : (*random)() % n; };
  const std::size_t at = below(message->size());
  const std::size_t length = below(std::min<std::size_t>(message->size() - at, 200));
  switch (below(5)) {
    case 0:
      message->erase(at, length);
      break;
    case 1:
      message->insert(below(message->size()), message->substr(at, length));
      break;
    case 2:
      message->insert(at, kPieces[below(std::size(kPieces))]);
      break;
    case 3:
      message->resize(at);
      break;
    default:
      if (!message->empty()) {
        (*message)[at] = static_cast<char>(below(256));
      }
  }
}

TEST(Torture, DamagedMessagesHoldTheRules) {
  auto messages = LoadCollection();
  messages.emplace_back("built in",
                        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: "
                        "message/rfc822\r\n\r\nFrom: a (x) <@r:b@c>, g: d@e;\r\nSubject: "
                        "=?utf-8?q?x?=\r\n\r\nbody\r\n--b\r\nContent-Transfer-Encoding: "
                        "base64\r\n\r\nAAAA\r\n--b--\r\nend\r\n");
  std::mt19937 random(20'240'229);
  for (int round = 0; round < 3000; ++round) {
    std::string message = messages[random() % messages.size()].second.substr(0, 20'000);
    for (auto steps = random() % 8; steps-- > 0;) {
      Mutate(&random, &message);
    }
    ASSERT_EQ(Fault(message), "") << "round " << round << "\n" << message;
  }
}

}  // namespace
}  // namespace twinspool::mime
