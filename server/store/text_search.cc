#include "server/store/text_search.h"

#include <algorithm>
#include <utility>

#include "common/limits.h"
#include "server/mime/text.h"
#include "server/mime/text_page.h"
#include "server/store/engine.h"
#include "server/store/fact_page.h"

namespace twinspool::store {
namespace {

bool Asks(const TextKey& key, mime::TextColumn column) {
  switch (key.in) {
    case TextKey::In::kHeader:
      return column == mime::ColumnOfField(key.field);
    case TextKey::In::kBody:
      return column == mime::TextColumn::kBody;
    default:
      return true;
  }
}

bool Holds(std::string_view folded, const TextKey& key) {
  switch (key.in) {
    case TextKey::In::kHeader:
      return mime::FoldedHeaderContains(folded, key.field, key.folded);
    case TextKey::In::kBody:
      return mime::FoldedBodyContains(folded, key.folded);
    default:
      return mime::FoldedTextContains(folded, key.folded);
  }
}

/// Members of `uids` from `from` on that share its page.
UidSet OfPage(const UidSet& uids, std::uint32_t from) {
  return uids.Intersect(UidSet::Of(from, from | 0xff));
}

/// The smallest member of `uids` above `uid`; 0: none.
std::uint32_t Above(const UidSet& uids, std::uint32_t uid) {
  const auto it = std::ranges::upper_bound(uids.ranges(), uid, {}, &UidRange::last);
  return it == uids.ranges().end() ? 0 : std::max(it->first, uid + 1);
}

}  // namespace

TextSearch::TextSearch(Engine& engine, TextPages& pages, const Snapshot* snapshot,
                       const TextQuery& query)
    : engine_(engine), pages_(pages), snapshot_(snapshot), query_(query) {
  batch_.found.resize(query.keys.size());
  for (std::size_t i = 0; i < mime::kTextColumns; ++i) {
    const auto column = static_cast<mime::TextColumn>(i);
    columns_.push_back(
        std::ranges::any_of(query.keys, [&](const TextKey& key) { return Asks(key, column); }));
    if (columns_.back()) {
      kinds_.push_back(kTextKinds[i]);
    }
  }
}

Result<TextBatch> TextSearch::Run(const MailboxState& mailbox) {
  const std::uint64_t removals = engine_.removals();
  std::uint32_t next = query_.uids.Min();
  while (next != 0 && !Spent()) {
    // A page comes more than once when much of it is not packed.
    UidSet uids = OfPage(query_.uids, next).Minus(batch_.judged);
    const std::uint32_t page = next >> kPageBits;
    packable_ = TextPages::Complete(page, mailbox.uid_next);
    if (packable_ && !InPage(mailbox, page, &uids)) {
      pages_.PackLater(mailbox.ref.id, page);
    }
    UidSet some;  // a step of them, so that the batch stays bounded
    uids.ForEach([&](std::uint32_t uid) {
      if (some.Count() < limits::kSearchLooseStep) {
        some.Add(uid);
      }
    });
    const std::uint32_t last = some.Count() < uids.Count() ? some.Max() : next | 0xff;
    const std::uint32_t after = Above(query_.uids, last);
    const std::uint32_t stopped = some.empty() ? 0 : OneByOne(mailbox.ref, some);
    next = stopped != 0 ? stopped : after;
  }
  pages_.Keep(mailbox.ref.owner, made_, removals);
  if (next != 0) {
    // Of its page some may be judged already: those that are packed.
    batch_.rest = query_.uids.Intersect(UidSet::Of(next, UINT32_MAX)).Minus(batch_.judged);
  }
  return std::move(batch_);
}

/// Judges those of `*uids` that are on the packed page and takes them out; false: there is none
/// that can be used.
bool TextSearch::InPage(const MailboxState& mailbox, std::uint32_t page, UidSet* uids) {
  const auto rows = pages_.Read(mailbox.ref.id, page, kinds_);
  if (!rows) {
    return false;
  }
  std::vector<mime::TextColumnReader> readers;
  for (const std::string& row : *rows) {
    Result<mime::TextColumnReader> reader = mime::TextColumnReader::Open(row);
    if (!reader.ok() || (!readers.empty() && reader->numbers() != readers.front().numbers())) {
      return false;
    }
    in_pages_ += row.size();
    readers.push_back(std::move(*reader));
  }
  const UidSet among = uids->Intersect(readers.front().numbers());
  for (std::size_t i = 0; i < query_.keys.size(); ++i) {
    const TextKey& key = query_.keys[i];
    std::size_t next = 0;
    for (std::size_t column = 0; column < columns_.size(); ++column) {
      if (!columns_[column]) {
        continue;
      }
      const mime::TextColumnReader& reader = readers[next++];
      if (Asks(key, static_cast<mime::TextColumn>(column))) {
        reader.Find(key.field, key.folded, among, &batch_.found[i]);
      }
    }
  }
  batch_.judged.Add(among);
  *uids = uids->Minus(among);
  return true;
}

/// Answers the first one that is left for the next batch, or 0.
std::uint32_t TextSearch::OneByOne(MailboxRef mailbox, const UidSet& uids) {
  std::vector<std::string> keys;
  std::vector<Uid> places;
  uids.ForEach([&](std::uint32_t uid) {
    keys.push_back(RecordKey(mailbox.id, Uid(uid)));
    places.emplace_back(uid);
  });
  const auto rows = engine_.GetEach(Family::kRecords, keys, snapshot_);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i > 0 && SpentOneByOne()) {
      return places[i].value();
    }
    // One that cannot be read is left to whoever fetches the octets: there the damage is told.
    const Result<MessageRecord> record =
        rows[i].ok() && *rows[i] ? ParseRecord(**rows[i]) : Result<MessageRecord>(DataLoss(""));
    if (record.ok()) {
      Try(mailbox.owner, places[i], *record);
    } else {
      batch_.open.Add(places[i]);
    }
  }
  return 0;
}

void TextSearch::Try(UserId owner, Uid uid, const MessageRecord& record) {
  if (const auto text = pages_.TextOf(owner, record.body)) {
    one_by_one_ += text->size();
    return Judge(uid, *text);
  }
  if (record.size > limits::kFetchBatchBytes) {
    pages_.Arrived(owner, record.body);
    return batch_.open.Add(uid);
  }
  const auto octets = ReadWholeBody(engine_, owner, record.body, snapshot_);
  if (!octets.ok() || !*octets) {
    return batch_.open.Add(uid);
  }
  folded_ += (*octets)->size();
  std::string text = mime::FoldedText(**octets);
  Judge(uid, text);
  // Where a page is about to be packed, a row beside it would be left over.
  if (!packable_ || text.size() > limits::kPackedTextBytesMax) {
    made_.emplace_back(record.body, std::move(text));
  }
}

void TextSearch::Judge(Uid uid, std::string_view folded) {
  batch_.judged.Add(uid);
  for (std::size_t i = 0; i < query_.keys.size(); ++i) {
    if (Holds(folded, query_.keys[i])) {
      batch_.found[i].Add(uid);
    }
  }
}

}  // namespace twinspool::store
