// Clients with a cache, as QRESYNC means them (RFC 7162), against random changes by all: the owner
// of a mailbox and one who shares it. Each believes only what it is told, breaks off at random and
// comes back with the last HIGHESTMODSEQ that it was told; what it then has must be the server's.
//
// On the way every response is judged: numbers within EXISTS, keywords named by FLAGS before they
// are used, a message's MODSEQ never below an earlier one, no expunges with commands by number,
// (EARLIER) only where it belongs.
#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "server/imap/session.h"
#include "tests/support/driven_session.h"
#include "tests/support/memory_mail_store.h"

namespace twinspool {
namespace {

using Flags = std::set<std::string>;

/// "(a b c" up to the closing parenthesis, behind `name`; empty when it is not there.
Flags WordsBehind(const std::string& line, const std::string& name) {
  Flags words;
  const std::size_t at = line.find(name + " (");
  if (at == std::string::npos) {
    return words;
  }
  const std::size_t begin = at + name.size() + 2;
  std::istringstream in(line.substr(begin, line.find(')', begin) - begin));
  for (std::string word; in >> word;) {
    words.insert(word);
  }
  return words;
}

std::uint64_t NumberBehind(const std::string& line, const std::string& name) {
  const std::size_t at = line.find(name);
  return at == std::string::npos ? 0 : std::stoull(line.substr(at + name.size()));
}

std::vector<std::uint32_t> Numbers(const std::string& set) {
  std::vector<std::uint32_t> numbers;
  std::istringstream ranges(set);
  for (std::string range; std::getline(ranges, range, ',');) {
    const std::size_t colon = range.find(':');
    const auto first = static_cast<std::uint32_t>(std::stoul(range));
    const auto last = colon == std::string::npos
                          ? first
                          : static_cast<std::uint32_t>(std::stoul(range.substr(colon + 1)));
    for (std::uint32_t number = first; number <= last; ++number) {
      numbers.push_back(number);
    }
  }
  return numbers;
}

class CachingClient {
 public:
  CachingClient(testing::MemoryMailStore& store, Clock& clock, std::string user,
                std::string mailbox)
      : store_(store), clock_(clock), user_(std::move(user)), mailbox_(std::move(mailbox)) {
    Connect();
  }

  void Reconnect() {
    session_->Drop();
    Connect();
  }

  /// Sends a command and believes its answers.
  void Say(const std::string& command) {
    command_ = command;
    session_->Send("t " + command + "\r\n");
    while (session_->Run() || store_.RunCompletions() > 0) {
    }
    std::istringstream lines(std::exchange(session_->output(), ""));
    for (std::string line; std::getline(lines, line);) {
      Believe(line);
      last_ = line;
    }
    if (std::exchange(more_, false)) {
      const std::string last = last_;
      const std::uint32_t next = cache_.empty() ? 1 : cache_.rbegin()->first + 1;
      Say("UID FETCH " + std::to_string(next) + ":* (FLAGS)");
      last_ = last;
    }
  }

  /// The cache as text: "uid flags" by UID.
  std::string Cache() const {
    std::string text;
    for (const auto& [uid, flags] : cache_) {
      text += std::to_string(uid);
      for (const std::string& flag : flags) {
        text += " " + flag;
      }
      text += "\n";
    }
    return text;
  }
  std::size_t exists() const { return exists_; }
  std::uint64_t highest() const { return highest_; }
  const std::string& last() const { return last_; }
  std::uint32_t AnyUid(SeededRandom& random) const {
    if (cache_.empty()) {
      return 1;
    }
    auto it = cache_.begin();
    std::advance(it, static_cast<std::ptrdiff_t>(random.Below(cache_.size())));
    return it->first;
  }

 private:
  void Connect() {
    session_ = std::make_unique<testing::DrivenSession>(testing::DrivenSession::Options{});
    session_->Begin([&](net::SessionHost& host) {
      return imap::MakeSession(host, store_, clock_, imap::SessionOptions{});
    });
    Say("LOGIN " + user_ + " pass");
    Say("ENABLE QRESYNC");
    table_.clear();
    exists_ = 0;
    const std::string known = validity_ == 0 ? ""
                                             : " (QRESYNC (" + std::to_string(validity_) + " " +
                                                   std::to_string(highest_) + "))";
    Say("SELECT \"" + mailbox_ + "\"" + known);
    EXPECT_TRUE(last_.starts_with("t OK")) << last_;
  }

  bool ByNumber() const {
    return command_.starts_with("FETCH") || command_.starts_with("STORE") ||
           command_.starts_with("SEARCH") || command_.starts_with("SORT");
  }

  void Believe(const std::string& line) {
    const std::string code = "[HIGHESTMODSEQ ";
    if (const std::uint64_t told = NumberBehind(line, code); told > 0) {
      EXPECT_GE(told, highest_) << line;
      highest_ = told;
    }
    if (const std::uint64_t told = NumberBehind(line, "[UIDVALIDITY "); told > 0) {
      EXPECT_TRUE(validity_ == 0 || validity_ == told) << line;
      validity_ = told;
    }
    if (line.starts_with("* FLAGS ")) {
      table_ = WordsBehind(line, "* FLAGS");
    } else if (line.starts_with("* VANISHED ")) {
      Vanish(line);
    } else if (line.find(" EXISTS") != std::string::npos) {
      more_ = more_ || NumberBehind(line, "* ") > exists_;
      exists_ = NumberBehind(line, "* ");
    } else if (line.find(" FETCH (") != std::string::npos) {
      OnFetch(line);
    }
    EXPECT_EQ(line.find(" EXPUNGE\r"), std::string::npos) << line;
  }

  void Vanish(const std::string& line) {
    const std::string earlier = "* VANISHED (EARLIER) ";
    const bool early = line.starts_with(earlier);
    const bool asked =
        command_.starts_with("SELECT") || command_.find("VANISHED") != std::string::npos;
    EXPECT_TRUE(!early || asked) << command_ << ": " << line;
    EXPECT_TRUE(early || !ByNumber()) << command_ << ": " << line;
    std::string set = line.substr(early ? earlier.size() : std::string("* VANISHED ").size());
    for (const std::uint32_t uid : Numbers(set.substr(0, set.find('\r')))) {
      const std::size_t held = cache_.erase(uid);
      EXPECT_TRUE(early || held == 1) << command_ << ": " << line;
      exists_ -= early ? 0 : 1;
    }
  }

  void OnFetch(const std::string& line) {
    const std::uint64_t number = NumberBehind(line, "* ");
    EXPECT_TRUE(number >= 1 && number <= exists_) << command_ << ": " << line;
    const auto uid = static_cast<std::uint32_t>(NumberBehind(line, "UID "));
    EXPECT_GT(uid, 0u) << command_ << ": " << line;
    if (const std::uint64_t modseq = NumberBehind(line, "MODSEQ ("); modseq > 0) {
      EXPECT_GE(modseq, modseqs_[uid]) << command_ << ": " << line;
      modseqs_[uid] = modseq;
    }
    if (line.find("FLAGS (") == std::string::npos) {
      // Its own silent change, which it knows.
      if (command_.find("+FLAGS.SILENT") != std::string::npos) {
        cache_[uid].merge(WordsBehind(command_, "+FLAGS.SILENT"));
      }
      return;
    }
    Flags flags = WordsBehind(line, "FLAGS");
    for (const std::string& flag : flags) {
      EXPECT_TRUE(table_.contains(flag)) << flag << " was not announced: " << line;
    }
    cache_[uid] = std::move(flags);
  }

  testing::MemoryMailStore& store_;
  Clock& clock_;
  const std::string user_;
  const std::string mailbox_;
  std::unique_ptr<testing::DrivenSession> session_;
  std::string command_;
  std::string last_;
  std::map<std::uint32_t, Flags> cache_;
  std::map<std::uint32_t, std::uint64_t> modseqs_;
  Flags table_;
  std::size_t exists_ = 0;
  bool more_ = false;  // messages came that were not fetched yet
  std::uint64_t highest_ = 0;
  std::uint64_t validity_ = 0;
};

std::string AnyFlags(SeededRandom& random) {
  static const char* const kFlags[] = {"\\Seen", "\\Flagged", "\\Seen \\Answered", "\\Deleted",
                                       "work",   "Home",      "\\Draft $Later"};
  return kFlags[random.Below(7)];
}

void Act(SeededRandom& random, CachingClient& client, const std::string& mailbox) {
  const std::string uid = std::to_string(client.AnyUid(random));
  static const char* const kHow[] = {"+FLAGS", "-FLAGS", "FLAGS", "+FLAGS.SILENT"};
  const std::string how = std::string(kHow[random.Below(4)]) + " (" + AnyFlags(random) + ")";
  switch (random.Below(14)) {
    case 0:
    case 1:
      return client.Say("APPEND \"" + mailbox + "\" (" + AnyFlags(random) + ") {3+}\r\nabc");
    case 2:
    case 3:
      return client.Say("UID STORE " + uid + " " + how);
    case 4:
      return client.Say("UID STORE " + uid + ":* (UNCHANGEDSINCE " +
                        std::to_string(client.highest()) + ") " + how);
    case 5:
      return client.exists() == 0
                 ? client.Say("NOOP")
                 : client.Say("STORE " + std::to_string(1 + random.Below(client.exists())) + " " +
                              how);
    case 6:
      return client.Say("EXPUNGE");
    case 7:
      return client.Say("UID MOVE " + uid + " \"" + mailbox + "\"");
    case 8:
      return client.Say("UID COPY " + uid + " \"" + mailbox + "\"");
    case 9:
      return client.Say("UID FETCH 1:* (FLAGS) (CHANGEDSINCE " + std::to_string(client.highest()) +
                        " VANISHED)");
    case 10:
      return client.Say("SEARCH MODSEQ " + std::to_string(client.highest()));
    case 11:
      return client.Say("UID REPLACE " + uid + " \"" + mailbox + "\" {3+}\r\nxyz");
    case 12:
      return client.exists() == 0 ? client.Say("CHECK") : client.Say("FETCH 1:* (UID FLAGS)");
    default:
      return client.Say("NOOP");
  }
}

class ImapCache : public ::testing::TestWithParam<int> {};

TEST_P(ImapCache, WhoComesBackHasWhatTheServerHas) {
  const auto seed = static_cast<std::uint64_t>(GetParam());
  ManualClock clock;
  SeededRandom random(seed);
  testing::MemoryMailStore store(clock, random);
  const UserRef ann = store.AddUser("ann", "pass");
  store.AddUser("bob", "pass");
  store.Grant(ann.id, "INBOX", "bob", kRightsAll);
  store.set_complete_later(seed % 2 == 1);
  const std::string foreign = "Other Users/ann";
  std::vector<std::unique_ptr<CachingClient>> clients;
  std::vector<std::string> mailboxes = {"INBOX", "INBOX", foreign, foreign};
  for (std::size_t i = 0; i < mailboxes.size(); ++i) {
    clients.push_back(
        std::make_unique<CachingClient>(store, clock, i < 2 ? "ann" : "bob", mailboxes[i]));
  }
  for (int step = 0; step < 400 && !HasFailure(); ++step) {
    const std::size_t which = random.Below(clients.size());
    Act(random, *clients[which], mailboxes[which]);
    if (random.Below(12) == 0) {
      CachingClient& returning = *clients[random.Below(clients.size())];
      returning.Reconnect();
      const bool owner = &returning == clients[0].get() || &returning == clients[1].get();
      const CachingClient fresh(store, clock, owner ? "ann" : "bob", owner ? "INBOX" : foreign);
      EXPECT_EQ(returning.Cache(), fresh.Cache()) << "step " << step;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ImapCache, ::testing::Range(1, 61));

}  // namespace
}  // namespace twinspool
