// row_damage DIR FAMILY PREFIX NTH BIT: turns one bit of one row of a stopped node's store over, as
// a fault in memory would: the checksums of the database are right afterwards. FAMILY as in the
// table of server/store/schema.cc; the NTH row (from 0) whose key begins with PREFIX ("": any).
//
// row_damage DIR: writes all to files, and prints the family and the name of each.
//
// For tests with real processes.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "server/store/engine.h"
#include "server/store/row_batch.h"

namespace twinspool::store {
namespace {

Status Flip(Engine& engine, Family family, const std::string& prefix, int nth, std::size_t bit) {
  RowBatch batch;
  {
    RowIterator it = engine.Iterate(family, KeyRange::Prefix(prefix));
    for (it.SeekToFirst(); it.Valid() && nth > 0; it.Next()) {
      --nth;
    }
    if (!it.Valid() || it.value().empty()) {
      return NotFound("no such row");
    }
    std::string value(it.value());
    bit %= 8 * value.size();
    value[bit / 8] = static_cast<char>(value[bit / 8] ^ (1 << bit % 8));
    batch.Put(family, std::string(it.key()), std::move(value));
  }
  return engine.Write(batch, WriteMode::kSync);
}

Result<Family> FamilyOf(const std::string& name) {
  for (const FamilyInfo& info : kFamilies) {
    if (info.name == name) {
      return info.family;
    }
  }
  return NotFound("no family " + name);
}

Status PrintTables(Engine& engine) {
  TRY(engine.Flush());
  for (const Engine::Table& table : engine.Tables()) {
    std::printf("%s %s\n", kFamilies[static_cast<std::size_t>(table.family)].name,
                table.file.c_str());
  }
  return OkStatus();
}

Status Run(int argc, char** argv) {
  EngineOptions options;
  options.may_create = false;
  ASSIGN_OR_RETURN(const auto engine, Engine::Open(argv[1], options));
  if (argc == 2) {
    return PrintTables(*engine);
  }
  ASSIGN_OR_RETURN(const Family family, FamilyOf(argv[2]));
  return Flip(*engine, family, argv[3], std::atoi(argv[4]), std::strtoul(argv[5], nullptr, 10));
}

}  // namespace
}  // namespace twinspool::store

int main(int argc, char** argv) {
  if (argc != 2 && argc != 6) {
    std::fprintf(stderr, "usage: row_damage DIR [FAMILY PREFIX NTH BIT]\n");
    return 2;
  }
  const twinspool::Status done = twinspool::store::Run(argc, argv);
  if (!done.ok()) {
    std::fprintf(stderr, "row_damage: %s\n", done.ToString().c_str());
  }
  return done.ok() ? 0 : 1;
}
