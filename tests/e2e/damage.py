"""How files come to harm, and how to see that nothing else did."""
import fnmatch
import hashlib
import os
import pathlib
import subprocess

import harness

ROW_TOOL = harness.ROOT / "build" / os.environ.get("TWINSPOOL_PRESET", "release") / "tests" / "e2e" / "row_damage"

BIG = b"Subject: big\r\n\r\n" + os.urandom(60_000).hex().encode() + b"\r\n"


def hashes(directory, pattern="*"):
    """{file: digest} of everything that holds data and whose path matches."""
    found = {}
    for path in sorted(pathlib.Path(directory).rglob("*")):
        name = str(path.relative_to(directory))
        data = path.is_file() and not path.name.startswith("LOG") and path.name not in ("LOCK", "owner.lock")
        if data and fnmatch.fnmatch(name, pattern):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def flip(path, at=None):
    """Turns some octets over, by default in the middle."""
    with open(path, "r+b") as file:
        file.seek(path.stat().st_size // 2 if at is None else at)
        octets = file.read(8)
        file.seek(-len(octets), os.SEEK_CUR)
        file.write(bytes(octet ^ 0xFF for octet in octets))


def flip_start(path):
    flip(path, 20)


def remove(path):
    path.unlink()


def say(text):
    return lambda path: path.write_text(text)


def row_tool(database, *arguments):
    """Of a node that does not run."""
    return subprocess.run([ROW_TOOL, database, *map(str, arguments)], check=True, timeout=60, capture_output=True, text=True).stdout


def flip_row(database, family, prefix, nth, bit):
    """Turns one bit of a row over, under right checksums. Twice: as it was."""
    row_tool(database, family, prefix, nth, bit)


def flip_table(database, family):
    """Turns a few octets of a file of that family over, so that a block of its rows cannot be read. Its name."""
    names = [line.split()[1] for line in row_tool(database).splitlines() if line.split()[0] == family]
    largest = max((database / name.lstrip("/") for name in names), key=lambda path: path.stat().st_size)
    flip(largest, largest.stat().st_size // 4)
    return largest
