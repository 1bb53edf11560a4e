// Reading transcripts, feeding sessions, comparing answers.
#include "tests/support/imap_driver.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "server/imap/session.h"
#include "server/mime/summary.h"

namespace twinspool::testing {

struct TranscriptRunner::Line {
  char kind = 0;  // 'C', 'S', 'X', '@'
  int session = 1;
  std::string text;
};

std::vector<std::string> TranscriptNames(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".txt") {
      names.push_back(entry.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string TranscriptText(const std::string& folder, const std::string& name) {
  std::ifstream in(std::filesystem::path(folder) / (name + ".txt"));
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string Unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char c = text[++i];
    if (c == 'x' && i + 2 < text.size()) {
      out +=
          static_cast<char>(std::strtol(std::string(text.substr(i + 1, 2)).c_str(), nullptr, 16));
      i += 2;
    } else {
      out += c == 'r' ? '\r' : c == 'n' ? '\n' : c == 't' ? '\t' : c;
    }
  }
  return out;
}

bool MatchesLine(std::string_view pattern, std::string_view line) {
  constexpr std::string_view kAny = "<any>";
  constexpr std::string_view kNumber = "<n>";
  while (!pattern.empty()) {
    if (pattern.starts_with(kAny)) {
      pattern.remove_prefix(kAny.size());
      for (std::size_t skip = 0; skip <= line.size(); ++skip) {
        if (MatchesLine(pattern, line.substr(skip))) {
          return true;
        }
      }
      return false;
    }
    if (pattern.starts_with(kNumber)) {
      pattern.remove_prefix(kNumber.size());
      const std::size_t digits = std::min(line.find_first_not_of("0123456789"), line.size());
      if (digits == 0) {
        return false;
      }
      line.remove_prefix(digits);
      continue;
    }
    if (line.empty() || pattern.front() != line.front()) {
      return false;
    }
    pattern.remove_prefix(1);
    line.remove_prefix(1);
  }
  return line.empty();
}

TranscriptRunner::TranscriptRunner(TranscriptMode mode)
    : TranscriptRunner(mode, [](net::SessionHost& host, MailStore& store, Clock& clock) {
        return imap::MakeSession(host, store, clock, imap::SessionOptions{});
      }) {}

TranscriptRunner::TranscriptRunner(TranscriptMode mode, MakeShell shell)
    : mode_(mode), shell_(std::move(shell)) {
  store_.set_summarise([](std::string_view octets) { return mime::Summarize(octets); });
}

std::string TranscriptRunner::Run(std::string_view transcript) {
  std::istringstream in{std::string(transcript)};
  std::string text;
  int number = 0;
  const auto at = [&number](const std::string& problem) {
    return "line " + std::to_string(number) + ": " + problem;
  };
  while (std::getline(in, text)) {
    ++number;
    if (text.empty() || text.front() == '#') {
      continue;
    }
    Line line;
    line.kind = text.front();
    if (line.kind == '@') {
      line.text = text.substr(1);
    } else {
      const std::size_t colon = text.find(':');
      if (colon == std::string::npos ||
          (line.kind != 'C' && line.kind != 'S' && line.kind != 'X')) {
        return at("not a line of a transcript: " + text);
      }
      line.session = colon == 1 ? 1 : std::atoi(text.c_str() + 1);
      line.text = text.size() > colon + 2 ? text.substr(colon + 2) : "";
    }
    if (const std::string problem = RunLine(line); !problem.empty()) {
      return at(problem);
    }
  }
  // What was sent last must have been answered as said, too.
  for (auto& [session, bytes] : std::exchange(to_send_, {})) {
    Send(session, bytes);
  }
  const std::string left = NothingLeft();
  return left.empty() ? left : at(left);
}

std::string TranscriptRunner::RunLine(const Line& line) {
  switch (line.kind) {
    case 'C':
    case 'X':
      if (to_send_.empty()) {
        // A session that was not greeted yet has its greeting still to be expected.
        if (sessions_.contains(line.session)) {
          if (const std::string left = NothingLeft(); !left.empty()) {
            return left;
          }
        }
      }
      to_send_[line.session] += line.kind == 'C' ? line.text + "\r\n" : Unescape(line.text);
      return {};
    default:
      for (auto& [session, bytes] : std::exchange(to_send_, {})) {
        Send(session, bytes);
      }
      return line.kind == '@' ? Directive(line.text) : Expect(line.session, line.text);
  }
}

DrivenSession& TranscriptRunner::SessionOf(int number) {
  std::unique_ptr<DrivenSession>& session = sessions_[number];
  if (!session) {
    session = std::make_unique<DrivenSession>(options_);
    session->Begin([this](net::SessionHost& host) { return shell_(host, store_, clock_); });
    Settle();
  }
  return *session;
}

void TranscriptRunner::Send(int number, std::string_view bytes) {
  DrivenSession& session = SessionOf(number);
  const std::size_t step = mode_.one_byte ? 1 : bytes.size();
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    session.Send(bytes.substr(at, step));
    if (mode_.one_byte) {
      session.Run();
    }
  }
  Settle();
}

void TranscriptRunner::Settle() {
  store_.set_complete_later(mode_.complete_later);
  bool moved = true;
  while (moved) {
    moved = store_.RunCompletions() > 0;
    for (auto& [number, session] : sessions_) {
      moved = (session && session->Run()) || moved;
    }
  }
}

std::string TranscriptRunner::Expect(int number, const std::string& pattern) {
  std::string& output = SessionOf(number).output();
  const std::size_t end = output.find("\r\n");
  if (end == std::string::npos) {
    return "nothing more was answered; expected: " + pattern +
           (output.empty() ? "" : " got: " + output);
  }
  const std::string line = output.substr(0, end);
  if (!MatchesLine(pattern, line)) {
    return "answered: " + line + "\n  expected: " + pattern;
  }
  output.erase(0, end + 2);
  return {};
}

std::string TranscriptRunner::NothingLeft() const {
  for (const auto& [number, session] : sessions_) {
    if (session && !session->output().empty()) {
      return "session " + std::to_string(number) + " answered more: " + session->output();
    }
  }
  return {};
}

// --- directives

MailboxRef TranscriptRunner::Find(const std::string& user, const std::string& mailbox) {
  MailboxRef ref;
  store_.set_complete_later(false);
  store_.FindMailbox(users_[user].id, mailbox, [&ref](const Result<MailboxState>& state) {
    TWINSPOOL_CHECK(state.ok(), "a directive names a mailbox that is not there");
    ref = state->ref;
  });
  return ref;
}

void TranscriptRunner::Append(const std::string& user, const std::string& mailbox,
                              const std::string& octets) {
  const MailboxRef ref = Find(user, mailbox);
  std::vector<AppendMessage> messages(1);
  messages[0].body = std::move(*store_.StageBody(ref.owner, octets.size()));
  messages[0].body->Write(octets, [](const Result<Unit>&) {});
  store_.Append(ref, std::move(messages), [](const Result<AppendResult>& result) {
    TWINSPOOL_CHECK(result.ok(), "@append failed");
  });
}

std::string TranscriptRunner::Directive(const std::string& text) {
  const std::size_t space = std::min(text.find(' '), text.size());
  const std::string verb = text.substr(0, space);
  const std::string rest = space < text.size() ? text.substr(space + 1) : "";
  store_.set_complete_later(false);
  std::string problem = Arrange(verb, rest);
  Settle();
  return problem;
}

std::string TranscriptRunner::Arrange(const std::string& verb, const std::string& rest) {
  std::istringstream words(rest);
  std::string user;
  std::string mailbox;
  if (verb == "user") {
    std::string password;
    std::string folders;
    words >> user >> password >> folders;
    users_[user] = store_.AddUser(user, password, folders == "folders");
  } else if (verb == "shared") {
    words >> user;
    users_[user] = store_.AddShared(user);
  } else if (verb == "grant") {
    std::string identifier;
    std::string letters;
    words >> user >> mailbox >> identifier >> letters;
    store_.Grant(users_[user].id, mailbox, identifier, *ParseRights(letters));
  } else if (verb == "quota") {
    std::uint64_t bytes = 0;
    std::uint64_t messages = 0;
    words >> user >> bytes >> messages;
    store_.SetQuota(users_[user].id, bytes > 0 ? std::optional(bytes) : std::nullopt,
                    messages > 0 ? std::optional(messages) : std::nullopt);
  } else if (verb == "append") {
    words >> user >> mailbox;
    std::string octets;
    std::getline(words >> std::ws, octets);
    Append(user, mailbox, Unescape(octets));
  } else if (verb == "flags") {
    StoreRequest request;
    std::uint32_t uid = 0;
    int bits = 0;
    words >> user >> mailbox >> uid >> bits;
    request.uids.Add(uid);
    request.flags.system = static_cast<SystemFlags>(bits);
    store_.StoreFlags(Find(user, mailbox), std::move(request), [](const Result<StoreResult>&) {});
  } else if (verb == "expunge") {
    std::uint32_t uid = 0;
    words >> user >> mailbox >> uid;
    StoreRequest request;
    request.uids.Add(uid);
    request.flags.system = kDeleted;
    const MailboxRef ref = Find(user, mailbox);
    store_.StoreFlags(ref, std::move(request), [](const Result<StoreResult>&) {});
    store_.Expunge(ref, UidSet::Of(Uid(uid)), [](const Result<ExpungeResult>&) {});
  } else if (verb == "purge") {
    words >> user >> mailbox;
    store_.Purge(Find(user, mailbox));
  } else if (verb == "damage") {
    std::uint32_t uid = 0;
    words >> user >> mailbox >> uid;
    store_.DamageBody(Find(user, mailbox), Uid(uid));
  } else if (verb == "deletebox") {
    words >> user >> mailbox;
    store_.DeleteMailbox(users_[user].id, mailbox, [](const Result<Unit>&) {});
  } else if (verb == "limit") {
    store_.set_message_bytes_max(static_cast<std::uint64_t>(std::atoll(rest.c_str())));
  } else {
    return Misbehave(verb, rest);
  }
  return {};
}

std::string TranscriptRunner::Misbehave(const std::string& verb, const std::string& rest) {
  static const std::map<std::string, Code> kCodes = {{"unavailable", Code::kUnavailable},
                                                     {"unknown", Code::kOutcomeUnknown},
                                                     {"fenced", Code::kFenced},
                                                     {"quota", Code::kOverQuota},
                                                     {"limit", Code::kLimit},
                                                     {"io", Code::kIo}};
  std::istringstream words(rest);
  if (verb == "fail") {
    std::string call;
    std::string code;
    std::string text;
    words >> call >> code;
    std::getline(words >> std::ws, text);
    if (!kCodes.contains(code)) {
      return "@fail knows no code " + code;
    }
    store_.FailNext(call, Status(kCodes.at(code), text));
  } else if (verb == "block") {
    store_.set_writes_blocked(Unavailable("writes wait for the other node"));
  } else if (verb == "unblock") {
    store_.set_writes_blocked({});
  } else if (verb == "serving") {
    store_.set_serving(rest.empty() ? Status() : Fenced(rest));
  } else if (verb == "timeout") {
    SessionOf(std::atoi(rest.c_str())).PassTimeout();
  } else if (verb == "deadline") {
    SessionOf(std::atoi(rest.c_str())).PassDeadline();
  } else if (verb == "shutdown") {
    int number = 0;
    std::string text;
    words >> number;
    std::getline(words >> std::ws, text);
    SessionOf(number).Shutdown(text);
  } else if (verb == "insecure") {
    options_.secure_enough = false;
  } else if (verb == "notls") {
    options_.tls_available = false;
  } else if (verb == "exporter") {
    options_.tls_exporter = rest;
  } else if (verb == "certificate") {
    for (std::string name; words >> name;) {
      options_.certificate_names.push_back(name);
    }
  } else {
    return "no such directive: @" + verb;
  }
  return {};
}

}  // namespace twinspool::testing
