#include "server/store/store.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "common/executor.h"
#include "common/failed_write.h"
#include "common/log.h"
#include "server/store/change_log.h"
#include "server/store/change_sink.h"
#include "server/store/commit_pipeline.h"
#include "server/store/engine.h"
#include "server/store/forgotten.h"
#include "server/store/passwords.h"
#include "server/store/picture.h"
#include "server/store/scrub.h"
#include "server/store/serving.h"
#include "server/store/take_back.h"
#include "server/store/text_pages.h"
#include "server/store/uid_jump.h"
#include "server/store/visibility.h"

namespace twinspool::store {

/// In the order of construction: each part uses only those above it.
struct Store::Parts {
  Parts(StoreOptions store_options, StoreSeams store_seams, std::unique_ptr<Engine> opened,
        std::unique_ptr<OutboxLog> outbox)
      : options(std::move(store_options)),
        seams(std::move(store_seams)),
        engine(std::move(opened)),
        log(std::move(outbox)),
        head(*engine, options.head),
        disk(engine->directory(), options.disk, *seams.clock),
        visibility(*seams.clock),
        pipeline(*engine, *log, head, visibility, *seams.clock),
        path{*engine,      head,          gate,
             disk,         visibility,    pipeline,
             *seams.clock, *seams.random, options.default_quota},
        serving(path),
        pictures(*engine),
        sink(*engine, head, *log, *seams.clock),
        users(path, *seams.credentials),
        recovery(path),
        take_back(path, users),
        uid_jump(path, serving),
        forgotten(*engine, gate, visibility),
        scrub(path, *log),
        summaries(*engine, seams.summarizer),
        pages(*engine, disk, summaries),
        passwords(*engine, *seams.credentials),
        mail(path, pages, passwords, *seams.credentials, options.mail) {}

  const StoreOptions options;
  const StoreSeams seams;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<OutboxLog> log;
  HeadState head;
  RoleGate gate;
  DiskPolicy disk;
  VisibilityControl visibility;
  CommitPipeline pipeline;
  WritePath path;
  ServingControl serving;
  StorePictureSource pictures;
  StoreSink sink;
  UserAdmin users;
  Recovery recovery;
  StoreTakeBack take_back;
  StoreUidJump uid_jump;
  StoreForgotten forgotten;
  StoreScrub scrub;
  SummaryCache summaries;
  TextPages pages;
  PasswordCheck passwords;
  LocalMailStore mail;

  std::mutex mutex;
  std::condition_variable wake;
  bool stop = false;
  std::mutex jobs_mutex;  // one round at a time
  std::thread housekeeping;
};

Result<std::unique_ptr<Store>> Store::Open(const std::string& directory,
                                           const StoreOptions& options, StoreSeams seams) {
  EngineOptions engine_options;
  engine_options.env = options.env;
  engine_options.block_cache_bytes = options.block_cache_bytes;
  engine_options.write_buffer_bytes = options.write_buffer_bytes;
  engine_options.may_create = options.may_create;
  engine_options.compacts_by_itself = options.compacts_by_itself;
  // Of the standby's writes as of the primary's: whatever fails here ends the process.
  engine_options.on_failed_write =
      options.on_failed_write ? options.on_failed_write : EndAfterFailedWrite;
  ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, Engine::Open(directory, engine_options));
  ASSIGN_OR_RETURN(std::unique_ptr<OutboxLog> log, OutboxLog::Open(*engine));
  return std::unique_ptr<Store>(new Store(
      std::make_unique<Parts>(options, std::move(seams), std::move(engine), std::move(log))));
}

Store::Store(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {
  Parts& p = *parts_;
  p.log->SetBarrier([&p](std::function<void(EntryId)> fn) { p.pipeline.AtBarrier(std::move(fn)); });
  p.sink.SetBodyListener([&p](const std::vector<std::pair<UserId, BodyNo>>& bodies) {
    if (p.options.mail.summarize_on_arrival) {
      for (const auto& [user, body] : bodies) {
        p.pages.Arrived(user, body);
      }
    }
  });
  p.sink.SetRoomCheck([&p] { return p.disk.AdmitCopy(); });
  p.pipeline.SetFailureHandler(p.options.on_failed_write);
  p.pipeline.Start();
  p.housekeeping = std::thread([this] { Housekeeping(); });
}

Store::~Store() {
  Stop();
}

void Store::Stop() {
  Parts& p = *parts_;
  {
    const std::lock_guard<std::mutex> lock(p.mutex);
    if (p.stop) {
      return;
    }
    p.stop = true;
  }
  p.wake.notify_all();
  p.housekeeping.join();
  p.mail.Stop();
  p.passwords.Stop();
  p.pipeline.Stop();
  // Nobody will ack what still waits: its outcome is for the next start to say.
  p.visibility.End(OutcomeUnknown("this node is stopping"));
  p.pages.Stop();
}

MailStore& Store::mail_store() {
  return parts_->mail;
}

UserAdmin& Store::users() {
  return parts_->users;
}

Recovery& Store::recovery() {
  return parts_->recovery;
}

replica::StorePorts Store::ports() {
  replica::StorePorts ports;
  ports.visibility = &parts_->serving;
  ports.log = parts_->log.get();
  ports.pictures = &parts_->pictures;
  ports.sink = &parts_->sink;
  ports.take_back = &parts_->take_back;
  ports.uid_jump = &parts_->uid_jump;
  ports.forgotten = &parts_->forgotten;
  ports.scrub = &parts_->scrub;
  ports.client_reads = [parts = parts_.get()] { return parts->mail.reads_begun(); };
  return ports;
}

void Store::SetCommitListener(replica::CommitListener* listener) {
  parts_->pipeline.SetListener(listener);
}

const WritePath& Store::write_path() {
  return parts_->path;
}

Result<JobReport> Store::RunJobsNow() {
  const std::lock_guard<std::mutex> lock(parts_->jobs_mutex);
  return RunJobs(parts_->path, parts_->options.jobs);
}

void Store::SettleDerived() {
  parts_->pages.Settle();
}

Status Store::Probe() {
  return parts_->engine->Get(Family::kMeta, kMetaLow).status();
}

void Store::Tick() {
  parts_->visibility.Tick();
  parts_->disk.TendBallast();
}

void Store::Housekeeping() {
  NameThisThread("housekeep");
  Parts& p = *parts_;
  std::int64_t seconds = 0;
  std::unique_lock<std::mutex> lock(p.mutex);
  while (!p.wake.wait_for(lock, std::chrono::seconds(1), [&p] { return p.stop; })) {
    lock.unlock();
    Tick();
    ++seconds;
    const bool due = p.options.jobs_every_s > 0 && seconds % p.options.jobs_every_s == 0;
    if (due && p.gate.state()->primary) {
      if (const Result<JobReport> report = RunJobsNow(); !report.ok()) {
        LogWarn("background_jobs_stopped", {{"status", report.status().ToString()}});
      }
    }
    lock.lock();
  }
}

}  // namespace twinspool::store
