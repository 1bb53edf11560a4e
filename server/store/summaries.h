// SummaryCache: envelope and structure of bodies, built by a function of the shells (the store does
// not know what is in it) and kept beside the body. A cache: written without the log, gone after a
// power cut, built again when it is missing.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"
#include "common/types.h"

namespace twinspool::store {

class Engine;
class RowBatch;
class Snapshot;

/// How summaries are made; any thread, must not throw.
struct Summarizer {
  /// From a message's octets. Empty: all summaries are.
  std::function<std::string(std::string_view octets)> make;
  /// Whether one that was kept may still be used; empty: always. After an upgrade that is not so.
  std::function<bool(std::string_view summary)> usable;
  /// The part of one that SORT and THREAD need; empty: there is no such part.
  std::function<std::string_view(std::string_view summary)> head;
};

/// Thread-safe.
class SummaryCache {
 public:
  SummaryCache(Engine& engine, Summarizer summarizer)
      : engine_(engine), summarizer_(std::move(summarizer)) {}

  /// Summaries of these bodies, in their order; those that are missing or of no use are built and
  /// kept. A body that is not in `snapshot` is kDataLoss, one that cannot be read says why.
  std::vector<Result<std::string>> Get(UserId user, const std::vector<BodyNo>& bodies,
                                       const Snapshot* snapshot);
  /// Whether there is one that can be used.
  bool Has(UserId user, BodyNo body);
  /// Adds one, made of the body's octets, to a write of derived rows.
  void Add(UserId user, BodyNo body, std::string_view octets, RowBatch* batch) const;
  /// See Summarizer::head.
  std::string_view Head(std::string_view summary) const {
    return summarizer_.head ? summarizer_.head(summary) : std::string_view();
  }

 private:
  Result<std::string> Build(UserId user, BodyNo body, const Snapshot* snapshot);
  bool Usable(const Result<std::optional<std::string>>& row) const;

  Engine& engine_;
  const Summarizer summarizer_;
};

/// kDataLoss: a body that should be there is not.
Status MissingBody(UserId user, BodyNo body);

/// All octets of a body; nothing when it is not there.
Result<std::optional<std::string>> ReadWholeBody(Engine& engine, UserId user, BodyNo body,
                                                 const Snapshot* snapshot);

}  // namespace twinspool::store
