#!/usr/bin/env python3
"""Every warning of clang++ and every check of clang-tidy, over the sources of a configured build.

Most of what clang-tidy reads for one file are headers of libraries, and each check walks through all of
them. So files of one folder are read together, as one source that includes them, which costs a tenth.
Names of anonymous namespaces may clash then: a bunch that does not compile is halved until it does.

Usage: tidy.py BUILD_DIRECTORY [FILE_OR_FOLDER...]; generated headers must exist (target tidy sees to it).
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(sys.argv[1]).resolve()
WANTED = [pathlib.Path(name).resolve() for name in sys.argv[2:]] or [ROOT]
BUNCH_FILES_MAX = 16
OURS = r"(common|replica|server|tests)/.*\.(h|cc)$"
FINDING = re.compile(r"^/.*: (warning|error): ")


def sources():
    """(folder, flags) -> files, of those wanted; not the generated ones."""
    groups = {}
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["file"])
        if BUILD in path.parents or not any(w == path or w in path.parents for w in WANTED):
            continue
        flags = shlex.split(entry["command"])
        flags = flags[1 : flags.index("-o")]
        groups.setdefault((str(path.parent), tuple(flags)), []).append(str(path))
    return groups


def bunches():
    for (_, flags), files in sorted(sources().items()):
        count = -(-len(files) // BUNCH_FILES_MAX)
        for i in range(count):
            yield sorted(files)[i::count], flags


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    return done.returncode == 0, done.stdout + done.stderr


def checks_for(files):
    """The analyzer walks the paths of product code; tests are walked by the sanitizers' builds."""
    off = ["-bugprone-suspicious-include", "-readability-redundant-declaration"]  # of a bunch
    if any((ROOT / "tests") in pathlib.Path(name).parents for name in files):
        off.append("-clang-analyzer-*")
    return ",".join(off)


def check(files, flags):
    """What the tools say about these files."""
    text = "".join(f'#include "{name}"\n' for name in files)
    source = BUILD / "tidy" / (hashlib.sha1(text.encode()).hexdigest() + ".cc")
    source.write_text(text)
    compiles, output = run("clang++", *flags, "-fsyntax-only", str(source))
    if compiles:
        good, output = run(
            "clang-tidy", "--quiet", f"--config-file={ROOT / '.clang-tidy'}", f"--header-filter={OURS}",
            f"--checks={checks_for(files)}", str(source), "--", *flags)
        return "" if good else output
    if len(files) == 1:
        return output
    half = len(files) // 2
    return check(files[:half], flags) + check(files[half:], flags)


def findings(output):
    """First line -> the finding with its notes."""
    found = {}
    lines = []
    for line in output.splitlines():
        if FINDING.match(line):
            lines = []
            found.setdefault(line, lines)
        lines.append(line)
    return found or ({output: [output]} if output else {})


def main():
    os.makedirs(BUILD / "tidy", exist_ok=True)
    seen = set()
    todo = list(bunches())
    files = sum(len(names) for names, _ in todo)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for output in pool.map(check, *zip(*todo)):
            for first, lines in findings(output).items():
                if first not in seen:
                    seen.add(first)
                    print("\n".join(lines).replace(str(ROOT) + "/", ""), flush=True)
    print(f"{files} files, {len(seen)} findings")
    return 1 if seen or not files else 0


if __name__ == "__main__":
    sys.exit(main())
