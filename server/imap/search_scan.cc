// Index, records, octets: a slice of each at a time.
#include "server/imap/search_scan.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "server/imap/answers.h"
#include "server/mime/header.h"
#include "server/mime/summary.h"
#include "server/mime/text.h"

namespace twinspool::imap {

void SearchScan::Begin(std::function<void(const Status&)> done) {
  done_ = std::move(done);
  total_ = program_.scope().Count();
  ReadIndex(Uid(1));
}

// --- by the index

void SearchScan::ReadIndex(Uid from) {
  IndexQuery query;
  query.uids = program_.scope();
  query.from = from;
  query.limit = limits::kIndexSliceEntries;
  core_.store().ReadIndex(
      view_.ref(), std::move(query),
      task_.Then<IndexBatch>([this](const Result<IndexBatch>& batch) { OnIndex(batch); }));
}

void SearchScan::OnIndex(const Result<IndexBatch>& batch) {
  if (!batch.ok()) {
    return done_(batch.status());
  }
  next_ = batch->next;
  begun_ += batch->entries.size();
  SearchFacts facts;
  for (const IndexEntry& entry : batch->entries) {
    facts.entry = entry;
    Weigh(facts, &open_);
  }
  ByRecord();
}

/// Takes a message in, or notes it in `open` when more must be known.
void SearchScan::Weigh(const SearchFacts& facts, UidSet* open) {
  const Truth truth = program_.Judge(facts);
  if (truth == Truth::kUnknown) {
    open->Add(facts.entry.uid);
    return;
  }
  const std::uint32_t number = view_.NumberOf(facts.entry.uid);
  if (truth == Truth::kFalse || number == 0) {
    return;
  }
  found_.uids.Add(facts.entry.uid);
  found_.highest = std::max(found_.highest, facts.entry.modseq);
  if (facts.entry.uid < found_.first.uid || found_.first.uid.value() == 0) {
    found_.first = facts.entry;
  }
  if (facts.entry.uid > found_.last.uid) {
    found_.last = facts.entry;
  }
}

// --- by records and Date: fields

void SearchScan::ByRecord() {
  if (open_.empty()) {
    return NextSlice();
  }
  if (!program_.needs_record()) {
    left_ = open_.Count();
    return ByOctets();
  }
  FetchRequest request;
  request.uids = open_;
  request.parts = kFetchIndex | kFetchRecord | kFetchSummary;
  core_.store().Fetch(
      view_.ref(), std::move(request),
      task_.Then<FetchBatch>([this](const Result<FetchBatch>& batch) { OnRecords(batch); }));
}

void SearchScan::OnRecords(const Result<FetchBatch>& batch) {
  if (!batch.ok()) {
    return done_(batch.status());
  }
  for (const FetchedMessage& message : batch->messages) {
    if (message.entry.expunged || Unreadable(message)) {
      continue;
    }
    SearchFacts facts;
    facts.entry = message.entry;
    const Result<mime::SortSummary> summary = mime::ParseSortSummary(message.summary);
    if (summary.ok()) {
      facts.record = &message.record;
      facts.sent = summary->date;
      if (program_.needs_thread()) {
        facts.thread_id = ThreadIdText(message.record.guid, summary->sort);
      }
      Weigh(facts, &unread_);
    } else {
      unread_.Add(message.uid);
    }
  }
  open_ = batch->rest;
  if (!open_.empty()) {
    return ByRecord();
  }
  open_ = std::exchange(unread_, UidSet());
  left_ = open_.Count();
  ByOctets();
}

// --- by octets

void SearchScan::ByOctets() {
  if (open_.empty()) {
    return NextSlice();
  }
  FetchRequest request;
  request.uids = open_;
  request.parts = kFetchIndex | kFetchRecord;
  request.body_bytes = program_.needs_text() ? limits::kFetchBatchBytes : limits::kFetchHeaderBytes;
  core_.store().Fetch(
      view_.ref(), std::move(request),
      task_.Then<FetchBatch>([this](Result<FetchBatch> batch) { OnOctets(std::move(batch)); }));
}

void SearchScan::OnOctets(Result<FetchBatch> batch) {
  if (!batch.ok()) {
    return done_(batch.status());
  }
  batch_ = std::move(*batch);
  at_ = 0;
  NextMessage();
}

/// How much of the message is needed before it can be judged.
std::uint64_t SearchScan::Enough(const FetchedMessage& message) const {
  if (program_.needs_text()) {
    return message.record.size;
  }
  const std::uint64_t held = message.octets.size();
  return mime::HeaderBlockLength(message.octets) < held
             ? held
             : std::min<std::uint64_t>(message.record.size, limits::kFetchBatchBytes);
}

void SearchScan::NextMessage() {
  for (; at_ < batch_.messages.size(); ++at_) {
    FetchedMessage& message = batch_.messages[at_];
    if (message.entry.expunged || Unreadable(message)) {
      continue;
    }
    const std::uint64_t enough = Enough(message);
    if (message.octets.size() < enough) {
      return ReadMore(message, enough);
    }
    const bool large = message.octets.size() > limits::kFetchBatchBytes;
    if (large && program_.needs_text() && !folded_) {
      return FoldAside(&message);
    }
    JudgeMessage(message);
    core_.TellProgress(begun_ - left_--, total_);
    std::string().swap(message.octets);
    if (std::exchange(place_, nullptr) != nullptr) {
      // Others wait for its place, and on this thread.
      ++at_;
      return task_.Then<Unit>([this](const Result<Unit>&) { NextMessage(); })(Unit{});
    }
  }
  open_ = std::move(batch_.rest);
  batch_ = FetchBatch();
  ByOctets();
}

/// Notes a message that is damaged here: it matches nothing, and the answer will be NO.
bool SearchScan::Unreadable(const FetchedMessage& message) {
  if (!message.failure.ok()) {
    found_.failure = message.failure;
  }
  return !message.failure.ok();
}

void SearchScan::ReadMore(const FetchedMessage& message, std::uint64_t enough) {
  if (enough > limits::kFetchBatchBytes && place_ == nullptr) {
    return core_.options().loads->Ask(
        enough, task_.Then<LoadBudget::PlacePtr>([this](Result<LoadBudget::PlacePtr> place) {
          place_ = std::move(*place);
          NextMessage();
        }));
  }
  const std::uint64_t held = message.octets.size();
  const std::uint64_t length = std::min<std::uint64_t>(enough - held, limits::kFetchBatchBytes);
  core_.store().ReadBody(
      view_.ref().owner, message.record.body, held, static_cast<std::size_t>(length),
      task_.Then<std::string>([this](const Result<std::string>& octets) {
        FetchedMessage& here = batch_.messages[at_];
        if (!octets.ok() || octets->empty()) {
          here.failure = octets.ok() ? DataLoss("a body is cut short") : octets.status();
          here.octets = std::string();
          place_.reset();
        } else {
          here.octets += *octets;
        }
        NextMessage();
      }));
}

/// Folding takes longer than the others on this thread should wait.
void SearchScan::FoldAside(FetchedMessage* message) {
  const auto octets = std::make_shared<std::string>(std::move(message->octets));
  task_.Aside<std::string>([octets, place = place_] { return mime::FoldedText(*octets); },
                           [this, octets](Result<std::string> folded) {
                             batch_.messages[at_].octets = std::move(*octets);
                             folded_ = std::move(*folded);
                             NextMessage();
                           });
}

void SearchScan::JudgeMessage(const FetchedMessage& message) {
  SearchFacts facts;
  facts.folded = std::exchange(folded_, std::nullopt);
  facts.entry = message.entry;
  facts.record = &message.record;
  facts.octets = &message.octets;
  const std::string_view octets = message.octets;
  const std::string_view header = octets.substr(0, mime::HeaderBlockLength(octets));
  if (const std::optional<mime::HeaderField> date = mime::FindField(header, "Date")) {
    facts.sent = mime::ParseDate(mime::Unfold(date->value));
  }
  if (program_.needs_thread()) {
    facts.thread_id = ThreadIdText(message.record.guid, mime::ReadSortFields(header));
  }
  UidSet never_open;
  Weigh(facts, &never_open);
}

void SearchScan::NextSlice() {
  if (!next_) {
    return done_(OkStatus());
  }
  core_.TellProgress(begun_, total_);
  ReadIndex(*next_);
}

}  // namespace twinspool::imap
