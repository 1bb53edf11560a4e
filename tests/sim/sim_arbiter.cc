#include "tests/sim/sim_arbiter.h"

#include <algorithm>
#include <utility>

namespace twinspool::test {

namespace core = replica::core;

namespace {

constexpr std::int64_t kLeaseMs = 4'000;
constexpr std::int64_t kPatienceMs = 2'000;

/// Takes what is due out of a list, in the order in which it became due.
template <typename T>
std::vector<T> TakeDue(std::vector<T>* list, Instant now,
                       const std::function<bool(const T&)>& mine) {
  const auto due = [&](const T& one) { return one.due <= now && mine(one); };
  std::vector<T> taken;
  std::ranges::copy_if(*list, std::back_inserter(taken), due);
  std::erase_if(*list, due);
  std::ranges::stable_sort(taken, {}, &T::due);
  return taken;
}

}  // namespace

/// Mostly soon, sometimes long after everybody gave up.
Instant SimArbiter::Later() {
  const bool very_late = faults_ && roll_(12) == 0;
  if (very_late) {
    count_("arbiter late");
  }
  return clock_.Now().PlusMs(static_cast<std::int64_t>(roll_(very_late ? 15'000 : 60)));
}

bool SimArbiter::Lost(std::size_t node) {
  const bool lost = cut_[node] || (faults_ && roll_(20) == 0);
  if (lost) {
    count_("arbiter lost");
  }
  return lost;
}

void SimArbiter::NoMoreFaults() {
  faults_ = false;
  cut_ = {};
}

void SimArbiter::Ask(std::size_t from, const core::AskArbiter& question) {
  waits_[from] = {from, clock_.Now(), question};
  if (!Lost(from)) {
    questions_.push_back({from, Later(), question});
  }
}

void SimArbiter::Work() {
  for (const Question& question :
       TakeDue<Question>(&questions_, clock_.Now(), [](const auto&) { return true; })) {
    const core::AskArbiter& what = question.what;
    const bool written = what.what != core::Ask::kRead && what.expected == value_.revision;
    if (written) {
      const std::uint64_t revision = value_.revision + 1;
      value_ = what.want;
      value_.revision = revision;
      lease_until_ = clock_.Now().PlusMs(kLeaseMs);
    } else if (what.what != core::Ask::kRead) {
      count_("arbiter swap refused");
    }
    if (!Lost(question.from)) {
      answers_.push_back({question.from, Later(), {what.what, what.expected, written, value_}});
    }
  }
}

void SimArbiter::Beat(std::size_t node, bool leads) {
  if (leads && !cut_[node] && value_.leader == node) {
    lease_until_ = clock_.Now().PlusMs(kLeaseMs);
  }
}

SimArbiter::News SimArbiter::Hear(std::size_t node) {
  News news;
  const Instant now = clock_.Now();
  for (const Answer& answer :
       TakeDue<Answer>(&answers_, now, [node](const Answer& one) { return one.to == node; })) {
    if (cut_[node]) {
      continue;
    }
    news.answers.push_back(answer.what);
    if (waits_[node] && waits_[node]->what.what == answer.what.what &&
        waits_[node]->what.expected == answer.what.expected) {
      waits_[node].reset();
    }
  }
  if (waits_[node] && now.MsSince(waits_[node]->due) > kPatienceMs) {
    news.silent = true;
    waits_[node].reset();
  }
  news.leader_gone = !cut_[node] && value_.leader != node && now > lease_until_;
  return news;
}

}  // namespace twinspool::test
