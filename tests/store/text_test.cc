// Searches through kept texts: exact in every state of what is kept, made where the mail arrives,
// gone with it, and no burden for other readers.
#include "server/mime/text.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "server/mime/text_page.h"
#include "server/store/derived.h"
#include "server/store/engine.h"
#include "server/store/search_line.h"
#include "tests/store/store_fixture.h"

namespace twinspool::store {
namespace {

/// Mail of many forms: charsets, encodings, parts, fields that no column has.
class MailMaker {
 public:
  explicit MailMaker(std::uint32_t seed) : rng_(seed) {}

  std::string Next() {
    std::string header = "From: " + Word() + " <" + Word() + "@example.org>\r\nTo: " + Word() +
                         "@example.net,\r\n " + Word() + "@example.com\r\nSubject: " + Subject() +
                         "\r\n";
    for (std::size_t i = Below(4); i > 0; --i) {
      header += Pick({"Cc", "X-Spam", "Received", "sUBJECT", "Reply-To"}) + ": " + Text(5) + "\r\n";
    }
    if (Below(5) == 0) {
      header += "no field at all\r\n";
    }
    switch (Below(4)) {
      case 0:
        return header + "\r\n" + Text(60) + "\r\n";
      case 1:
        return header +
               "Content-Type: text/plain; charset=iso-8859-1\r\n"
               "Content-Transfer-Encoding: quoted-printable\r\n\r\n" +
               Text(20) + " Stra=DFe " + Text(10) + "=\r\n" + Text(3) + "\r\n";
      case 2:
        return header + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n" + Text(30) +
               "\r\n--b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n"
               "PGI+SGVsbG8gV8O2cmxkPC9iPg==\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
               "Subject: inner " +
               Text(3) + "\r\n\r\n" + Text(12) + "\r\n--b--\r\n";
      default:
        return header;
    }
  }

  std::size_t Below(std::size_t count) { return rng_() % count; }
  std::string Pick(const std::vector<std::string>& all) { return all[Below(all.size())]; }
  std::string Word() {
    return Pick({"Anna", "bert", "Grüße", "straße", "invoice", "Żółw", "re", "x", "quarterly",
                 "ﬁne", "42", "meeting"}) +
           std::to_string(Below(40));
  }
  std::string Text(std::size_t words) {
    std::string text;
    for (std::size_t i = 0; i < words; ++i) {
      text += (i == 0 ? "" : " ") + Word();
    }
    return text;
  }

 private:
  std::string Subject() {
    return Below(3) == 0
               ? "=?utf-8?q?Gr=C3=BC=C3=9Fe_" + std::to_string(Below(50)) + "?= " + Text(2)
               : Text(4);
  }

  std::mt19937 rng_;
};

class Texts : public ::testing::Test {
 protected:
  static BoxOptions Options(bool on_arrival) {
    BoxOptions options;
    options.store.mail.summarize_on_arrival = on_arrival;
    options.store.jobs.purge_after_s = -1;
    options.store.jobs.collect_after_s = -1;
    return options;
  }

  void Open(bool on_arrival) {
    box_.emplace(Options(on_arrival));
    user_ = box_->AddUser("anna");
    inbox_ = box_->Inbox(user_).ref;
  }

  void Fill(std::size_t count) {
    std::vector<AppendMessage> messages;
    for (std::size_t i = 0; i < count; ++i) {
      mails_.push_back(maker_.Next() + std::to_string(mails_.size()));
      AppendMessage& message = messages.emplace_back();
      message.body = box_->Stage(user_.id, mails_.back());
    }
    ASSERT_TRUE(Await<AppendResult>([&](Done<AppendResult> done) {
                  box_->mail().Append(inbox_, std::move(messages), done);
                }).ok());
  }

  Engine& engine() { return box_->path().engine; }

  struct Answer {
    std::vector<UidSet> found;
    UidSet open;
    int batches = 0;
  };
  Answer Search(const std::vector<TextKey>& keys, const UidSet& uids) {
    Answer answer;
    answer.found.resize(keys.size());
    UidSet judged;
    TextQuery query{uids, keys};
    while (!query.uids.empty()) {
      const auto batch = Await<TextBatch>(
          [&](Done<TextBatch> done) { box_->mail().SearchText(inbox_, query, done); });
      EXPECT_TRUE(batch.ok()) << batch.status().ToString();
      for (std::size_t i = 0; i < keys.size(); ++i) {
        answer.found[i].Add(batch->found[i]);
      }
      EXPECT_TRUE(judged.Intersect(batch->judged).empty()) << "each once";
      judged.Add(batch->judged);
      answer.open.Add(batch->open);
      query.uids = batch->rest;
      if (++answer.batches > 1000) {
        ADD_FAILURE() << "it does not end: " << query.uids.ToString();
        break;
      }
    }
    EXPECT_EQ(judged.ToString(), uids.Minus(answer.open).ToString());
    return answer;
  }

  /// As one that looks through the messages themselves.
  UidSet ByHand(const TextKey& key, const UidSet& uids) const {
    UidSet found;
    uids.ForEach([&](std::uint32_t uid) {
      const std::string& text = folded_[uid - 1];
      const bool holds =
          key.in == TextKey::In::kHeader ? mime::FoldedHeaderContains(text, key.field, key.folded)
          : key.in == TextKey::In::kBody ? mime::FoldedBodyContains(text, key.folded)
                                         : mime::FoldedTextContains(text, key.folded);
      if (holds) {
        found.Add(uid);
      }
    });
    return found;
  }

  TextKey AnyKey() {
    TextKey key;
    key.in = static_cast<TextKey::In>(maker_.Below(3));
    key.field = key.in == TextKey::In::kHeader
                    ? maker_.Pick({"subject", "From", "TO", "cc", "x-spam", "Received", "none"})
                    : "";
    const std::string& text = folded_[maker_.Below(folded_.size())];
    const std::size_t at = maker_.Below(text.size());
    const std::string piece = text.substr(at, 1 + maker_.Below(9));
    key.folded =
        maker_.Below(50) == 0 ? "" : piece.substr(0, piece.find_first_of("\x1c\x1d\x1e\x1f"));
    return key;
  }

  void ExpectExact(const std::string& state, int rounds) {
    while (folded_.size() < mails_.size()) {
      folded_.push_back(mime::FoldedText(mails_[folded_.size()]));
    }
    for (int i = 0; i < rounds; ++i) {
      const auto count = static_cast<std::uint32_t>(mails_.size());
      UidSet uids = UidSet::Of(1, count);
      for (std::size_t hole = maker_.Below(4); hole > 0; --hole) {
        const auto first = static_cast<std::uint32_t>(1 + maker_.Below(count));
        uids = uids.Minus(UidSet::Of(first, first + static_cast<std::uint32_t>(maker_.Below(90))));
      }
      const std::vector<TextKey> keys = {AnyKey(), AnyKey(), AnyKey()};
      const Answer answer = Search(keys, uids);
      for (std::size_t k = 0; k < keys.size(); ++k) {
        ASSERT_EQ(answer.found[k].ToString(), ByHand(keys[k], uids).ToString())
            << state << ": " << static_cast<int>(keys[k].in) << " " << keys[k].field << " \""
            << keys[k].folded << "\"";
      }
    }
  }

  std::size_t RowsWith(const std::string& prefix) {
    std::size_t rows = 0;
    RowIterator it = engine().Iterate(Family::kTexts, KeyRange::Prefix(prefix));
    for (it.SeekToFirst(); it.Valid(); it.Next()) {
      ++rows;
    }
    return rows;
  }
  std::size_t Pages() { return RowsWith("p") / kPageKinds.size(); }
  std::size_t Singles() { return RowsWith("b"); }

  /// Rows of texts that hold these octets.
  std::size_t RowsHolding(const std::string& octets) {
    std::size_t rows = 0;
    RowIterator it = engine().Iterate(Family::kTexts, {});
    for (it.SeekToFirst(); it.Valid(); it.Next()) {
      rows += it.value().find(octets) != std::string_view::npos ? 1U : 0U;
    }
    return rows;
  }

  void SpoilVersions() {
    RowBatch batch;
    RowIterator it = engine().Iterate(Family::kTexts, {});
    for (it.SeekToFirst(); it.Valid(); it.Next()) {
      std::string value(it.value());
      value[0] = static_cast<char>(value[0] ^ 1);
      batch.Put(Family::kTexts, std::string(it.key()), value);
    }
    ASSERT_TRUE(engine().Write(batch, WriteMode::kNoLog).ok());
  }

  MailMaker maker_{7};
  std::optional<StoreBox> box_;
  UserRef user_;
  MailboxRef inbox_;
  std::vector<std::string> mails_;
  std::vector<std::string> folded_;
};

TEST_F(Texts, ExactWhateverIsKept) {
  Open(false);
  Fill(700);
  box_->path().disk.OverrideFreeBytes([] { return std::uint64_t{300} << 20; });
  ExpectExact("nothing is kept", 20);
  ASSERT_EQ(RowsWith(""), 0u);
  box_->path().disk.OverrideFreeBytes([] { return std::uint64_t{1} << 40; });
  ExpectExact("while it is being made", 100);
  box_->store().SettleDerived();
  EXPECT_EQ(Pages(), 2u);
  EXPECT_EQ(Singles(), 700u - 511u);
  ExpectExact("packed", 600);
  for (int i = 0; i < 40; ++i) {
    RowBatch half;
    half.Delete(Family::kTexts, TextPageKey(inbox_.id, kPageKinds[maker_.Below(kPageKinds.size())],
                                            static_cast<std::uint32_t>(i % 2)));
    ASSERT_TRUE(engine().Write(half, WriteMode::kNoLog).ok());
    ExpectExact("a column is missing", 10);
  }
  SpoilVersions();
  ExpectExact("another version", 300);
  Fill(100);
  ExpectExact("and more", 300);
}

/// The real corpus (scripts/corpus), where it has been fetched.
TEST_F(Texts, ExactOverRealMail) {
  const char* const given = std::getenv("TWINSPOOL_CORPUS");
  const std::filesystem::path directory = given != nullptr ? given : "build/corpus";
  if (!std::filesystem::exists(directory)) {
    GTEST_SKIP() << "no mail in " << directory << "; TWINSPOOL_CORPUS names it";
  }
  Open(true);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (entry.path().extension() == ".eml") {
      std::ifstream file(entry.path(), std::ios::binary);
      std::ostringstream octets;
      octets << file.rdbuf();
      // Each with a mark of its own: of equal ones only one body is kept.
      mails_.push_back("X-Number: " + std::to_string(mails_.size()) + "\r\n" + octets.str());
      ASSERT_TRUE(box_->Append(inbox_, mails_.back()).ok());
    }
  }
  ExpectExact("while they are being made", 20);
  box_->store().SettleDerived();
  EXPECT_EQ(Pages(), mails_.size() >> kPageBits);
  ExpectExact("packed", 300);
}

TEST_F(Texts, MadeAsMessagesArrive) {
  Open(true);
  Fill(600);
  box_->store().SettleDerived();
  EXPECT_EQ(Pages(), 2u) << "UIDs up to 255 and 511";
  EXPECT_EQ(Singles(), 600u - 511u);
}

TEST_F(Texts, DeliveriesToo) {
  Open(true);
  ASSERT_TRUE(box_->Deliver(user_, "Subject: one\r\n\r\ntwo\r\n").ok());
  box_->store().SettleDerived();
  EXPECT_EQ(Singles(), 1u);
}

TEST_F(Texts, AStandbyMakesItsOwn) {
  Open(true);
  StoreBox standby(Options(true));
  standby.store().ports().visibility->SetServing({});
  Fill(300);
  std::size_t sent = 0;
  SendFrames(*box_, standby, &sent);
  standby.store().SettleDerived();
  std::size_t rows = 0;
  RowIterator it = standby.path().engine.Iterate(Family::kTexts, {});
  for (it.SeekToFirst(); it.Valid(); it.Next()) {
    ++rows;
  }
  EXPECT_EQ(rows, kPageKinds.size() + 300 - 255) << "after a promotion nothing is left to be made";
}

TEST_F(Texts, GoWithWhatIsPurged) {
  Open(true);
  Fill(40);
  mails_.push_back("Subject: s\r\n\r\nverysecretword\r\n");
  ASSERT_TRUE(box_->Append(inbox_, mails_.back(), {kDeleted, {}}).ok());
  Fill(300);
  box_->store().SettleDerived();
  ASSERT_EQ(RowsHolding("VERYSECRETWORD"), 1u);
  ASSERT_EQ(Pages(), 1u);
  ASSERT_TRUE(box_->Expunge(inbox_).ok());
  ASSERT_TRUE(box_->store().RunJobsNow().ok());
  EXPECT_EQ(RowsHolding("VERYSECRETWORD"), 0u);
  EXPECT_EQ(Pages(), 0u) << "whole: it is made anew when it is missed";
  const Answer answer = Search({{TextKey::In::kText, "", "VERYSECRETWORD"}}, UidSet::Of(1, 40));
  EXPECT_TRUE(answer.found[0].empty());
}

TEST_F(Texts, GoWithTheirMailboxAndUser) {
  Open(true);
  Fill(300);
  box_->store().SettleDerived();
  ASSERT_EQ(Pages(), 1u);
  ASSERT_TRUE(
      Await<Unit>([&](Done<Unit> done) { box_->store().users().Delete("anna", done); }).ok());
  ASSERT_TRUE(box_->store().RunJobsNow().ok());
  ASSERT_TRUE(box_->store().RunJobsNow().ok());
  EXPECT_EQ(RowsWith(""), 0u);
}

TEST_F(Texts, WhatWasMadeOfRowsThatWentMeanwhileIsNotKept) {
  Open(false);
  Fill(3);
  const std::uint64_t before = engine().removals();
  RowBatch removal;
  removal.Delete(Family::kRecords, RecordKey(inbox_.id, Uid(1)));
  ASSERT_TRUE(engine().Write(removal, WriteMode::kNoSync).ok());
  RowBatch derived;
  derived.Put(Family::kTexts, TextPageKey(inbox_.id, 'a', 0), "stale");
  ASSERT_TRUE(engine().WriteDerived(derived, before).ok());
  EXPECT_EQ(RowsWith(""), 0u);
  ASSERT_TRUE(engine().WriteDerived(derived, engine().removals()).ok());
  EXPECT_EQ(RowsWith(""), 1u);
}

TEST_F(Texts, ALongSearchComesInPieces) {
  Open(false);
  for (int i = 0; i < 5; ++i) {
    mails_.push_back("Subject: " + std::to_string(i) + "\r\n\r\n" + std::string(600u << 10, 'x'));
    ASSERT_TRUE(box_->Append(inbox_, mails_.back()).ok());
  }
  const Answer answer = Search({{TextKey::In::kBody, "", "XXY"}}, UidSet::Of(1, 5));
  EXPECT_GE(answer.batches, 3) << "no more than " << limits::kSearchFoldBytes
                               << " octets at a time";
}

// The page alone is more than a batch, and has texts beside it that are too long to be packed.
TEST_F(Texts, ASearchEndsThatAPageFills) {
  Open(true);
  std::vector<AppendMessage> messages;
  for (int i = 0; i < 300; ++i) {
    const std::size_t size = i % 50 == 7 ? 2 * limits::kPackedTextBytesMax : 20'000;
    mails_.push_back("Subject: " + std::to_string(i) + "\r\n\r\n" + std::string(size, 'x'));
    messages.emplace_back().body = box_->Stage(user_.id, mails_.back());
  }
  ASSERT_TRUE(Await<AppendResult>([&](Done<AppendResult> done) {
                box_->mail().Append(inbox_, std::move(messages), done);
              }).ok());
  box_->store().SettleDerived();
  ASSERT_EQ(Pages(), 1u);
  const Answer answer = Search({{TextKey::In::kText, "", "XX"}}, UidSet::Of(1, 300));
  EXPECT_EQ(answer.found[0].ToString(), "1:300");
  EXPECT_LE(answer.batches, 5);
}

TEST_F(Texts, LargeOnesAreLeftToTheirReaderUntilTheyAreMade) {
  Open(false);
  const std::string large =
      "Subject: s\r\n\r\n" + std::string(limits::kFetchBatchBytes, 'x') + "end";
  ASSERT_TRUE(box_->Append(inbox_, large).ok());
  const TextKey key{TextKey::In::kBody, "", "XEND"};
  EXPECT_EQ(Search({key}, UidSet::Of(1, 1)).open.ToString(), "1");
  box_->store().SettleDerived();
  const Answer answer = Search({key}, UidSet::Of(1, 1));
  EXPECT_EQ(answer.found[0].ToString(), "1");
}

TEST_F(Texts, NothingIsKeptOnAFullDisk) {
  Open(true);
  box_->path().disk.OverrideFreeBytes([] { return std::uint64_t{1} << 40; });
  Fill(10);
  box_->store().SettleDerived();
  RowBatch none;
  none.DeleteRange(Family::kTexts, "b", "c");
  ASSERT_TRUE(engine().Write(none, WriteMode::kNoSync).ok());
  box_->path().disk.OverrideFreeBytes([] { return std::uint64_t{300} << 20; });
  EXPECT_TRUE(Search({{TextKey::In::kBody, "", "NOTHING"}}, UidSet::Of(1, 10)).found[0].empty());
  EXPECT_EQ(RowsWith(""), 0u);
}

TEST(DerivedRows, APageGoesOnceWithAllItsRecords) {
  const MailboxId mailbox = *MailboxId::FromHex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
  RowBatch batch;
  for (std::uint32_t uid = 250; uid < 260; ++uid) {
    batch.Delete(Family::kRecords, RecordKey(mailbox, Uid(uid)));
  }
  const Removals removals = RemovalsOf(batch);
  EXPECT_TRUE(removals.any);
  EXPECT_EQ(removals.derived.rows().size(), 2 * kPageKinds.size());
  RowBatch harmless;
  harmless.Put(Family::kRecords, RecordKey(mailbox, Uid(1)), "r");
  harmless.Delete(Family::kMeta, "x");
  EXPECT_FALSE(RemovalsOf(harmless).any);
}

TEST(SearchLine, LeavesRoomForOthersAndTakesTurns) {
  Executor pool("read", 2, 100);
  SearchLine line(pool, 2, 100);
  std::promise<void> gate;
  std::shared_future<void> opened = gate.get_future().share();
  std::mutex mutex;
  std::string order;
  std::promise<void> all;
  const auto batch = [&](char who) {
    return [&, who] {
      opened.wait();
      const std::lock_guard lock(mutex);
      order.push_back(who);
      if (order.size() == 6) {
        all.set_value();
      }
    };
  };
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(line.Post("a", batch('a')));
  }
  ASSERT_TRUE(line.Post("b", batch('b')));
  // With five searches waiting and one at work, a read finds a thread at once.
  std::promise<void> read;
  ASSERT_TRUE(pool.TryPost([&] { read.set_value(); }));
  EXPECT_EQ(read.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
  gate.set_value();
  all.get_future().wait();
  EXPECT_LE(order.find('b'), 2u) << order;
  pool.Stop();
  EXPECT_FALSE(line.Post("a", [] {}));
}

}  // namespace
}  // namespace twinspool::store
