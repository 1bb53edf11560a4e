// Ports, visibility and the log. Clients: memory_clients.cc; the standby: memory_standby.cc.
#include "tests/support/memory_ports.h"

#include <algorithm>
#include <utility>

#include "tests/support/memory_picture.h"

namespace twinspool::test {

replica::StorePorts MemoryStore::Ports() {
  return {.visibility = this,
          .log = this,
          .pictures = this,
          .sink = this,
          .take_back = this,
          .uid_jump = this,
          .forgotten = this};
}

void MemoryStore::MarkForgotten(UserId user) {
  const Guard guard(mutex_);
  forgotten_.insert(user);
}

Result<std::vector<UserId>> MemoryStore::Forgotten() {
  const Guard guard(mutex_);
  return std::vector<UserId>(forgotten_.begin(), forgotten_.end());
}

Status MemoryStore::Settle(UserId user) {
  const Guard guard(mutex_);
  MaybeCrash();
  forgotten_.erase(user);
  return OkStatus();
}

void MemoryStore::SetListener(replica::CommitListener* listener) {
  const Guard guard(mutex_);
  listener_ = listener;
}

void MemoryStore::MaybeCrash() {
  if (crash_in_ > 0 && --crash_in_ == 0) {
    crash_in_ = -1;
    throw SimCrash{};
  }
}

void MemoryStore::Die() {
  const Guard guard(mutex_);
  listener_ = nullptr;
  clients_.clear();
  unsynced_.clear();
  slow_ = false;
  serving_ = {};
  visible_ = CommitSeq(0);
  peer_has_ = CommitSeq(0);
  crash_in_ = -1;
}

EntryId MemoryStore::End() const {
  const Guard guard(mutex_);
  return log_.empty() ? low_ : log_.back().id;
}

std::string MemoryStore::Digest() const {
  const Guard guard(mutex_);
  std::string all;
  for (const auto& [user, rows] : users_) {
    if (!rows.empty()) {
      all += user + DigestOf(rows);
    }
  }
  return all;
}

// --- visibility ----------------------------------------------------------------------------

void MemoryStore::AdvanceTo(CommitSeq seq) {
  std::vector<std::function<void(bool)>> ready;
  {
    const Guard guard(mutex_);
    visible_ = std::max(visible_, seq);
    std::erase_if(clients_, [&](WaitingClient& client) {
      if (client.seq > visible_) {
        return false;
      }
      ready.push_back(std::move(client.done));
      return true;
    });
  }
  if (defect_ == Defect::kAcksOutOfOrder) {
    std::ranges::reverse(ready);
  }
  for (const auto& done : ready) {
    for (int times = defect_ == Defect::kAcksTwice ? 2 : 1; done && times > 0; --times) {
      done(true);
    }
  }
}

void MemoryStore::SetServing(const replica::ServingState& state) {
  const Guard commit(commit_mutex_);  // no commit of the old time is under way
  if (primary() && !state.primary) {
    SyncDisk();
  }
  if (before_closing_ && primary() && !state.primary) {
    std::exchange(before_closing_, {})();
  }
  std::vector<WaitingClient> over;
  {
    const Guard guard(mutex_);
    if (!serving_.primary && state.primary) {
      visible_ = CommitSeq(0);
      peer_has_ = CommitSeq(0);
    } else if (serving_.primary && !state.primary) {
      over.swap(clients_);
    }
    serving_ = state;
  }
  for (const WaitingClient& client : over) {
    if (client.done) {
      client.done(false);
    }
  }
}

// --- the log -------------------------------------------------------------------------------

Result<EntryId> MemoryStore::Identify(CommitSeq seq) {
  const Guard guard(mutex_);
  if (seq == low_.seq && seq.value() > 0 && low_.epoch.value() > 0) {
    return low_;
  }
  for (const LogEntry& entry : log_) {
    if (entry.id.seq == seq) {
      return entry.id;
    }
  }
  return NotFound("no such entry");
}

void MemoryStore::Trim(CommitSeq upto) {
  const Guard guard(mutex_);
  while (!log_.empty() && log_.front().id.seq <= upto) {
    low_ = log_.front().id;
    log_.pop_front();
  }
}

Result<std::unique_ptr<replica::Picture>> MemoryStore::TakePicture() {
  const Guard guard(mutex_);
  std::map<std::uint64_t, MemoryUsers> touched;
  for (const LogEntry& entry : log_) {
    for (const Previous& previous : entry.previous) {
      touched[entry.id.seq.value()][previous.user][previous.key] = {};
    }
  }
  return MakePicture(users_, End(), std::move(touched), low_.seq);
}

}  // namespace twinspool::test
