#include "server/store/gaps.h"

#include <algorithm>

#include "common/limits.h"

namespace twinspool::store {

bool InLostTime(const proto::MailboxHeader& header, Modseq since) {
  return std::ranges::any_of(header.uid_gaps(), [&](const proto::UidGap& gap) {
    return since.value() > gap.after_modseq() && since.value() < gap.modseq();
  });
}

UidSet SkippedSince(const proto::MailboxHeader& header, Modseq since) {
  UidSet skipped;
  if (since == Modseq()) {
    return skipped;
  }
  for (const proto::UidGap& gap : header.uid_gaps()) {
    if (since.value() < gap.modseq() && gap.first() > 0) {
      skipped.Add(gap.first(), gap.last());
    }
  }
  return skipped;
}

void SkipUids(proto::MailboxHeader* header, std::uint32_t uid_next, Modseq highest, Modseq modseq) {
  if (header->uid_gaps_size() >= limits::kUidGapsMax) {
    const std::uint64_t oldest = header->uid_gaps(0).after_modseq();
    header->mutable_uid_gaps()->erase(header->uid_gaps().begin());
    header->mutable_uid_gaps(0)->set_after_modseq(oldest);
  }
  const std::uint64_t end =
      std::min<std::uint64_t>(std::uint64_t{uid_next} + limits::kUidJump, UINT32_MAX);
  proto::UidGap* gap = header->add_uid_gaps();
  if (end > uid_next) {
    gap->set_first(uid_next);
    gap->set_last(static_cast<std::uint32_t>(end - 1));
  }
  gap->set_modseq(modseq.value());
  gap->set_after_modseq(highest.value());
  header->set_uid_floor(std::max(header->uid_floor(), static_cast<std::uint32_t>(end)));
}

}  // namespace twinspool::store
