// twinspool-load: drives an IMAP and LMTP server on loopback and prints one JSON object per figure.
//
// Usage: twinspool-load PORT LMTP_PORT USER PASSWORD TEST [N] [CONNECTIONS]
// Times run from a barrier (all logged in, all selected) to the last answer. Works with any server
// that has LITERAL+; scripts/bench runs it against this project and the incumbents alike.
#include <algorithm>
#include <barrier>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/mail_client.h"

namespace twinspool::bench {
namespace {

struct Options {
  std::uint16_t port = 0;
  std::uint16_t lmtp_port = 0;
  std::string user;
  std::string password;
  std::uint64_t n = 0;
  std::uint64_t connections = 1;

  std::unique_ptr<ImapClient> Connect() const {
    return std::make_unique<ImapClient>(port, user, password);
  }
};

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void Report(const std::string& name, double value, const char* unit) {
  std::printf("{\"name\": \"%s\", \"value\": %.4f, \"unit\": \"%s\"}\n", name.c_str(), value, unit);
  std::fflush(stdout);
}

double Timed(const std::function<void()>& work) {
  const auto start = Clock::now();
  work();
  return SecondsSince(start);
}

/// Runs `work(k)` in one thread per connection after `prepare(k)`; seconds from the barrier.
template <typename State>
double Parallel(std::uint64_t connections, const std::function<State(std::uint64_t)>& prepare,
                const std::function<void(std::uint64_t, State&)>& work) {
  std::barrier barrier(static_cast<std::ptrdiff_t>(connections + 1));
  std::vector<std::thread> threads;
  threads.reserve(connections);
  for (std::uint64_t k = 0; k < connections; ++k) {
    threads.emplace_back([&, k] {
      State state = prepare(k);
      barrier.arrive_and_wait();
      work(k, state);
    });
  }
  barrier.arrive_and_wait();
  return Timed([&] {
    for (std::thread& thread : threads) {
      thread.join();
    }
  });
}

std::vector<std::uint32_t> Uids(ImapClient& client) {
  client.Run("UID SEARCH ALL");
  std::istringstream line(client.search_line());
  std::vector<std::uint32_t> uids;
  for (std::uint32_t uid = 0; line >> uid;) {
    uids.push_back(uid);
  }
  return uids;
}

void Fresh(const Options& options, const std::string& mailbox) {
  const auto client = options.Connect();
  client->Run("DELETE " + mailbox, false);
  client->Run("CREATE " + mailbox);
}

std::string Suffix(const Options& options) {
  return "_c" + std::to_string(options.connections);
}

struct Appender {
  std::unique_ptr<ImapClient> client;
  std::vector<std::string> messages;
};

void TestAppend(const Options& options) {
  const std::string mailbox = "bapp" + std::to_string(options.connections);
  Fresh(options, mailbox);
  const double seconds = Parallel<Appender>(
      options.connections,
      [&](std::uint64_t k) {
        Appender state{options.Connect(), {}};
        for (std::uint64_t i = k; i < options.n; i += options.connections) {
          state.messages.push_back(MakeMessage(i, 4096));
        }
        return state;
      },
      [&](std::uint64_t, Appender& state) {
        for (const std::string& message : state.messages) {
          state.client->Append(mailbox, message);
        }
      });
  Report("append4k" + Suffix(options), static_cast<double>(options.n) / seconds, "msg/s");
}

struct Flagger {
  std::unique_ptr<ImapClient> client;
  std::vector<std::uint32_t> uids;
};

void TestStore(const Options& options) {
  const std::string mailbox = "bapp" + std::to_string(options.connections);
  std::uint64_t total = 0;
  {
    const auto client = options.Connect();
    client->Run("SELECT " + mailbox);
    total = Uids(*client).size();
    client->Run("STORE 1:* -FLAGS.SILENT (\\Seen)");
  }
  const double seconds = Parallel<Flagger>(
      options.connections,
      [&](std::uint64_t k) {
        Flagger state{options.Connect(), {}};
        state.client->Run("SELECT " + mailbox);
        const std::vector<std::uint32_t> all = Uids(*state.client);
        for (std::uint64_t i = k; i < all.size(); i += options.connections) {
          state.uids.push_back(all[i]);
        }
        return state;
      },
      [](std::uint64_t, Flagger& state) {
        for (const std::uint32_t uid : state.uids) {
          state.client->Run("UID STORE " + std::to_string(uid) + " +FLAGS (\\Seen)");
        }
      });
  Report("store_seen" + Suffix(options), static_cast<double>(total) / seconds, "op/s");
}

struct Deliverer {
  std::unique_ptr<LmtpClient> client;
  std::vector<std::string> messages;
};

void TestLmtp(const Options& options) {
  static std::uint64_t run = 0;
  ++run;
  const double seconds = Parallel<Deliverer>(
      options.connections,
      [&](std::uint64_t k) {
        Deliverer state{std::make_unique<LmtpClient>(options.lmtp_port), {}};
        for (std::uint64_t i = k; i < options.n; i += options.connections) {
          const auto unique = static_cast<std::uint64_t>(Clock::now().time_since_epoch().count());
          state.messages.push_back(MakeMessage(unique + i, 4096));
        }
        return state;
      },
      [&](std::uint64_t, Deliverer& state) {
        for (const std::string& message : state.messages) {
          state.client->Deliver(options.user, message);
        }
      });
  Report("lmtp4k" + Suffix(options), static_cast<double>(options.n) / seconds, "msg/s");
}

void TestFetchBodies(const Options& options) {
  const auto client = options.Connect();
  client->Run("SELECT bapp1");
  const double count = static_cast<double>(client->exists());
  for (int i = 0; i < 3; ++i) {
    const double seconds = Timed([&] { client->Run("UID FETCH 1:* (BODY.PEEK[])"); });
    Report("fetch_bodies", count / seconds, "msg/s");
  }
}

void Populate(ImapClient& client, const std::string& mailbox, std::uint64_t count) {
  constexpr std::uint64_t kBatch = 500;
  for (std::uint64_t i = 0; i < count; i += kBatch) {
    std::string command = "APPEND " + mailbox;
    for (std::uint64_t k = i; k < std::min(count, i + kBatch); ++k) {
      const std::string message = MakeMessage(k, 200, k % 1000 == 7 ? "needle" : "");
      command += k % 100 == 3 ? " (\\Flagged)" : "";
      command += " {" + std::to_string(message.size()) + "+}\r\n" + message;
    }
    client.Run(command);
  }
}

void TestBigPopulate(const Options& options) {
  Fresh(options, "big");
  const auto client = options.Connect();
  client->Run("DELETE big2", false);
  const double seconds = Timed([&] { Populate(*client, "big", options.n); });
  Report("big_populate", static_cast<double>(options.n) / seconds, "msg/s");
}

void TestBigRead(const Options& options) {
  for (int i = 0; i < 5; ++i) {
    const auto client = options.Connect();
    Report("big_select", Timed([&] { client->Run("SELECT big"); }) * 1e3, "ms");
    Report("big_fetch_flags", Timed([&] { client->Run("UID FETCH 1:* (FLAGS)"); }) * 1e3, "ms");
    Report("big_search_flagged", Timed([&] { client->Run("UID SEARCH FLAGGED"); }) * 1e3, "ms");
  }
  const auto client = options.Connect();
  client->Run("SELECT big");
  for (int i = 0; i < 3; ++i) {
    Report("big_search_subject", Timed([&] { client->Run("UID SEARCH SUBJECT needle"); }) * 1e3,
           "ms");
    Report("big_search_body", Timed([&] { client->Run("UID SEARCH BODY xyz"); }) * 1e3, "ms");
  }
}

/// What clients ask for to show a list of messages. The first round of a server may fill its cache.
void TestBigList(const Options& options) {
  const auto client = options.Connect();
  client->Run("SELECT big");
  const double listed = std::min<double>(10'000, static_cast<double>(client->exists()));
  for (int i = 0; i < 3; ++i) {
    const double seconds =
        Timed([&] { client->Run("UID FETCH 1:10000 (ENVELOPE BODYSTRUCTURE)"); });
    Report("big_fetch_structure", listed / seconds, "msg/s");
    Report("big_sort_date", Timed([&] { client->Run("UID SORT (DATE) UTF-8 ALL"); }) * 1e3, "ms");
    Report("big_sort_subject",
           Timed([&] { client->Run("UID SORT (SUBJECT DATE) UTF-8 ALL"); }) * 1e3, "ms");
    Report("big_thread_references",
           Timed([&] { client->Run("UID THREAD REFERENCES UTF-8 ALL"); }) * 1e3, "ms");
  }
}

std::vector<std::string> ReadCorpus() {
  const char* const given = std::getenv("TWINSPOOL_CORPUS");
  const std::filesystem::path directory = given != nullptr ? given : "build/corpus";
  if (!std::filesystem::exists(directory)) {
    Die("no mail in " + directory.string() + ": scripts/corpus DIR fetches it (TWINSPOOL_CORPUS)");
  }
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.path().extension() == ".eml") {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> messages;
  for (const std::filesystem::path& path : files) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream octets;
    octets << file.rdbuf();
    if (octets.str().find('\0') == std::string::npos) {  // no server takes NUL in a literal
      messages.push_back(octets.str());
    }
  }
  return messages;
}

/// Searches through real mail, of which each is told beside how many messages it found.
void TestCorpus(const Options& options) {
  Fresh(options, "corpus");
  const auto client = options.Connect();
  for (const std::string& message : ReadCorpus()) {
    client->Append("corpus", message);
  }
  client->Run("SELECT corpus");
  for (int i = 0; i < 5; ++i) {
    for (const std::string key :
         {"BODY scientist", "BODY xyzzy", "TEXT release", "SUBJECT linux", "FROM yahoo"}) {
      std::string name = "corpus_" + key;
      std::replace(name.begin(), name.end(), ' ', '_');
      Report(name, Timed([&] { client->Run("UID SEARCH " + key); }) * 1e3, "ms");
    }
  }
}

/// Whole sessions (connect, log in, leave) of one user, whom the server may remember, and the first
/// logins of sixteen others, whose passwords have to be verified. On a server just started.
void TestLogin(const Options& options) {
  options.Connect()->Run("LOGOUT");
  const std::uint64_t share = options.n / options.connections;
  const double seconds = Parallel<int>(
      options.connections, [](std::uint64_t) { return 0; },
      [&](std::uint64_t, int&) {
        for (std::uint64_t i = 0; i < share; ++i) {
          options.Connect()->Run("LOGOUT");
        }
      });
  Report("login" + Suffix(options), static_cast<double>(share * options.connections) / seconds,
         "login/s");
  if (options.connections == 1) {
    Options other = options;
    for (int i = 4; i < 20; ++i) {
      other.user = "t" + std::to_string(i);
      Report("login_first", 1 / Timed([&] { other.Connect()->Run("LOGOUT"); }), "login/s");
    }
  }
}

void TestRename(const Options& options) {
  const auto client = options.Connect();
  client->Run("DELETE small", false);
  client->Run("DELETE small2", false);
  client->Run("CREATE small");
  Populate(*client, "small", 10);
  for (const std::string name : {"small", "big"}) {
    for (int i = 0; i < 6; ++i) {
      const std::string command =
          i % 2 == 0 ? "RENAME " + name + " " + name + "2" : "RENAME " + name + "2 " + name;
      Report("rename_" + name, Timed([&] { client->Run(command); }) * 1e3, "ms");
    }
  }
}

void TestExpunge(const Options& options) {
  const auto client = options.Connect();
  client->Run("SELECT big");
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t low = 1 + 2000 * static_cast<std::uint64_t>(i);
    if (low + 999 > client->exists()) {
      break;
    }
    client->Run("STORE " + std::to_string(low) + ":" + std::to_string(low + 999) +
                " +FLAGS.SILENT (\\Deleted)");
    Report("expunge1000", Timed([&] { client->Run("EXPUNGE"); }) * 1e3, "ms");
  }
}

/// Many flag changes on one page: the last must be as fast as the first.
void TestHotPage(const Options& options) {
  Fresh(options, "hot");
  const auto client = options.Connect();
  Populate(*client, "hot", 200);
  client->Run("SELECT hot");
  const std::uint64_t block = options.n / 10 / options.connections;
  for (int part = 0; part < 10; ++part) {
    const double seconds = Parallel<std::unique_ptr<ImapClient>>(
        options.connections,
        [&](std::uint64_t) {
          auto flagger = options.Connect();
          flagger->Run("SELECT hot");
          return flagger;
        },
        [&](std::uint64_t k, std::unique_ptr<ImapClient>& flagger) {
          for (std::uint64_t i = 0; i < block; ++i) {
            const std::uint64_t uid = 1 + (i * options.connections + k) % 200;
            const char* sign = (i + static_cast<std::uint64_t>(part)) % 2 == 0 ? "+" : "-";
            flagger->Run("UID STORE " + std::to_string(uid) + " " + sign +
                         "FLAGS.SILENT (\\Flagged)");
          }
        });
    const auto total = static_cast<double>(block * options.connections);
    Report("hot_page_part" + std::to_string(part), total / seconds, "op/s");
  }
  Report("hot_page_read", Timed([&] { client->Run("UID FETCH 1:* (FLAGS)"); }) * 1e3, "ms");
}

const std::map<std::string, void (*)(const Options&)> kTests = {
    {"append", TestAppend},     {"store", TestStore},          {"lmtp", TestLmtp},
    {"fetch", TestFetchBodies}, {"populate", TestBigPopulate}, {"read", TestBigRead},
    {"list", TestBigList},      {"rename", TestRename},        {"expunge", TestExpunge},
    {"hotpage", TestHotPage},   {"corpus", TestCorpus},        {"login", TestLogin},
};

}  // namespace
}  // namespace twinspool::bench

int main(int argc, char** argv) {
  if (argc < 6) {
    twinspool::bench::Die(
        "usage: twinspool-load PORT LMTP_PORT USER PASSWORD TEST [N] [CONNECTIONS]");
  }
  twinspool::bench::Options options;
  options.port = static_cast<std::uint16_t>(std::atoi(argv[1]));
  options.lmtp_port = static_cast<std::uint16_t>(std::atoi(argv[2]));
  options.user = argv[3];
  options.password = argv[4];
  options.n = argc > 6 ? std::strtoull(argv[6], nullptr, 10) : 2000;
  options.connections = argc > 7 ? std::strtoull(argv[7], nullptr, 10) : 1;
  const auto test = twinspool::bench::kTests.find(argv[5]);
  if (test == twinspool::bench::kTests.end()) {
    twinspool::bench::Die(std::string("no test named ") + argv[5]);
  }
  test->second(options);
  return 0;
}
