// Await: calls something that takes a completion, and waits for it. For administration only: never
// on a thread of the store, the pair or the network.
#pragma once

#include <chrono>
#include <future>
#include <memory>

#include "common/limits.h"
#include "common/status.h"
#include "server/mail_store.h"

namespace twinspool::node {

/// `call` hands the completion on. kTimeout after limits::kAdminCallMs; the outcome is unknown
/// then.
template <typename T, typename Call>
Result<T> Await(Call&& call) {
  auto promise = std::make_shared<std::promise<Result<T>>>();
  std::future<Result<T>> future = promise->get_future();
  call(Done<T>([promise](Result<T> result) { promise->set_value(std::move(result)); }));
  if (future.wait_for(std::chrono::milliseconds(limits::kAdminCallMs)) !=
      std::future_status::ready) {
    return Timeout("no answer in time; it may still happen: look before you repeat it");
  }
  return future.get();
}

}  // namespace twinspool::node
