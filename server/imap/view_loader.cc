#include "server/imap/view_loader.h"

#include <utility>

namespace twinspool::imap {

void ViewLoader::Load(MailboxRef ref, bool read_only, std::function<void(const Status&)> done) {
  done_ = std::move(done);
  view_ = std::make_unique<SelectedView>(ref, read_only);
  loaded_ = false;
  first_unseen_ = 0;
  ReadOn(Uid(1));
}

void ViewLoader::ReadOn(Uid from) {
  core_.store().ReadUids(view_->ref(), from, task_.Then<UidBatch>([this](Result<UidBatch> batch) {
    OnUids(std::move(batch));
  }));
}

void ViewLoader::OnUids(Result<UidBatch> batch) {
  // What `done` does may be another Load.
  if (!batch.ok()) {
    return std::exchange(done_, nullptr)(batch.status());
  }
  if (!std::exchange(loaded_, true)) {
    state_ = batch->state;
  }
  // Mail that came after the first batch is told by the next sync: UIDNEXT must stay true.
  if (batch->uids.Max() >= state_.uid_next.value()) {
    batch->uids = batch->uids.Minus(UidSet::Of(state_.uid_next.value(), UINT32_MAX));
  }
  view_->Load(*batch);
  if (first_unseen_ == 0 && batch->first_unseen != Uid()) {
    first_unseen_ = view_->NumberOf(batch->first_unseen);
  }
  if (batch->next) {
    return ReadOn(*batch->next);
  }
  std::exchange(done_, nullptr)(OkStatus());
}

}  // namespace twinspool::imap
