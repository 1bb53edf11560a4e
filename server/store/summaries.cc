#include "server/store/summaries.h"

#include "server/store/engine.h"

namespace twinspool::store {
namespace {

constexpr std::size_t kBuildsWaitingMax = 10'000;

}  // namespace

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

SummaryCache::SummaryCache(Engine& engine, Summarizer summarizer)
    : engine_(engine),
      summarizer_(std::move(summarizer)),
      pool_("summarise", 1, kBuildsWaitingMax) {}

bool SummaryCache::Usable(const Result<std::optional<std::string>>& row) const {
  // A row that cannot be read is as good as none: it is only a cache.
  return row.ok() && *row && (!summarizer_.usable || summarizer_.usable(**row));
}

Result<std::string> SummaryCache::Build(UserId user, BodyNo body, const Snapshot* snapshot) {
  ASSIGN_OR_RETURN(const auto octets, ReadWholeBody(engine_, user, body, snapshot));
  if (!octets) {
    return DataLoss("body " + std::to_string(body.value()) + " of user " + user.ToHex() +
                    " is missing; compare the nodes with verify-pair");
  }
  return summarizer_.make(*octets);
}

std::vector<Result<std::string>> SummaryCache::Get(UserId user, const std::vector<BodyNo>& bodies,
                                                   const Snapshot* snapshot) {
  if (!summarizer_.make) {
    return std::vector<Result<std::string>>(bodies.size(), std::string());
  }
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
    (void)engine_.Write(built, WriteMode::kNoLog);
  }
  return summaries;
}

void SummaryCache::BuildLater(UserId user, BodyNo body) {
  if (summarizer_.make) {
    // A full queue is no loss: the summary is then built when it is asked for.
    (void)pool_.TryPost([this, user, body] { (void)Get(user, {body}, nullptr); });
  }
}

void SummaryCache::Stop() {
  pool_.Stop();
}

}  // namespace twinspool::store
