#include "server/store/parts.h"

#include <algorithm>

#include "proto/types.pb.h"

#include "common/limits.h"
#include "server/mail_store.h"
#include "server/store/page.h"

namespace twinspool::store {
namespace {

/// The term of one index entry.
Result<Digest128> TermOf(MailboxId mailbox, const MailboxHeaderPart& header, Uid uid,
                         const PageEntry& entry) {
  EntryDigestInput input{mailbox,         uid, entry.state, entry.flags, entry.modseq,
                         entry.updated_s, {},  entry.tail};
  for (std::size_t bit = 0; bit < 8 * entry.keywords.size(); ++bit) {
    if ((static_cast<unsigned char>(entry.keywords[bit / 8]) >> (bit % 8) & 1) == 0) {
      continue;
    }
    if (bit >= header.folded.size()) {
      return DataLoss("message " + std::to_string(uid.value()) +
                      " has a keyword that its mailbox does not know");
    }
    input.keywords.push_back(header.folded[bit]);
  }
  std::ranges::sort(input.keywords);
  return EntryTerm(input);
}

MailboxRow CountsOf(Uid uid, const PageEntry& entry, std::uint64_t size) {
  MailboxRow counts;
  counts.entries = 1;
  counts.uid_next = uid.value() + 1;
  counts.highest_modseq = entry.modseq;
  if (!entry.expunged()) {
    counts.exists = 1;
    counts.unseen = (entry.flags & kSeen) == 0 ? 1 : 0;
    counts.deleted = (entry.flags & kDeleted) != 0 ? 1 : 0;
    counts.bytes = size;
  }
  return counts;
}

}  // namespace

std::string Object::ToString() const {
  return is_user() ? "the own rows of user " + user.ToHex() : "mailbox " + mailbox.ToHex();
}

bool ObjectParts::whole() const {
  return std::ranges::all_of(parts, [](const Part& part) { return part.status.ok(); });
}

bool ObjectParts::sound() const {
  return whole() && state.ok() &&
         (object.is_user() ? user_counted == user : mailbox_counted == mailbox);
}

std::optional<DigestBytes> ObjectParts::digest() const {
  if (!state.ok()) {
    return std::nullopt;
  }
  return object.is_user() ? user.digest : mailbox.digest;
}

const Part* ObjectParts::Find(std::uint32_t number) const {
  const auto it = std::ranges::lower_bound(parts, number, {}, &Part::number);
  return it != parts.end() && it->number == number ? &*it : nullptr;
}

std::string ObjectParts::Describe() const {
  std::string text;
  const auto add = [&text](const std::string& what) { text += (text.empty() ? "" : "; ") + what; };
  for (const Part& part : parts) {
    if (!part.status.ok()) {
      add(PartName(object, part.number) + ": " + std::string(part.status.message()));
    }
  }
  if (!state.ok()) {
    add("derived row: " + std::string(state.message()));
  } else if (!torn.ok()) {
    add(std::string(torn.message()));
  } else if (text.empty() && !sound()) {
    Digest128 sum;
    std::ranges::for_each(parts, [&sum](const Part& part) { sum.Add(part.sum.digest); });
    add(sum.bytes() == digest() ? "the counters do not agree with the rows"
                                : "the digest of the rows is not the one that is stored");
  }
  return text;
}

std::function<bool()> TooLate(Clock& clock) {
  const Instant until = clock.Now().PlusMs(limits::kScrubSnapshotMs);
  return [&clock, until] { return clock.Now() > until; };
}

std::string PartName(const Object& object, std::uint32_t part) {
  switch (part) {
    case kHeaderPart:
      return "header";
    case kMiscPart:
      return "small rows";
    case kTokensPart:
      return "remembered results";
    default:
      break;
  }
  if (object.is_user()) {
    return "pool entries of group " + std::to_string(part);
  }
  const std::uint32_t first = part << kPageBits;
  return "page of messages " + std::to_string(std::max(first, 1u)) + " to " +
         std::to_string(first | 0xff);
}

MailboxRow HeaderCounts(const MailboxHeaderPart& header) {
  MailboxRow row;
  row.uid_next = std::max(header.decoded.uid_floor(), 1u);
  row.highest_modseq = Modseq(header.decoded.created_modseq());
  for (const proto::UidGap& gap : header.decoded.uid_gaps()) {
    row.highest_modseq = std::max(row.highest_modseq, Modseq(gap.modseq()));
  }
  return row;
}

void AddCounts(const MailboxRow& share, MailboxRow* row) {
  row->uid_next = std::max(row->uid_next, share.uid_next);
  row->highest_modseq = std::max(row->highest_modseq, share.highest_modseq);
  row->exists += share.exists;
  row->unseen += share.unseen;
  row->deleted += share.deleted;
  row->bytes += share.bytes;
  row->entries += share.entries;
}

Result<PartSum> SumPage(MailboxId mailbox, const MailboxHeaderPart& header, std::uint32_t number,
                        const Page& page, const std::vector<std::pair<Uid, std::string>>& records) {
  PartSum sum;
  auto next = records.begin();
  for (const PageEntry& entry : page.entries()) {
    const Uid uid(number << kPageBits | entry.uid_low);
    if (next == records.end() || next->first != uid) {
      return DataLoss(next == records.end() || uid < next->first
                          ? "no record for message " + std::to_string(uid.value())
                          : "no index entry for message " + std::to_string(next->first.value()));
    }
    proto::RecordHeader record;
    if (!record.ParseFromString(next->second)) {
      return DataLoss("the record of message " + std::to_string(uid.value()) + " does not parse");
    }
    sum.digest.Add(RecordTerm(mailbox, uid, next->second));
    ASSIGN_OR_RETURN(const Digest128 term, TermOf(mailbox, header, uid, entry));
    sum.digest.Add(term);
    AddCounts(CountsOf(uid, entry, record.size()), &sum.counts);
    ++next;
  }
  if (next != records.end()) {
    return DataLoss("no index entry for message " + std::to_string(next->first.value()));
  }
  return sum;
}

}  // namespace twinspool::store
