// Store: everything of server/store, opened on one directory and wired. The node's only way to its
// data; what others see of it are MailStore (for shells), replica::StorePorts (for the pair),
// UserAdmin and Recovery (for operators).
//
// A store starts fenced and shows nothing: SetServing and AdvanceTo of its Visibility port decide.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/env.h"
#include "common/status.h"
#include "replica/ports.h"
#include "server/mail_store.h"
#include "server/store/credentials.h"
#include "server/store/disk_policy.h"
#include "server/store/head.h"
#include "server/store/jobs.h"
#include "server/store/local_mail_store.h"
#include "server/store/recovery.h"
#include "server/store/summaries.h"
#include "server/store/users.h"

namespace rocksdb {
class Env;
}

namespace twinspool::store {

struct StoreOptions {
  MailStoreOptions mail;
  DiskReserves disk;
  JobOptions jobs;
  HeadOptions head;
  /// Of persons who have no quota of their own.
  QuotaLimits default_quota;
  /// Between two rounds of the background jobs; 0: never (tests run them by hand).
  std::int64_t jobs_every_s = 600;
  std::size_t block_cache_bytes = 256u << 20;
  std::size_t write_buffer_bytes = 128u << 20;
  /// See EngineOptions.
  bool may_create = true;
  bool compacts_by_itself = true;
  /// File system; null: the machine's. Not owned.
  rocksdb::Env* env = nullptr;
  /// Tests that cut the power: see CommitPipeline::SetFailureHandler.
  std::function<void(const Status&)> on_failed_write;
};

/// What the store asks of the program around it. Nothing pointed to is owned.
struct StoreSeams {
  Clock* clock = nullptr;
  Random* random = nullptr;
  Summarizer summarizer;
  Credentials* credentials = nullptr;
};

class Store {
 public:
  /// Opens or makes the directory. Errors name the file and the remedy; see engine.h.
  static Result<std::unique_ptr<Store>> Open(const std::string& directory,
                                             const StoreOptions& options, StoreSeams seams);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  MailStore& mail_store();
  UserAdmin& users();
  Recovery& recovery();
  /// Valid as long as this.
  replica::StorePorts ports();
  /// Told of every durable group; null: nobody. Set while not primary.
  void SetCommitListener(replica::CommitListener* listener);
  /// One round of the background jobs, now.
  Result<JobReport> RunJobsNow();
  /// Completes what waited too long and tends the disk's ballast; also done by a thread of the
  /// store, once a second.
  void Tick();
  /// Waits until summaries and texts are made of all that has arrived.
  void SettleDerived();
  /// Reads a row: returns only if the disk still answers.
  Status Probe();
  /// Ends all threads; what is queued is written first. Idempotent; the destructor calls it.
  void Stop();

  /// The parts, for those who build on them inside server/store and its tests.
  const WritePath& write_path();

 private:
  struct Parts;
  explicit Store(std::unique_ptr<Parts> parts);
  void Housekeeping();

  std::unique_ptr<Parts> parts_;
};

}  // namespace twinspool::store
