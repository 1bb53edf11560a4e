// Index, records, texts, octets: a slice of each at a time.
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
  begun_at_ = core_.clock().Now();
  candidates_ = program_.scope();
  total_ = candidates_.Count();
  texts_.found.resize(program_.text_keys().size());
  texts_.judged.resize(program_.text_keys().size());
  Narrow(TextKey::In::kHeader);
}

/// Keeps of the candidates those that hold what every match holds in its texts: in headers, which
/// are short, before all else.
void SearchScan::Narrow(TextKey::In most) {
  const bool headers = most == TextKey::In::kHeader;
  std::vector<std::size_t> keys;
  for (const std::size_t key : program_.FirstTexts()) {
    if ((program_.text_keys()[key].in == TextKey::In::kHeader) == headers) {
      keys.push_back(key);
    }
  }
  AskTexts(candidates_, keys, [this, keys, headers] {
    for (const std::size_t key : keys) {
      UidSet kept = candidates_.Intersect(texts_.found[key]);
      kept.Add(candidates_.Intersect(untold_));
      candidates_ = std::move(kept);
    }
    headers ? Narrow(TextKey::In::kText) : ReadIndex(Uid(1));
  });
}

bool SearchScan::Overdue() {
  if (core_.clock().Now().MsSince(begun_at_) < limits::kSearchMs) {
    return false;
  }
  done_(LimitExceeded("the search took too long; look through fewer messages at a time"));
  return true;
}

/// `waiting`: how many of the messages of this slice are still to be judged.
void SearchScan::TellProgress(std::uint64_t waiting) {
  core_.TellProgress(begun_ - std::min(begun_, waiting), total_);
}

// --- by the index

void SearchScan::ReadIndex(Uid from) {
  if (candidates_.empty()) {
    return done_(OkStatus());
  }
  IndexQuery query;
  query.uids = candidates_;
  query.from = from;
  query.limit = limits::kIndexSliceEntries;
  query.with = program_.with();
  query.without = program_.without();
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
  facts.texts = &texts_;
  for (const IndexEntry& entry : batch->entries) {
    facts.entry = entry;
    if (Weigh(facts) == Truth::kUnknown) {
      open_.push_back({entry, std::nullopt, std::nullopt, ""});
    }
  }
  ByRecord();
}

/// Takes a message in if it matches.
Truth SearchScan::Weigh(const SearchFacts& facts) {
  const Truth truth = program_.Judge(facts);
  if (truth != Truth::kTrue || view_.NumberOf(facts.entry.uid) == 0) {
    return truth;
  }
  found_.uids.Add(facts.entry.uid);
  found_.highest = std::max(found_.highest, facts.entry.modseq);
  if (facts.entry.uid < found_.first.uid || found_.first.uid.value() == 0) {
    found_.first = facts.entry;
  }
  if (facts.entry.uid > found_.last.uid) {
    found_.last = facts.entry;
  }
  return truth;
}

/// Judges what is open once more, now that more is known.
void SearchScan::WeighOpen() {
  SearchFacts facts;
  facts.texts = &texts_;
  std::erase_if(open_, [&](const Open& message) {
    facts.entry = message.entry;
    facts.record = message.record ? &*message.record : nullptr;
    facts.sent = message.sent;
    facts.thread_id = message.thread_id;
    return Weigh(facts) != Truth::kUnknown;
  });
}

UidSet SearchScan::OpenUids() const {
  UidSet uids;
  for (const Open& message : open_) {
    uids.Add(message.entry.uid);
  }
  return uids;
}

// --- by records and Date: fields

void SearchScan::ByRecord() {
  rest_ = program_.needs_record() ? OpenUids() : UidSet();
  at_ = 0;
  ReadRecords();
}

void SearchScan::ReadRecords() {
  if (rest_.empty()) {
    WeighOpen();
    return ByTexts(true);
  }
  FetchRequest request;
  request.uids = std::move(rest_);
  request.parts = kFetchIndex | kFetchRecord | kFetchSort;
  core_.store().Fetch(
      view_.ref(), std::move(request),
      task_.Then<FetchBatch>([this](const Result<FetchBatch>& batch) { OnRecords(batch); }));
}

void SearchScan::OnRecords(const Result<FetchBatch>& batch) {
  if (!batch.ok()) {
    return done_(batch.status());
  }
  // The next batch is read while this one is taken in.
  rest_ = batch->rest;
  const bool more = !rest_.empty();
  if (more) {
    ReadRecords();
  }
  for (const FetchedMessage& message : batch->messages) {
    while (open_[at_].entry.uid < message.uid) {
      ++at_;  // it has gone meanwhile; its octets will tell
    }
    if (Unreadable(message)) {
      continue;
    }
    if (const auto summary = mime::ViewSortSummary(message.summary); summary.ok()) {
      open_[at_].record = message.record;
      open_[at_].sent = summary->date;
      if (program_.needs_thread()) {
        open_[at_].thread_id = ThreadIdText(message.record.guid, summary->sort);
      }
    }
  }
  if (!more) {
    ReadRecords();
  }
}

// --- by texts that the store keeps

void SearchScan::ByTexts(bool headers) {
  std::vector<std::size_t> keys;
  for (std::size_t i = 0; i < program_.text_keys().size(); ++i) {
    if ((program_.text_keys()[i].in == TextKey::In::kHeader) == headers) {
      keys.push_back(i);
    }
  }
  AskTexts(OpenUids().Minus(untold_), std::move(keys), [this, headers] {
    WeighOpen();
    headers ? ByTexts(false) : ByOctets();
  });
}

/// Has the store look for these keys in these messages, then goes on.
void SearchScan::AskTexts(UidSet uids, std::vector<std::size_t> keys, std::function<void()> then) {
  if (keys.empty() || uids.empty()) {
    return then();
  }
  rest_ = std::move(uids);
  keys_ = std::move(keys);
  then_ = std::move(then);
  ReadTexts();
}

void SearchScan::ReadTexts() {
  TextQuery query;
  query.uids = std::move(rest_);
  for (const std::size_t key : keys_) {
    query.keys.push_back(program_.text_keys()[key]);
  }
  core_.store().SearchText(
      view_.ref(), std::move(query),
      task_.Then<TextBatch>([this](const Result<TextBatch>& batch) { OnTexts(batch); }));
}

void SearchScan::OnTexts(const Result<TextBatch>& batch) {
  if (!batch.ok()) {
    return done_(batch.status());
  }
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    texts_.found[keys_[i]].Add(batch->found[i]);
    texts_.judged[keys_[i]].Add(batch->judged);
  }
  untold_.Add(batch->open);
  rest_ = batch->rest;
  // Before the first slice, the candidates themselves are gone through.
  const std::uint64_t left = rest_.Count();
  begun_ == 0 ? core_.TellProgress(total_ - left, total_) : TellProgress(left);
  if (rest_.empty()) {
    return std::exchange(then_, nullptr)();
  }
  if (!Overdue()) {
    ReadTexts();
  }
}

// --- by octets

void SearchScan::ByOctets() {
  left_ = open_.size();
  rest_ = OpenUids();
  open_.clear();
  ReadOctets();
}

void SearchScan::ReadOctets() {
  if (rest_.empty()) {
    return NextSlice();
  }
  FetchRequest request;
  request.uids = std::move(rest_);
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
    TellProgress(left_--);
    std::string().swap(message.octets);
    if (std::exchange(place_, nullptr) != nullptr) {
      // Others wait for its place, and on this thread.
      ++at_;
      return task_.Then<Unit>([this](const Result<Unit>&) { NextMessage(); })(Unit{});
    }
  }
  rest_ = std::move(batch_.rest);
  batch_ = FetchBatch();
  if (!Overdue()) {
    ReadOctets();
  }
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
  const std::string_view octets = message.octets;
  const std::string_view header = octets.substr(0, mime::HeaderBlockLength(octets));
  if (!folded_) {
    folded_ = mime::FoldedText(program_.needs_text() ? octets : header);
  }
  SearchFacts facts;
  facts.folded = &*folded_;
  facts.entry = message.entry;
  facts.record = &message.record;
  if (const std::optional<mime::HeaderField> date = mime::FindField(header, "Date")) {
    facts.sent = mime::ParseDate(mime::Unfold(date->value));
  }
  if (program_.needs_thread()) {
    const mime::SortFields fields = mime::ReadSortFields(header);
    facts.thread_id = ThreadIdText(message.record.guid, mime::ViewOf(fields));
  }
  Weigh(facts);
  folded_.reset();
}

void SearchScan::NextSlice() {
  if (!next_) {
    return done_(OkStatus());
  }
  core_.TellProgress(begun_, total_);
  if (!Overdue()) {
    ReadIndex(*next_);
  }
}

}  // namespace twinspool::imap
