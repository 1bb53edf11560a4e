// SummaryCache: envelope and structure of bodies, built by a function of the shells (the store does
// not know what is in it) and kept beside the body. A cache: written without the log, gone after a
// power cut, built again when it is missing.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/executor.h"
#include "common/status.h"
#include "common/types.h"

namespace twinspool::store {

class Engine;
class Snapshot;

/// How summaries are made; any thread, must not throw.
struct Summarizer {
  /// From a message's octets. Empty: all summaries are.
  std::function<std::string(std::string_view octets)> make;
  /// Whether one that was kept may still be used; empty: always. After an upgrade that is not so.
  std::function<bool(std::string_view summary)> usable;
};

/// Thread-safe.
class SummaryCache {
 public:
  /// One thread of its own for BuildLater.
  SummaryCache(Engine& engine, Summarizer summarizer);

  /// Summaries of these bodies, in their order; those that are missing or of no use are built and
  /// kept. A body that is not in `snapshot` is kDataLoss, one that cannot be read says why.
  std::vector<Result<std::string>> Get(UserId user, const std::vector<BodyNo>& bodies,
                                       const Snapshot* snapshot);
  /// For bodies that have just arrived, on either node: builds in the background so that a first
  /// FETCH, also after a promotion, isn't cold. Forgotten when too many wait.
  void BuildLater(UserId user, BodyNo body);
  void Stop();

 private:
  Result<std::string> Build(UserId user, BodyNo body, const Snapshot* snapshot);
  bool Usable(const Result<std::optional<std::string>>& row) const;

  Engine& engine_;
  const Summarizer summarizer_;
  Executor pool_;
};

/// All octets of a body; nothing when it is not there.
Result<std::optional<std::string>> ReadWholeBody(Engine& engine, UserId user, BodyNo body,
                                                 const Snapshot* snapshot);

}  // namespace twinspool::store
