// NOTIFY (RFC 5465).
#include <utility>

#include "server/imap/notify.h"
#include "server/imap/tasks.h"

namespace twinspool::imap {
namespace {

class NotifyTask : public Task {
 public:
  using Task::Task;

  void Begin(cmd::Notify command) {
    notifier_ = std::make_unique<Notifier>(std::move(command.groups));
    if (!notifier_->others()) {
      return End();
    }
    run_ = notifier_->Begin(core(), command.status, [this](const Status& status) {
      if (!status.ok()) {
        return core().Fail(status);
      }
      End();
    });
  }

  void OnDrained() override {
    if (run_) {
      run_->OnDrained();
    }
  }

 private:
  void End() {
    core().SetNotifier(std::move(notifier_));
    core().Ok("NOTIFY completed");
  }

  std::unique_ptr<Notifier> notifier_;
  std::unique_ptr<Task> run_;
};

}  // namespace

std::unique_ptr<Task> Run(Core& core, cmd::Notify command) {
  if (command.unknown_event) {
    core.No(
        "[BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange "
        "MailboxMetadataChange ServerMetadataChange)] There are no other events here");
    return nullptr;
  }
  auto task = std::make_unique<NotifyTask>(core);
  task->Begin(std::move(command));
  return task;
}

}  // namespace twinspool::imap
