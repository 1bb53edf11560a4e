// From items to the cheapest read that answers them.
#include "server/imap/fetch_plan.h"

#include <algorithm>

#include "common/limits.h"

namespace twinspool::imap {
namespace {

/// Octets from the start of the body that `item` is likely to need.
std::uint64_t OctetsFor(const FetchItem& item) {
  const bool header_alone =
      item.section.part.empty() && (item.section.text == SectionText::kHeader ||
                                    item.section.text == SectionText::kHeaderFields ||
                                    item.section.text == SectionText::kHeaderFieldsNot);
  if (item.attribute == FetchAttribute::kRfc822Header || header_alone) {
    return limits::kFetchHeaderBytes;
  }
  if (item.partial && item.section.part.empty() && item.section.text == SectionText::kAll) {
    const std::uint64_t end = std::uint64_t{item.partial->offset} + item.partial->length;
    return std::min<std::uint64_t>(end, limits::kFetchBatchBytes);
  }
  return limits::kFetchBatchBytes;
}

void AddItem(const FetchItem& item, FetchPlan* plan) {
  switch (item.attribute) {
    case FetchAttribute::kFlags:
      plan->flags = true;
      return;
    case FetchAttribute::kUid:
      plan->uid = true;
      return;
    case FetchAttribute::kModseq:
      plan->modseq = true;
      return;
    case FetchAttribute::kEnvelope:
    case FetchAttribute::kBody:
    case FetchAttribute::kBodyStructure:
    case FetchAttribute::kPreview:
    case FetchAttribute::kThreadId:
      plan->summary = true;
      break;
    case FetchAttribute::kBinarySize:
      plan->body_bytes = limits::kFetchBatchBytes;
      break;
    case FetchAttribute::kBinary:
    case FetchAttribute::kBodySection:
      plan->sets_seen = plan->sets_seen || !item.peek;
      plan->body_bytes = std::max(plan->body_bytes, OctetsFor(item));
      break;
    case FetchAttribute::kRfc822:
    case FetchAttribute::kRfc822Text:
      plan->sets_seen = true;
      plan->body_bytes = limits::kFetchBatchBytes;
      break;
    case FetchAttribute::kRfc822Header:
      plan->body_bytes = std::max(plan->body_bytes, OctetsFor(item));
      break;
    case FetchAttribute::kInternalDate:
    case FetchAttribute::kRfc822Size:
    case FetchAttribute::kEmailId:
    case FetchAttribute::kSaveDate:
      break;
  }
  plan->index_only = false;
}

}  // namespace

FetchPlan PlanFetch(const std::vector<FetchItem>& items, bool uid) {
  FetchPlan plan;
  plan.uid = uid;
  for (const FetchItem& item : items) {
    AddItem(item, &plan);
  }
  return plan;
}

}  // namespace twinspool::imap
