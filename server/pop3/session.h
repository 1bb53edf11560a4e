// pop3::Session: a user's INBOX by POP3 (RFC 1939) as a sans-I/O session over MailStore.
//
//   Extensions: CAPA (RFC 2449), STLS (RFC 2595), AUTH with an initial response (RFC 5034),
//   response codes AUTH and SYS (RFC 3206), TOP, UIDL, PIPELINING. Passwords need TLS or loopback
//   with the explicit option, as IMAP's do. No APOP, no UTF8, no LANG.
//
//   The maildrop is INBOX as of the login, of very many messages the oldest
//   limits::kPop3MessagesMax. There is no lock on it, and so no [IN-USE]: a number means one UID
//   for the whole session, UIDs are never given twice and octets never change, so the worst that
//   others can do is to remove a message, and then RETR says so and the session goes on. A lock
//   would keep a user's other devices out for as long as a broken connection lingers, and would
//   have to survive a failover.
//
//   QUIT is the one moment that writes. It sets \Deleted on the messages of DELE and expunges
//   exactly those; then \Seen is set on what RETR brought and stays (Dovecot does so by default,
//   and users expect it of webmail beside POP3), as far as that can be written. +OK means that the
//   messages of DELE are gone, acked by the pair. On -ERR some or all may be left, perhaps with
//   \Deleted set; DELE and QUIT of the next session finish it. A connection that ends without QUIT
//   has changed nothing.
//
//   Errors: what passes is -ERR [SYS/TEMP], what a person must look at -ERR [SYS/PERM], wrong
//   credentials -ERR [AUTH] after a pause. A node that does not serve greets with -ERR [SYS/TEMP]
//   and closes. When the outcome of QUIT is not known, or octets that were promised cannot be read,
//   the connection closes without a further word: half an answer would be taken for a whole one.
//   So do the timers (RFC 1939 §3): one minute before the login, which is to succeed within
//   limits::kLoginMs, then limits::kPop3IdleMs.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/env.h"
#include "common/limits.h"
#include "common/status.h"
#include "server/auth/user_seats.h"
#include "server/mail_store.h"
#include "server/net/session.h"
#include "server/pop3/command.h"
#include "server/pop3/dot_writer.h"
#include "server/pop3/maildrop.h"
#include "server/pop3/reply.h"

namespace twinspool::pop3 {

struct SessionOptions {
  /// Name for the greeting and CAPA; no blanks.
  std::string product = "Twinspool";
  /// First pause before a refused login is answered, in ms; doubled with each further refusal.
  std::int64_t login_delay_ms = 500;
  /// Bounds the sessions of one user; null: nothing does.
  std::shared_ptr<auth::UserSeats> seats;
  /// Told of every fault of ours (kInternal, kIo, kDataLoss) with the id that the client's answer
  /// shows in place of it. May be empty.
  std::function<void(std::string_view error_id, const Status& status)> on_fault;
};

/// Lives on its host's thread. One command is worked on at a time, in the client's order; at most
/// one call to the store is under way.
class Session final : public net::Session {
 public:
  /// `host`, `store` and `clock` outlive it.
  Session(net::SessionHost& host, MailStore& store, Clock& clock, SessionOptions options = {});
  ~Session() override = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void Start() override;
  void Input(std::string_view bytes) override;
  void OnDrained() override;
  void OnTls() override;
  void OnTimeout() override;
  void OnDeadline() override;
  void OnShutdown(std::string_view reason) override;

 private:
  enum class State {
    kCommand,    // waiting for a line
    kChallenge,  // waiting for the line that answers AUTH
    kBusy,       // the store is at work
    kRefused,    // a refused login waits for its answer
    kWriting,    // the client is behind with a long answer
    kClosed,
  };
  enum class Listing { kSizes, kUniqueIds };
  /// A message on its way to the client.
  struct Reading {
    BodyNo body;
    std::uint64_t size = 0;
    std::uint64_t at = 0;
    DotWriter dots;
    /// RETR: the message, to be marked once it is written.
    std::optional<std::size_t> retrieves;
  };

  // session.cc: taking input.
  /// The client does not take its output; OnDrained follows.
  bool Blocked() const { return host_.output_pending() > limits::kOutputHighBytes; }
  bool Ready() const {
    return state_ == State::kChallenge || (state_ == State::kCommand && !Blocked());
  }
  void Consume();
  bool ConsumeLine();
  void OnLine(std::string_view line);
  void Dispatch(const Command& command);
  void Capabilities();

  // session.cc: answering. All but Bad and the closing ones end the command at work.
  void Ok(std::string_view text);
  void Err(std::string_view code, std::string_view text);
  /// -ERR for what no sound client sends; too many of them end the session.
  void Bad(std::string_view text);
  /// -ERR, or the end, by what `status`, which is not OK, means to a client.
  void Fail(const Status& status);
  /// Tells the log, if `status` is a fault of ours. Answers the id that it has there.
  std::string Report(const Status& status);
  void Goodbye(const std::string& line);
  void Close();
  /// The completion for a call to the store that is made now: runs `fn` on this session's thread,
  /// and then what the client has sent meanwhile. `fn` calls the store again or ends the command.
  template <typename T, typename Fn>
  Done<T> Await(Fn fn);

  // login.cc
  bool SecureEnough();
  void Pass(std::string_view password);
  void Auth(std::string_view text);
  void Challenge(std::string_view octets);
  void OnResponse(std::string_view base64);
  void OnStep(Result<LoginStep> step);
  LoginClient Client() const;
  void Login(std::string user, std::string password);
  void OnLogin(Result<UserRef> user);
  void StartTls();
  void OpenMaildrop(UserId user);
  void ReadUids(MailboxRef mailbox, Uid from, const UidSet& uids);
  void ReadSizes(UidSet uids);
  void OnSizes(FetchBatch batch);

  // messages.cc
  void Stat();
  void List(const Command& command, Listing listing);
  void ListOn(Listing listing, std::size_t index);
  /// "number size" or "number unique-id".
  void AppendListed(std::string* out, Listing listing, std::size_t index) const;
  void Delete(const Command& command);
  void Reset();
  /// What a number of the client's means; nothing: -ERR was said.
  std::optional<std::size_t> Find(std::uint64_t number);
  void Retrieve(const Command& command);
  void OnMessage(std::size_t index, std::optional<std::uint64_t> lines, FetchBatch batch);
  void OnOctets(std::string_view octets);
  void ReadOctets();

  // update.cc
  void Quit();
  void Expunge(const UidSet& doomed);
  void CheckGone(UidSet left);
  void MarkSeen();
  /// Ends the session by what the update came to.
  void EndUpdate(const Status& status);

  net::SessionHost& host_;
  MailStore& store_;
  Clock& clock_;
  const SessionOptions options_;
  const net::Poster post_;

  State state_ = State::kCommand;
  std::string input_;
  std::size_t consumed_ = 0;  // of input_, within Consume
  bool paused_ = false;
  bool line_too_long_ = false;
  int bad_commands_ = 0;
  int login_failures_ = 0;

  std::optional<std::string> user_name_;     // of USER
  std::unique_ptr<LoginExchange> exchange_;  // of AUTH
  std::shared_ptr<void> seat_;               // of the user's sessions
  bool logged_in_ = false;
  Maildrop drop_;
  std::optional<Reading> reading_;
  std::function<void()> resume_;  // in kWriting
  bool mid_answer_ = false;       // an answer of many lines has begun
  bool updating_ = false;         // QUIT is at work
};

template <typename T, typename Fn>
Done<T> Session::Await(Fn fn) {
  state_ = State::kBusy;
  return [this, post = post_, fn = std::move(fn)](Result<T> result) {
    // Through the queue even when the store answers inside its call: no long answer becomes a deep
    // stack, and a session that is gone is not run.
    post([this, fn, held = std::make_shared<Result<T>>(std::move(result))] {
      if (state_ == State::kBusy) {
        fn(std::move(*held));
        Consume();
      }
    });
  };
}

}  // namespace twinspool::pop3
