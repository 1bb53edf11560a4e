#include "common/config.h"

#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

namespace twinspool {
namespace {

Result<CommandLine> Parse(std::vector<const char*> args) {
  args.insert(args.begin(), "twinspoold");
  return ParseCommandLine(static_cast<int>(args.size()), args.data());
}

std::string WriteFile(const std::string& name, const std::string& text) {
  std::string path = testing::TempDir() + name;
  std::ofstream(path) << text;
  return path;
}

TEST(Config, DefaultsAreValid) {
  const auto line = Parse({});
  ASSERT_TRUE(line.ok()) << line.status().ToString();
  EXPECT_EQ(line->config.mode, "available");
  EXPECT_EQ(line->config.imaps_listen.port, 993);
  EXPECT_FALSE(line->config.pop3_listen.enabled());
  EXPECT_FALSE(line->config.pop3s_listen.enabled());
}

TEST(Config, CommandLineWinsOverFile) {
  const std::string path = WriteFile("a.conf", "mode = strict\nnet-threads = 3\n");
  const auto line = Parse({"--config", path.c_str(), "--net-threads", "5"});
  ASSERT_TRUE(line.ok()) << line.status().ToString();
  EXPECT_EQ(line->config.mode, "strict");
  EXPECT_EQ(line->config.net_threads, 5);
}

TEST(Config, UnknownKeysAreErrorsThatNameTheKey) {
  const std::string path = WriteFile("b.conf", "no-such-key = 1\n");
  const auto line = Parse({"--config", path.c_str()});
  ASSERT_FALSE(line.ok());
  EXPECT_NE(line.status().message().find("no-such-key"), std::string_view::npos);
}

TEST(Config, ValuesOutOfRangeNameKeyValueAndRange) {
  const auto line = Parse({"--net-threads", "0"});
  ASSERT_FALSE(line.ok());
  EXPECT_EQ(line.status().message(), "net-threads: '0' is not allowed here; it must be in 1..64");
  EXPECT_FALSE(Parse({"--mode", "fast"}).ok());
  EXPECT_FALSE(Parse({"--mode", ""}).ok());
  EXPECT_FALSE(Parse({"--imap-listen", "nonsense"}).ok());
  EXPECT_FALSE(Parse({"--imap-listen", "h:70000"}).ok());
  EXPECT_FALSE(Parse({"--cache-bytes", "12X"}).ok());
}

TEST(Config, SizesTakeSuffixes) {
  EXPECT_EQ(Parse({"--cache-bytes", "16M"})->config.cache_bytes, 16u << 20);
}

TEST(Config, LmtpBeyondLoopbackNeedsAnAddressList) {
  EXPECT_FALSE(Parse({"--lmtp-listen", "0.0.0.0:24"}).ok());
  EXPECT_TRUE(Parse({"--lmtp-listen", "0.0.0.0:24", "--lmtp-allow", "192.0.2.1"}).ok());
}

TEST(Config, SampleFileIsValidOnceUncommented) {
  std::string text = SampleConfig();
  std::string uncommented;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool key = text[i] == '#' && i + 1 < text.size() && text[i + 1] != ' ';
    if (!key) {
      uncommented.push_back(text[i]);
    }
  }
  const std::string path = WriteFile("c.conf", uncommented);
  const auto line = Parse({"--config", path.c_str()});
  ASSERT_TRUE(line.ok()) << line.status().ToString();
  EXPECT_EQ(EffectiveConfig(line->config), EffectiveConfig(Parse({})->config));
}

TEST(Config, ShippedSampleIsTheGeneratedOne) {
  std::ifstream file(std::string(TWINSPOOL_SOURCE_DIR) + "/deploy/twinspool.conf");
  const std::string shipped((std::istreambuf_iterator<char>(file)), {});
  EXPECT_EQ(shipped, SampleConfig()) << "twinspoold --sample-config > deploy/twinspool.conf";
}

TEST(Config, AddressesRoundTrip) {
  for (const char* text : {"127.0.0.1:143", "[::1]:993", "unix:/run/x.sock", ""}) {
    EXPECT_EQ(ParseListenAddress(text)->ToString(), text);
  }
  EXPECT_TRUE(ParseListenAddress("[::1]:993")->loopback());
  EXPECT_FALSE(ParseListenAddress("0.0.0.0:993")->loopback());
}

TEST(Config, LoginsAreCheckedAtTheStart) {
  const auto problem = [](std::vector<const char*> options) {
    std::vector<const char*> all = {"--data-dir", "/tmp/x"};
    all.insert(all.end(), options.begin(), options.end());
    return std::string(Parse(all).status().message());
  };
  EXPECT_EQ(problem({"--proxy-from", "192.0.2.0/24 2001:db8::1"}), "");
  EXPECT_NE(problem({"--proxy-from", "192.0.2.0/99"}).find("proxy-from"), std::string::npos);
  EXPECT_NE(problem({"--oauth-introspection-login", "/x"}).find("oauth-introspection-url"),
            std::string::npos);
  EXPECT_NE(problem({"--oauth-keys", "/x", "--oauth-user-claim", ""}).find("oauth-user-claim"),
            std::string::npos);
  const auto line = Parse({"--data-dir", "/tmp/x", "--master-users", "a b", "--oauth-keys", "/x"});
  ASSERT_TRUE(line.ok());
  EXPECT_EQ(line->config.master_users, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(line->config.takes_tokens());
  EXPECT_FALSE(Parse({"--data-dir", "/tmp/x"})->config.takes_tokens());
}

}  // namespace
}  // namespace twinspool
