#include "tests/sim/disk_sim_store.h"

#include <chrono>
#include <future>
#include <utility>

#include "proto/types.pb.h"

#include "common/check.h"
#include "common/digest.h"
#include "server/store/commit_pipeline.h"
#include "server/store/engine.h"
#include "server/store/message_ops.h"
#include "server/store/page.h"
#include "server/store/recount.h"
#include "server/store/row_view.h"
#include "server/store/rows.h"
#include "server/store/schema.h"
#include "server/store/txn.h"
#include "server/store/visibility.h"

namespace twinspool::test {
namespace {

constexpr int kMailboxes = 2;

MailboxId MailboxNo(UserId user, int number) {
  std::string bytes(user.bytes());
  bytes.back() = static_cast<char>('0' + number);
  return MailboxId::FromBytes(bytes);
}

}  // namespace

DiskSimStore::DiskSimStore(Clock& clock, std::filesystem::path dir)
    : clock_(clock), dir_(std::move(dir)) {}

// --- the process -----------------------------------------------------------------------

bool DiskSimStore::Boot() {
  store::StoreOptions options;
  options.env = env_.get();
  options.jobs_every_s = 0;
  options.disk.ballast_bytes = 0;
  options.block_cache_bytes = 1u << 20;
  options.write_buffer_bytes = 1u << 20;
  options.compacts_by_itself = false;
  options.on_failed_write = [this](const Status&) { failed_ = true; };
  failed_ = power_lost_ = false;
  auto opened = store::Store::Open(
      (dir_ / "store").string(), options,
      {.clock = &clock_, .random = &random_, .summarizer = {}, .credentials = &credentials_});
  if (!opened.ok()) {
    TWINSPOOL_CHECK(fs_->off(), "the store does not open: " + opened.status().ToString());
    Die();
    return false;
  }
  store_ = *std::move(opened);
  ports_ = store_->ports();
  store_->SetCommitListener(this);
  end_ = ports_.log->last();
  looked_ = false;
  return true;
}

// A crash of the process keeps what the file system has; only a power cut takes what was not
// synced.
void DiskSimStore::Die() {
  const bool power_lost = power_lost_ || fs_->off();
  fs_->PowerCut();
  if (store_ != nullptr) {
    store_->Stop();
    store_.reset();
  }
  ports_ = {};
  gate_ = nullptr;
  said_.clear();
  serving_ = {};
  visible_ = CommitSeq();
  if (power_lost) {
    fs_->Restore(torn_());
  } else {
    fs_->Resume();
  }
}

void DiskSimStore::Say(std::function<void()> what) {
  const std::lock_guard lock(said_mutex_);
  said_.push_back(std::move(what));
}

bool DiskSimStore::Settle() {
  looked_ = false;
  while (store_ != nullptr && !dead()) {
    const auto idle = std::make_shared<std::promise<void>>();
    std::future<void> reached = idle->get_future();
    ports_.log->AtBarrier([idle](EntryId) { idle->set_value(); });
    while (!dead() &&
           reached.wait_for(std::chrono::milliseconds(20)) != std::future_status::ready) {
    }
    if (dead()) {
      break;
    }
    store_->write_path().visibility.WaitCompletions();
    std::deque<std::function<void()>> said;
    {
      const std::lock_guard lock(said_mutex_);
      said.swap(said_);
    }
    for (const auto& what : said) {
      what();
    }
    end_ = ports_.log->last();
    // A barrier goes before what is queued.
    if (said.empty() && store_->write_path().pipeline.idle()) {
      return !dead();
    }
  }
  return store_ == nullptr;
}

replica::StorePorts DiskSimStore::Ports() {
  replica::StorePorts ports = ports_;
  ports.visibility = this;
  ports.log = this;
  return ports;
}

void DiskSimStore::OnCommitted(replica::CommittedGroup group) {
  Say([this, group = std::move(group)] {
    if (gate_ != nullptr) {
      gate_->OnCommitted(group);
    }
  });
}

void DiskSimStore::AtBarrier(std::function<void(EntryId)> fn) {
  ports_.log->AtBarrier([this, fn = std::move(fn)](EntryId at) { Say([fn, at] { fn(at); }); });
}

void DiskSimStore::AdvanceTo(CommitSeq seq) {
  visible_ = std::max(visible_, seq);
  ports_.visibility->AdvanceTo(seq);
}

void DiskSimStore::SetServing(const replica::ServingState& state) {
  visible_ = serving_.primary || !state.primary ? visible_ : CommitSeq();
  serving_ = state;
  ports_.visibility->SetServing(state);
}

// --- clients ---------------------------------------------------------------------------

// Under ids that both nodes would give, so that the world can name them.
Status DiskSimStore::MakeUser(store::StoreTxn& txn, UserId user) {
  ASSIGN_OR_RETURN(const store::HeadUser* known, txn.edit().User(user));
  if (known->header) {
    return OkStatus();
  }
  ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user));
  proto::UserHeader header;
  header.set_name("user-" + user.ToHex());
  header.set_inbox_id(std::string(MailboxNo(user, 0).bytes()));
  header.set_created_modseq(modseq.value());
  proto::UserItem* item = txn.Add(user)->mutable_user();
  item->set_modseq(modseq.value());
  item->set_header(header.SerializeAsString());
  for (int i = 0; i < kMailboxes; ++i) {
    ASSIGN_OR_RETURN(const Modseq made, txn.NextModseq(user));
    proto::MailboxHeader mailbox;
    mailbox.set_name(i == 0 ? "INBOX" : "box");
    mailbox.set_uid_validity(static_cast<std::uint32_t>(i + 1));
    mailbox.set_created_modseq(made.value());
    proto::MailboxItem* box = txn.Add(user)->mutable_mailbox();
    box->set_mailbox_id(std::string(MailboxNo(user, i).bytes()));
    box->set_modseq(made.value());
    box->set_header(mailbox.SerializeAsString());
  }
  return OkStatus();
}

bool DiskSimStore::Write(UserId user, const Make& make, Acked acked) {
  const store::WritePath& path = store_->write_path();
  {
    store::StoreTxn txn(path, user);
    const bool may = txn.Admit(store::Admission::kBodies).ok() && MakeUser(txn, user).ok();
    if (!may || (!txn.empty() && !txn.Commit().ok())) {
      return false;
    }
  }
  store::StoreTxn txn(path, user);
  if (!txn.Admit(store::Admission::kBodies).ok() || !make(txn).ok()) {
    return false;
  }
  return txn.CommitThen([this, acked = std::move(acked)](const Status& status) {
    if (acked) {
      Say([acked, status] { acked(status.ok()); });
    }
  });
}

bool DiskSimStore::PutMisc(UserId user, const std::string& key, bool deleted, Acked acked) {
  const auto make = [&](store::StoreTxn& txn) -> Status {
    ASSIGN_OR_RETURN(const Modseq modseq, txn.NextModseq(user));
    proto::MiscItem* item = txn.Add(user)->mutable_misc();
    item->set_kind(proto::MiscItem::SUBSCRIPTION);
    item->set_key(key);
    item->set_modseq(modseq.value());
    item->set_deleted(deleted);
    item->set_value(deleted ? store::EncodeDeletedAt(txn.now_s()) : "");
    return OkStatus();
  };
  return Write(user, make, std::move(acked));
}

bool DiskSimStore::Append(UserId user, int mailbox, const std::string& octets, Acked acked) {
  const auto make = [&](store::StoreTxn& txn) -> Status {
    std::vector<store::NewMessage> messages(1);
    messages[0].body.guid = GuidOf(octets);
    messages[0].body.size = octets.size();
    messages[0].body.rest = octets;
    return store::AppendMessages(txn, {user, MailboxNo(user, mailbox)}, std::move(messages),
                                 proto::ORIGIN_APPEND)
        .status();
  };
  return Write(user, make, std::move(acked));
}

// --- looking ---------------------------------------------------------------------------

Result<EntryId> DiskSimStore::Identify(CommitSeq seq) {
  return ports_.log == nullptr ? Result<EntryId>(NotFound("off")) : ports_.log->Identify(seq);
}

std::string DiskSimStore::Digest() {
  std::string all;
  auto picture = ports_.pictures->TakePicture();
  TWINSPOOL_CHECK(picture.ok(), picture.status().ToString());
  const auto users = (*picture)->Users();
  TWINSPOOL_CHECK(users.ok(), users.status().ToString());
  for (const proto::UserDigest& user : *users) {
    all += user.user_id() + user.digest();
  }
  return all;
}

std::string DiskSimStore::DescribeDigest() {
  const store::RowView view(store_->write_path().engine);
  std::string text = " at " + std::to_string(ports_.log->last().seq.value());
  const auto users = view.Users();
  for (const UserId user : *users) {
    const auto stored = view.StateOf(user);
    const auto counted = store::RecountUser(view, user);
    text += "\n user " + user.ToHex() + " stored " + stored->digest.ToHex() + " counted " +
            (counted.ok() ? counted->digest.ToHex() : counted.status().ToString());
    const auto mailboxes = view.MailboxesOf(user);
    for (const MailboxId mailbox : *mailboxes) {
      const auto row = view.MailboxRowOf(mailbox);
      const auto right = store::RecountMailbox(view, **row, mailbox);
      text += "\n  mailbox " + mailbox.ToHex() + " exists " + std::to_string((*row)->exists) +
              " stored " + (*row)->digest.ToHex() + " counted " +
              (right.ok() && *right ? (*right)->digest.ToHex() : right.status().ToString());
    }
  }
  return text;
}

bool DiskSimStore::HasMisc(UserId user, const std::string& key) {
  const auto row = store_->write_path().engine.Get(
      store::Family::kMisc, store::MiscKey(user, proto::MiscItem::SUBSCRIPTION, key));
  return row.ok() && *row && !store::DecodeMiscRow(**row)->deleted;
}

bool DiskSimStore::IsLive(store::Engine& engine, MailboxId mailbox, Uid uid) {
  const auto row =
      engine.Get(store::Family::kIndex, store::PageKey(mailbox, uid.value() >> store::kPageBits));
  const auto page = row.ok() && *row ? store::Page::Decode(**row) : Result(store::Page());
  const store::PageEntry* entry =
      page.ok() ? page->Find(static_cast<std::uint8_t>(uid.value() & 0xff)) : nullptr;
  return entry != nullptr && !entry->expunged();
}

// Every live message with its octets; such small bodies are one chunk.
void DiskSimStore::Look() {
  store::Engine& engine = store_->write_path().engine;
  const store::RowView view(engine);
  messages_.clear();
  store::RowIterator it = engine.Iterate(store::Family::kRecords, {});
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    const MailboxId mailbox = MailboxId::FromBytes(it.key().substr(0, MailboxId::kSize));
    const auto row = view.MailboxRowOf(mailbox);
    proto::RecordHeader record;
    if (!row.ok() || !*row || !IsLive(engine, mailbox, *store::UidOfRecordKey(it.key())) ||
        !record.ParseFromArray(it.value().data(), static_cast<int>(it.value().size()))) {
      continue;
    }
    const auto body = engine.Get(store::Family::kBodies,
                                 store::BodyKey((*row)->owner, BodyNo(record.body_no()), 0));
    if (body.ok() && *body) {
      ++messages_[**body];
    }
  }
  looked_ = true;
}

std::size_t DiskSimStore::CountMessages(const std::string& octets) {
  if (store_ == nullptr) {
    return 0;
  }
  if (!looked_) {
    Look();
  }
  const auto found = messages_.find(octets);
  return found == messages_.end() ? 0 : found->second;
}

// --- faults ----------------------------------------------------------------------------

std::optional<StoreFault> DiskSimStore::Fault(std::uint64_t dice, bool /*standby*/) {
  switch (dice % 6) {
    case 0:
    case 1:
      fs_->PowerCutAfter(1 + dice / 8 % 30);
      return StoreFault{"power cut is set", {}};
    case 2:
      power_lost_ = failed_ = true;
      return StoreFault{"power cut", {}};
    case 3:
      fs_->FailNext(testing::UnsyncedFs::Failing::kSync, dice / 8 % 6);
      return StoreFault{"sync fails", {}};
    case 4:
      fs_->FailNext(testing::UnsyncedFs::Failing::kSpace, dice / 8 % 10);
      return StoreFault{"disk full", {}};
    default:
      return std::nullopt;
  }
}

void DiskSimStore::NoMoreFaults() {
  fs_->PowerCutAfter(0);
  fs_->FailNext(testing::UnsyncedFs::Failing::kNothing, 0);
}

const char* DiskSimStore::Turn(std::uint64_t dice) {
  store_->Tick();
  if (dice % 400 != 0) {
    return nullptr;
  }
  store::Engine& engine = store_->write_path().engine;
  // RocksDB 7.8 trips assertions of its own when writing a table fails: none does here.
  NoMoreFaults();
  if (dice % 1200 == 0) {
    failed_ = failed_ || !engine.Flush().ok() || !engine.Compact().ok();
    return "compaction";
  }
  failed_ = failed_ || !engine.Flush().ok();
  return "flush";
}

}  // namespace twinspool::test
