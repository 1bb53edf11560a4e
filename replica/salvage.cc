#include "replica/salvage.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "common/codec.h"
#include "common/limits.h"
#include "replica/salvage_file.h"

namespace twinspool::replica {
namespace {

constexpr char kRecords[] = "records";
constexpr char kBodies[] = "bodies";
constexpr char kDone[] = "done";
constexpr char kAppend[] = "append";
constexpr char kFlags[] = "flags";
constexpr char kExpunge[] = "expunge";

/// Order of tokens is order of entries: the oldest message is given back first.
std::string MakeToken(const SalvageRecord& record, std::size_t index) {
  const EntryId& entry = record.entry;
  std::string token;
  PutBe32(&token, entry.epoch.value());
  PutBe64(&token, entry.seq.value());
  PutBe64(&token, entry.incarnation.value());
  PutBe32(&token, static_cast<std::uint32_t>(index));
  if (entry.seq == CommitSeq()) {
    // Of no entry: named by what it is and where it lay.
    token += record.mailbox.bytes();
    PutBe32(&token, record.uid.value());
    token += record.record.guid();
  }
  return token;
}

proto::SalvageItem ToItem(const SalvageRecord& record, std::size_t index) {
  proto::SalvageItem item;
  item.set_token(MakeToken(record, index));
  item.set_epoch(record.entry.epoch.value());
  item.set_incarnation(record.entry.incarnation.value());
  item.set_seq(record.entry.seq.value());
  item.set_user_id(std::string(record.user.bytes()));
  item.set_user_name(record.user_name);
  item.set_mailbox_id(std::string(record.mailbox.bytes()));
  item.set_mailbox_name(record.mailbox_name);
  item.set_uid(record.uid.value());
  item.set_kind(record.kind);
  *item.mutable_record() = record.record;
  *item.mutable_entry_state() = record.entry_state;
  *item.mutable_previous() = record.previous;
  for (const std::string& keyword : record.keywords) {
    item.add_keywords(keyword);
  }
  item.set_header(record.header);
  item.set_has_body(record.has_body);
  return item;
}

/// Epoch and first seq as a directory's name tells them: as numbers, "10-5" comes after "9-7".
std::tuple<std::uint64_t, std::uint64_t, std::string> OrderOf(const std::filesystem::path& dir) {
  const std::string name = dir.filename().string();
  const char* const end = name.data() + name.size();
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
  const auto [dash, error] = std::from_chars(name.data(), end, epoch);
  if (error == std::errc() && dash != end) {
    std::from_chars(dash + 1, end, seq);
  }
  return {epoch, seq, name};
}

}  // namespace

Result<std::unique_ptr<Salvage>> Salvage::Open(SalvageOptions options) {
  std::unique_ptr<Salvage> salvage(new Salvage(std::move(options)));
  TRY(salvage->Load());
  return salvage;
}

Status Salvage::Load() {
  items_.clear();
  by_token_.clear();
  done_.clear();
  pending_.clear();
  expunged_.clear();
  newest_flags_.clear();
  const std::filesystem::path root = options_.data_dir / "salvage";
  std::error_code error;
  std::vector<std::filesystem::path> dirs;
  for (std::filesystem::directory_iterator it(root, error), end; !error && it != end;
       it.increment(error)) {
    if (it->is_directory(error)) {
      dirs.push_back(it->path());
    }
  }
  std::ranges::sort(dirs, {}, OrderOf);
  for (const std::filesystem::path& dir : dirs) {
    TRY(LoadDirectory(dir));
  }
  return OkStatus();
}

Status Salvage::LoadDirectory(const std::filesystem::path& dir) {
  ASSIGN_OR_RETURN(const std::vector<std::string> done, ReadRecordFile(dir / kDone));
  done_.insert(done.begin(), done.end());
  ASSIGN_OR_RETURN(const std::vector<std::string> records, ReadRecordFile(dir / kRecords));
  for (const std::string& record : records) {
    proto::SalvageItem item;
    if (!item.ParseFromString(record)) {
      return DataLoss("a record of " + (dir / kRecords).string() +
                      " does not parse; move the directory away to start without it");
    }
    Add(std::move(item), dir);
  }
  return OkStatus();
}

Salvage::MessageKey Salvage::KeyOf(const Item& item) {
  return {item.dir, item.proto.mailbox_id(), item.proto.uid()};
}

void Salvage::Add(proto::SalvageItem added, const std::filesystem::path& dir) {
  const std::size_t at = items_.size();
  const Item& item = items_.emplace_back(Item{std::move(added), dir});
  const std::string& kind = item.proto.kind();
  const std::string& token = item.proto.token();
  by_token_[token] = at;
  // Newest entries come first within a rewind: what became of a message is known before its append.
  if (kind == kExpunge) {
    expunged_.insert(KeyOf(item));
  } else if (kind == kFlags) {
    newest_flags_.try_emplace(KeyOf(item), at);
  } else if (kind == kAppend && item.proto.has_body() && !done_.contains(token) &&
             !expunged_.contains(KeyOf(item))) {
    pending_[token] = at;
  }
}

Status Salvage::BeginRewind(Epoch epoch, CommitSeq first_seq) {
  const std::filesystem::path root = options_.data_dir / "salvage";
  const std::filesystem::path dir =
      root / (std::to_string(epoch.value()) + "-" + std::to_string(first_seq.value()));
  if (dir == dir_) {
    return OkStatus();
  }
  TRY(Sync());
  TRY(MakeDirectory(root, options_.sync));
  TRY(MakeDirectory(dir, options_.sync));
  // The files are there from the beginning, so that Sync need not look after their names.
  TRY(AppendOctets(dir / kRecords, "").status());
  TRY(AppendOctets(dir / kBodies, "").status());
  if (options_.sync) {
    TRY(SyncFile(dir));
  }
  dir_ = dir;
  return OkStatus();
}

Status Salvage::AppendBody(proto::SalvageItem* item, const BodyReader& read_body) {
  const std::uint64_t size = item->record().size();
  std::uint64_t offset = 0;
  while (offset < size) {
    const std::size_t want =
        static_cast<std::size_t>(std::min<std::uint64_t>(size - offset, limits::kFramePartBytes));
    ASSIGN_OR_RETURN(const std::string piece, read_body(offset, want));
    if (piece.empty()) {
      break;  // shorter than its record says: what is there is saved
    }
    bodies_unsynced_ = true;
    ASSIGN_OR_RETURN(const std::uint64_t at, AppendOctets(dir_ / kBodies, piece));
    if (offset == 0) {
      item->set_body_offset(at);
    }
    offset += piece.size();
  }
  item->set_body_bytes(offset);
  return OkStatus();
}

Status Salvage::Save(const SalvageRecord& record, std::size_t index, const BodyReader& read_body) {
  TRY(failed_);
  proto::SalvageItem item = ToItem(record, index);
  if (by_token_.contains(item.token())) {
    return OkStatus();
  }
  if (item.has_body()) {
    TRY(AppendBody(&item, read_body));
  }
  records_unsynced_ = true;
  TRY(AppendRecord(dir_ / kRecords, item.SerializeAsString(), false));
  Add(std::move(item), dir_);
  return OkStatus();
}

Status Salvage::Sync() {
  // Octets first: a record that is there names octets that are there.
  if (options_.sync && bodies_unsynced_ && failed_.ok()) {
    failed_ = SyncFile(dir_ / kBodies);
  }
  if (options_.sync && records_unsynced_ && failed_.ok()) {
    failed_ = SyncFile(dir_ / kRecords);
  }
  bodies_unsynced_ = records_unsynced_ = false;
  return failed_;
}

// --- erasing

Result<std::size_t> Salvage::Erase(UserId user) {
  const std::string id(user.bytes());
  std::set<std::filesystem::path> dirs;
  std::size_t count = 0;
  for (const Item& item : items_) {
    if (item.proto.user_id() == id) {
      dirs.insert(item.dir);
      ++count;
    }
  }
  if (count == 0) {
    return count;
  }
  TRY(Sync());
  for (const std::filesystem::path& dir : dirs) {
    TRY(EraseFrom(dir, id));
  }
  TRY(Load());
  return count;
}

// The records go last: what a crash leaves half done is found by them again.
Status Salvage::EraseFrom(const std::filesystem::path& dir, const std::string& user) {
  std::vector<std::string> records;
  std::vector<std::string> done;
  for (const Item& item : items_) {
    if (item.dir != dir) {
      continue;
    }
    if (item.proto.user_id() == user) {
      TRY(WipeOctets(dir / kBodies, item.proto.body_offset(), item.proto.body_bytes()));
      continue;
    }
    records.push_back(item.proto.SerializeAsString());
    if (done_.contains(item.proto.token())) {
      done.push_back(item.proto.token());
    }
  }
  if (options_.sync) {
    TRY(SyncFile(dir / kBodies));
  }
  if (records.empty()) {
    dir_ = dir_ == dir ? std::filesystem::path() : dir_;
    return RemoveDirectory(dir, options_.sync);
  }
  TRY(ReplaceRecordFile(dir / kDone, done, options_.sync));
  return ReplaceRecordFile(dir / kRecords, records, options_.sync);
}

std::vector<proto::SalvageItem> Salvage::List() const {
  std::vector<proto::SalvageItem> out;
  out.reserve(items_.size());
  for (const Item& item : items_) {
    out.push_back(item.proto);
  }
  return out;
}

std::optional<proto::SalvageItem> Salvage::NextPending(
    const std::function<bool(const std::string& token)>& skip) const {
  for (const auto& [token, at] : pending_) {
    if (skip && skip(token)) {
      continue;
    }
    proto::SalvageItem item = items_[at].proto;
    const auto flags = newest_flags_.find(KeyOf(items_[at]));
    if (flags != newest_flags_.end()) {
      const proto::SalvageItem& newest = items_[flags->second].proto;
      *item.mutable_entry_state() = newest.entry_state();
      *item.mutable_keywords() = newest.keywords();
    }
    return item;
  }
  return std::nullopt;
}

Result<std::string> Salvage::ReadBody(const proto::SalvageItem& item, std::uint64_t offset,
                                      std::size_t length) const {
  const auto found = by_token_.find(item.token());
  if (found == by_token_.end()) {
    return NotFound("no such item in the salvage folder");
  }
  const Item& known = items_[found->second];
  const std::uint64_t left = known.proto.body_bytes() - std::min(offset, known.proto.body_bytes());
  const std::size_t want = static_cast<std::size_t>(std::min<std::uint64_t>(left, length));
  return want == 0 ? Result<std::string>(std::string())
                   : ReadOctets(known.dir / kBodies, known.proto.body_offset() + offset, want);
}

Status Salvage::MarkDone(const std::string& token) {
  const auto found = by_token_.find(token);
  if (found == by_token_.end() || done_.contains(token)) {
    return OkStatus();
  }
  TRY(AppendRecord(items_[found->second].dir / kDone, token, options_.sync));
  done_.insert(token);
  pending_.erase(token);
  return OkStatus();
}

}  // namespace twinspool::replica
