// ViewLoader: reads which messages a mailbox holds into a SelectedView, batch by batch.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "server/imap/core.h"
#include "server/imap/selected.h"

namespace twinspool::imap {

class ViewLoader {
 public:
  /// Both must outlive it. `task` is the one that it works for.
  ViewLoader(Task& task, Core& core) : task_(task), core_(core) {}

  /// One after the other. `done`: OK when view() holds all that state() speaks of.
  void Load(MailboxRef ref, bool read_only, std::function<void(const Status&)> done);

  /// The mailbox as of the first batch: UIDNEXT is true for the whole view.
  const MailboxState& state() const { return state_; }
  SelectedView& view() { return *view_; }
  std::unique_ptr<SelectedView> TakeView() { return std::move(view_); }
  /// Sequence number of the first message without \Seen; 0: there is none.
  std::uint32_t first_unseen() const { return first_unseen_; }

 private:
  void ReadOn(Uid from);
  void OnUids(Result<UidBatch> batch);

  Task& task_;
  Core& core_;
  std::function<void(const Status&)> done_;
  std::unique_ptr<SelectedView> view_;
  bool loaded_ = false;
  MailboxState state_;
  std::uint32_t first_unseen_ = 0;
};

}  // namespace twinspool::imap
