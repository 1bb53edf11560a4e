// SearchScan: finds the messages of a mailbox that a program matches.
//
// Slices of the index are judged first; what they leave open goes through records, and what those
// leave open through octets, slice by slice, so that memory stays bounded and no snapshot is held.
// Used by SEARCH, SORT and THREAD; says how far it has come when it takes long (RFC 9585).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

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
  void ReadIndex(Uid from);
  void OnIndex(const Result<IndexBatch>& batch);
  void Weigh(const SearchFacts& facts, UidSet* open);
  void ByRecord();
  void OnRecords(const Result<FetchBatch>& batch);
  void ByOctets();
  void OnOctets(Result<FetchBatch> batch);
  std::uint64_t Enough(const FetchedMessage& message) const;
  void NextMessage();
  bool Unreadable(const FetchedMessage& message);
  void ReadMore(const FetchedMessage& message, std::uint64_t enough);
  void FoldAside(FetchedMessage* message);
  void JudgeMessage(const FetchedMessage& message);
  void NextSlice();

  Task& task_;
  Core& core_;
  const SelectedView& view_;
  SearchProgram program_;
  std::function<void(const Status&)> done_;
  std::optional<Uid> next_;
  UidSet open_;    // of this slice, not judged yet
  UidSet unread_;  // of them, open even after their records
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
