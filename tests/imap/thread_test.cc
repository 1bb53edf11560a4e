// THREAD's algorithms (RFC 5256 §3): examples, odd cases, hostile chains.
#include "server/imap/thread.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace twinspool::imap {
namespace {

mime::MessageIdHash Id(int number) {
  mime::MessageIdHash id{};
  id[0] = static_cast<char>(number);
  id[1] = static_cast<char>(number >> 8);
  id[2] = static_cast<char>(number >> 16);
  id[15] = 1;
  return id;
}

/// Messages 1, 2, 3 … in the order of their dates; each has the id of its number.
class Mailbox {
 public:
  Mailbox& Add(std::string subject, bool reply = false, std::vector<int> references = {}) {
    ThreadMessage& message = messages_.emplace_back();
    message.number = static_cast<std::uint32_t>(messages_.size());
    message.sent = message.number;
    message.arrived = message.number;
    message.subject = std::move(subject);
    message.reply = reply;
    message.id = Id(static_cast<int>(message.number));
    for (const int reference : references) {
      message.references.push_back(Id(reference));
    }
    return *this;
  }
  ThreadMessage& last() { return messages_.back(); }
  std::string By(ThreadAlgorithm algorithm) const { return Threads(algorithm, messages_); }
  std::string References() const { return By(ThreadAlgorithm::kReferences); }
  std::string Refs() const { return By(ThreadAlgorithm::kRefs); }

 private:
  std::vector<ThreadMessage> messages_;
};

TEST(Thread, NothingAndOne) {
  EXPECT_EQ(Mailbox().References(), "");
  EXPECT_EQ(Mailbox().Add("A").References(), "(1)");
  EXPECT_EQ(Mailbox().Add("A").By(ThreadAlgorithm::kOrderedSubject), "(1)");
}

TEST(Thread, OrderedSubject) {
  Mailbox mailbox;
  mailbox.Add("B").Add("A").Add("B").Add("A").Add("B").Add("C");
  EXPECT_EQ(mailbox.By(ThreadAlgorithm::kOrderedSubject), "(1 (3)(5))(2 4)(6)");
}

TEST(Thread, RepliesBelowWhatTheyAnswer) {
  // The example of RFC 5256: 3 and 6 in a row, 4 and 44's likes side by side.
  Mailbox mailbox;
  mailbox.Add("X").Add("A").Add("B").Add("B", true, {3}).Add("B", true, {3, 4}).Add("B", true, {3});
  EXPECT_EQ(mailbox.References(), "(1)(2)(3 (4 5)(6))");
  EXPECT_EQ(mailbox.Refs(), "(1)(2)(3 (4 5)(6))");
}

TEST(Thread, AnAnswerToWhatIsNotHere) {
  Mailbox alone;
  alone.Add("A").Add("B", true, {100});
  EXPECT_EQ(alone.References(), "(1)(2)");
  Mailbox both;
  both.Add("A", true, {100}).Add("B", true, {100}).Add("C", true, {100, 101});
  EXPECT_EQ(both.References(), "((1)(2)(3))") << "held together by what is missing";
  Mailbox deep;
  deep.Add("A").Add("A", true, {1, 100, 101}).Add("A", true, {1, 100, 102});
  EXPECT_EQ(deep.References(), "(1 (2)(3))") << "missing ones inside a thread go";
}

TEST(Thread, AChildThatCameFirstMovesBelow) {
  Mailbox mailbox;
  mailbox.Add("A", true, {2}).Add("A");
  EXPECT_EQ(mailbox.References(), "(2 1)");
}

TEST(Thread, CirclesAreNotFollowed) {
  Mailbox own;
  own.Add("A", true, {1});
  EXPECT_EQ(own.References(), "(1)");
  Mailbox two;
  two.Add("A", true, {2}).Add("B", true, {1});
  EXPECT_EQ(two.Refs(), "(2 1)");
  Mailbox three;
  three.Add("A", true, {3}).Add("B", true, {1}).Add("C", true, {2});
  EXPECT_EQ(three.Refs(), "(3 1 2)");
}

TEST(Thread, OfEqualIdsTheFirstCounts) {
  Mailbox mailbox;
  mailbox.Add("A").Add("B").Add("C", true, {1});
  Mailbox twins;
  twins.Add("A").Add("B");
  twins.last().id = Id(1);
  twins.Add("C", true, {1});
  EXPECT_EQ(twins.Refs(), "(2)(1 3)") << "the thread of 3 arrived last";
  EXPECT_EQ(twins.References(), "(1 3)(2)");
}

TEST(Thread, SubjectsJoinWhatReferencesDoNot) {
  Mailbox answer;
  answer.Add("A").Add("A", true);
  EXPECT_EQ(answer.References(), "(1 2)") << "a reply goes below";
  EXPECT_EQ(answer.Refs(), "(1)(2)");
  Mailbox equals;
  equals.Add("A").Add("A").Add("A");
  EXPECT_EQ(equals.References(), "((1)(2)(3))") << "equals stand side by side";
  Mailbox late;
  late.Add("A", true).Add("A");
  EXPECT_EQ(late.References(), "(2 1)") << "what is no reply stands for the subject";
  Mailbox empty;
  empty.Add("").Add("");
  EXPECT_EQ(empty.References(), "(1)(2)");
}

TEST(Thread, SubjectsAndMissingOnes) {
  Mailbox dummies;
  dummies.Add("A", true, {100}).Add("A", true, {100}).Add("A", true, {200}).Add("A", true, {200});
  EXPECT_EQ(dummies.References(), "((1)(2)(3)(4))");
  Mailbox one;
  one.Add("A").Add("A", true, {100}).Add("A", true, {100});
  EXPECT_EQ(one.References(), "((1)(2)(3))") << "what is missing stands for the subject";
}

TEST(Thread, OrderIsByDateSentAndOfRefsByTheLatestArrival) {
  Mailbox mailbox;
  mailbox.Add("A").Add("B").Add("C", true, {1}).Add("D", true, {1});
  mailbox.last().sent = 0;
  EXPECT_EQ(mailbox.References(), "(1 (4)(3))(2)");
  EXPECT_EQ(mailbox.Refs(), "(2)(1 (4)(3))");
}

TEST(Thread, LongChainsInAnyOrderTakeNoStackAndLittleTime) {
  constexpr int kCount = 50'000;
  std::vector<ThreadMessage> messages(kCount);
  for (int i = 0; i < kCount; ++i) {
    // A chain, its members scattered.
    const int place = static_cast<int>(std::int64_t{i} * 7919 % kCount);
    ThreadMessage& message = messages[static_cast<std::size_t>(i)];
    message.number = static_cast<std::uint32_t>(i + 1);
    message.id = Id(place + 1);
    if (place > 0) {
      message.references = {Id(place)};
    }
  }
  const std::string text = Threads(ThreadAlgorithm::kReferences, messages);
  EXPECT_EQ(std::count(text.begin(), text.end(), '('), 1);
  EXPECT_TRUE(text.starts_with("(1 ")) << text.substr(0, 40);
}

TEST(Thread, ManyBelowTheEndOfADeepChainTakeLittleTime) {
  // A chain as deep as 20 references of each message make it, and as many that hang below its end
  // and have a child already.
  constexpr int kCount = 20'000;
  constexpr int kEach = 20;
  std::vector<ThreadMessage> messages;
  for (int i = 0; i < kCount; ++i) {
    ThreadMessage& message = messages.emplace_back();
    message.number = static_cast<std::uint32_t>(messages.size());
    for (int k = 0; k <= kEach; ++k) {
      message.references.push_back(Id(i * kEach + k));
    }
  }
  for (int i = 0; i < kCount; ++i) {
    ThreadMessage& child = messages.emplace_back();
    child.number = static_cast<std::uint32_t>(messages.size());
    child.references = {Id(kCount * kEach), Id(1'000'000 + i)};
    ThreadMessage& message = messages.emplace_back();
    message.number = static_cast<std::uint32_t>(messages.size());
    message.id = Id(1'000'000 + i);
    message.references = {Id(kCount * kEach)};
  }
  const std::string text = Threads(ThreadAlgorithm::kRefs, messages);
  EXPECT_EQ(std::count(text.begin(), text.end(), '('), std::count(text.begin(), text.end(), ')'));
}

}  // namespace
}  // namespace twinspool::imap
