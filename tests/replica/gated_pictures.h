// GatedPictures: holds a catch-up at the moment when its next unit would be read.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "replica/ports.h"

namespace twinspool::test {

/// Pictures of a store; while the gate is closed no unit is made.
class GatedPictures : public replica::PictureSource {
 public:
  explicit GatedPictures(replica::PictureSource& source) : source_(source) {}
  ~GatedPictures() override { Open(); }

  void Open() { Set(true); }
  void Close() { Set(false); }
  void WaitUntilSomebodyReads() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_; });
  }

  Result<std::unique_ptr<replica::Picture>> TakePicture() override {
    ASSIGN_OR_RETURN(auto picture, source_.TakePicture());
    return std::unique_ptr<replica::Picture>(new GatedPicture(*this, std::move(picture)));
  }

 private:
  class GatedPicture : public replica::Picture {
   public:
    GatedPicture(GatedPictures& gate, std::unique_ptr<replica::Picture> picture)
        : gate_(gate), picture_(std::move(picture)) {}
    EntryId position() const override { return picture_->position(); }
    Status StartSince(CommitSeq after) override { return picture_->StartSince(after); }
    Status StartUser(UserId user, std::vector<proto::BodyRef> have) override {
      return picture_->StartUser(user, std::move(have));
    }
    Status StartMailbox(MailboxId mailbox) override { return picture_->StartMailbox(mailbox); }
    Result<std::optional<proto::CatchUpUnit>> NextUnit(std::size_t bytes_max) override {
      gate_.Pass();
      return picture_->NextUnit(bytes_max);
    }
    Result<std::vector<proto::UserDigest>> Users() override { return picture_->Users(); }
    Result<std::vector<proto::MailboxDigest>> MailboxDigests(MailboxId after,
                                                             std::size_t limit) override {
      return picture_->MailboxDigests(after, limit);
    }

   private:
    GatedPictures& gate_;
    const std::unique_ptr<replica::Picture> picture_;
  };

  void Set(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  void Pass() {
    std::unique_lock lock(mutex_);
    waiting_ = !open_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }

  replica::PictureSource& source_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  bool waiting_ = false;
};

}  // namespace twinspool::test
