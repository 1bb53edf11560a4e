#include "server/imap/summary_reader.h"

#include <string_view>
#include <utility>

#include "server/mime/header.h"

namespace twinspool::imap {

void SummaryReader::Begin(UidSet uids, bool summaries, Each each,
                          std::function<void(const Status&)> done) {
  summaries_ = summaries;
  rest_ = std::move(uids);
  each_ = std::move(each);
  done_ = std::move(done);
  total_ = rest_.Count();
  Read();
}

void SummaryReader::Read() {
  if (rest_.empty() && !std::exchange(headers_, true)) {
    rest_ = std::move(by_header_);
  }
  if (rest_.empty()) {
    return done_(failure_);
  }
  FetchRequest request;
  request.uids = rest_;
  request.parts = kFetchIndex | kFetchRecord;
  if (headers_) {
    request.body_bytes = limits::kFetchBatchBytes;
  } else if (summaries_) {
    request.parts |= kFetchSort;
  }
  core_.store().Fetch(
      mailbox_, std::move(request),
      task_.Then<FetchBatch>([this](const Result<FetchBatch>& batch) { OnBatch(batch); }));
}

void SummaryReader::OnBatch(const Result<FetchBatch>& batch) {
  if (!batch.ok()) {
    return done_(batch.status());
  }
  // The next batch is read while this one is taken in.
  rest_ = batch->rest;
  const bool more = !rest_.empty();
  if (more) {
    Read();
  }
  for (const FetchedMessage& message : batch->messages) {
    Take(message);
  }
  read_ += batch->messages.size();
  core_.TellProgress(read_, total_);
  if (!more) {
    Read();
  }
}

void SummaryReader::Take(const FetchedMessage& message) {
  if (!message.failure.ok()) {
    failure_ = message.failure;
  } else if (headers_) {
    const std::string_view octets = message.octets;
    each_(message, ViewOf(mime::SortSummaryOf(octets.substr(0, mime::HeaderBlockLength(octets)))));
  } else if (!summaries_) {
    each_(message, {});
  } else if (const auto summary = mime::ViewSortSummary(message.summary); summary.ok()) {
    each_(message, *summary);
  } else {
    by_header_.Add(message.uid);
  }
}

}  // namespace twinspool::imap
