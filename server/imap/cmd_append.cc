// APPEND, MULTIAPPEND and REPLACE (RFC 3501 §6.3.11, RFC 3502, RFC 8508, APPENDUID of RFC 4315),
// each also with CATENATE (RFC 4469).
//
// The octets go straight on into BodyStages, one piece at a time: while the store takes one, no
// further event is asked for, and the reader's buffer pushes back on the client.
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "server/imap/answers.h"
#include "server/imap/messages.h"
#include "server/imap/tasks.h"
#include "server/imap/url_octets.h"

namespace twinspool::imap {
namespace {

constexpr std::string_view kTooBig = "[TOOBIG] The message is larger than APPENDLIMIT";

/// "[BADURL …] " with what the client sent, fit for a response code.
std::string BadUrl(const std::string& url) {
  std::string code = "[BADURL ";
  for (const char c : url.substr(0, limits::kResponseTextBytesMax)) {
    const bool plain = c > ' ' && c <= '~' && c != ']' && c != '\\';
    code += plain ? c : '?';
  }
  return code + "] ";
}

class AppendTask : public Task {
 public:
  using Task::Task;

  void Begin(const std::string& mailbox, const std::optional<ReplaceTarget>& replaces) {
    if (core().state() == State::kNotAuthenticated) {
      refusal_ = [this] { core().Bad("Log in first"); };
      return;
    }
    if (replaces && !FindOld(*replaces)) {
      return;
    }
    waiting_ = true;
    core().store().FindMailbox(
        core().user().id, NormalName(mailbox),
        Then<MailboxState>([this](const Result<MailboxState>& state) {
          waiting_ = false;
          if (!state.ok()) {
            return RefuseWith(state.status());
          }
          mailbox_ = state->ref;
          if ((state->rights & kRightInsert) == 0) {
            RefuseWith(PermissionDenied("this takes the right \"i\" to the mailbox"));
          }
        }));
  }

  bool hungry() const override { return !waiting_ && !finished_; }

  void OnEvent(Event&& event) override {
    if (auto* begin = std::get_if<AppendMessageBegin>(&event)) {
      OnMessage(std::move(*begin));
    } else if (auto* url = std::get_if<CatenateUrl>(&event)) {
      OnUrl(std::move(url->url));
    } else if (const auto* text = std::get_if<CatenateText>(&event)) {
      OnText(*text);
    } else if (const auto* literal = std::get_if<NeedContinuation>(&event)) {
      OnUrlLiteral(*literal);
    } else if (const auto* data = std::get_if<AppendData>(&event)) {
      OnData(data->octets);
    } else if (std::holds_alternative<AppendEnd>(event)) {
      OnEnd();
    } else if (const auto* bad = std::get_if<BadLine>(&event)) {
      finished_ = true;
      core().Bad(bad->text);
    } else if (const auto* big = std::get_if<LiteralTooBig>(&event)) {
      finished_ = true;
      core().No(big->message ? std::string(kTooBig)
                             : "[LIMIT] The literal is too long for this command");
    }
  }

 private:
  /// The UID of the message that a REPLACE is about; false: the command is refused.
  bool FindOld(const ReplaceTarget& target) {
    if (core().view() == nullptr) {
      refusal_ = [this] { core().Bad("Select a mailbox first"); };
    } else if (core().view()->read_only()) {
      refusal_ = [this] { core().No("The mailbox is open for reading only"); };
    } else if (core().uid_only() && !target.uid) {
      refusal_ = [this] { core().Bad("[UIDREQUIRED] This session names messages by UID"); };
    } else {
      SequenceSet set;
      set.ranges.push_back({target.number, target.number});
      const Result<UidSet> uids = MessagesOf(*core().view(), set, target.uid);
      if (!uids.ok()) {
        refusal_ = [this, status = uids.status()] { core().Bad(std::string(status.message())); };
      } else if (uids->empty()) {
        refusal_ = [this] { core().No("[NONEXISTENT] There is no such message"); };
      } else {
        old_ = Uid(uids->Min());
      }
    }
    return !refusal_;
  }

  void RefuseWith(const Status& status) {
    if (!refusal_) {
      refusal_ = [this, status] { core().Fail(status, Missing::kTryCreate); };
    }
  }

  void RefuseWith(std::string text) {
    if (!refusal_) {
      refusal_ = [this, text = std::move(text)] { core().No(text); };
    }
  }

  void OnMessage(AppendMessageBegin begin) {
    EndMessage();
    if (begin.size == 0 && !begin.catenate) {
      RefuseWith("[CANNOT] A message has at least one octet");
    }
    small_octets_ += begin.size <= limits::kInlineBodyBytesMax ? begin.size : 0;
    if (messages_.size() >= limits::kAtomicMessagesMax) {
      RefuseWith(TooManyMessages());
    }
    if (small_octets_ > limits::kSmallAppendBytesMax) {
      RefuseWith("[LIMIT] The messages of one APPEND come to too many octets");
    }
    catenating_ = begin.catenate;
    pieces_ = 0;
    if (!refusal_) {
      Stage(std::move(begin));
    }
    if (!begin.catenate) {
      Proceed(begin.sync, "+ Ready for the message\r\n");
    }
  }

  void Stage(AppendMessageBegin begin) {
    Result<std::unique_ptr<BodyStage>> stage = core().store().StageBody(mailbox_.owner, begin.size);
    if (!stage.ok() && stage.status().Is(Code::kLimit)) {
      return RefuseWith(std::string(kTooBig));
    }
    if (!stage.ok()) {
      return RefuseWith(stage.status());
    }
    AppendMessage& message = messages_.emplace_back();
    message.body = std::move(*stage);
    message.flags = std::move(begin.flags);
    if (begin.date) {
      message.internal_date = begin.date->seconds;
      message.zone_minutes = begin.date->zone_minutes;
    }
  }

  /// Has a literal come, or refuses it and the command with it.
  void Proceed(bool sync, std::string_view ready) {
    if (refusal_) {
      finished_ = true;
      core().reader().RefuseLiteral();
      return refusal_();
    }
    core().out() += sync ? ready : "";
  }

  void OnData(std::string_view octets) {
    waiting_ = true;
    messages_.back().body->Write(std::string(octets), Then<Unit>([this](const Result<Unit>& done) {
                                   waiting_ = false;
                                   if (!done.ok()) {
                                     finished_ = true;
                                     core().reader().DiscardCommand();
                                     core().Fail(done.status(), Missing::kTryCreate);
                                   }
                                 }));
  }

  // --- CATENATE

  /// The pieces of a message are all there: what is known of others beforehand is known now.
  void EndMessage() {
    if (!std::exchange(catenating_, false) || refusal_) {
      return;
    }
    const std::uint64_t size = messages_.back().body->size();
    if (size == 0) {
      RefuseWith("[CANNOT] A message has at least one octet");
    }
    small_octets_ += size <= limits::kInlineBodyBytesMax ? size : 0;
  }

  void CountPiece() {
    if (++pieces_ > limits::kCatenatePartsMax) {
      RefuseWith("[LIMIT] Too many pieces of one message");
    }
  }

  void OnText(const CatenateText& text) {
    CountPiece();
    if (!refusal_ &&
        messages_.back().body->size() + text.size > core().store().message_bytes_max()) {
      RefuseWith(std::string(kTooBig));
    }
    Proceed(text.sync, "+ Ready for the text\r\n");
  }

  void OnUrlLiteral(const NeedContinuation& /*literal*/) {
    Proceed(true, "+ Ready for the URL\r\n");
  }

  void OnUrl(std::string text) {
    CountPiece();
    if (refusal_) {
      return;
    }
    waiting_ = true;
    const std::string bad_url = BadUrl(text);
    url_.emplace(*this, core());
    url_->Begin(
        std::move(text),
        [this](std::string piece, std::function<void()> next) {
          TakePiece(std::move(piece), std::move(next));
        },
        [this, bad_url](const Status& done) {
          if (done.Is(Code::kInvalidArgument)) {
            RefuseWith(bad_url + std::string(done.message()));
          } else if (!done.ok()) {
            RefuseWith(done);
          }
          // url_ itself is at work here.
          Then<Unit>([this](const Result<Unit>&) { waiting_ = false; })(Unit{});
        });
  }

  void TakePiece(std::string piece, std::function<void()> next) {
    messages_.back().body->Write(
        std::move(piece), Then<Unit>([this, next = std::move(next)](const Result<Unit>& done) {
          if (done.ok()) {
            return next();
          }
          if (done.status().Is(Code::kLimit)) {
            RefuseWith(std::string(kTooBig));
          } else {
            RefuseWith(done.status());
          }
          waiting_ = false;
        }));
  }

  // --- the end

  void OnEnd() {
    EndMessage();
    if (refusal_) {
      finished_ = true;
      return refusal_();
    }
    waiting_ = true;
    auto done = Then<AppendResult>([this](const Result<AppendResult>& result) { OnDone(result); });
    if (old_) {
      core().store().Replace(mailbox_, std::move(messages_.front()), core().view()->ref(), *old_,
                             std::move(done));
    } else {
      core().store().Append(mailbox_, std::move(messages_), std::move(done));
    }
  }

  void OnDone(const Result<AppendResult>& result) {
    finished_ = true;
    if (!result.ok()) {
      return core().Fail(result.status(), old_ ? Missing::kNonExistent : Missing::kTryCreate);
    }
    core().NoteOwn(mailbox_, result->uids);
    std::string text = "[APPENDUID ";
    AppendNumber(&text, result->uid_validity.value());
    text += ' ';
    AppendSet(&text, result->uids);
    if (old_) {
      // Before the EXPUNGE, so that the client knows what came in its place (RFC 8508 §3.2).
      core().Untagged("OK " + text + "] Stored in its place");
      return core().Ok("REPLACE completed");
    }
    core().Ok(text + "] APPEND completed");
  }

  MailboxRef mailbox_;
  std::optional<Uid> old_;  // of REPLACE
  std::vector<AppendMessage> messages_;
  std::uint64_t small_octets_ = 0;  // of bodies that wait in memory
  std::function<void()> refusal_;   // what to answer at the next literal, or the end
  bool catenating_ = false;         // the last message is made of pieces
  std::size_t pieces_ = 0;          // of it
  std::optional<UrlOctets> url_;    // the one at work
  bool waiting_ = false;
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<Task> RunAppend(Core& core, const AppendBegin& begin) {
  auto task = std::make_unique<AppendTask>(core);
  task->Begin(begin.mailbox, begin.replaces);
  return task;
}

}  // namespace twinspool::imap
