// Clients that believe only what they are told, against random changes by all of them: the picture
// that each keeps from EXISTS, EXPUNGE and FETCH must always be the server's.
#include <algorithm>
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
  /// With `qresync` it is told of expunges by UID.
  Client(testing::MemoryMailStore& store, Clock& clock, bool qresync)
      : store_(store), qresync_(qresync) {
    session_.Begin([&](net::SessionHost& host) {
      return imap::MakeSession(host, store, clock, imap::SessionOptions{});
    });
    Say("LOGIN test pass");
    if (qresync_) {
      Say("ENABLE QRESYNC");
    }
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
    words >> star >> word;
    if (star == "*" && word == "VANISHED") {
      words >> word;
      return Vanish(word);
    }
    if (star != "*" || word.empty() || word.find_first_not_of("0123456789") != std::string::npos) {
      return false;
    }
    number = std::stoul(word);
    words >> word;
    if (word == "EXISTS") {
      EXPECT_GE(number, uids_.size()) << line;
      uids_.resize(number);
    } else if (word == "EXPUNGE") {
      EXPECT_FALSE(qresync_) << line;
      EXPECT_TRUE(number >= 1 && number <= uids_.size()) << line;
      uids_.erase(uids_.begin() + static_cast<std::ptrdiff_t>(number - 1));
      return true;
    } else if (word == "FETCH") {
      EXPECT_TRUE(number >= 1 && number <= uids_.size()) << line;
      Check(line, &uids_[number - 1]);
    }
    return false;
  }

  /// Where `uid` stands, or must: behind all smaller ones, in place of one that is not known yet.
  std::vector<std::uint32_t>::iterator Place(std::uint32_t uid) {
    auto place = uids_.begin();
    for (auto it = uids_.begin(); it != uids_.end(); ++it) {
      if (*it == uid) {
        return it;
      }
      place = *it != 0 && *it < uid ? it + 1 : place;
    }
    return place != uids_.end() && *place == 0 ? place : uids_.end();
  }

  /// Takes out the UIDs of a set like "1:3,7": each must be one that is known, or stand for one
  /// whose UID is not known yet.
  bool Vanish(const std::string& set) {
    std::istringstream ranges(set);
    std::string range;
    while (std::getline(ranges, range, ',')) {
      const std::size_t colon = range.find(':');
      const std::uint64_t first = std::stoul(range);
      const std::uint64_t last =
          colon == std::string::npos ? first : std::stoul(range.substr(colon + 1));
      for (std::uint64_t uid = first; uid <= last; ++uid) {
        const auto it = Place(static_cast<std::uint32_t>(uid));
        EXPECT_TRUE(it != uids_.end()) << "VANISHED " << set << " names " << uid;
        if (it == uids_.end()) {
          return true;
        }
        uids_.erase(it);
      }
    }
    EXPECT_TRUE(qresync_) << set;
    return true;
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
  const bool qresync_;
  testing::DrivenSession session_{testing::DrivenSession::Options{}};
  std::vector<std::uint32_t> uids_;
  std::string last_;
};

std::string Number(SeededRandom& random, const Client& client) {
  return std::to_string(1 + random.Below(client.exists()));
}

/// A UID that the client knows, or "*".
std::string AnyUid(SeededRandom& random, const Client& client) {
  const std::uint32_t uid = client.uids()[random.Below(client.exists())];
  return uid == 0 ? "*" : std::to_string(uid);
}

/// One random UID command; any of them may be answered with expunges.
void ActByUid(SeededRandom& random, Client& client) {
  const std::string uid = AnyUid(random, client);
  switch (random.Below(6)) {
    case 0:
      client.Say("UID STORE " + uid + " +FLAGS (\\Deleted)");
      break;
    case 1:
      client.Say("UID STORE " + uid + ":* -FLAGS.SILENT (\\Deleted)");
      break;
    case 2:
      client.Say("UID EXPUNGE " + uid);
      break;
    case 3:
      client.Say("UID MOVE " + uid + " INBOX");
      break;
    case 4:
      client.Say("UID FETCH " + uid + ":* (FLAGS)");
      break;
    default:
      client.Say("UID SEARCH UID " + uid + ":*");
      break;
  }
}

/// One random command of `client`, and what must hold of its answer.
void Act(SeededRandom& random, Client& client) {
  const std::uint64_t what = client.exists() == 0 ? 0 : random.Below(12);
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
    case 7:
      EXPECT_FALSE(client.Say("SEARCH NOT DELETED"));
      break;
    default:
      ActByUid(random, client);
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
  clients.reserve(3);
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<Client>(store, clock, i == 2));
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
