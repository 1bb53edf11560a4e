// Hashes of bodies that are still coming in: right, bounded, and forgotten when in doubt.
#include "server/store/arriving_bodies.h"

#include <string>

#include <gtest/gtest.h>

namespace twinspool::store {
namespace {

const UserId kUser = UserId::FromBytes(std::string(16, 'u'));

proto::BodyItem Chunk(std::uint64_t body, std::uint32_t chunk, const std::string& octets) {
  proto::BodyItem item;
  item.set_body_no(body);
  item.set_chunk(chunk);
  item.set_octets(octets);
  return item;
}

TEST(ArrivingBodies, HashGoesOnFromTheChunksThatCame) {
  ArrivingBodies bodies;
  bodies.Add(kUser, Chunk(7, 0, "one "));
  bodies.Add(kUser, Chunk(8, 0, "another"));
  bodies.Add(kUser, Chunk(7, 1, "two "));
  ArrivingBodies::Prefix prefix = bodies.Take(kUser, BodyNo(7));
  ASSERT_NE(prefix.hash, nullptr);
  EXPECT_EQ(prefix.chunks, 2U);
  EXPECT_EQ(prefix.size, 8U);
  prefix.hash->Update("three");
  EXPECT_EQ(prefix.hash->Finish(), GuidOf("one two three"));
  EXPECT_EQ(bodies.Take(kUser, BodyNo(7)).hash, nullptr) << "taken once";
}

TEST(ArrivingBodies, GapRepetitionAndOtherUsersAreNotGuessedAt) {
  ArrivingBodies bodies;
  bodies.Add(kUser, Chunk(7, 0, "one"));
  bodies.Add(kUser, Chunk(7, 2, "three"));
  EXPECT_EQ(bodies.Take(kUser, BodyNo(7)).hash, nullptr) << "a gap";
  bodies.Add(kUser, Chunk(8, 1, "two"));
  EXPECT_EQ(bodies.Take(kUser, BodyNo(8)).hash, nullptr) << "no beginning";
  bodies.Add(kUser, Chunk(9, 0, "one"));
  EXPECT_EQ(bodies.Take(UserId(), BodyNo(9)).hash, nullptr) << "somebody else's";
  bodies.Clear();
  EXPECT_EQ(bodies.Take(kUser, BodyNo(9)).hash, nullptr);
}

TEST(ArrivingBodies, ManyAtOnceStayBounded) {
  ArrivingBodies bodies;
  for (std::uint64_t body = 1; body <= 10'000; ++body) {
    bodies.Add(kUser, Chunk(body, 0, "x"));
  }
  EXPECT_EQ(bodies.Take(kUser, BodyNo(1)).hash, nullptr);
  EXPECT_NE(bodies.Take(kUser, BodyNo(10'000)).hash, nullptr);
}

}  // namespace
}  // namespace twinspool::store
