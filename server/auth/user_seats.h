// UserSeats: how many sessions one user has, over all his addresses and both protocols, so that one
// who lost control of his clients, or his password, does not take everybody's connections.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace twinspool::auth {

/// Thread-safe. Seats may outlive it.
class UserSeats {
 public:
  explicit UserSeats(std::size_t per_user_max);

  /// A seat of this user, until the pointer and its copies are gone. Null: he has them all.
  std::shared_ptr<void> Take(const std::string& user);

 private:
  struct Book;
  const std::size_t per_user_max_;
  const std::shared_ptr<Book> book_;
};

}  // namespace twinspool::auth
