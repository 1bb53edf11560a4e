// SEARCH and UID SEARCH (RFC 3501 §6.4.4), ESEARCH (RFC 4731), MODSEQ (RFC 7162 §3.1.5).
//
// Slices of the index are judged first; what they leave open goes through records, and what those
// leave open through octets, slice by slice, so that memory stays bounded.
#include <algorithm>

#include "server/imap/search.h"
#include "server/imap/tasks.h"
#include "server/mime/header.h"
#include "server/mime/summary.h"
#include "server/mime/text.h"

namespace twinspool::imap {
namespace {

class SearchTask : public Task {
 public:
  SearchTask(Core& core, cmd::Search command, SearchProgram program)
      : Task(core), command_(std::move(command)), program_(std::move(program)) {}

  void Begin() { ReadIndex(Uid(1)); }

 private:
  // --- by the index

  void ReadIndex(Uid from) {
    IndexQuery query;
    query.uids = program_.scope();
    query.from = from;
    query.limit = limits::kIndexSliceEntries;
    core().store().ReadIndex(
        core().view()->ref(), std::move(query),
        Then<IndexBatch>([this](const Result<IndexBatch>& batch) { OnIndex(batch); }));
  }

  void OnIndex(const Result<IndexBatch>& batch) {
    if (!batch.ok()) {
      return core().Fail(batch.status());
    }
    next_ = batch->next;
    SearchFacts facts;
    for (const IndexEntry& entry : batch->entries) {
      facts.entry = entry;
      Weigh(facts, &open_);
    }
    ByRecord();
  }

  /// Takes a message in, or notes it in `open` when more must be known.
  void Weigh(const SearchFacts& facts, UidSet* open) {
    const Truth truth = program_.Judge(facts);
    if (truth == Truth::kUnknown) {
      open->Add(facts.entry.uid);
      return;
    }
    const std::uint32_t number = core().view()->NumberOf(facts.entry.uid);
    if (truth == Truth::kFalse || number == 0) {
      return;
    }
    found_.Add(command_.uid ? facts.entry.uid.value() : number);
    highest_ = std::max(highest_, facts.entry.modseq);
    if (facts.entry.uid < first_.uid || first_.uid.value() == 0) {
      first_ = facts.entry;
    }
    if (facts.entry.uid > last_.uid) {
      last_ = facts.entry;
    }
  }

  // --- by records and Date: fields

  void ByRecord() {
    if (open_.empty()) {
      return NextSlice();
    }
    if (!program_.needs_record()) {
      return ByOctets();
    }
    FetchRequest request;
    request.uids = open_;
    request.parts = kFetchIndex | kFetchRecord | kFetchSummary;
    core().store().Fetch(
        core().view()->ref(), std::move(request),
        Then<FetchBatch>([this](const Result<FetchBatch>& batch) { OnRecords(batch); }));
  }

  void OnRecords(const Result<FetchBatch>& batch) {
    if (!batch.ok()) {
      return core().Fail(batch.status());
    }
    for (const FetchedMessage& message : batch->messages) {
      if (message.entry.expunged || Unreadable(message)) {
        continue;
      }
      SearchFacts facts;
      facts.entry = message.entry;
      const Result<mime::Summary> summary = mime::ParseSummary(message.summary);
      if (summary.ok()) {
        facts.record = &message.record;
        facts.sent = summary->date;
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
    ByOctets();
  }

  // --- by octets

  void ByOctets() {
    if (open_.empty()) {
      return NextSlice();
    }
    FetchRequest request;
    request.uids = open_;
    request.parts = kFetchIndex | kFetchRecord;
    request.body_bytes =
        program_.needs_text() ? limits::kFetchBatchBytes : limits::kFetchHeaderBytes;
    core().store().Fetch(
        core().view()->ref(), std::move(request),
        Then<FetchBatch>([this](Result<FetchBatch> batch) { OnOctets(std::move(batch)); }));
  }

  void OnOctets(Result<FetchBatch> batch) {
    if (!batch.ok()) {
      return core().Fail(batch.status());
    }
    batch_ = std::move(*batch);
    at_ = 0;
    NextMessage();
  }

  /// How much of the message is needed before it can be judged.
  std::uint64_t Enough(const FetchedMessage& message) const {
    if (program_.needs_text()) {
      return message.record.size;
    }
    const std::uint64_t held = message.octets.size();
    return mime::HeaderBlockLength(message.octets) < held
               ? held
               : std::min<std::uint64_t>(message.record.size, limits::kFetchBatchBytes);
  }

  void NextMessage() {
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
      std::string().swap(message.octets);
      if (std::exchange(place_, nullptr) != nullptr) {
        // Others wait for its place, and on this thread.
        ++at_;
        return Then<Unit>([this](const Result<Unit>&) { NextMessage(); })(Unit{});
      }
    }
    open_ = std::move(batch_.rest);
    batch_ = FetchBatch();
    ByOctets();
  }

  /// Notes a message that is damaged here: it matches nothing, and the answer will be NO.
  bool Unreadable(const FetchedMessage& message) {
    if (!message.failure.ok()) {
      failure_ = message.failure;
    }
    return !message.failure.ok();
  }

  void ReadMore(const FetchedMessage& message, std::uint64_t enough) {
    if (enough > limits::kFetchBatchBytes && place_ == nullptr) {
      return core().options().loads->Ask(
          enough, Then<LoadBudget::PlacePtr>([this](Result<LoadBudget::PlacePtr> place) {
            place_ = std::move(*place);
            NextMessage();
          }));
    }
    const std::uint64_t held = message.octets.size();
    const std::uint64_t length = std::min<std::uint64_t>(enough - held, limits::kFetchBatchBytes);
    core().store().ReadBody(
        core().view()->ref().owner, message.record.body, held, static_cast<std::size_t>(length),
        Then<std::string>([this](const Result<std::string>& octets) {
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
  void FoldAside(FetchedMessage* message) {
    const auto octets = std::make_shared<std::string>(std::move(message->octets));
    Aside<std::string>([octets, place = place_] { return mime::FoldedText(*octets); },
                       [this, octets](Result<std::string> folded) {
                         batch_.messages[at_].octets = std::move(*octets);
                         folded_ = std::move(*folded);
                         NextMessage();
                       });
  }

  void JudgeMessage(const FetchedMessage& message) {
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
    UidSet never_open;
    Weigh(facts, &never_open);
  }

  void NextSlice() {
    if (next_) {
      return ReadIndex(*next_);
    }
    if (command_.esearch) {
      TellExtended();
    } else {
      TellPlain();
    }
    core().set_sync_uid(command_.uid);
    core().FinishWith(failure_, "SEARCH completed");
  }

  // --- answering

  void TellPlain() {
    std::string& out = core().out();
    out += "* SEARCH";
    found_.ForEach([&](std::uint32_t number) {
      out += ' ';
      AppendNumber(&out, number);
    });
    if (program_.uses_modseq() && !found_.empty()) {
      AppendNumber(&(out += " (MODSEQ "), highest_.value());
      out += ')';
    }
    out += "\r\n";
  }

  void TellExtended() {
    std::string& out = core().out();
    AppendString(&(out += "* ESEARCH (TAG "), core().tag());
    out += command_.uid ? ") UID" : ")";
    if (!found_.empty()) {
      if ((command_.returns & kReturnMin) != 0) {
        AppendNumber(&(out += " MIN "), found_.Min());
      }
      if ((command_.returns & kReturnMax) != 0) {
        AppendNumber(&(out += " MAX "), found_.Max());
      }
      if ((command_.returns & kReturnAll) != 0) {
        AppendSet(&(out += " ALL "), found_);
      }
    }
    if ((command_.returns & kReturnCount) != 0) {
      AppendNumber(&(out += " COUNT "), found_.Count());
    }
    if (program_.uses_modseq() && !found_.empty()) {
      AppendNumber(&(out += " MODSEQ "), ModseqOfReturned().value());
    }
    out += "\r\n";
  }

  /// Of the messages that the answer names (RFC 4731 §3.2).
  Modseq ModseqOfReturned() const {
    switch (command_.returns) {
      case kReturnMin:
        return first_.modseq;
      case kReturnMax:
        return last_.modseq;
      case kReturnMin | kReturnMax:
        return std::max(first_.modseq, last_.modseq);
      default:
        return highest_;
    }
  }

  cmd::Search command_;
  SearchProgram program_;
  std::optional<Uid> next_;
  UidSet open_;    // of this slice, not judged yet
  UidSet unread_;  // of them, open even after their records
  FetchBatch batch_;
  std::size_t at_ = 0;
  LoadBudget::PlacePtr place_;
  std::optional<std::string> folded_;  // of the large message at at_
  Status failure_;                     // of a message that could not be judged
  UidSet found_;
  Modseq highest_;
  IndexEntry first_;
  IndexEntry last_;
};

}  // namespace

std::unique_ptr<Task> Run(Core& core, cmd::Search command) {
  Result<SearchProgram> program =
      SearchProgram::Prepare(command, *core.view(), core.clock().WallSeconds());
  if (program.status().Is(Code::kConflict)) {
    core.Bad(std::string(program.status().message()));
    return nullptr;
  }
  if (!program.ok()) {
    core.No("[BADCHARSET (US-ASCII UTF-8)] The charset is not known here");
    return nullptr;
  }
  if (program->uses_modseq()) {
    core.EnableCondstore();
  }
  auto task = std::make_unique<SearchTask>(core, std::move(command), std::move(*program));
  task->Begin();
  return task;
}

}  // namespace twinspool::imap
