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

}  // namespace

Result<std::vector<FetchedMessage>> StoreReader::TakeEntries(MailboxId mailbox, std::size_t max,
                                                             UidSet* rest) {
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

Status StoreReader::AddRecords(MailboxId mailbox, std::vector<FetchedMessage>* messages) {
  std::vector<std::string> keys;
  keys.reserve(messages->size());
  for (const FetchedMessage& message : *messages) {
    keys.push_back(RecordKey(mailbox, message.uid));
  }
  ASSIGN_OR_RETURN(const auto rows, engine_.MultiGet(Family::kRecords, keys, snapshot_));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!rows[i]) {
      return DataLoss("the record of message " + std::to_string((*messages)[i].uid.value()) +
                      " in mailbox " + mailbox.ToHex() + " is missing");
    }
    TRY(ParseRecord(*rows[i], &(*messages)[i].record));
  }
  return OkStatus();
}

Status StoreReader::AddSummaries(UserId owner, std::vector<FetchedMessage>* messages) {
  std::vector<BodyNo> bodies;
  for (const FetchedMessage& message : *messages) {
    bodies.push_back(message.record.body);
  }
  ASSIGN_OR_RETURN(auto summaries, summaries_.Get(owner, bodies, snapshot_));
  for (std::size_t i = 0; i < summaries.size(); ++i) {
    (*messages)[i].summary = std::move(summaries[i]);
  }
  return OkStatus();
}

Status StoreReader::AddOctets(UserId owner, std::uint64_t wanted,
                              std::vector<FetchedMessage>* messages) {
  std::vector<std::string> keys;
  for (const FetchedMessage& message : *messages) {
    keys.push_back(BodyKey(owner, message.record.body, 0));
  }
  ASSIGN_OR_RETURN(auto chunks, engine_.MultiGet(Family::kBodies, keys, snapshot_));
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    FetchedMessage& message = (*messages)[i];
    if (!chunks[i]) {
      return DataLoss("body " + message.record.guid.ToHex() + " of user " + owner.ToHex() +
                      " is missing; compare the nodes with verify-pair");
    }
    const std::uint64_t share = std::min(wanted, message.record.size);
    message.octets = std::move(*chunks[i]);
    if (message.octets.size() < share) {
      ASSIGN_OR_RETURN(const std::string more,
                       ReadBody(owner, message.record.body, message.octets.size(),
                                static_cast<std::size_t>(share - message.octets.size())));
      message.octets += more;
    }
    message.octets.resize(static_cast<std::size_t>(share));
  }
  return OkStatus();
}

Result<FetchBatch> StoreReader::Fetch(MailboxRef mailbox, const FetchRequest& request) {
  ASSIGN_OR_RETURN(Loaded loaded, Load(mailbox));
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
    ASSIGN_OR_RETURN(std::vector<FetchedMessage> part, TakeEntries(mailbox.id, step, &after));
    if (records) {
      TRY(AddRecords(mailbox.id, &part));
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
    if (summaries) {
      TRY(AddSummaries(mailbox.owner, &part));
    }
    if (wanted > 0) {
      TRY(AddOctets(mailbox.owner, wanted, &part));
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
