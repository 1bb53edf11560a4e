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

SummaryCache::SummaryCache(Engine& engine, Summarize summarize)
    : engine_(engine), summarize_(std::move(summarize)), pool_("summarise", 1, kBuildsWaitingMax) {}

Result<std::string> SummaryCache::Build(UserId user, BodyNo body, const Snapshot* snapshot) {
  ASSIGN_OR_RETURN(const auto octets, ReadWholeBody(engine_, user, body, snapshot));
  if (!octets) {
    return DataLoss("body " + std::to_string(body.value()) + " of user " + user.ToHex() +
                    " is missing; compare the nodes with verify-pair");
  }
  return summarize_(*octets);
}

Result<std::vector<std::string>> SummaryCache::Get(UserId user, const std::vector<BodyNo>& bodies,
                                                   const Snapshot* snapshot) {
  if (!summarize_) {
    return std::vector<std::string>(bodies.size());
  }
  std::vector<std::string> keys;
  for (const BodyNo body : bodies) {
    keys.push_back(SummaryKey(user, body));
  }
  ASSIGN_OR_RETURN(auto rows, engine_.MultiGet(Family::kSummaries, keys));
  std::vector<std::string> summaries;
  RowBatch built;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i]) {
      ASSIGN_OR_RETURN(rows[i], Build(user, bodies[i], snapshot));
      built.Put(Family::kSummaries, keys[i], *rows[i]);
    }
    summaries.push_back(std::move(*rows[i]));
  }
  if (!built.empty()) {
    TRY(engine_.Write(built, WriteMode::kNoLog));
  }
  return summaries;
}

void SummaryCache::BuildLater(UserId user, BodyNo body) {
  if (summarize_) {
    // A full queue is no loss: the summary is then built when it is asked for.
    (void)pool_.TryPost([this, user, body] { (void)Get(user, {body}, nullptr); });
  }
}

void SummaryCache::Stop() {
  pool_.Stop();
}

}  // namespace twinspool::store
