#include "server/store/derived.h"

#include "common/codec.h"

namespace twinspool::store {
namespace {

bool TakesAway(const Row& row) {
  const bool gone = row.op == RowOp::kDelete || row.op == RowOp::kDeleteRange;
  return gone && (row.family == Family::kRecords || row.family == Family::kBodies ||
                  row.family == Family::kSummaries);
}

/// Deletions of records, a page's pages once however many of its records go one after the other.
class PageDropper {
 public:
  explicit PageDropper(RowBatch* out) : out_(out) {}

  void Record(std::string_view key) {
    Reader reader(key);
    const MailboxId mailbox = MailboxId::FromBytes(reader.Bytes(MailboxId::kSize));
    const std::uint32_t page = reader.Be32() >> kPageBits;
    if (reader.ok() && (mailbox != mailbox_ || page != page_)) {
      DropTextPage(mailbox, page, out_);
      mailbox_ = mailbox;
      page_ = page;
    }
  }

  /// The store takes away the records of a page, or all of a mailbox.
  void Records(std::string_view begin) {
    if (begin.size() > MailboxId::kSize) {
      return Record(begin);
    }
    const std::string prefix = TextPagePrefix(MailboxId::FromBytes(begin));
    out_->DeleteRange(Family::kTexts, prefix, PrefixEnd(prefix));
  }

 private:
  RowBatch* const out_;
  MailboxId mailbox_;
  std::uint32_t page_ = 0;
};

}  // namespace

Removals RemovalsOf(const RowBatch& batch) {
  Removals removals;
  PageDropper dropper(&removals.derived);
  for (const Row& row : batch.rows()) {
    if (!TakesAway(row)) {
      continue;
    }
    removals.any = true;
    if (row.family == Family::kRecords) {
      row.op == RowOp::kDelete ? dropper.Record(row.key) : dropper.Records(row.key);
    }
  }
  return removals;
}

void DropTextPage(MailboxId mailbox, std::uint32_t page, RowBatch* batch) {
  for (const char kind : kPageKinds) {
    batch->Delete(Family::kTexts, TextPageKey(mailbox, kind, page));
  }
}

}  // namespace twinspool::store
