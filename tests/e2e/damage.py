"""How files come to harm, and how to see that nothing else did."""
import fnmatch
import hashlib
import os
import pathlib

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
