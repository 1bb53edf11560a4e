// Templates of LocalMailStore, for its .cc files.
#pragma once

#include <memory>
#include <utility>

#include "server/store/local_mail_store.h"
#include "server/store/visibility.h"

namespace twinspool::store {

struct LocalMailStore::Held {
  std::shared_ptr<const View> view;
};

inline Status Overloaded() {
  return Unavailable("the server has too much to do just now; try again");
}

template <typename T>
void LocalMailStore::ReadNow(const Done<T>& done,
                             const std::function<Result<T>(StoreReader&)>& read) {
  const Result<Held> held = Hold();
  if (!held.ok()) {
    return done(held.status());
  }
  StoreReader reader(path_.engine, pages_, held->view->snapshot.get(),
                     &path_.visibility.changed_pages());
  done(read(reader));
}

template <typename T>
void LocalMailStore::PostRead(Done<T> done, std::function<Result<T>(StoreReader&)> read) {
  const bool taken =
      reads_.TryPost([this, done, read = std::move(read)] { ReadNow<T>(done, read); });
  if (!taken) {
    done(Overloaded());
  }
}

template <typename T>
void LocalMailStore::ReadInline(Done<T> done, std::function<Result<T>(StoreReader&)> read) {
  const Result<Held> held = Hold();
  if (!held.ok()) {
    return done(held.status());
  }
  StoreReader reader(path_.engine, pages_, held->view->snapshot.get(),
                     &path_.visibility.changed_pages(), true);
  Result<T> result = read(reader);
  if (result.ok() || !result.status().Is(Code::kTimeout)) {
    return done(std::move(result));
  }
  PostRead<T>(std::move(done), std::move(read));
}

template <typename T>
void LocalMailStore::PostWrite(Done<T> done, std::function<void(Done<T>)> write) {
  if (!txns_.TryPost([done, write = std::move(write)] { write(done); })) {
    done(Overloaded());
  }
}

}  // namespace twinspool::store
