// IDLE (RFC 2177): news as they happen, until the client says DONE.
//
// Wake-ups come from the store's watch. Should one be lost, a look every limits::kIdlePollMs finds
// the news all the same, and the line written then keeps middleboxes from forgetting the
// connection.
#include <cctype>

#include "server/imap/tasks.h"

namespace twinspool::imap {
namespace {

class IdleTask : public Task {
 public:
  using Task::Task;

  void Begin() {
    core().out() += "+ idling\r\n";
    core().reader().ReadRawLine();
    core().host().SetTimeout(limits::kIdlePollMs);
    Look();
  }

  bool hungry() const override { return !finished_; }

  void OnEvent(Event&& event) override {
    finished_ = true;
    core().host().SetTimeout(limits::kIdleMs);
    const auto* line = std::get_if<RawLine>(&event);
    std::string word = line == nullptr ? "" : line->text;
    for (char& c : word) {
      c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    if (word == "DONE") {
      core().Ok("IDLE completed");
    } else {
      core().Bad("IDLE ends with DONE");
    }
  }

  void OnNews() override { Look(); }
  void OnDrained() override { Look(); }

  bool OnTimeout() override {
    waited_ms_ += limits::kIdlePollMs;
    if (finished_ || waited_ms_ >= limits::kIdleMs) {
      return false;
    }
    core().host().SetTimeout(limits::kIdlePollMs);
    core().Untagged("OK Still here");
    Look();
    return true;
  }

 private:
  void Look() {
    const bool nothing = core().view() == nullptr && core().notifier() == nullptr;
    if (nothing || looking_ || finished_ || core().Blocked()) {
      return;
    }
    looking_ = true;
    core().TellNews([this](const Status& status) {
      looking_ = false;
      // After a failure the next wake-up or poll looks again, not this loop.
      if (status.ok() && core().news_due()) {
        Look();
      }
    });
  }

  bool looking_ = false;
  bool finished_ = false;
  std::int64_t waited_ms_ = 0;
};

}  // namespace

std::unique_ptr<Task> Run(Core& core, cmd::Idle) {
  auto task = std::make_unique<IdleTask>(core);
  task->Begin();
  return task;
}

}  // namespace twinspool::imap
