// Reading, names and people. Message writes: local_mail_writes.cc; logins: local_logins.cc.
#include "server/store/local_mail_store.h"

#include <chrono>

#include "common/limits.h"
#include "server/store/credentials.h"
#include "server/store/local_mail_store_inl.h"
#include "server/store/names.h"
#include "server/store/visibility.h"
#include "server/store/write_calls.h"

namespace twinspool::store {

LocalMailStore::LocalMailStore(const WritePath& path, TextPages& pages, PasswordCheck& passwords,
                               Credentials& credentials, MailStoreOptions options)
    : path_(path),
      pages_(pages),
      passwords_(passwords),
      credentials_(credentials),
      options_(options),
      reads_("read", options_.read_threads, options_.queue_max),
      searches_(reads_, options_.read_threads, options_.queue_max),
      txns_("txn", options_.txn_threads, options_.queue_max) {}

LocalMailStore::~LocalMailStore() {
  Stop();
}

void LocalMailStore::Stop() {
  txns_.Stop();
  reads_.Stop();
}

Status LocalMailStore::Serving() {
  const ServingPtr state = path_.gate.state();
  if (!state->primary) {
    return Fenced("this node is not the primary of its pair; use the other node");
  }
  if (!state->reads || path_.visibility.view() == nullptr) {
    return Fenced("this node waits for the other one before it serves mail; try again");
  }
  return OkStatus();
}

Result<LocalMailStore::Held> LocalMailStore::Hold() {
  reads_begun_.fetch_add(1, std::memory_order_relaxed);
  const ServingPtr state = path_.gate.state();
  if (!state->primary) {
    return Fenced("this node is not the primary of its pair; use the other node");
  }
  Held held{path_.visibility.view()};
  if (!state->reads || held.view == nullptr) {
    return Unavailable("this node waits for the other one before it serves mail; try again");
  }
  return held;
}

// --- people

void LocalMailStore::FindRecipient(std::string address, Done<UserRef> done) {
  PostRead<UserRef>(std::move(done), [this, address](StoreReader& reader) -> Result<UserRef> {
    for (const std::string& name : credentials_.RecipientCandidates(address)) {
      ASSIGN_OR_RETURN(const auto id, reader.FindUser(name));
      if (id) {
        return UserRef{*id, name};
      }
    }
    return NotFound("no such user here");
  });
}

// --- reading

void LocalMailStore::ListMailboxes(UserId user, Done<std::vector<MailboxListing>> done) {
  const Result<Held> held = Hold();
  if (!held.ok()) {
    return done(held.status());
  }
  PostRead<std::vector<MailboxListing>>(
      std::move(done),
      [this, user, ticket = held->view->ticket, snapshot = held->view->snapshot](
          StoreReader& reader) -> Result<std::vector<MailboxListing>> {
        ASSIGN_OR_RETURN(const std::set<GrantedMailbox> others,
                         path_.visibility.grants().Of(path_.engine, snapshot.get(), ticket, user));
        return reader.List(user, others);
      });
}

void LocalMailStore::FindMailbox(UserId user, std::string name, Done<MailboxState> done) {
  ReadInline<MailboxState>(
      std::move(done),
      [this, user, name = std::move(name)](StoreReader& reader) -> Result<MailboxState> {
        const Result<std::string> canonical = LookupName(name);
        if (!canonical.ok()) {
          return NotFound("no mailbox of this name");
        }
        return reader.Find(user, *canonical);
      });
}

void LocalMailStore::GetState(MailboxRef mailbox, Done<MailboxState> done) {
  ReadInline<MailboxState>(std::move(done),
                           [mailbox](StoreReader& reader) { return reader.GetState(mailbox); });
}

void LocalMailStore::ReadIndex(MailboxRef mailbox, IndexQuery query, Done<IndexBatch> done) {
  // What changed since a moment ago is little and lies in memory: a hop would cost more.
  const bool small = query.since > Modseq() && query.limit <= limits::kSyncFirstEntries;
  std::function<Result<IndexBatch>(StoreReader&)> read =
      [mailbox, query = std::move(query)](StoreReader& reader) {
        return reader.ReadIndex(mailbox, query);
      };
  if (small) {
    ReadInline<IndexBatch>(std::move(done), std::move(read));
  } else {
    PostRead<IndexBatch>(std::move(done), std::move(read));
  }
}

void LocalMailStore::ReadUids(MailboxRef mailbox, Uid from, Done<UidBatch> done) {
  PostRead<UidBatch>(std::move(done), [mailbox, from](StoreReader& reader) {
    return reader.ReadUids(mailbox, from);
  });
}

void LocalMailStore::Fetch(MailboxRef mailbox, FetchRequest request, Done<FetchBatch> done) {
  PostRead<FetchBatch>(std::move(done),
                       [mailbox, request = std::move(request)](StoreReader& reader) {
                         return reader.Fetch(mailbox, request);
                       });
}

void LocalMailStore::SearchText(MailboxRef mailbox, TextQuery query, Done<TextBatch> done) {
  const auto batch = [this, mailbox, query = std::move(query), done] {
    ReadNow<TextBatch>(done,
                       [&](StoreReader& reader) { return reader.SearchText(mailbox, query); });
  };
  if (!searches_.Post(std::string(mailbox.owner.bytes()), batch)) {
    done(Overloaded());
  }
}

void LocalMailStore::ReadBody(UserId owner, BodyNo body, std::uint64_t offset, std::size_t length,
                              Done<std::string> done) {
  PostRead<std::string>(std::move(done), [=](StoreReader& reader) {
    return reader.ReadBody(owner, body, offset, length);
  });
}

std::unique_ptr<Watch> LocalMailStore::WatchMailbox(MailboxRef mailbox,
                                                    std::function<void()> wake) {
  return path_.visibility.watchers().Add(mailbox.id, std::move(wake));
}

std::unique_ptr<UserWatch> LocalMailStore::WatchUser(UserId user, std::function<void()> wake) {
  return path_.visibility.watchers().AddUser(user, std::move(wake));
}

}  // namespace twinspool::store
