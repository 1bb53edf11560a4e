// SearchScan: finds the messages of a mailbox that a program matches.
//
// Slices of the index are judged first; what they leave open goes through records, what those leave
// open through the texts that the store keeps, and what has no text at hand through octets, slice
// by slice, so that memory stays bounded and no snapshot is held. A program that asks for nothing
// cheaper than texts has the store look through those first. Used by SEARCH, SORT and THREAD; says
// how far it has come when it takes long (RFC 9585), and gives up after limits::kSearchMs.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "server/imap/core.h"
#include "server/imap/search.h"
#include "server/imap/selected.h"

namespace twinspool::imap {

class SearchScan {
 public:
  struct Found {
    UidSet uids;
    Modseq highest;    // of all of them
    IndexEntry first;  // that with the smallest UID; UID 0: none
    IndexEntry last;   // that with the largest
    /// Of a message that is damaged here: it matches nothing, and the command is to fail.
    Status failure;
  };

  /// All must outlive it. `task` is the one that the scan works for.
  SearchScan(Task& task, Core& core, const SelectedView& view, SearchProgram program)
      : task_(task), core_(core), view_(view), program_(std::move(program)) {}

  /// Once. `done` runs when all messages are judged, or with what kept them from being read.
  void Begin(std::function<void(const Status&)> done);

  const SearchProgram& program() const { return program_; }
  Found& found() { return found_; }

 private:
  /// A message that is not judged yet, with what is known of it.
  struct Open {
    IndexEntry entry;
    std::optional<MessageRecord> record;
    std::optional<mime::Date> sent;
    std::string thread_id;
  };

  void Narrow(TextKey::In most);
  void ReadIndex(Uid from);
  void OnIndex(const Result<IndexBatch>& batch);
  Truth Weigh(const SearchFacts& facts);
  void WeighOpen();
  UidSet OpenUids() const;
  void ByRecord();
  void ReadRecords();
  void OnRecords(const Result<FetchBatch>& batch);
  void ByTexts(bool headers);
  void AskTexts(UidSet uids, std::vector<std::size_t> keys, std::function<void()> then);
  void ReadTexts();
  void OnTexts(const Result<TextBatch>& batch);
  void ByOctets();
  void ReadOctets();
  void OnOctets(Result<FetchBatch> batch);
  std::uint64_t Enough(const FetchedMessage& message) const;
  void NextMessage();
  bool Unreadable(const FetchedMessage& message);
  void ReadMore(const FetchedMessage& message, std::uint64_t enough);
  void FoldAside(FetchedMessage* message);
  void JudgeMessage(const FetchedMessage& message);
  void NextSlice();
  void TellProgress(std::uint64_t waiting);
  bool Overdue();

  Task& task_;
  Core& core_;
  const SelectedView& view_;
  SearchProgram program_;
  std::function<void(const Status&)> done_;
  Instant begun_at_;
  UidSet candidates_;
  std::optional<Uid> next_;
  std::vector<Open> open_;  // of this slice, rising
  TextTruths texts_;
  UidSet untold_;  // of the candidates: their text is not at hand
  // What is being read: records, texts, octets.
  UidSet rest_;
  std::vector<std::size_t> keys_;
  std::function<void()> then_;
  FetchBatch batch_;
  std::size_t at_ = 0;
  LoadBudget::PlacePtr place_;
  std::optional<std::string> folded_;  // of the large message at at_
  std::uint64_t total_ = 0;            // messages that can match
  std::uint64_t begun_ = 0;            // of them, in slices up to this one
  std::uint64_t left_ = 0;             // of this slice, to be judged by their octets
  Found found_;
};

}  // namespace twinspool::imap
