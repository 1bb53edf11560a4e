#include "server/store/stage.h"

#include <utility>

#include "common/digest.h"
#include "common/limits.h"
#include "server/store/mailbox_ops.h"

namespace twinspool::store {

struct LocalStage::State {
  State(const WritePath& write_path, Executor& executor, UserId user, std::uint64_t max)
      : path(write_path), pool(executor), owner(user), bytes_max(max) {}

  const WritePath& path;
  Executor& pool;
  const UserId owner;
  const std::uint64_t bytes_max;
  // One call at a time: whoever works on a call owns all of this.
  Sha256 hash;
  std::uint64_t size = 0;
  std::string buffer;
  BodyNo body;
  std::uint32_t chunks = 0;
  Status failed;
};

LocalStage::LocalStage(const WritePath& path, Executor& pool, UserId owner, std::uint64_t bytes_max)
    : state_(std::make_shared<State>(path, pool, owner, bytes_max)) {}

LocalStage::~LocalStage() = default;

std::uint64_t LocalStage::size() const {
  return state_->size;
}

UserId LocalStage::owner() const {
  return state_->owner;
}

void LocalStage::Write(std::string octets, Done<Unit> done) {
  State& state = *state_;
  if (state.size + octets.size() > state.bytes_max) {
    state.failed = LimitExceeded("the message is too large");
    return done(state.failed);
  }
  state.size += octets.size();
  state.hash.Update(octets);
  if (state.buffer.empty()) {
    state.buffer = std::move(octets);
  } else {
    state.buffer += octets;
  }
  Flush(state_, done);
}

void LocalStage::Flush(const std::shared_ptr<State>& state, const Done<Unit>& done) {
  // A chunk is written only when more follows, so that the last one is left for the transaction
  // that names the GUID.
  if (state->buffer.size() <= limits::kBodyChunkBytes) {
    return done(Unit{});
  }
  if (!state->pool.TryPost([state, done] { WriteChunk(state, done); })) {
    state->failed = Unavailable("the server has too much to write just now; try again");
    done(state->failed);
  }
}

void LocalStage::WriteChunk(const std::shared_ptr<State>& state, const Done<Unit>& done) {
  if (const Status started = StartChunk(state, done); !started.ok()) {
    state->failed = started;
    done(started);
  }
}

Status LocalStage::StartChunk(const std::shared_ptr<State>& state, const Done<Unit>& done) {
  TRY(state->failed);
  StoreTxn txn(state->path, state->owner);
  TRY(txn.Admit(Admission::kBodies));
  TRY(LiveUser(txn, state->owner).status());
  if (state->chunks == 0) {
    ASSIGN_OR_RETURN(const Modseq number, txn.NextModseq(state->owner));
    state->body = BodyNo(number.value());
  }
  proto::BodyItem* item = txn.Add(state->owner)->mutable_body();
  item->set_body_no(state->body.value());
  item->set_chunk(state->chunks++);
  item->set_octets(state->buffer.substr(0, limits::kBodyChunkBytes));
  state->buffer.erase(0, limits::kBodyChunkBytes);
  txn.CommitThen([state, done](Status acked) {
    if (acked.ok()) {
      return Flush(state, done);
    }
    state->failed = acked;
    done(std::move(acked));
  });
  return OkStatus();
}

Result<StagedBody> LocalStage::Finish() {
  TRY(state_->failed);
  StagedBody body;
  body.guid = state_->hash.Finish();
  body.size = state_->size;
  body.body = state_->body;
  body.chunks = state_->chunks;
  body.rest = std::move(state_->buffer);
  state_->buffer.clear();
  return body;
}

Status StageWhole(const WritePath& path, UserId owner, StagedBody* body) {
  StoreTxn txn(path, owner);
  TRY(txn.Admit(Admission::kBodies));
  TRY(LiveUser(txn, owner).status());
  ASSIGN_OR_RETURN(const auto pooled,
                   txn.edit().Row(owner, Family::kGuids, GuidKey(owner, body->guid)));
  if (pooled) {
    return OkStatus();
  }
  TRY(CheckStaged(txn, owner, *body));
  if (body->chunks == 0) {
    ASSIGN_OR_RETURN(const Modseq number, txn.NextModseq(owner));
    body->body = BodyNo(number.value());
  }
  proto::BodyItem* item = txn.Add(owner)->mutable_body();
  item->set_body_no(body->body.value());
  item->set_chunk(body->chunks);
  item->set_octets(body->rest);
  item->set_guid(std::string(body->guid.bytes()));
  item->set_size(body->size);
  return txn.Commit().status();
}

Status CheckStaged(StoreTxn& txn, UserId owner, const StagedBody& body) {
  if (body.chunks == 0) {
    return OkStatus();
  }
  // Collecting and undoing take all chunks away, the first among them.
  ASSIGN_OR_RETURN(const auto first,
                   txn.edit().Row(owner, Family::kBodies, BodyKey(owner, body.body, 0)));
  return first ? OkStatus()
               : Unavailable("what was sent of the message was given up meanwhile; send it again");
}

}  // namespace twinspool::store
