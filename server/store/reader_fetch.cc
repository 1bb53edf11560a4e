// Messages: their entries, records, summaries and octets.
#include <algorithm>

#include "common/limits.h"
#include "server/store/engine.h"
#include "server/store/fact_page.h"
#include "server/store/keyword_bits.h"
#include "server/store/page.h"
#include "server/store/reader.h"
#include "server/store/text_pages.h"
#include "server/store/text_search.h"

namespace twinspool::store {
namespace {

/// Messages whose octets are read in one go; the batch may be full after any of them.
constexpr std::size_t kOctetsStep = 64;
constexpr std::size_t kFactsStep = 1024;

std::vector<FetchedMessage*> All(std::vector<FetchedMessage>* messages) {
  std::vector<FetchedMessage*> all;
  for (FetchedMessage& message : *messages) {
    all.push_back(&message);
  }
  return all;
}

/// Those whose records are there.
std::vector<FetchedMessage*> Sound(std::vector<FetchedMessage*> messages) {
  std::erase_if(messages, [](const FetchedMessage* message) { return !message->failure.ok(); });
  return messages;
}

}  // namespace

Result<std::vector<FetchedMessage>> StoreReader::TakeEntries(MailboxId mailbox,
                                                             const ViewerSeen& seen,
                                                             std::size_t max, UidSet* rest) {
  std::vector<FetchedMessage> messages;
  if (rest->empty()) {
    return messages;
  }
  const std::uint32_t last = rest->Max();
  RowIterator it = engine_.Iterate(
      Family::kIndex, {PageKey(mailbox, rest->Min() >> kPageBits), PrefixEnd(mailbox.bytes())},
      snapshot_);
  std::uint32_t next = 0;
  for (it.SeekToFirst(); it.Valid() && next == 0; it.Next()) {
    const auto page = PageOfPageKey(it.key());
    if (!page || *page > last >> kPageBits) {
      break;
    }
    PageScanner scanner(it.value());
    EntryView view;
    while (scanner.Next(&view)) {
      const std::uint32_t uid = *page << kPageBits | view.uid_low;
      if (!rest->Contains(uid)) {
        continue;
      }
      if (messages.size() >= max) {
        next = uid;
        break;
      }
      FetchedMessage& message = messages.emplace_back();
      seen.Apply(Uid(uid), &view.flags, &view.modseq);
      message.uid = Uid(uid);
      message.entry = {Uid(uid), view.flags, view.expunged(), view.modseq,
                       ToKeywordBits(view.keywords)};
    }
    TRY(scanner.status());
  }
  TRY(it.status());
  *rest = next == 0 ? UidSet() : rest->Intersect(UidSet::Of(next, last));
  return messages;
}

std::vector<FetchedMessage*> StoreReader::AddFacts(const MailboxState& mailbox, bool sort_fields,
                                                   std::vector<FetchedMessage>* messages) {
  std::vector<FetchedMessage*> others;
  for (std::size_t i = 0; i < messages->size();) {
    const std::uint32_t page = (*messages)[i].uid.value() >> kPageBits;
    const bool complete = TextPages::Complete(page, mailbox.uid_next);
    const auto row = complete ? pages_.Read(mailbox.ref.id, page, std::string_view(&kFactsKind, 1))
                              : std::nullopt;
    const auto facts = row ? ReadFactPage(row->front()) : std::vector<Facts>();
    if (complete && (!row || !facts.ok())) {
      pages_.PackLater(mailbox.ref.id, page);
    }
    std::size_t at = 0;
    for (; i < messages->size() && (*messages)[i].uid.value() >> kPageBits == page; ++i) {
      FetchedMessage& message = (*messages)[i];
      while (facts.ok() && at < facts->size() && (*facts)[at].uid < message.uid) {
        ++at;
      }
      if (facts.ok() && at < facts->size() && (*facts)[at].uid == message.uid) {
        message.record = (*facts)[at].record;
        message.summary = std::string(sort_fields ? (*facts)[at].head : "");
      } else {
        others.push_back(&message);
      }
    }
  }
  return others;
}

void StoreReader::AddRecords(MailboxId mailbox, std::span<FetchedMessage* const> messages) {
  std::vector<std::string> keys;
  keys.reserve(messages.size());
  for (const FetchedMessage* message : messages) {
    keys.push_back(RecordKey(mailbox, message->uid));
  }
  auto rows = engine_.GetEach(Family::kRecords, keys, snapshot_);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    FetchedMessage& message = *messages[i];
    if (!rows[i].ok()) {
      message.failure = rows[i].status();
    } else if (!*rows[i]) {
      message.failure = DataLoss("the record of message " + std::to_string(message.uid.value()) +
                                 " in mailbox " + mailbox.ToHex() + " is missing");
    } else {
      const Result<MessageRecord> record = ParseRecord(**rows[i]);
      message.failure = record.status();
      message.record = record.ok() ? *record : MessageRecord();
    }
  }
}

void StoreReader::AddSummaries(UserId owner, std::span<FetchedMessage* const> messages) {
  std::vector<BodyNo> bodies;
  for (const FetchedMessage* message : messages) {
    bodies.push_back(message->record.body);
  }
  auto summaries = pages_.summaries().Get(owner, bodies, snapshot_);
  for (std::size_t i = 0; i < summaries.size(); ++i) {
    messages[i]->failure = summaries[i].status();
    if (summaries[i].ok()) {
      messages[i]->summary = std::move(*summaries[i]);
    }
  }
}

void StoreReader::AddOctets(UserId owner, std::uint64_t wanted,
                            std::span<FetchedMessage* const> messages) {
  std::vector<std::string> keys;
  for (const FetchedMessage* message : messages) {
    keys.push_back(BodyKey(owner, message->record.body, 0));
  }
  auto chunks = engine_.GetEach(Family::kBodies, keys, snapshot_);
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    Result<std::string> octets =
        FirstOctets(owner, messages[i]->record, wanted, std::move(chunks[i]));
    if (octets.ok()) {
      messages[i]->octets = std::move(*octets);
    } else if (messages[i]->failure.ok()) {
      messages[i]->failure = octets.status();
    }
  }
}

Result<std::string> StoreReader::FirstOctets(UserId owner, const MessageRecord& record,
                                             std::uint64_t wanted,
                                             Result<std::optional<std::string>> first_chunk) {
  ASSIGN_OR_RETURN(auto chunk, std::move(first_chunk));
  const auto share = static_cast<std::size_t>(std::min(wanted, record.size));
  std::string octets = chunk ? std::move(*chunk) : "";
  if (chunk && octets.size() < share) {
    ASSIGN_OR_RETURN(const std::string more,
                     ReadBody(owner, record.body, octets.size(), share - octets.size()));
    octets += more;
  }
  if (!chunk || octets.size() < share) {
    return DataLoss("body " + record.guid.ToHex() + " of user " + owner.ToHex() +
                    " is missing or cut; compare the nodes with verify-pair");
  }
  octets.resize(share);
  return octets;
}

Result<FetchBatch> StoreReader::Fetch(MailboxRef mailbox, const FetchRequest& request) {
  ASSIGN_OR_RETURN(Loaded loaded, Load(mailbox, kRightRead));
  FetchBatch batch;
  batch.keywords = loaded.state.keywords;
  batch.rest = request.uids;
  batch.messages.reserve(static_cast<std::size_t>(
      std::min<std::uint64_t>(request.uids.Count(), limits::kFetchBatchMessages)));
  const bool summaries = (request.parts & (kFetchSummary | kFetchSort)) != 0;
  // Of packed pages: many small things at a time.
  const bool facts = request.body_bytes == 0 && (request.parts & kFetchSummary) == 0 &&
                     (request.parts & (kFetchRecord | kFetchSort)) != 0;
  const bool records = summaries || request.body_bytes > 0 || request.parts != kFetchIndex;
  const std::size_t step =
      request.body_bytes > 0 || (summaries && !facts) ? kOctetsStep : kFactsStep;
  const std::uint64_t wanted =
      std::min<std::uint64_t>(request.body_bytes, limits::kFetchBatchBytes);
  std::size_t bytes = 0;
  while (!batch.rest.empty() && batch.messages.size() < limits::kFetchBatchMessages) {
    UidSet after = batch.rest;
    ASSIGN_OR_RETURN(std::vector<FetchedMessage> part,
                     TakeEntries(mailbox.id, loaded.seen, step, &after));
    std::vector<FetchedMessage*> others =
        facts ? AddFacts(loaded.state, summaries, &part) : All(&part);
    if (records) {
      AddRecords(mailbox.id, others);
    }
    // Messages that would overfill the batch are left for the next, but never all of them.
    std::size_t count = 0;
    while (count < part.size() &&
           ((batch.messages.empty() && count == 0) || bytes < request.batch_bytes)) {
      bytes += static_cast<std::size_t>(std::min(wanted, part[count].record.size));
      ++count;
    }
    if (count < part.size()) {
      after = batch.rest.Intersect(UidSet::Of(part[count].uid.value(), batch.rest.Max()));
      part.resize(count);
      others.resize(std::min(others.size(), count));
    }
    others = Sound(std::move(others));
    if (summaries) {
      AddSummaries(mailbox.owner, others);
    }
    if (wanted > 0) {
      AddOctets(mailbox.owner, wanted, others);
    }
    for (FetchedMessage& message : part) {
      bytes += message.summary.size();
      batch.messages.push_back(std::move(message));
    }
    const bool full = count == 0 || bytes >= request.batch_bytes;
    batch.rest = std::move(after);
    if (full) {
      break;
    }
  }
  return batch;
}

Result<TextBatch> StoreReader::SearchText(MailboxRef mailbox, const TextQuery& query) {
  ASSIGN_OR_RETURN(const Loaded loaded, Load(mailbox, kRightRead));
  return TextSearch(engine_, pages_, snapshot_, query).Run(loaded.state);
}

Result<std::string> StoreReader::ReadBody(UserId owner, BodyNo body, std::uint64_t offset,
                                          std::size_t length) {
  // Every chunk but a body's last has the size limits::kBodyChunkBytes: the first one says whether
  // the body is there at all.
  std::string out;
  std::uint64_t position = offset;
  while (out.size() < length) {
    const std::uint64_t chunk = position / limits::kBodyChunkBytes;
    if (chunk > UINT32_MAX) {
      break;
    }
    ASSIGN_OR_RETURN(
        const auto octets,
        engine_.Get(Family::kBodies, BodyKey(owner, body, static_cast<std::uint32_t>(chunk)),
                    snapshot_));
    if (!octets) {
      if (chunk == 0) {
        return NotFound("no such body");
      }
      break;
    }
    const auto skip = static_cast<std::size_t>(position % limits::kBodyChunkBytes);
    if (skip >= octets->size()) {
      break;
    }
    const std::size_t take = std::min(octets->size() - skip, length - out.size());
    out.append(*octets, skip, take);
    position += take;
    if (skip + take < limits::kBodyChunkBytes) {
      break;
    }
  }
  return out;
}

}  // namespace twinspool::store
