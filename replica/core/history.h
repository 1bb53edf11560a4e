// Which epoch wrote which part of a log, and where two logs part.
//
// Pure values: no thread, clock or I/O. The history is kept in the control file, travels in Hello,
// and is adopted whole by a standby that begins to follow (its log is then a prefix of the
// primary's). This is not the log: identities of single entries come from ports.h, ChangeLog.
#pragma once

#include <optional>
#include <vector>

#include "proto/replication.pb.h"

#include "common/types.h"

namespace twinspool::replica::core {

/// From `first_seq` on, entries were written in `epoch`, until the next period begins.
struct EpochStart {
  Epoch epoch;
  CommitSeq first_seq;
  auto operator<=>(const EpochStart&) const = default;
};

/// Periods of one log, oldest first; epochs and first_seq both rise strictly. Value type.
class EpochHistory {
 public:
  EpochHistory() = default;
  /// Takes periods in order and ignores those that do not rise.
  explicit EpochHistory(const std::vector<EpochStart>& periods);

  /// The entry `first` is, or will be, the first of its epoch. A period that begins at or after
  /// first.seq and wrote nothing (an epoch without entries) is replaced. A lower epoch is ignored.
  void Begin(Epoch epoch, CommitSeq first);
  /// Forgets the oldest periods until `keep` remain (a bound for the control file).
  void KeepNewest(std::size_t keep);

  const std::vector<EpochStart>& periods() const { return periods_; }
  /// Epoch of the entry at `seq`; nothing below the oldest period and for seq 0.
  std::optional<Epoch> EpochOf(CommitSeq seq) const;
  bool operator==(const EpochHistory&) const = default;

 private:
  std::vector<EpochStart> periods_;
};

/// One side of a comparison: its periods and the last entry of its log.
struct LogEnd {
  EpochHistory history;
  CommitSeq last;
};

/// Where two logs part.
struct CommonPoint {
  /// Last position that both surely hold as the same entry; seq 0 when there is none.
  CommitSeq seq;
  Epoch epoch;
  /// False: the histories share no epoch, so nothing is known of the common part (or both are
  /// empty: then seq 0 is right and known).
  bool known = false;
};

/// The newest epoch in both histories, and in it the smaller of the two ends (the rule of Kafka's
/// KIP-101). One epoch has one writer with a durable log, so equal (epoch, seq) is the same entry;
/// whoever can should still compare EntryIds, which a restored backup makes differ.
CommonPoint FindCommon(const LogEnd& a, const LogEnd& b);

/// A primary's log as far as it matters to an entry of its peer.
struct PlaceInLog {
  Epoch epoch;                      // under which the primary writes now
  CommitSeq end;                    // of its log
  std::optional<EntryId> in_place;  // its own entry at the peer's seq, if it has or still knows one
};

/// One epoch has one writer, which sends only what is durable with it. A peer whose last entry is
/// of that very epoch, but lies above the end of the log or differs from the entry in its place,
/// shows that the writer lost entries: the peer must not be asked to undo them.
bool ShowsLostEntries(const PlaceInLog& mine, const EntryId& peers_last);

/// To and from the wire. Periods that do not rise are left out.
void ToProto(const EpochHistory& history,
             google::protobuf::RepeatedPtrField<proto::EpochPeriod>* out);
EpochHistory FromProto(const google::protobuf::RepeatedPtrField<proto::EpochPeriod>& in);

proto::EntryId ToProto(const EntryId& id);
EntryId FromProto(const proto::EntryId& id);

}  // namespace twinspool::replica::core
