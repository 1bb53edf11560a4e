#include "tests/store/pair_fixture.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "common/digest.h"
#include "server/store/frame.h"
#include "server/store/page.h"
#include "server/store/recount.h"

namespace twinspool::store {
namespace {

/// The value as both nodes must have it; nothing: not compared.
std::optional<std::string> Comparable(Family family, std::string_view key, std::string_view value,
                                      const DumpOptions& options) {
  switch (family) {
    case Family::kMeta:
      return key.front() == 'b' ? std::optional<std::string>("loose") : std::nullopt;
    case Family::kSummaries:
    case Family::kTexts:
      return std::nullopt;
    case Family::kOutbox:
      return options.outbox ? std::optional<std::string>(value) : std::nullopt;
    case Family::kUsers:
      if (key.front() == 's') {
        UserState state = DecodeUserState(value).value();
        if (!options.last_modseq) {
          state.last_modseq = Modseq();
          state.uid_validity = 0;
        }
        return EncodeUserState(state);
      }
      return std::string(value);
    case Family::kMailboxes:
      if (key.front() == 's') {
        MailboxRow row = DecodeMailboxRow(value).value();
        row.uid_peer = 1;
        return EncodeMailboxRow(row);
      }
      return std::string(value);
    case Family::kIndex: {
      Page page = Page::Decode(value).value();
      page.ResetChanged();
      return page.Encode();
    }
    default:
      return std::string(value);
  }
}

}  // namespace

bool TestNode::Reopen() {
  Close();
  EngineOptions options;
  options.env = env_;
  options.block_cache_bytes = 4u << 20;
  options.write_buffer_bytes = 8u << 20;
  options.on_failed_write = [this](const Status&) { ++failed_writes_; };
  auto engine = Engine::Open(dir_ / "store", options);
  if (!engine.ok()) {
    return false;
  }
  engine_ = *std::move(engine);
  head_ = std::make_unique<HeadState>(*engine_);
  auto log = OutboxLog::Open(*engine_);
  if (!log.ok()) {
    Close();
    return false;
  }
  log_ = *std::move(log);
  sink_ = std::make_unique<StoreSink>(*engine_, *head_, *log_, clock_);
  return true;
}

void TestNode::Close() {
  sink_.reset();
  log_.reset();
  head_.reset();
  engine_.reset();
}

Result<proto::Frame> TestNode::Commit(const std::vector<proto::UserChanges>& changes) {
  clock_.AdvanceMs(1);
  proto::Frame users;
  for (const proto::UserChanges& part : changes) {
    *users.add_changes() = part;
  }
  const StripeLock lock(*head_, UsersOf(users));
  HeadEdit edit(lock);
  FrameParts parts;
  parts.id = {epoch_, Incarnation(7), log_->last().seq.Next()};
  parts.wall_ns = clock_.WallNs();
  ApplyOptions options;
  options.now_s = clock_.WallSeconds();
  ApplyResult result;
  TouchedOrder order;
  std::vector<std::string> encoded;
  for (const proto::UserChanges& part : changes) {
    TRY(Apply(part, options, edit, &result));
    order.Add(part);
    encoded.push_back(part.SerializeAsString());
  }
  parts.changes.assign(encoded.begin(), encoded.end());
  for (const TouchedDigest& touched : order.order()) {
    ASSIGN_OR_RETURN(const DigestBytes digest, DigestOf(edit, touched));
    parts.digests.push_back(digest);
  }
  const std::string frame_bytes = EncodeFrame(parts);
  RowBatch batch;
  log_->AddEntry({parts.id, parts.wall_ns, frame_bytes.size()}, result.outbox_items, &batch);
  edit.AppendRows(&batch);
  TRY(engine_->Write(batch, WriteMode::kSync));
  edit.Publish(Ticket(0));
  log_->SetDurable(parts.id, result.outbox_items.size());
  proto::Frame frame;
  if (!frame.ParseFromString(frame_bytes)) {
    return Internal("a frame does not parse");
  }
  return frame;
}

std::map<std::string, std::string> Dump(TestNode& node, const DumpOptions& options) {
  std::map<std::string, std::string> rows;
  for (const FamilyInfo& info : kFamilies) {
    RowIterator it = node.engine().Iterate(info.family, {});
    for (it.SeekToFirst(); it.Valid(); it.Next()) {
      if (auto value = Comparable(info.family, it.key(), it.value(), options)) {
        rows[std::string(info.name) + ":" + std::string(it.key())] = *std::move(value);
      }
    }
    EXPECT_TRUE(it.status().ok()) << it.status().ToString();
  }
  return rows;
}

std::string Difference(const std::map<std::string, std::string>& a,
                       const std::map<std::string, std::string>& b) {
  std::string text;
  int lines = 0;
  const auto note = [&](const std::string& key, const char* what) {
    if (++lines > 12) {
      return;
    }
    for (const char c : key) {
      if (c >= ' ' && c < 127) {
        text.push_back(c);
      } else {
        static constexpr char kDigits[] = "0123456789abcdef";
        text += {'\\', kDigits[static_cast<unsigned char>(c) >> 4],
                 kDigits[static_cast<unsigned char>(c) & 15]};
      }
    }
    text += std::string(" ") + what + "\n";
  };
  for (const auto& [key, value] : a) {
    const auto other = b.find(key);
    if (other == b.end()) {
      note(key, "only in the first");
    } else if (other->second != value) {
      note(key, "differs");
    }
  }
  for (const auto& [key, value] : b) {
    if (!a.contains(key)) {
      note(key, "only in the second");
    }
  }
  return text;
}

std::string CheckDerived(TestNode& node) {
  const RowView view = node.view();
  std::string wrong;
  for (const UserId user : std::vector<UserId>(view.Users().value())) {
    const UserState stored = view.StateOf(user).value();
    const Result<UserState> counted = RecountUser(view, user);
    if (!counted.ok() || !(counted.value() == stored)) {
      wrong += "user " + user.ToHex() + " " + counted.status().ToString() + "\n";
    }
    for (const MailboxId mailbox : std::vector<MailboxId>(view.MailboxesOf(user).value())) {
      const MailboxRow row = *view.MailboxRowOf(mailbox).value();
      const auto again = RecountMailbox(view, row, mailbox);
      if (!again.ok() || !again.value() || !(**again == row)) {
        wrong += "mailbox " + mailbox.ToHex() + " " + again.status().ToString() + "\n";
      }
    }
  }
  return wrong;
}

}  // namespace twinspool::store
