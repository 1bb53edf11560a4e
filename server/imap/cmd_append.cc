// APPEND, MULTIAPPEND and REPLACE (RFC 3501 §6.3.11, RFC 3502, RFC 8508, APPENDUID of RFC 4315).
//
// The octets go straight on into BodyStages, one piece at a time: while the store takes one, no
// further event is asked for, and the reader's buffer pushes back on the client.
#include "server/imap/answers.h"
#include "server/imap/messages.h"
#include "server/imap/tasks.h"

namespace twinspool::imap {
namespace {

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
    } else if (const auto* data = std::get_if<AppendData>(&event)) {
      OnData(data->octets);
    } else if (std::holds_alternative<AppendEnd>(event)) {
      OnEnd();
    } else if (const auto* bad = std::get_if<BadLine>(&event)) {
      finished_ = true;
      core().Bad(bad->text);
    } else if (const auto* big = std::get_if<LiteralTooBig>(&event)) {
      finished_ = true;
      core().No(big->message ? "[TOOBIG] The message is larger than APPENDLIMIT"
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
    refusal_ = [this, status] { core().Fail(status, Missing::kTryCreate); };
  }

  void OnMessage(AppendMessageBegin begin) {
    if (!refusal_ && begin.size == 0) {
      refusal_ = [this] { core().No("[CANNOT] A message has at least one octet"); };
    }
    small_octets_ += begin.size <= limits::kInlineBodyBytesMax ? begin.size : 0;
    if (!refusal_ && (messages_.size() >= limits::kAtomicMessagesMax ||
                      small_octets_ > limits::kSmallAppendBytesMax)) {
      refusal_ = [this] { core().No("[LIMIT] Too many messages in one APPEND"); };
    }
    if (!refusal_) {
      Result<std::unique_ptr<BodyStage>> stage =
          core().store().StageBody(mailbox_.owner, begin.size);
      if (stage.ok()) {
        AppendMessage& message = messages_.emplace_back();
        message.body = std::move(*stage);
        message.flags = std::move(begin.flags);
      } else if (stage.status().Is(Code::kLimit)) {
        refusal_ = [this] { core().No("[TOOBIG] The message is larger than APPENDLIMIT"); };
      } else {
        RefuseWith(stage.status());
      }
    }
    if (refusal_) {
      finished_ = true;
      core().reader().RefuseLiteral();
      return refusal_();
    }
    if (begin.date) {
      messages_.back().internal_date = begin.date->seconds;
      messages_.back().zone_minutes = begin.date->zone_minutes;
    }
    if (begin.sync) {
      core().out() += "+ Ready for the message\r\n";
    }
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

  void OnEnd() {
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
  std::function<void()> refusal_;   // what to answer at the next literal
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
