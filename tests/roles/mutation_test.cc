// Shows that the search finds what it is there for: every rule of the role machine is broken once,
// and each time a property must fail.
//
// TWINSPOOL_MUTATION_BOUNDS=NAME tries another search than the one that mutations.toml names.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <ostream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/roles/mutated.h"
#include "tests/roles/search.h"

namespace twinspool::replica::core::explore {

/// For gtest's messages.
void PrintTo(const MutationRow& row, std::ostream* out) {
  *out << row.name;
}

namespace {

const std::map<std::string, Bounds>& Searches() {
  static const std::map<std::string, Bounds> kAll = {
      {"available", {.holds = false}},
      {"three writes", {.writes = 3, .holds = false}},
      {"holds", {.writes = 1}},
      {"wire 2", {.writes = 1, .holds = false, .wire = 2}},
      {"wire 2, deep",
       {.writes = 1, .orders = 1, .repeats = false, .holds = false, .snapshots = false, .wire = 2}},
      {"wire 2, three writes",
       {.writes = 3, .crashes = 0, .orders = 1, .repeats = false, .holds = false, .wire = 2}},
      {"strict", {.mode = Mode::kStrict}},
      {"heal", {.writes = 1, .heal_every = 1}},
      {"force", {.force = true, .writes = 1, .orders = 3, .holds = false}},
      {"single", {.force = true, .single = true, .writes = 1, .orders = 3, .holds = false}},
      {"uids",
       {.force = true,
        .uids = true,
        .writes = 4,
        .crashes = 0,
        .holds = false,
        .snapshots = false}},
      {"async, uids",
       {.mode = Mode::kAsync,
        .force = true,
        .uids = true,
        .writes = 4,
        .orders = 1,
        .holds = false}},
      {"arbiter",
       {.arbiter = true,
        .crashes = 0,
        .repeats = false,
        .holds = false,
        .snapshots = false,
        .wire = 2}},
      {"arbiter heal", {.arbiter = true, .writes = 1, .holds = false, .heal_every = 1}},
      {"arbiter resume",
       {.arbiter = true,
        .alone = true,
        .writes = 1,
        .orders = 1,
        .repeats = false,
        .holds = false,
        .snapshots = false,
        .wire = 2,
        .states = 8'000'000}},
  };
  return kAll;
}

class RoleMutation : public testing::TestWithParam<MutationRow> {};

TEST_P(RoleMutation, IsCaught) {
  const char* other = std::getenv("TWINSPOOL_MUTATION_BOUNDS");
  const std::string name = other == nullptr ? GetParam().bounds : other;
  g_mutation = GetParam().mutation;
  const Outcomes out = Explore(Searches().at(name));
  g_mutation = Mutation::kNone;
  std::printf("broken %-22s rule %-2s | %s | %s; %zu states, depth %zu\n", GetParam().name,
              GetParam().rule, name.c_str(),
              out.violation.empty() ? "NOT CAUGHT" : out.violation.c_str(), out.states, out.depth);
  EXPECT_NE(out.violation, "") << "not noticed: " << GetParam().breaks;
  for (const std::string& step : out.trace) {
    std::printf("    %s\n", step.c_str());
  }
}

INSTANTIATE_TEST_SUITE_P(BrokenRules, RoleMutation, testing::ValuesIn(kMutations),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace twinspool::replica::core::explore
