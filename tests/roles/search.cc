// Worlds as short strings, what has been seen, and workers that expand one depth after the other.
#include "tests/roles/search.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

namespace twinspool::replica::core::explore {
namespace {

// --- worlds as short strings -----------------------------------------------------------

// Nearly all bytes of a world are 0: a bit for each byte, then those that are not.
constexpr std::size_t kBits = sizeof(World) / 8;
static_assert(sizeof(World) % 8 == 0);

void PackWorld(const World& world, std::string* out) {
  std::array<char, sizeof(World)> bytes{};
  std::memcpy(bytes.data(), &world, sizeof world);
  const std::size_t at = out->size();
  out->resize(at + kBits);
  for (std::size_t i = 0; i < kBits; ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i * 8, 8);
    if (word == 0) {
      continue;
    }
    unsigned bits = 0;
    for (std::size_t j = 0; j < 8; ++j) {
      if (bytes[i * 8 + j] != 0) {
        bits |= 1u << j;
        out->push_back(bytes[i * 8 + j]);
      }
    }
    (*out)[at + i] = static_cast<char>(bits);
  }
}

// Returns what follows the world.
const char* UnpackWorld(const char* at, World* world) {
  std::array<char, sizeof(World)> bytes{};
  const char* next = at + kBits;
  for (std::size_t i = 0; i < kBits; ++i) {
    for (unsigned bits = static_cast<unsigned char>(at[i]); bits != 0; bits &= bits - 1) {
      bytes[i * 8 + static_cast<std::size_t>(__builtin_ctz(bits))] = *next++;
    }
  }
  std::memcpy(static_cast<void*>(world), bytes.data(), sizeof *world);
  return next;
}

std::uint64_t Fingerprint(std::string_view bytes) {
  std::uint64_t h = 0x9E3779B97F4A7C15ull ^ bytes.size();
  for (std::size_t i = 0; i < bytes.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, std::min<std::size_t>(8, bytes.size() - i));
    h = (h ^ word) * 0xff51afd7ed558ccdull;
    h ^= h >> 32;
    h *= 0xc4ceb9fe1a85ec53ull;
    h ^= h >> 29;
  }
  return h == 0 ? 1 : h;
}

// --- what has been seen ----------------------------------------------------------------

class Seen {
 public:
  bool Insert(std::uint64_t print) {
    Shard& shard = shards_[print >> 58];
    const std::lock_guard lock(shard.mutex);
    if (shard.used * 2 >= shard.slots.size()) {
      shard.Grow();
    }
    return shard.Insert(print);
  }

 private:
  struct Shard {
    std::mutex mutex;
    std::vector<std::uint64_t> slots = std::vector<std::uint64_t>(1 << 10);
    std::size_t used = 0;

    bool Insert(std::uint64_t print) {
      for (std::size_t i = print & (slots.size() - 1);; i = (i + 1) & (slots.size() - 1)) {
        if (slots[i] == print) {
          return false;
        }
        if (slots[i] == 0) {
          slots[i] = print;
          ++used;
          return true;
        }
      }
    }
    void Grow() {
      std::vector<std::uint64_t> old(slots.size() * 2);
      old.swap(slots);
      used = 0;
      for (const std::uint64_t print : old) {
        if (print != 0) {
          Insert(print);
        }
      }
    }
  };
  std::array<Shard, 64> shards_;
};

// --- the search ------------------------------------------------------------------------

/// Where a state came from. States are numbered thread by thread: index * threads + thread.
struct Origin {
  std::uint32_t parent = 0;
  Move move;
};

constexpr std::size_t kBlockBytes = 1 << 20;

/// Worlds of one depth, each behind its number.
class Blocks {
 public:
  void Add(std::uint32_t number, std::string_view packed) {
    if (blocks_.empty() || blocks_.back().size() + packed.size() + sizeof number > kBlockBytes) {
      blocks_.emplace_back().reserve(kBlockBytes);
    }
    blocks_.back().append(reinterpret_cast<const char*>(&number), sizeof number);
    blocks_.back().append(packed);
  }
  void MoveTo(std::vector<std::string>* all) {
    std::move(blocks_.begin(), blocks_.end(), std::back_inserter(*all));
    blocks_.clear();
  }

 private:
  std::vector<std::string> blocks_;
};

struct Worker {
  Worker(const Bounds& bounds, unsigned number) : runner(bounds), index(number) {}
  Runner runner;
  unsigned index;
  Blocks next;
  std::deque<Origin> origins;
  Outcomes counts;
  std::string packed;
};

class Search {
 public:
  Search(const Bounds& bounds, unsigned threads) : bounds_(bounds) {
    for (unsigned i = 0; i < threads; ++i) {
      workers_.push_back(std::make_unique<Worker>(bounds, i));
    }
  }

  Outcomes Run();

 private:
  void Work(Worker& worker);
  void Expand(Worker& worker, const World& world, std::uint32_t number);
  void Try(Worker& worker, const World& world, std::uint32_t number, Move move);
  void Heal(Worker& worker, const World& world, std::uint32_t number);
  void Stop(const std::string& violation, std::uint32_t parent, Move last);
  Outcomes Sum() const;
  std::vector<std::string> Replay() const;

  const Bounds bounds_;
  std::vector<std::unique_ptr<Worker>> workers_;
  Seen seen_;
  World first_;
  std::vector<std::string> level_;
  std::atomic<std::size_t> next_block_ = 0;
  std::atomic<std::size_t> states_ = 1;
  std::atomic<bool> stop_ = false;

  std::mutex guilty_mutex_;
  std::string violation_;
  std::uint32_t guilty_parent_ = 0;
  Move guilty_move_;
};

void Search::Stop(const std::string& violation, std::uint32_t parent, Move last) {
  const std::lock_guard lock(guilty_mutex_);
  if (violation_.empty()) {
    violation_ = violation;
    guilty_parent_ = parent;
    guilty_move_ = last;
  }
  stop_ = true;
}

void Search::Heal(Worker& worker, const World& world, std::uint32_t number) {
  ++worker.counts.healed;
  if (!worker.runner.Heals(world)) {
    const std::string& why = worker.runner.violation;
    Stop(why.empty() ? "P8: the pair does not come back by itself" : why, number, {});
  }
}

void Search::Try(Worker& worker, const World& world, std::uint32_t number, Move move) {
  std::uint8_t picks = 1;
  for (move.pick = 0; move.pick < picks && !stop_; ++move.pick) {
    World next = world;
    if (!worker.runner.Apply(&next, move)) {
      return;
    }
    picks = std::max(picks, worker.runner.picks());
    ++worker.counts.transitions;
    ++worker.counts.moves[move.kind];
    if (!worker.runner.violation.empty()) {
      Stop(worker.runner.violation, number, move);
      return;
    }
    worker.packed.clear();
    PackWorld(next, &worker.packed);
    if (!seen_.Insert(Fingerprint(worker.packed))) {
      continue;
    }
    const auto threads = static_cast<std::uint32_t>(workers_.size());
    const auto own = static_cast<std::uint32_t>(worker.origins.size());
    worker.origins.push_back({number, move});
    worker.next.Add(own * threads + worker.index, worker.packed);
    if (++states_ >= bounds_.states) {
      stop_ = true;
    }
  }
}

void Search::Expand(Worker& worker, const World& world, std::uint32_t number) {
  if (bounds_.heal_every > 0 && number % bounds_.heal_every == 0) {
    Heal(worker, world, number);
  }
  worker.runner.ForEachMove(world, [&](const Move& move) {
    if (!stop_) {
      Try(worker, world, number, move);
    }
  });
}

void Search::Work(Worker& worker) {
  for (std::size_t i = next_block_++; i < level_.size() && !stop_; i = next_block_++) {
    const char* at = level_[i].data();
    const char* end = at + level_[i].size();
    while (at < end && !stop_) {
      std::uint32_t number = 0;
      std::memcpy(&number, at, sizeof number);
      World world;
      at = UnpackWorld(at + sizeof number, &world);
      Expand(worker, world, number);
    }
    level_[i] = std::string();
  }
}

Outcomes Search::Sum() const {
  Outcomes sum;
  for (const auto& worker : workers_) {
    sum.transitions += worker->counts.transitions;
    sum.healed += worker->counts.healed;
    sum.stale_reads += worker->runner.stale_reads;
    sum.reported += worker->runner.reported;
    for (std::size_t i = 0; i < sum.moves.size(); ++i) {
      sum.moves[i] += worker->counts.moves[i];
    }
  }
  return sum;
}

std::vector<std::string> Search::Replay() const {
  std::vector<Move> path;
  if (guilty_move_.kind != Move::kStart) {
    path.push_back(guilty_move_);
  }
  for (std::uint32_t at = guilty_parent_; at != 0;) {
    const Worker& worker = *workers_[at % workers_.size()];
    const Origin& origin = worker.origins[at / workers_.size()];
    path.push_back(origin.move);
    at = origin.parent;
  }
  std::reverse(path.begin(), path.end());
  std::vector<std::string> trace;
  World world = first_;
  Runner runner(bounds_);
  for (const Move& move : path) {
    const std::string name = Name(world, move);
    runner.Apply(&world, move);
    trace.push_back(name + " | 0: " + Show(world, 0) + " | 1: " + Show(world, 1));
  }
  return trace;
}

Outcomes Search::Run() {
  Runner first(bounds_);
  first_ = first.Initial();
  violation_ = first.violation;
  std::string packed;
  PackWorld(first_, &packed);
  seen_.Insert(Fingerprint(packed));
  workers_[0]->origins.push_back({});  // number 0
  Blocks start;
  start.Add(0, packed);
  start.MoveTo(&level_);
  std::size_t depth = 0;
  while (!level_.empty() && !stop_ && violation_.empty()) {
    next_block_ = 0;
    std::vector<std::thread> threads;
    for (const auto& worker : workers_) {
      threads.emplace_back([this, &worker] { Work(*worker); });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
    level_.clear();
    for (const auto& worker : workers_) {
      worker->next.MoveTo(&level_);
    }
    ++depth;
  }
  Outcomes out = Sum();
  out.violation = violation_;
  out.states = states_;
  out.depth = depth;
  out.exhausted = !stop_ && violation_.empty();
  if (!violation_.empty()) {
    out.trace = Replay();
  }
  return out;
}

}  // namespace

Outcomes Explore(const Bounds& bounds, unsigned threads) {
  if (threads == 0) {
    threads = std::max(1u, std::thread::hardware_concurrency());
  }
  return Search(bounds, threads).Run();
}

}  // namespace twinspool::replica::core::explore
