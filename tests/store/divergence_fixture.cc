#include "tests/store/divergence_fixture.h"

#include <algorithm>
#include <set>

namespace twinspool::store {
namespace {

constexpr std::size_t kTogether = 100;

BoxOptions On(Clock* clock) {
  BoxOptions options;
  options.clock = clock;
  return options;
}

bool GoTogether(const proto::GiveBack& one, const proto::GiveBack& other) {
  return one.kind() == other.kind() && one.user_id() == other.user_id() &&
         one.kind() != proto::GiveBack::MESSAGE && one.kind() != proto::GiveBack::USER &&
         (one.kind() != proto::GiveBack::STATE || one.mailbox_id() == other.mailbox_id());
}

}  // namespace

Divergence::Divergence() : old_(On(&clock_)), now_(On(&clock_)) {
  now_.store().ports().visibility->SetServing({});
  ann_ = old_.AddUser("ann");
  inbox_ = old_.Inbox(ann_).ref;
  OpenSalvage();
}

void Divergence::OpenSalvage() {
  salvage_.reset();
  auto opened = replica::Salvage::Open({.data_dir = salvage_dir_.path(), .sync = false});
  ASSERT_TRUE(opened.ok()) << opened.status().ToString();
  salvage_ = std::move(opened).value();
}

void Divergence::Part() {
  SendFrames(old_, now_, &sent_);
  common_ = old_.store().ports().log->last().seq;
  now_.BePrimary(3);
}

void Divergence::UndoAll(bool acknowledged, bool interrupted) {
  while (true) {
    replica::ChangeSink& sink = *old_.store().ports().sink;
    if (sink.last().seq <= common_) {
      return;
    }
    ASSERT_TRUE(salvage_->BeginRewind(Epoch(2), common_.Next()).ok());
    auto records = sink.ReadForSalvage();
    ASSERT_TRUE(records.ok()) << records.status().ToString();
    for (std::size_t i = 0; i < records->size(); ++i) {
      replica::SalvageRecord& record = (*records)[i];
      record.acknowledged = acknowledged;
      ASSERT_TRUE(salvage_
                      ->Save(record, i,
                             [&](std::uint64_t offset, std::size_t length) {
                               return sink.ReadSalvageBody(
                                   record.user, BodyNo(record.record.body_no()), offset, length);
                             })
                      .ok());
    }
    if (interrupted) {
      OpenSalvage();
    }
    ASSERT_TRUE(sink.UndoLast().ok());
    if (interrupted) {
      old_.Reopen();
      old_.store().ports().visibility->SetServing({});
    }
  }
}

void Divergence::Return(bool acknowledged, bool interrupted) {
  old_.store().ports().visibility->SetServing({});
  UndoAll(acknowledged, interrupted);
  const auto whole = old_.store().ports().sink->FinishRewind();
  ASSERT_TRUE(whole.ok()) << whole.status().ToString();
  ASSERT_TRUE(whole->empty());
  std::map<UserId, Modseq> modseqs;
  const auto users = old_.store().ports().sink->Users();
  for (const proto::UserDigest& user : users.value()) {
    modseqs[UserId::FromBytes(user.user_id())] = Modseq(user.modseq());
  }
  ASSERT_TRUE(salvage_->SaveForks(modseqs).ok());
  GiveAllBack();
  const std::string digests = DigestsOf(now_);
  const std::vector<proto::GivenBack> first = given_;
  GiveAllBack();
  EXPECT_EQ(DigestsOf(now_), digests) << "giving back once more changed something";
  given_ = first;
}

void Divergence::GiveAllBack() {
  given_.clear();
  std::deque<replica::GiveBackStep> steps = salvage_->waiting();
  while (!steps.empty()) {
    replica::GiveBackStep step = std::move(steps.front());
    steps.pop_front();
    for (std::size_t i = 0;
         i < kTogether && !steps.empty() && GoTogether(step.message, steps.front().message); ++i) {
      *step.message.add_more() = std::move(steps.front().message);
      steps.pop_front();
    }
    const std::string octets =
        step.body_bytes == 0 ? ""
                             : salvage_->ReadBody(step.covers.front(), 0, step.body_bytes).value();
    const auto given = Await<proto::GivenBack>([&](Done<proto::GivenBack> done) {
      now_.store().ports().take_back->Take(step.message, octets, done);
    });
    ASSERT_TRUE(given.ok()) << given.status().ToString();
    ASSERT_EQ(given->more_size(), step.message.more_size());
    given_.push_back(*given);
    given_.insert(given_.end(), given->more().begin(), given->more().end());
  }
}

std::vector<std::string> Divergence::outcomes() const {
  std::vector<std::string> out;
  for (const proto::GivenBack& given : given_) {
    out.push_back(given.outcome());
  }
  return out;
}

std::size_t Divergence::conflicts() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(given_, [](const auto& given) { return given.conflict(); }));
}

std::string Divergence::DigestsOf(StoreBox& box) {
  std::string all;
  const auto picture = box.store().ports().pictures->TakePicture();
  const auto users = picture.value()->Users();
  for (const proto::UserDigest& user : users.value()) {
    all += user.SerializeAsString();
  }
  return all;
}

MailboxRef Divergence::Now(const std::string& name) {
  return now_.Find(ann_, name).ref;
}

std::vector<std::string> Divergence::Mail(StoreBox& box, MailboxRef mailbox) {
  std::vector<std::string> mail;
  const auto index = box.Index(mailbox);
  EXPECT_TRUE(index.ok()) << index.status().ToString();
  for (const IndexEntry& entry : index->entries) {
    std::string flags;
    for (const auto& [flag, letter] :
         {std::pair(kSeen, 'S'), std::pair(kAnswered, 'A'), std::pair(kFlagged, 'F'),
          std::pair(kDeleted, 'D'), std::pair(kDraft, 'd')}) {
      flags += (entry.flags & flag) != 0 ? std::string(1, letter) : "";
    }
    mail.push_back(std::to_string(entry.uid.value()) + ":" + flags + ":" +
                   box.Octets(mailbox, entry.uid.value()));
  }
  return mail;
}

std::vector<std::string> Divergence::Names(StoreBox& box) {
  const std::set<std::string> usual = {"INBOX", "Drafts", "Sent", "Trash", "Junk", "Archive"};
  const auto list = Await<std::vector<MailboxListing>>(
      [&](Done<std::vector<MailboxListing>> done) { box.mail().ListMailboxes(ann_.id, done); });
  std::vector<std::string> names;
  for (const MailboxListing& mailbox : *list) {
    if (!usual.contains(mailbox.name) && !mailbox.id.nil()) {
      names.push_back(mailbox.name);
    }
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace twinspool::store
