#include "replica/salvage.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <set>
#include <tuple>
#include <utility>

#include "common/codec.h"
#include "common/limits.h"
#include "replica/salvage_file.h"

namespace twinspool::replica {
namespace {

constexpr char kRecords[] = "records";
constexpr char kBodies[] = "bodies";
constexpr char kDone[] = "done";
constexpr char kFork[] = "fork";

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
    token += record.kind + std::string(record.user.bytes());
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
  for (const std::string& keyword : record.previous_keywords) {
    item.add_previous_keywords(keyword);
  }
  item.set_header(record.header);
  item.set_previous_header(record.previous_header);
  item.set_base_modseq(record.base_modseq.value());
  item.set_key(record.key);
  if (!record.from_mailbox.nil()) {
    item.set_from_mailbox_id(std::string(record.from_mailbox.bytes()));
    item.set_from_uid(record.from_uid.value());
  }
  item.set_acknowledged(record.acknowledged);
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
  waiting_.reset();
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
  for (const std::string& record : done) {
    proto::SalvageDone what;
    if (!what.ParseFromString(record)) {
      return DataLoss("a record of " + (dir / kDone).string() +
                      " does not parse; move the file away: what was given back is offered again");
    }
    done_[what.token()] = std::move(what);
  }
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

void Salvage::Add(proto::SalvageItem added, const std::filesystem::path& dir) {
  by_token_[added.token()] = items_.size();
  items_.push_back({std::move(added), dir});
  waiting_.reset();
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

Status Salvage::SaveFork(UserId user, Modseq modseq) {
  SalvageRecord record;
  const auto [epoch, first_seq, name] = OrderOf(dir_);
  record.entry.epoch = Epoch(static_cast<std::uint32_t>(epoch));
  record.entry.incarnation = Incarnation(first_seq);  // no entry's: the rewind's, for the token
  record.kind = kFork;
  record.user = user;
  record.base_modseq = modseq;
  return Save(record, 0, {});
}

Status Salvage::SaveForks(const std::map<UserId, Modseq>& modseqs) {
  std::map<std::filesystem::path, std::set<UserId>> users;
  std::set<std::filesystem::path> known;
  for (const Item& item : items_) {
    if (item.proto.kind() == kFork) {
      known.insert(item.dir);
    } else if (item.proto.seq() > 0) {
      users[item.dir].insert(UserId::FromBytes(item.proto.user_id()));
    }
  }
  for (const auto& [dir, touched] : users) {
    if (known.contains(dir)) {
      continue;
    }
    TRY(Sync());
    dir_ = dir;
    TRY(SaveFork(UserId(), Modseq()));  // says that the directory has its forks
    for (const UserId user : touched) {
      if (const auto found = modseqs.find(user); found != modseqs.end()) {
        TRY(SaveFork(user, found->second));
      }
    }
  }
  return Sync();
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
  bool others = false;
  for (const Item& item : items_) {
    if (item.dir != dir) {
      continue;
    }
    if (item.proto.user_id() == user) {
      TRY(WipeBody(item));
      continue;
    }
    others = others || item.proto.kind() != kFork;
    records.push_back(item.proto.SerializeAsString());
    if (const auto found = done_.find(item.proto.token()); found != done_.end()) {
      done.push_back(found->second.SerializeAsString());
    }
  }
  if (options_.sync) {
    TRY(SyncFile(dir / kBodies));
  }
  if (!others) {
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

std::vector<Salvage::Listed> Salvage::ListAll() const {
  std::set<std::string> waits;
  for (const GiveBackStep& step : waiting()) {
    waits.insert(step.covers.begin(), step.covers.end());
  }
  std::vector<Listed> out;
  out.reserve(items_.size());
  for (const Item& item : items_) {
    Listed& listed = out.emplace_back();
    listed.item = item.proto;
    const auto found = done_.find(item.proto.token());
    if (found != done_.end()) {
      listed.done = found->second;
    } else {
      listed.waiting = waits.contains(item.proto.token());
    }
  }
  return out;
}

// --- giving back

std::vector<GiveBackStep> Salvage::AllSteps() const {
  std::vector<GiveBackStep> steps;
  for (std::size_t begin = 0; begin < items_.size();) {
    std::vector<const proto::SalvageItem*> rewind;
    const std::filesystem::path& dir = items_[begin].dir;
    std::size_t end = begin;
    for (; end < items_.size() && items_[end].dir == dir; ++end) {
      rewind.push_back(&items_[end].proto);
    }
    std::ranges::move(PlanGiveBack(rewind), std::back_inserter(steps));
    begin = end;
  }
  return steps;
}

const std::deque<GiveBackStep>& Salvage::waiting() const {
  if (!waiting_) {
    waiting_.emplace();
    for (GiveBackStep& step : AllSteps()) {
      if (!done_.contains(step.covers.front())) {
        waiting_->push_back(std::move(step));
      }
    }
  }
  return *waiting_;
}

std::size_t Salvage::conflicts() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(done_, [](const auto& done) { return done.second.conflict(); }));
}

Result<std::string> Salvage::ReadBody(const std::string& token, std::uint64_t offset,
                                      std::size_t length) const {
  const auto found = by_token_.find(token);
  if (found == by_token_.end()) {
    return NotFound("no such item in the salvage folder");
  }
  const Item& known = items_[found->second];
  const std::uint64_t left = known.proto.body_bytes() - std::min(offset, known.proto.body_bytes());
  const std::size_t want = static_cast<std::size_t>(std::min<std::uint64_t>(left, length));
  return want == 0 ? Result<std::string>(std::string())
                   : ReadOctets(known.dir / kBodies, known.proto.body_offset() + offset, want);
}

Status Salvage::MarkDone(const std::vector<std::string>& tokens, const proto::GivenBack& outcome) {
  std::set<std::filesystem::path> written;
  for (const std::string& token : tokens) {
    const auto found = by_token_.find(token);
    if (found == by_token_.end()) {
      continue;
    }
    proto::SalvageDone done;
    done.set_token(token);
    done.set_outcome(outcome.outcome());
    done.set_conflict(outcome.conflict() && token == tokens.front());
    done.set_uid(outcome.uid());
    done.set_mailbox_id(outcome.mailbox_id());
    const std::filesystem::path& dir = items_[found->second].dir;
    TRY(AppendRecord(dir / kDone, done.SerializeAsString(), false));
    written.insert(dir);
    done_[token] = std::move(done);
  }
  for (const std::filesystem::path& dir : written) {
    if (options_.sync) {
      TRY(SyncFile(dir / kDone));
      TRY(SyncFile(dir));  // the first record of a directory made the file
    }
  }
  if (waiting_ && !tokens.empty()) {
    std::erase_if(*waiting_,
                  [&](const GiveBackStep& step) { return done_.contains(step.covers.front()); });
  }
  return OkStatus();
}

// --- discarding

Status Salvage::WipeBody(const Item& item) {
  return item.proto.body_bytes() == 0
             ? OkStatus()
             : WipeOctets(item.dir / kBodies, item.proto.body_offset(), item.proto.body_bytes());
}

Status Salvage::Discard(const std::string& token) {
  if (!by_token_.contains(token)) {
    return NotFound("no such item in the salvage folder");
  }
  std::vector<std::string> tokens = {token};
  for (const GiveBackStep& step : AllSteps()) {
    if (std::ranges::find(step.covers, token) != step.covers.end()) {
      tokens.insert(tokens.end(), step.covers.begin(), step.covers.end());
    }
  }
  proto::GivenBack outcome;
  outcome.set_outcome("discarded");
  TRY(MarkDone(tokens, outcome));
  for (const std::string& each : tokens) {
    const Item& item = items_[by_token_[each]];
    TRY(WipeBody(item));
    if (options_.sync) {
      TRY(SyncFile(item.dir / kBodies));
    }
  }
  return OkStatus();
}

Result<std::size_t> Salvage::DiscardRewinds(bool settled_only) {
  std::map<std::filesystem::path, std::size_t> counts;
  std::set<std::filesystem::path> kept;
  for (const Item& item : items_) {
    ++counts[item.dir];
    const auto found = done_.find(item.proto.token());
    if (found != done_.end() && found->second.conflict()) {
      kept.insert(item.dir);
    }
  }
  for (const GiveBackStep& step : waiting()) {
    kept.insert(items_[by_token_[step.covers.front()]].dir);
  }
  std::size_t removed = 0;
  TRY(Sync());
  for (const auto& [dir, count] : counts) {
    if (!settled_only || !kept.contains(dir)) {
      TRY(RemoveDirectory(dir, options_.sync));
      removed += count;
    }
  }
  dir_.clear();
  TRY(Load());
  return removed;
}

}  // namespace twinspool::replica
