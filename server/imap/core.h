// Core: the state machine of one IMAP session, and what its commands may use.
//
// Bytes go into CommandReader; its events start commands, one after another. A command that is not
// done at once leaves a Task, which the Core owns until the command has finished. Commands write
// untagged responses into out() and end by exactly one of Finish, FinishWith or Bye; the Core then
// tells the news of the selected mailbox, writes the tagged line and goes on with the next command.
//
// All of it runs on the session's thread (net/session.h). Whatever one call into the session
// writes leaves together.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "server/imap/command.h"
#include "server/imap/events.h"
#include "server/imap/fetch_message.h"
#include "server/imap/notify.h"
#include "server/imap/reader.h"
#include "server/imap/response.h"
#include "server/imap/search_context.h"
#include "server/imap/selected.h"
#include "server/imap/session.h"
#include "server/imap/sync.h"

namespace twinspool::imap {

class Core;

/// Response code of RFC 5530.
inline constexpr std::string_view kUnavailableCode = "UNAVAILABLE";

/// RFC 3501 §3. Logout is a Core that is closing.
enum class State { kNotAuthenticated, kAuthenticated, kSelected };

/// What the state machine must know of a command.
struct CommandTraits {
  const char* name = "";
  bool before_login = false;  // allowed in kNotAuthenticated
  bool after_login = false;   // allowed in kAuthenticated and kSelected
  bool selected_only = false;
  /// Messages are named by sequence number, which UIDONLY forbids.
  bool by_number = false;
  /// EXPUNGE may not be told with its answer: it names messages by sequence number.
  bool holds_numbers = false;
  /// The mailbox is synced before the tagged answer even when no news was signalled.
  bool always_sync = false;
};

/// A command on its way. Plain ones need no subclass: they only lend their life to completions.
class Task {
 public:
  explicit Task(Core& core) : core_(core) {}
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  virtual ~Task() = default;

  /// Whether the reader's next events belong to this command (APPEND, IDLE, AUTHENTICATE).
  virtual bool hungry() const { return false; }
  virtual void OnEvent(Event&& event) { static_cast<void>(event); }
  /// The client took its output; go on producing.
  virtual void OnDrained() {}
  /// The selected mailbox has news.
  virtual void OnNews() {}
  /// The timeout set last has passed; false: the session ends.
  virtual bool OnTimeout() { return false; }

  /// A completion that runs `fn` on the session's thread, unless this task is gone by then.
  template <typename T, typename Fn>
  Done<T> Then(Fn fn);
  /// Runs `work`, which owns all that it touches, where no session waits for it
  /// (SessionOptions::aside), and then `fn` with its result, as Then does.
  template <typename T, typename Work, typename Fn>
  void Aside(Work work, Fn fn);

 protected:
  Core& core() { return core_; }

 private:
  Core& core_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

class Core : public net::Session {
 public:
  Core(net::SessionHost& host, MailStore& store, Clock& clock, SessionOptions options);
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  ~Core() override;

  // net::Session
  void Start() override;
  void Input(std::string_view bytes) override;
  void OnDrained() override;
  void OnTls() override;
  void OnTimeout() override;
  void OnDeadline() override;
  void OnShutdown(std::string_view reason) override;

  // --- surroundings
  MailStore& store() { return store_; }
  net::SessionHost& host() { return host_; }
  Clock& clock() { return clock_; }
  const SessionOptions& options() const { return options_; }
  CommandReader& reader() { return reader_; }
  /// The way of a completion from any thread back to this session's; it may outlive the session.
  const net::Poster& poster() const { return post_; }
  /// Runs `fn` and then all that it made possible. Entry point of completions.
  void Step(const std::function<void()>& fn);

  // --- the session's state
  State state() const { return state_; }
  const UserRef& user() const { return user_; }
  /// False: the user has all the sessions that he may have.
  bool LoggedIn(UserRef user);
  /// UNAUTHENTICATE (RFC 8437): as if nobody had logged in yet.
  void LoggedOut();
  /// The selected mailbox; null outside kSelected.
  SelectedView* view() { return view_.get(); }
  void Select(std::unique_ptr<SelectedView> view);
  /// News of `mailbox` reach this session from now on. To be called before its index is read.
  void StartWatch(const MailboxRef& mailbox);
  void Unselect();
  /// CONDSTORE was made use of: MODSEQ goes into every FETCH response from now on.
  bool condstore() const { return condstore_; }
  bool qresync() const { return qresync_; }
  /// The first time while a mailbox is selected, its HIGHESTMODSEQ is told (RFC 7162 §3.1).
  void EnableCondstore();
  void EnableQresync();
  /// Names and strings are UTF-8 on the wire (RFC 6855, RFC 9051).
  bool utf8() const { return utf8_; }
  void EnableUtf8();
  /// What RFC 9051 does otherwise than RFC 3501 is done its way.
  bool rev2() const { return rev2_; }
  void EnableRev2();
  /// Messages are named by UID only (RFC 9586).
  bool uid_only() const { return uid_only_; }
  void EnableUidOnly() { uid_only_ = true; }
  /// The mailbox has changed since it was last synced, as far as we were woken.
  bool news() const { return news_; }
  /// Searches of the selected mailbox that are kept up to date (RFC 5267).
  std::vector<SearchContext>& contexts() { return contexts_; }
  /// What NOTIFY asked for; null until it is given.
  Notifier* notifier() { return notifier_.get(); }
  void SetNotifier(std::unique_ptr<Notifier> notifier);
  const SelectedEvents& selected_events() const;
  /// Messages that this session itself has stored in `mailbox`.
  void NoteOwn(const MailboxRef& mailbox, const UidSet& uids);
  /// Of them, those in the selected mailbox which no sync has met yet; forgets them.
  UidSet TakeOwn() { return std::exchange(own_, UidSet()); }
  /// Something of the user's has changed.
  void OnUserNews();
  /// Of the large message whose parts were fetched last.
  KnownStructure* known_structure() { return &known_structure_; }
  /// HIGHESTMODSEQ of a mailbox as this session may say it: of the selected one not more than told.
  Modseq TellableModseq(const MailboxState& state) const;
  /// Counts a refused login; how many there were by now.
  int CountLoginFailure() { return ++login_failures_; }
  std::string Capabilities() const;

  // --- answering
  /// Where responses are appended; whole lines with CRLF.
  std::string& out() { return out_; }
  /// "* " text CRLF.
  void Untagged(std::string_view text);
  /// Says how far the command has come when it has taken long since it began or said so last
  /// (RFC 9585). May be called as often as anything was done.
  void TellProgress(std::uint64_t done, std::uint64_t total);
  /// Hands what was written to the host; true when the client is behind and the command should
  /// wait for Task::OnDrained.
  bool FlushAndCheckBlocked();
  /// The client does not take its output; OnDrained follows.
  bool Blocked() const { return host_.output_pending() > limits::kOutputHighBytes; }
  /// Has the sync before the tagged answer happen although no news was signalled.
  void RequestSyncIf(bool wanted) { sync_asked_ = sync_asked_ || wanted; }
  /// Ends the command: "tag OK text" and the like. `text` may begin with a "[CODE] ".
  void Finish(Condition condition, std::string text);
  void Ok(std::string text) { Finish(Condition::kOk, std::move(text)); }
  void No(std::string text) { Finish(Condition::kNo, std::move(text)); }
  void Bad(std::string text) { Finish(Condition::kBad, std::move(text)); }
  /// "OK" with a text that is made after the news were told.
  void OkLater(std::function<std::string()> text);
  /// "OK done" or what `status` means to a client: NO with its code, or the end of the connection.
  void FinishWith(const Status& status, std::string done, Missing missing = Missing::kNonExistent);
  /// Ends the command by what `status`, which is not OK, means to a client.
  void Fail(const Status& status, Missing missing = Missing::kNonExistent) {
    FinishWith(status, "", missing);
  }
  /// "* BYE [code] text", and the connection ends without a tagged answer. `code` may be empty.
  void Bye(std::string_view code, std::string_view text);
  /// Takes no more input until released: a refused login waits.
  void HoldInput(bool hold) { input_held_ = hold; }
  /// After the tagged OK: closes (LOGOUT), starts TLS or compresses.
  void CloseAfterReply() { close_after_reply_ = true; }
  void StartTlsAfterReply() { tls_after_reply_ = true; }
  void CompressAfterReply() { compress_after_reply_ = true; }
  /// Leaves out the news before the tagged answer of this command (CLOSE, SELECT …).
  void SkipSync() { skip_sync_ = true; }
  /// Says how the sync before the tagged answer treats this command's own changes.
  void set_sync_uid(bool uid) { style_.uid = uid; }
  void set_sync_style(SyncStyle style) { style_ = std::move(style); }
  /// Tells news now (IDLE). `done` runs on the session's thread when all is written; not OK: some
  /// could not be read, news() stays and the next sync tells them.
  void SyncNow(std::function<void(const Status&)> done);
  /// Tells all that the client wants to hear of unasked: of the selected mailbox, and by NOTIFY of
  /// others. As SyncNow.
  void TellNews(std::function<void(const Status&)> done);
  /// There is something for TellNews since it was last called.
  bool news_due() const;
  const std::string& tag() const { return tag_; }

 private:
  void Pump();
  bool PumpOnce();
  void Handle(Event event);
  void StartCommand(Command command);
  void StartAppend(const AppendBegin& begin);
  bool Allowed(const CommandTraits& traits);
  void Refuse(const std::string& tag, Condition condition, std::string_view code,
              std::string_view text);
  void RefuseLiteral(const LiteralTooBig& big);
  void CountBad();
  void EndCommand();
  void WriteTagged();
  void AppendReply(Condition condition, std::string_view text);
  std::string NextErrorId();
  void BalanceInput();
  void Flush();
  void OnNews();
  bool ShouldSync() const;
  /// Between two commands, to a client of NOTIFY; whether there was anything to tell.
  bool TellUnasked();
  void TellUserNews(std::function<void(const Status&)> done);
  void OnOverflow();

  net::SessionHost& host_;
  MailStore& store_;
  Clock& clock_;
  SessionOptions options_;
  const net::Poster post_;
  CommandReader reader_;
  std::string out_;

  State state_ = State::kNotAuthenticated;
  UserRef user_;
  std::shared_ptr<void> seat_;  // of the user's sessions
  std::unique_ptr<SelectedView> view_;
  std::vector<SearchContext> contexts_;
  UidSet own_;
  std::unique_ptr<Watch> watch_;
  /// Shared with the watch: a wake-up is on its way. A new one for each selection, so that wake-ups
  /// of an earlier one are told apart.
  std::shared_ptr<std::atomic<bool>> signalled_ = std::make_shared<std::atomic<bool>>(false);
  bool news_ = false;
  bool due_ = false;         // news_ came since TellNews began last
  bool sync_asked_ = false;  // by the command at work
  std::unique_ptr<Notifier> notifier_;
  bool user_news_ = false;
  bool user_news_missed_ = false;  // could not be read: the next command looks again
  bool condstore_ = false;
  bool qresync_ = false;
  bool utf8_ = false;
  bool rev2_ = false;
  bool uid_only_ = false;
  KnownStructure known_structure_;
  int login_failures_ = 0;
  int bad_commands_ = 0;

  // The command at work.
  bool busy_ = false;
  std::string tag_;
  CommandTraits traits_;
  Instant progress_told_;
  std::unique_ptr<Task> task_;
  /// A sync under way, and what to do once it has written all.
  std::unique_ptr<Task> syncer_;
  std::function<void()> sync_done_;
  std::optional<std::pair<Condition, std::string>> reply_;
  std::function<std::string()> late_text_;
  bool skip_sync_ = false;
  bool close_after_reply_ = false;
  bool tls_after_reply_ = false;
  bool compress_after_reply_ = false;
  SyncStyle style_;

  bool input_held_ = false;    // by the command at work
  bool input_paused_ = false;  // as the host was told
  bool output_blocked_ = false;
  bool closing_ = false;
};

template <typename T, typename Fn>
Done<T> Task::Then(Fn fn) {
  return [post = core_.poster(), core = &core_, weak = std::weak_ptr<int>(alive_),
          fn = std::move(fn)](Result<T> result) mutable {
    auto held = std::make_shared<Result<T>>(std::move(result));
    post([core, weak, fn, held]() mutable {
      if (!weak.expired()) {
        core->Step([&]() { fn(std::move(*held)); });
      }
    });
  };
}

template <typename T, typename Work, typename Fn>
void Task::Aside(Work work, Fn fn) {
  const std::function<void()> run = [work = std::move(work), done = Then<T>(std::move(fn))] {
    done(work());
  };
  if (!core_.options().aside || !core_.options().aside(run)) {
    run();
  }
}

}  // namespace twinspool::imap
