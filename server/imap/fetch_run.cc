#include "server/imap/fetch_run.h"

#include <utility>

namespace twinspool::imap {

void FetchRun::Begin(UidSet uids, std::function<void(const Status&)> done) {
  rest_ = std::move(uids);
  done_ = std::move(done);
  Read();
}

void FetchRun::OnDrained() {
  if (resume_) {
    const std::function<void()> resume = std::exchange(resume_, nullptr);
    resume();
  }
}

void FetchRun::WhenDrained(std::function<void()> next) {
  if (core_.FlushAndCheckBlocked()) {
    resume_ = std::move(next);
  } else {
    next();
  }
}

void FetchRun::Read() {
  FetchRequest request;
  request.uids = rest_;
  request.parts = kFetchRecord;
  if (plan_.flags || plan_.modseq || plan_.sets_seen) {
    request.parts |= kFetchIndex;
  }
  if (plan_.summary) {
    request.parts |= kFetchSummary;
  }
  request.body_bytes = plan_.body_bytes;
  core_.store().Fetch(
      core_.view()->ref(), std::move(request),
      task_.Then<FetchBatch>([this](Result<FetchBatch> batch) { OnBatch(std::move(batch)); }));
}

void FetchRun::OnBatch(Result<FetchBatch> batch) {
  if (!batch.ok()) {
    return done_(batch.status());
  }
  batch_ = std::move(*batch);
  at_ = 0;
  if (plan_.flags) {
    TellKeywords(core_, *core_.view(), batch_.keywords);
  }
  message_.emplace(items_, plan_, *batch_.keywords, core_.known_structure());
  NextMessage();
}

void FetchRun::NextMessage() {
  // A loop and not a chain of calls: a batch holds thousands of messages.
  while (at_ < batch_.messages.size()) {
    FetchedMessage& message = batch_.messages[at_++];
    const std::uint32_t number = core_.view()->NumberOf(message.uid);
    if (number == 0) {
      continue;
    }
    ++answered_;
    if (!message.failure.ok()) {
      // The others are told all the same, or one damaged message would hide all behind it.
      failure_ = message.failure;
      continue;
    }
    if (plan_.sets_seen && (message.entry.flags & kSeen) == 0 && !message.entry.expunged) {
      unseen_.Add(message.uid);
    }
    message_->Begin(&core_.out(), number, std::move(message));
    if (const std::optional<FetchMessage::Wanted> wanted = message_->Write(&core_.out())) {
      return Provide(*wanted);
    }
    if (core_.FlushAndCheckBlocked()) {
      resume_ = [this] { NextMessage(); };
      return;
    }
  }
  rest_ = std::move(batch_.rest);
  batch_ = FetchBatch();
  if (rest_.empty()) {
    return done_(OkStatus());
  }
  Read();
}

void FetchRun::Provide(FetchMessage::Wanted wanted) {
  if (wanted.holds > 0 && place_ != nullptr) {
    // A load under way: others wait for its place, so it waits for nobody.
    return ReadOctets(wanted);
  }
  WhenDrained([this, wanted] {
    if (wanted.length == 0) {
      // Through the queue, so that a long answer does not become a deep stack.
      return task_.Then<Unit>([this](const Result<Unit>&) { GoOn(); })(Unit{});
    }
    if (wanted.holds > 0) {
      return core_.options().loads->Ask(
          wanted.holds,
          task_.Then<LoadBudget::PlacePtr>([this, wanted](Result<LoadBudget::PlacePtr> place) {
            place_ = std::move(*place);
            ReadOctets(wanted);
          }));
    }
    ReadOctets(wanted);
  });
}

void FetchRun::ReadOctets(FetchMessage::Wanted wanted) {
  core_.store().ReadBody(core_.view()->ref().owner, message_->message().record.body, wanted.offset,
                         wanted.length, task_.Then<std::string>([this](Result<std::string> octets) {
                           if (!octets.ok() || octets->empty()) {
                             // The client was promised octets that cannot be had.
                             return core_.Bye(
                                 "", "The rest of a message cannot be read; connect again");
                           }
                           message_->Octets(std::move(*octets));
                           GoOn();
                         }));
}

void FetchRun::GoOn() {
  const std::optional<FetchMessage::Wanted> wanted = message_->Write(&core_.out());
  if (!wanted || wanted->holds == 0) {
    place_.reset();
  }
  if (wanted) {
    return Provide(*wanted);
  }
  WhenDrained([this] { NextMessage(); });
}

}  // namespace twinspool::imap
