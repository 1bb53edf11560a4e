// Sessions of one user.
#include "server/auth/user_seats.h"

#include <gtest/gtest.h>

namespace twinspool::auth {
namespace {

TEST(UserSeats, AreAFewForEachUserAndComeBack) {
  UserSeats seats(2);
  auto first = seats.Take("anna");
  auto second = seats.Take("anna");
  EXPECT_NE(first, nullptr);
  EXPECT_NE(second, nullptr);
  EXPECT_EQ(seats.Take("anna"), nullptr);
  EXPECT_NE(seats.Take("berta"), nullptr);
  const auto copy = first;
  first.reset();
  EXPECT_EQ(seats.Take("anna"), nullptr) << "a copy holds it";
  second.reset();
  EXPECT_NE(seats.Take("anna"), nullptr);
}

TEST(UserSeats, OutliveTheirGiver) {
  auto seats = std::make_unique<UserSeats>(1);
  auto seat = seats->Take("anna");
  seats.reset();
  seat.reset();
}

}  // namespace
}  // namespace twinspool::auth
