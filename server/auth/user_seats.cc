#include "server/auth/user_seats.h"

#include <mutex>
#include <unordered_map>

namespace twinspool::auth {

struct UserSeats::Book {
  std::mutex mutex;
  std::unordered_map<std::string, std::size_t> taken;  // guarded by mutex
};

UserSeats::UserSeats(std::size_t per_user_max)
    : per_user_max_(per_user_max), book_(std::make_shared<Book>()) {}

std::shared_ptr<void> UserSeats::Take(const std::string& user) {
  {
    const std::lock_guard lock(book_->mutex);
    std::size_t& count = book_->taken[user];
    if (count >= per_user_max_) {
      return nullptr;
    }
    ++count;
  }
  return {book_.get(), [book = book_, user](void*) {
            const std::lock_guard lock(book->mutex);
            if (const auto it = book->taken.find(user); --it->second == 0) {
              book->taken.erase(it);
            }
          }};
}

}  // namespace twinspool::auth
