#include "tests/store/scrub_fixture.h"

#include <algorithm>

#include "common/digest.h"
#include "common/limits.h"
#include "server/store/commit_pipeline.h"

namespace twinspool::store {
namespace {

/// The value as it must be restored; nothing: it is one node's own, or a cache.
std::optional<std::string> Comparable(Family family, std::string_view key, std::string_view value) {
  switch (family) {
    case Family::kMeta:
      return key.starts_with("b") ? std::optional<std::string>("loose") : std::nullopt;
    case Family::kSummaries:
    case Family::kTexts:
    case Family::kOutbox:
      return std::nullopt;
    case Family::kIndex: {
      Result<Page> page = Page::Decode(value);
      if (!page.ok()) {
        return "malformed " + std::string(value);
      }
      page->ResetChanged();
      return page->Encode();
    }
    case Family::kMailboxes:
      if (const Result<MailboxRow> row = DecodeMailboxRow(value);
          key.starts_with("s") && row.ok()) {
        MailboxRow shared = *row;
        shared.uid_peer = 1;
        return EncodeMailboxRow(shared);
      }
      return std::string(value);
    default:
      return std::string(value);
  }
}

std::string Printable(std::string_view key) {
  std::string text;
  for (const char c : key) {
    text += c >= ' ' && c < 127 ? c : '.';
  }
  return text;
}

}  // namespace

std::string Differing(const std::map<std::string, std::string>& a,
                      const std::map<std::string, std::string>& b) {
  std::string text;
  for (const auto& [key, value] : a) {
    if (!b.contains(key) || b.at(key) != value) {
      text += Printable(key) + (b.contains(key) ? " differs\n" : " is missing\n");
    }
  }
  for (const auto& [key, value] : b) {
    text += a.contains(key) ? "" : Printable(key) + " should not be there\n";
  }
  return text;
}

std::string Tell(const std::vector<proto::Damage>& found) {
  std::string text;
  for (const proto::Damage& damage : found) {
    text += damage.kind() + (damage.healed() ? ", healed: " : ", NOT healed: ") + damage.what() +
            " / " + damage.outcome() + "\n";
  }
  return text;
}

Status DirectHost::Send(replica::Picture& picture) {
  while (true) {
    ASSIGN_OR_RETURN(const auto unit, picture.NextUnit(limits::kCatchUpUnitBytes));
    if (!unit) {
      return OkStatus();
    }
    ASSIGN_OR_RETURN(const bool right, own_.store().ports().sink->ApplyUnit(*unit));
    if (!right) {
      return DataLoss("the digest is wrong");
    }
  }
}

Status DirectHost::Replace(const std::vector<MailboxId>& mailbox_ids,
                           const std::vector<UserId>& users) {
  if (!follows_ || !may_replace || !no_peer.ok()) {
    return Unavailable("no primary is at hand");
  }
  ++replaced;
  const replica::StorePorts theirs = other_.store().ports();
  ASSIGN_OR_RETURN(const auto picture, theirs.pictures->TakePicture());
  for (const MailboxId mailbox : mailbox_ids) {
    TRY(picture->StartMailbox(mailbox));
    TRY(Send(*picture));
  }
  for (const UserId user : users) {
    ASSIGN_OR_RETURN(const auto have, own_.store().ports().sink->BodiesOf(user));
    TRY(picture->StartUser(user, have));
    TRY(Send(*picture));
  }
  return OkStatus();
}

ScrubPair::ScrubPair() {
  standby_.store().ports().visibility->SetServing({});  // never was primary
  hosts_[0] = std::make_unique<DirectHost>(primary_, standby_, false);
  hosts_[1] = std::make_unique<DirectHost>(standby_, primary_, true);
  Fill();
}

void ScrubPair::Fill() {
  user_ = primary_.AddUser("ann");
  inbox_ = primary_.Inbox(user_).ref;
  work_ = primary_.Create(user_, "Work")->ref;
  for (int i = 1; i <= 6; ++i) {
    EXPECT_TRUE(primary_.Append(inbox_, "message " + std::to_string(i), {kSeen, {"Red"}}).ok());
  }
  EXPECT_TRUE(primary_.Append(inbox_, std::string(700'000, 'L')).ok());
  EXPECT_TRUE(primary_.Copy(inbox_, UidSet::Of(1, 3), work_).ok());
  EXPECT_TRUE(primary_.Deliver(user_, "delivered").ok());
  EXPECT_TRUE(primary_.Flag(inbox_, UidSet::Of(2, 2), FlagChange::kAdd, {kDeleted, {}}).ok());
  EXPECT_TRUE(primary_.Expunge(inbox_).ok());
  primary_.path().pipeline.Drain();
  Stream();
  primary_.store().ports().log->Trim(primary_.store().ports().log->last().seq);
}

Status ScrubPair::Pass(bool standby) {
  host(standby).found.clear();
  return box(standby).store().ports().scrub->Pass(host(standby), true);
}

ScrubPair::Rows ScrubPair::RowsOf(bool standby) {
  Rows rows;
  for (const FamilyInfo& info : kFamilies) {
    RowIterator it = engine(standby).Iterate(info.family, {});
    for (it.SeekToFirst(); it.Valid(); it.Next()) {
      if (auto value = Comparable(info.family, it.key(), it.value())) {
        rows[std::string(info.name) + ":" + std::string(it.key())] = *std::move(value);
      }
    }
    EXPECT_TRUE(it.status().ok()) << info.name << ": " << it.status().ToString();
  }
  return rows;
}

std::string ScrubPair::Get(bool standby, Family family, const std::string& key) {
  const auto row = engine(standby).Get(family, key);
  EXPECT_TRUE(row.ok() && row.value()) << "no row";
  return row.ok() ? row->value_or("") : "";
}

void ScrubPair::Put(bool standby, Family family, const std::string& key, const std::string& value) {
  RowBatch batch;
  batch.Put(family, key, value);
  ASSERT_TRUE(engine(standby).Write(batch, WriteMode::kSync).ok());
}

void ScrubPair::Delete(bool standby, Family family, const std::string& key) {
  RowBatch batch;
  batch.Delete(family, key);
  ASSERT_TRUE(engine(standby).Write(batch, WriteMode::kSync).ok());
}

void ScrubPair::Flip(bool standby, Family family, const std::string& key, std::size_t bit) {
  std::string value = Get(standby, family, key);
  ASSERT_LT(bit / 8, value.size());
  value[bit / 8] = static_cast<char>(value[bit / 8] ^ (1 << bit % 8));
  Put(standby, family, key, value);
}

PoolEntry ScrubPair::Pooled(const std::string& octets) {
  return DecodePoolEntry(Get(false, Family::kGuids, GuidKey(user_.id, GuidOf(octets)))).value();
}

void ScrubPair::ExpectHealed(bool standby, const char* kind, const Rows& before) {
  const Status passed = Pass(standby);
  ASSERT_TRUE(passed.ok()) << passed.ToString();
  const std::vector<proto::Damage>& found = host(standby).found;
  EXPECT_TRUE(std::ranges::any_of(found, [kind](const auto& d) { return d.kind() == kind; }))
      << "found: " << Tell(found);
  EXPECT_TRUE(std::ranges::all_of(found, [](const auto& d) { return d.healed(); })) << Tell(found);
  EXPECT_EQ(Differing(before, RowsOf(standby)), "");
  ASSERT_TRUE(Pass(standby).ok());
  EXPECT_EQ(Tell(host(standby).found), "") << "a second pass";
}

void ScrubPair::ExpectLeftAlone(bool standby, const char* kind) {
  const Rows before = RowsOf(standby);
  ASSERT_TRUE(Pass(standby).ok());
  const std::vector<proto::Damage>& found = host(standby).found;
  EXPECT_TRUE(std::ranges::any_of(found, [kind](const auto& d) {
    return d.kind() == kind && !d.healed();
  })) << Tell(found);
  EXPECT_EQ(Differing(before, RowsOf(standby)), "") << "something was changed";
}

}  // namespace twinspool::store
