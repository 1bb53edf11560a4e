#include "server/store/merge.h"

#include <set>

#include "server/store/head.h"

namespace twinspool::store {
namespace {

std::set<std::string> Folded(const std::vector<std::string>& keywords) {
  std::set<std::string> folded;
  for (const std::string& keyword : keywords) {
    folded.insert(FoldKeyword(keyword));
  }
  return folded;
}

}  // namespace

SystemFlags MergedFlags(SystemFlags base, SystemFlags other, SystemFlags now) {
  const unsigned theirs = base ^ other;
  const unsigned ours = base ^ now;
  const unsigned rash = (base & kSeen) | (~base & kDeleted);
  return static_cast<SystemFlags>(now ^ (theirs & ~ours & ~rash));
}

std::vector<std::string> MergedKeywords(const std::vector<std::string>& base,
                                        const std::vector<std::string>& other,
                                        const std::vector<std::string>& now) {
  const std::set<std::string> before = Folded(base);
  const std::set<std::string> theirs = Folded(other);
  const std::set<std::string> ours = Folded(now);
  std::vector<std::string> merged;
  for (const std::string& keyword : now) {
    const std::string folded = FoldKeyword(keyword);
    if (theirs.contains(folded) || !before.contains(folded)) {
      merged.push_back(keyword);
    }
  }
  for (const std::string& keyword : other) {
    const std::string folded = FoldKeyword(keyword);
    if (!before.contains(folded) && !ours.contains(folded)) {
      merged.push_back(keyword);
    }
  }
  return merged;
}

}  // namespace twinspool::store
