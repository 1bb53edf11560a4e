#!/usr/bin/env python3
"""Checks that clang-format would change nothing. Arguments: the source directory."""
import shutil
import subprocess
import sys

root = sys.argv[1]
tool = shutil.which("clang-format")
if tool is None:
    print("clang-format is not installed: skipped")
    sys.exit(77)
files = subprocess.run(
    ["git", "-C", root, "ls-files", "*.h", "*.cc"], capture_output=True, text=True, check=False
).stdout.split()
result = subprocess.run(
    [tool, "--dry-run", "--Werror", *files], cwd=root, capture_output=True, text=True, check=False
)
print("\n".join(line for line in result.stderr.splitlines() if "error:" in line)[:4000])
print(f"{len(files)} files checked")
sys.exit(1 if result.returncode else 0)
