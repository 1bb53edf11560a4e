// Runs transcripts of IMAP, or of another shell: files that read like a conversation.
//
//   # a comment
//   @user test pass             makes a user; "folders" behind it adds the usual folders
//   C: a LOGIN test pass        what the client sends, a line with CRLF
//   S: a OK [<any>] <any>       what the server must have answered, line by line, nothing else
//   C2: … S2: …                 the same of a second, third … connection, opened when first named
//
// In S lines <any> stands for any text, <n> for a number; both may be part of a line. The
// pseudo-lines "<closed>" and "<starttls>" say that the session closed or asked for TLS. Lines of
// the client up to the next S line are sent at once. A literal's octets are lines like others; "X:
// " sends text with \r \n \t \\ \xHH escapes and no line end.
//
// Directives: @shared NAME (a namespace of nobody's) · @grant USER MAILBOX IDENTIFIER RIGHTS ·
// @quota USER BYTES MESSAGES (0: none) · @append USER MAILBOX TEXT (escapes as above) · @flags USER
// MAILBOX UID FLAGS-BITS ·
// @expunge USER MAILBOX UID · @fail CALL CODE TEXT · @block / @unblock writes · @serving TEXT
// (empty: serves again) · @timeout N · @deadline N · @shutdown N TEXT · @purge USER MAILBOX ·
// @damage USER MAILBOX UID · @deletebox USER MAILBOX · @limit BYTES · @insecure (sessions opened
// from here need TLS for passwords) · @notls
// · @certificate NAME… (they show such a certificate) · @exporter TEXT (they have a channel
// binding).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/env.h"
#include "tests/support/driven_session.h"
#include "tests/support/memory_mail_store.h"

namespace twinspool::testing {

/// How a transcript is fed. Its answers must be the same in each.
struct TranscriptMode {
  bool one_byte = false;        // input comes octet by octet
  bool complete_later = false;  // the store completes outside its calls
};

/// Makes the sessions of a transcript. All it is given outlives them.
using MakeShell =
    std::function<std::unique_ptr<net::Session>(net::SessionHost&, MailStore&, Clock&)>;

class TranscriptRunner {
 public:
  /// Of IMAP.
  explicit TranscriptRunner(TranscriptMode mode);
  TranscriptRunner(TranscriptMode mode, MakeShell shell);
  /// Runs the whole text. Empty when all went as written, otherwise where and how it did not.
  std::string Run(std::string_view transcript);

 private:
  struct Line;

  std::string RunLine(const Line& line);
  std::string Directive(const std::string& text);
  std::string Arrange(const std::string& verb, const std::string& rest);
  std::string Misbehave(const std::string& verb, const std::string& rest);
  void Append(const std::string& user, const std::string& mailbox, const std::string& octets);
  MailboxRef Find(const std::string& user, const std::string& mailbox);
  DrivenSession& SessionOf(int number);
  void Send(int number, std::string_view bytes);
  /// Runs posted functions and completions until nothing moves.
  void Settle();
  std::string Expect(int number, const std::string& pattern);
  std::string NothingLeft() const;

  TranscriptMode mode_;
  MakeShell shell_;
  ManualClock clock_;
  SeededRandom random_{1};
  MemoryMailStore store_{clock_, random_};
  std::map<std::string, UserRef> users_;
  DrivenSession::Options options_;
  std::map<int, std::unique_ptr<DrivenSession>> sessions_;
  std::map<int, std::string> to_send_;
};

/// Names of the transcripts in a folder, sorted and without ".txt"; and the text of one.
std::vector<std::string> TranscriptNames(const std::string& folder);
std::string TranscriptText(const std::string& folder, const std::string& name);

/// Whether `line` is what `pattern` says.
bool MatchesLine(std::string_view pattern, std::string_view line);
/// \r \n \t \\ \xHH.
std::string Unescape(std::string_view text);

}  // namespace twinspool::testing
