// The one template of MemoryMailStore, for its own two source files.
#pragma once

#include <utility>

#include "tests/support/memory_mail_store.h"

namespace twinspool::testing {

template <typename T>
void MemoryMailStore::Complete(const Done<T>& done, Result<T> result) {
  if (complete_later_) {
    Later([done, result = std::move(result)]() { done(result); });
  } else {
    done(std::move(result));
  }
}

}  // namespace twinspool::testing
