// Clients that believe only what they are told, against random changes by all of them: the picture
// that each keeps from EXISTS, EXPUNGE and FETCH must always be the server's.
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/imap/session.h"
#include "tests/support/driven_session.h"
#include "tests/support/memory_mail_store.h"

namespace twinspool {
namespace {

/// A client with a list of UIDs (0: not known yet) and no other memory.
class Client {
 public:
  Client(testing::MemoryMailStore& store, Clock& clock) : store_(store) {
    session_.Begin([&](net::SessionHost& host) {
      return imap::MakeSession(host, store, clock, imap::SessionOptions{});
    });
    Say("LOGIN test pass");
    Say("SELECT INBOX");
    Learn();
  }

  /// Sends a command and believes its answers. Answers whether an EXPUNGE was among them.
  bool Say(const std::string& command) {
    session_.Send("t " + command + "\r\n");
    while (session_.Run() || store_.RunCompletions() > 0) {
    }
    std::istringstream lines(std::exchange(session_.output(), ""));
    std::string line;
    bool expunged = false;
    last_ = "";
    while (std::getline(lines, line)) {
      last_ = line;
      expunged = Believe(line) || expunged;
    }
    return expunged;
  }

  /// Asks for the UIDs it does not know and checks those it does.
  void Learn() {
    if (!uids_.empty()) {
      Say("FETCH 1:* (UID)");
    }
  }

  std::size_t exists() const { return uids_.size(); }
  const std::vector<std::uint32_t>& uids() const { return uids_; }
  const std::string& last() const { return last_; }

 private:
  bool Believe(const std::string& line) {
    std::istringstream words(line);
    std::string star;
    std::string word;
    std::size_t number = 0;
    words >> star >> number >> word;
    if (star != "*" || words.fail()) {
      return false;
    }
    if (word == "EXISTS") {
      EXPECT_GE(number, uids_.size()) << line;
      uids_.resize(number);
    } else if (word == "EXPUNGE") {
      EXPECT_TRUE(number >= 1 && number <= uids_.size()) << line;
      uids_.erase(uids_.begin() + static_cast<std::ptrdiff_t>(number - 1));
      return true;
    } else if (word == "FETCH") {
      EXPECT_TRUE(number >= 1 && number <= uids_.size()) << line;
      Check(line, &uids_[number - 1]);
    }
    return false;
  }

  static void Check(const std::string& line, std::uint32_t* known) {
    const std::size_t at = line.find("UID ");
    if (at == std::string::npos) {
      return;
    }
    const auto uid = static_cast<std::uint32_t>(std::stoul(line.substr(at + 4)));
    EXPECT_TRUE(*known == 0 || *known == uid) << line << ", known as " << *known;
    *known = uid;
  }

  testing::MemoryMailStore& store_;
  testing::DrivenSession session_{testing::DrivenSession::Options{}};
  std::vector<std::uint32_t> uids_;
  std::string last_;
};

std::string Number(SeededRandom& random, const Client& client) {
  return std::to_string(1 + random.Below(client.exists()));
}

/// One random command of `client`, and what must hold of its answer.
void Act(SeededRandom& random, Client& client) {
  const std::uint64_t what = client.exists() == 0 ? 0 : random.Below(8);
  switch (what) {
    case 0:
    case 1:
      client.Say("APPEND INBOX {3+}\r\nabc");
      break;
    case 2:
      EXPECT_FALSE(client.Say("STORE " + Number(random, client) + " +FLAGS (\\Deleted)"));
      break;
    case 3:
      EXPECT_FALSE(client.Say("STORE " + Number(random, client) + ":* -FLAGS.SILENT (\\Deleted)"));
      break;
    case 4:
      client.Say("EXPUNGE");
      break;
    case 5:
      client.Say("MOVE " + Number(random, client) + " INBOX");
      break;
    case 6:
      EXPECT_FALSE(client.Say("FETCH " + Number(random, client) + " (UID FLAGS)"));
      break;
    default:
      EXPECT_FALSE(client.Say("SEARCH NOT DELETED"));
      break;
  }
  EXPECT_TRUE(client.last().starts_with("t OK") ||
              client.last().starts_with("t NO [EXPUNGEISSUED]"))
      << client.last();
}

class ImapRandom : public ::testing::TestWithParam<int> {};

TEST_P(ImapRandom, EveryClientKeepsTheServersPicture) {
  const auto seed = static_cast<std::uint64_t>(GetParam());
  ManualClock clock;
  SeededRandom random(seed);
  testing::MemoryMailStore store(clock, random);
  store.AddUser("test", "pass");
  store.set_complete_later(seed % 2 == 1);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<Client>(store, clock));
  }
  for (int step = 0; step < 300 && !HasFailure(); ++step) {
    Client& client = *clients[random.Below(clients.size())];
    Act(random, client);
    if (random.Below(4) == 0) {
      client.Say("NOOP");
      client.Learn();
    }
  }
  for (const auto& client : clients) {
    client->Say("NOOP");
    client->Learn();
    EXPECT_EQ(client->uids(), clients.front()->uids());
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ImapRandom, ::testing::Range(1, 41));

}  // namespace
}  // namespace twinspool
