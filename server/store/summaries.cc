#include "server/store/summaries.h"

#include "server/store/engine.h"
#include "server/store/row_batch.h"

namespace twinspool::store {
Result<std::optional<std::string>> ReadWholeBody(Engine& engine, UserId user, BodyNo body,
                                                 const Snapshot* snapshot) {
  std::optional<std::string> octets;
  RowIterator it =
      engine.Iterate(Family::kBodies, KeyRange::Prefix(BodyPrefix(user, body)), snapshot);
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    if (!octets) {
      octets.emplace();
    }
    octets->append(it.value());
  }
  TRY(it.status());
  return octets;
}

Status MissingBody(UserId user, BodyNo body) {
  return DataLoss("body " + std::to_string(body.value()) + " of user " + user.ToHex() +
                  " is missing; compare the nodes with verify-pair");
}

bool SummaryCache::Has(UserId user, BodyNo body) {
  return !summarizer_.make || Usable(engine_.Get(Family::kSummaries, SummaryKey(user, body)));
}

void SummaryCache::Add(UserId user, BodyNo body, std::string_view octets, RowBatch* batch) const {
  if (summarizer_.make) {
    batch->Put(Family::kSummaries, SummaryKey(user, body), summarizer_.make(octets));
  }
}

bool SummaryCache::Usable(const Result<std::optional<std::string>>& row) const {
  // A row that cannot be read is as good as none: it is only a cache.
  return row.ok() && *row && (!summarizer_.usable || summarizer_.usable(**row));
}

Result<std::string> SummaryCache::Build(UserId user, BodyNo body, const Snapshot* snapshot) {
  ASSIGN_OR_RETURN(const auto octets, ReadWholeBody(engine_, user, body, snapshot));
  if (!octets) {
    return MissingBody(user, body);
  }
  return summarizer_.make(*octets);
}

std::vector<Result<std::string>> SummaryCache::Get(UserId user, const std::vector<BodyNo>& bodies,
                                                   const Snapshot* snapshot) {
  if (!summarizer_.make) {
    return std::vector<Result<std::string>>(bodies.size(), std::string());
  }
  const std::uint64_t removals = engine_.removals();
  std::vector<std::string> keys;
  keys.reserve(bodies.size());
  for (const BodyNo body : bodies) {
    keys.push_back(SummaryKey(user, body));
  }
  auto rows = engine_.GetEach(Family::kSummaries, keys);
  std::vector<Result<std::string>> summaries;
  RowBatch built;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (Usable(rows[i])) {
      summaries.emplace_back(std::move(**rows[i]));
      continue;
    }
    const auto& summary = summaries.emplace_back(Build(user, bodies[i], snapshot));
    if (summary.ok()) {
      built.Put(Family::kSummaries, keys[i], *summary);
    }
  }
  if (!built.empty()) {
    // What cannot be kept is built again next time; a disk that fails speaks up at the next write.
    (void)engine_.WriteDerived(built, removals);
  }
  return summaries;
}

}  // namespace twinspool::store
