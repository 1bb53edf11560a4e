#!/usr/bin/env python3
"""Checks that every folder includes only what it may, and other rules that a compiler does not know.

Run by ctest (label lint); arguments: the source directory. Prints each violation with file and line.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1]).resolve()

# Folder -> project folders (or single headers) that its files may include, beside themselves.
WAIST = "server/mail_store.h"
MAY = {
    "common": ["proto"],
    "replica/core": ["common", "proto", "replica/ports.h"],
    "replica": ["replica/core", "common", "proto"],
    "server/mail_values.h": ["common"],
    "server/mail_store.h": ["server/mail_values.h", "common"],
    "server/store": [WAIST, "replica/ports.h", "server/mime/text.h", "server/mime/text_page.h", "common", "proto"],
    "server/net": ["common"],
    "server/mime": ["common"],
    "server/auth": ["common"],
    "server/imap": [WAIST, "server/net/session.h", "server/mime", "server/auth", "common"],
    "server/lmtp": [WAIST, "server/net/session.h", "server/mime", "server/auth", "common"],
    "server/pop3": [WAIST, "server/net/session.h", "server/mime", "server/auth", "common"],
    "server/remote": [WAIST, "common", "proto"],
    "server/node": ["server", "replica", "common", "proto"],
    "server/cli": ["common", "proto"],
}
# Library -> folders that may include it.
LIBRARIES = {
    r"rocksdb/": ["server/store", "tests"],
    r"boost/(asio|beast)": ["server/net", "tests"],
    r"grpc(pp)?/": ["common", "replica", "server/remote", "server/node", "server/cli", "tests"],
    r".*\.grpc\.pb\.h": ["replica", "server/remote", "server/node", "server/cli", "tests"],
}
NOT_IN_CORE = r"^(thread|mutex|condition_variable|future|chrono|fstream|iostream|atomic|sys/.*|unistd\.h|grpc.*|rocksdb/.*)$"
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

problems = []


def folder_of(path):
    """The rule that applies to a file: the longest key of MAY that is its path or an ancestor."""
    best = ""
    for key in MAY:
        if (path == key or path.startswith(key + "/")) and len(key) > len(best):
            best = key
    return best


def allowed(path, included):
    rule = folder_of(path)
    if not rule:
        return True
    return any(
        included == target or included.startswith(target + "/") for target in MAY[rule] + [rule]
    )


def check_includes(path, number, line):
    found = INCLUDE.match(line)
    if not found:
        return
    quote, included = found.groups()
    where = f"{path}:{number}"
    if quote == '"' and not path.startswith("tests/") and not allowed(path, included):
        problems.append(f"{where}: {folder_of(path)}/ may not include {included}")
    for pattern, folders in LIBRARIES.items():
        if re.match(pattern, included) and not any(path.startswith(f + "/") for f in folders):
            problems.append(f"{where}: {included} is not for this folder")
    if path.startswith("replica/core/") and re.match(NOT_IN_CORE, included):
        problems.append(f"{where}: a pure core has no {included}")


def check_line(path, number, line):
    where = f"{path}:{number}"
    if path.startswith("tests/") and re.search(r"sleep_for|\busleep\(|\bsleep\(", line):
        problems.append(f"{where}: tests wait for events, they do not sleep")
    if re.search(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b", line):
        problems.append(f"{where}: unfinished work is not left in the code")
    if re.search(r"using namespace ", line):
        problems.append(f"{where}: no 'using namespace'")


def main():
    listing = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "*.h", "*.cc"], capture_output=True, text=True, check=False
    ).stdout.split()
    files = listing or [
        str(p.relative_to(ROOT))
        for p in ROOT.rglob("*")
        if p.suffix in (".h", ".cc") and "build" not in p.relative_to(ROOT).parts
    ]
    for name in files:
        text = (ROOT / name).read_text(encoding="utf-8", errors="replace")
        if name.endswith(".h") and "#pragma once" not in text:
            problems.append(f"{name}: no #pragma once")
        for number, line in enumerate(text.splitlines(), 1):
            check_includes(name, number, line)
            check_line(name, number, line)
    for problem in problems:
        print(problem)
    print(f"{len(files)} files, {len(problems)} problems")
    return 1 if problems or not files else 0


sys.exit(main())
