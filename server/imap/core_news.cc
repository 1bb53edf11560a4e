// What a session is told of without asking: the selected mailbox's news, and others' by NOTIFY.
#include <atomic>

#include "server/imap/core.h"

namespace twinspool::imap {

// --- the selected mailbox

void Core::StartWatch(const MailboxRef& mailbox) {
  news_ = due_ = false;
  signalled_ = std::make_shared<std::atomic<bool>>(false);
  watch_ = store_.WatchMailbox(mailbox, [post = post_, core = this, signalled = signalled_]() {
    // One wake-up is on its way or unheeded until the next sync: more would say nothing new.
    if (!signalled->exchange(true)) {
      post([core, signalled]() {
        if (core->signalled_ == signalled) {
          core->Step([core]() { core->OnNews(); });
        }
      });
    }
  });
}

void Core::OnNews() {
  news_ = true;
  due_ = true;
  if (task_ && !syncer_) {
    task_->OnNews();
  }
}

bool Core::ShouldSync() const {
  const bool wanted = news_ && selected_events().messages;
  return view_ != nullptr && !skip_sync_ && (wanted || sync_asked_ || traits_.always_sync);
}

void Core::SyncNow(std::function<void(const Status&)> done) {
  news_ = due_ = false;
  signalled_->store(false);
  // What was asked for is told whole, whatever NOTIFY says.
  style_.flags = std::exchange(sync_asked_, false) || (busy_ && traits_.always_sync) ||
                 selected_events().flags || !selected_events().messages;
  const bool expunges =
      busy_ ? !traits_.holds_numbers : notifier_ && selected_events().expunges_at_once;
  syncer_ = StartSync(*this, std::move(style_), expunges,
                      [this, done = std::move(done)](const Status& status) {
                        sync_done_ = [this, status, done]() {
                          if (status.Is(Code::kNotFound)) {
                            Bye("", "The selected mailbox was deleted");
                          } else if (status.Is(Code::kPermissionDenied)) {
                            Bye("", "The right to read the selected mailbox was taken back");
                          } else if (status.Is(Code::kFenced)) {
                            Bye(kUnavailableCode, status.message());
                          } else {
                            news_ = news_ || !status.ok();
                            done(status);
                          }
                        };
                      });
  style_ = SyncStyle();
}

// --- NOTIFY

const SelectedEvents& Core::selected_events() const {
  static const SelectedEvents kUnasked;
  return notifier_ ? notifier_->selected() : kUnasked;
}

void Core::SetNotifier(std::unique_ptr<Notifier> notifier) {
  notifier_ = std::move(notifier);
  due_ = news_;
}

void Core::NoteOwn(const MailboxRef& mailbox, const UidSet& uids) {
  if (view_ != nullptr && view_->ref().id == mailbox.id) {
    own_.Add(uids);
  }
  if (notifier_) {
    notifier_->OwnMessages(mailbox.id, uids.Count());
  }
}

void Core::OnUserNews() {
  user_news_ = true;
  if (task_ && !syncer_) {
    task_->OnNews();
  }
}

bool Core::news_due() const {
  return (due_ && view_ != nullptr && selected_events().messages) ||
         (user_news_ && notifier_ != nullptr);
}

bool Core::TellUnasked() {
  const bool due = !busy_ && notifier_ != nullptr && news_due();
  if (due) {
    TellNews([](const Status&) {});
  }
  return due;
}

void Core::TellNews(std::function<void(const Status&)> done) {
  due_ = false;
  if (view_ == nullptr || !selected_events().messages) {
    return TellUserNews(std::move(done));
  }
  SyncNow([this, done = std::move(done)](const Status& status) {
    if (!status.ok() || closing_) {
      return done(status);
    }
    TellUserNews(done);
  });
}

void Core::TellUserNews(std::function<void(const Status&)> done) {
  if (!notifier_ || !std::exchange(user_news_, false)) {
    return done(OkStatus());
  }
  syncer_ = notifier_->Tell(*this, [this, done = std::move(done)](const Status& status) {
    sync_done_ = [this, status, done] {
      if (status.Is(Code::kLimit)) {
        OnOverflow();
        return done(OkStatus());
      }
      if (status.Is(Code::kFenced)) {
        return Bye(kUnavailableCode, status.message());
      }
      user_news_missed_ = !status.ok();
      done(status);
    };
  });
}

/// RFC 5465 §5.8.
void Core::OnOverflow() {
  Untagged("OK [NOTIFICATIONOVERFLOW] Too much has changed; give NOTIFY again");
  notifier_ = std::make_unique<Notifier>(std::vector<NotifyGroup>());
}

}  // namespace twinspool::imap
