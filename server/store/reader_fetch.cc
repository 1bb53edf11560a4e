// Messages: their entries, records, summaries and octets.
#include <algorithm>

#include "common/limits.h"
#include "server/store/engine.h"
#include "server/store/keyword_bits.h"
#include "server/store/page.h"
#include "server/store/reader.h"

namespace twinspool::store {
namespace {

/// Messages whose octets are read in one go; the batch may be full after any of them.
constexpr std::size_t kOctetsStep = 64;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

Status ParseRecord(const std::string& row, MessageRecord* out) {
  proto::RecordHeader record;
  if (!record.ParseFromString(row)) {
    return DataLoss("the record of a message does not parse");
  }
  out->guid = Guid::FromBytes(record.guid());
  out->body = BodyNo(record.body_no());
  out->size = record.size();
  out->internal_date = record.internal_date_ns() / kNsPerSecond;
  out->zone_minutes = static_cast<std::int16_t>(record.zone_minutes());
  out->save_date = record.save_date_ns() / kNsPerSecond;
  out->created = Modseq(record.created_modseq());
  return OkStatus();
}

/// Those whose records are there.
std::vector<FetchedMessage*> Sound(std::vector<FetchedMessage>* messages) {
  std::vector<FetchedMessage*> sound;
  for (FetchedMessage& message : *messages) {
    if (message.failure.ok()) {
      sound.push_back(&message);
    }
  }
  return sound;
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

void StoreReader::AddRecords(MailboxId mailbox, std::vector<FetchedMessage>* messages) {
  std::vector<std::string> keys;
  keys.reserve(messages->size());
  for (const FetchedMessage& message : *messages) {
    keys.push_back(RecordKey(mailbox, message.uid));
  }
  auto rows = engine_.GetEach(Family::kRecords, keys, snapshot_);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    FetchedMessage& message = (*messages)[i];
    if (!rows[i].ok()) {
      message.failure = rows[i].status();
    } else if (!*rows[i]) {
      message.failure = DataLoss("the record of message " + std::to_string(message.uid.value()) +
                                 " in mailbox " + mailbox.ToHex() + " is missing");
    } else {
      message.failure = ParseRecord(**rows[i], &message.record);
    }
  }
}

void StoreReader::AddSummaries(UserId owner, std::span<FetchedMessage* const> messages) {
  std::vector<BodyNo> bodies;
  for (const FetchedMessage* message : messages) {
    bodies.push_back(message->record.body);
  }
  auto summaries = summaries_.Get(owner, bodies, snapshot_);
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
  const bool summaries = (request.parts & kFetchSummary) != 0;
  const bool records = summaries || request.body_bytes > 0 || request.parts != kFetchIndex;
  const std::size_t step =
      request.body_bytes > 0 || summaries ? kOctetsStep : limits::kFetchBatchMessages;
  const std::uint64_t wanted =
      std::min<std::uint64_t>(request.body_bytes, limits::kFetchBatchBytes);
  std::size_t bytes = 0;
  while (!batch.rest.empty() && batch.messages.size() < limits::kFetchBatchMessages) {
    UidSet after = batch.rest;
    ASSIGN_OR_RETURN(std::vector<FetchedMessage> part,
                     TakeEntries(mailbox.id, loaded.seen, step, &after));
    if (records) {
      AddRecords(mailbox.id, &part);
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
    }
    const std::vector<FetchedMessage*> sound = Sound(&part);
    if (summaries) {
      AddSummaries(mailbox.owner, sound);
    }
    if (wanted > 0) {
      AddOctets(mailbox.owner, wanted, sound);
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
