// Addresses and networks, as options name them.
#include "common/networks.h"

#include <gtest/gtest.h>

namespace twinspool {
namespace {

TEST(Networks, HoldWhatTheirBitsSay) {
  const Networks all =
      Networks::Parse({"192.0.2.7", "198.51.100.0/24", "10.1.2.128/25", "2001:db8::/33", "::1"})
          .value();
  for (const char* in : {"192.0.2.7", "198.51.100.0", "198.51.100.255", "10.1.2.200",
                         "2001:db8:7fff::1", "::1", "::ffff:192.0.2.7"}) {
    EXPECT_TRUE(all.Contains(in)) << in;
  }
  for (const char* out : {"192.0.2.8", "198.51.101.0", "10.1.2.127", "2001:db8:8000::1", "::2",
                          "unix", "", "192.0.2"}) {
    EXPECT_FALSE(all.Contains(out)) << out;
  }
  EXPECT_FALSE(Networks().Contains("127.0.0.1"));
  EXPECT_TRUE(Networks::Parse({"0.0.0.0/0"})->Contains("203.0.113.1"));
  EXPECT_FALSE(Networks::Parse({"0.0.0.0/0"})->Contains("2001:db8::1"));
  EXPECT_TRUE(Networks::Parse({"::/0"})->Contains("2001:db8::1"));
}

TEST(Networks, AreNamedWhenTheyAreNone) {
  for (const std::string bad : {"", "mail.example.org", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/x",
                                "192.0.2.0/-1", "2001:db8::/129", "192.0.2/24", "192.0.2.0/24/8"}) {
    const auto parsed = Networks::Parse({bad});
    EXPECT_EQ(parsed.code(), Code::kInvalidArgument) << bad;
    EXPECT_NE(parsed.status().message().find("'" + bad + "'"), std::string_view::npos);
  }
}

}  // namespace
}  // namespace twinspool
