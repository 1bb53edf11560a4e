#include "replica/core/history.h"

#include <algorithm>

namespace twinspool::replica::core {

EpochHistory::EpochHistory(const std::vector<EpochStart>& periods) {
  for (const EpochStart& period : periods) {
    const bool rises = periods_.empty() || (period.epoch > periods_.back().epoch &&
                                            period.first_seq > periods_.back().first_seq);
    if (rises) {
      periods_.push_back(period);
    }
  }
}

void EpochHistory::Begin(Epoch epoch, CommitSeq first) {
  if (!periods_.empty() && epoch <= periods_.back().epoch) {
    return;
  }
  while (!periods_.empty() && periods_.back().first_seq >= first) {
    periods_.pop_back();
  }
  periods_.push_back({epoch, first});
}

void EpochHistory::KeepNewest(std::size_t keep) {
  if (periods_.size() > keep) {
    periods_.erase(periods_.begin(),
                   periods_.end() - static_cast<std::ptrdiff_t>(std::max<std::size_t>(keep, 1)));
  }
}

std::optional<Epoch> EpochHistory::EpochOf(CommitSeq seq) const {
  std::optional<Epoch> epoch;
  for (const EpochStart& period : periods_) {
    if (seq.value() == 0 || period.first_seq > seq) {
      break;
    }
    epoch = period.epoch;
  }
  return epoch;
}

namespace {

/// Last seq that `side` wrote in its period at `index`.
CommitSeq EndOfPeriod(const LogEnd& side, std::size_t index) {
  const auto& periods = side.history.periods();
  if (index + 1 < periods.size()) {
    const CommitSeq before_next(periods[index + 1].first_seq.value() - 1);
    return std::min(before_next, side.last);
  }
  return side.last;
}

}  // namespace

CommonPoint FindCommon(const LogEnd& a, const LogEnd& b) {
  if (a.last.value() == 0 || b.last.value() == 0) {
    return {.seq = CommitSeq(0), .epoch = Epoch(0), .known = true};
  }
  const auto& mine = a.history.periods();
  const auto& theirs = b.history.periods();
  for (std::size_t i = mine.size(); i-- > 0;) {
    for (std::size_t j = theirs.size(); j-- > 0;) {
      // A period that begins above the log's end has written nothing yet.
      const bool same = mine[i].epoch == theirs[j].epoch && mine[i].first_seq <= a.last &&
                        theirs[j].first_seq <= b.last;
      if (same) {
        const CommitSeq end = std::min(EndOfPeriod(a, i), EndOfPeriod(b, j));
        const bool overlap = end >= mine[i].first_seq && end >= theirs[j].first_seq;
        return {.seq = overlap ? end : CommitSeq(0), .epoch = mine[i].epoch, .known = overlap};
      }
    }
  }
  return {};
}

bool ShowsLostEntries(const PlaceInLog& mine, const EntryId& peers_last) {
  if (peers_last.seq == CommitSeq() || peers_last.epoch != mine.epoch) {
    return false;
  }
  return peers_last.seq > mine.end || (mine.in_place && *mine.in_place != peers_last);
}

void ToProto(const EpochHistory& history,
             google::protobuf::RepeatedPtrField<proto::EpochPeriod>* out) {
  for (const EpochStart& period : history.periods()) {
    proto::EpochPeriod* added = out->Add();
    added->set_epoch(period.epoch.value());
    added->set_first_seq(period.first_seq.value());
  }
}

EpochHistory FromProto(const google::protobuf::RepeatedPtrField<proto::EpochPeriod>& in) {
  std::vector<EpochStart> periods;
  for (const proto::EpochPeriod& period : in) {
    periods.push_back({Epoch(period.epoch()), CommitSeq(period.first_seq())});
  }
  return EpochHistory(periods);
}

proto::EntryId ToProto(const EntryId& id) {
  proto::EntryId out;
  out.set_epoch(id.epoch.value());
  out.set_incarnation(id.incarnation.value());
  out.set_seq(id.seq.value());
  return out;
}

EntryId FromProto(const proto::EntryId& id) {
  return {Epoch(id.epoch()), Incarnation(id.incarnation()), CommitSeq(id.seq())};
}

}  // namespace twinspool::replica::core
