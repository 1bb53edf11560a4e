#!/usr/bin/env python3
"""Makes the role machine in which one rule at a time can be broken, for the test that each is missed.

Usage: mutate.py SOURCE_DIRECTORY OUTPUT_DIRECTORY
Reads mutations.toml beside this file; writes a copy of every role*.cc and mutations.h.
"""
import pathlib
import sys
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
SOURCE, OUTPUT = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
TABLE = tomllib.loads((HERE / "mutations.toml").read_text())["mutation"]
NAMESPACE = "twinspool::replica::core::explore"


def broken(path):
    """The text of one file with every mutation of that file in place."""
    original = path.read_text()
    text = original
    for mutation in TABLE:
        asks = f"{NAMESPACE}::Mutated({NAMESPACE}::Mutation::k{mutation['name']})"
        for edit in mutation.get("edit", []):
            if edit["file"] != path.name:
                continue
            find = edit["find"]
            if original.count(find) != 1 or text.count(find) != 1:
                sys.exit(f"mutations.toml: {mutation['name']}: not exactly once in {path.name}: {find}")
            text = text.replace(find, edit["with"].replace("@", asks))
    return '#include "tests/roles/mutated.h"\n' + text


def header():
    names = "".join(f"  k{mutation['name']},\n" for mutation in TABLE)
    rows = "".join(
        f'    {{Mutation::k{m["name"]}, "{m["name"]}", "{m["rule"]}", "{m["breaks"]}", "{m["bounds"]}"}},\n'
        for m in TABLE
    )
    return f"""// Made by mutate.py from mutations.toml.
#pragma once

#include <array>

namespace {NAMESPACE} {{

enum class Mutation {{
  kNone,
{names}}};

struct MutationRow {{
  Mutation mutation;
  const char* name;
  const char* rule;
  const char* breaks;
  const char* bounds;  // the search that finds it
}};
inline constexpr std::array<MutationRow, {len(TABLE)}> kMutations{{{{
{rows}}}}};

}}  // namespace {NAMESPACE}
"""


def write(path, text):
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


known = {path.name for path in SOURCE.glob("role*.cc")}
for row in TABLE:
    for change in row.get("edit", []):
        if change["file"] not in known:
            sys.exit(f"mutations.toml: {row['name']}: no file {change['file']}")
write(OUTPUT / "mutations.h", header())
for source in sorted(SOURCE.glob("role*.cc")):
    write(OUTPUT / source.name, broken(source))
