"""A client that keeps a copy of mailboxes and brings it up to date with QRESYNC (RFC 7162), as phones do.

Across failovers its copy must stay what a fresh download shows: the same UIDVALIDITY, no UID with other octets,
no change that it is not told of, and a HIGHESTMODSEQ that never falls.
"""
import hashlib
import re

from reader import Reader

FETCHED = re.compile(rb"^\* \d+ FETCH \((.*)\)\r$", re.M)


def item(pattern, octets):
    found = re.search(pattern, octets)
    return found.group(1) if found else None


class Copy:
    """What the client has of one mailbox."""

    def __init__(self):
        self.validity = None
        self.modseq = 0
        self.flags = {}
        self.digests = {}
        self.known = {}  # UIDs of all times -> digest; never forgotten


class CacheClient:
    def __init__(self, user):
        self.user = user
        self.copies = {}
        self.ignored = set()
        self.told = 0         # changes learned by QRESYNC
        self.compared = 0     # messages compared with a fresh download

    def new_generation(self):
        """What it follows by now is left alone from here on, but for INBOX."""
        self.ignored |= set(self.copies) - {"INBOX"}

    def sync(self, port):
        """Brings all copies up to date; mailboxes that are new are followed from here on."""
        reader = Reader(port, self.user)
        reader.ask(b"ENABLE QRESYNC")
        names = reader.names() - self.ignored
        for name in sorted(names):
            try:
                self.sync_one(reader, name, self.copies.setdefault(name, Copy()))
            except OSError as error:
                if "NONEXISTENT" not in str(error):
                    raise
                del self.copies[name]  # renamed or deleted meanwhile
        reader.close()

    def sync_one(self, reader, name, copy):
        parameter = b" (QRESYNC (%d %d))" % (copy.validity, copy.modseq) if copy.validity else b""
        octets = reader.ask(b"EXAMINE " + name.encode() + parameter)
        validity = int(item(rb"UIDVALIDITY (\d+)", octets))
        modseq = int(item(rb"HIGHESTMODSEQ (\d+)", octets))
        assert copy.validity in (None, validity), f"{name}: UIDVALIDITY was {copy.validity} and is {validity}"
        assert modseq >= copy.modseq, f"{name}: HIGHESTMODSEQ was {copy.modseq} and is {modseq}"
        first, copy.validity, copy.modseq = copy.validity is None, validity, modseq
        if first:
            octets = reader.ask(b"UID FETCH 1:* (UID FLAGS)")
        self.take(copy, octets)
        missing = sorted(set(copy.flags) - set(copy.digests))
        if missing:
            self.download(reader, name, copy, missing)

    def take(self, copy, octets):
        """VANISHED and FETCH answers."""
        for text in re.findall(rb"^\* VANISHED (?:\(EARLIER\) )?([\d:,]+)\r$", octets, re.M):
            ranges = list(self.ranges(text))
            for uid in [uid for uid in copy.flags if any(uid in part for part in ranges)]:
                self.told += 1
                del copy.flags[uid]
                copy.digests.pop(uid, None)
        for inner in FETCHED.findall(octets):
            uid, flags = item(rb"UID (\d+)", inner), item(rb"FLAGS \(([^)]*)\)", inner)
            if uid and flags is not None:
                self.told += 1
                copy.flags[int(uid)] = frozenset(flags.split()) - {rb"\Recent"}

    def ranges(self, text):
        """Ranges and no numbers: VANISHED may name a million UIDs in a few octets."""
        for part in text.split(b","):
            first, _, last = part.partition(b":")
            yield range(int(first), int(last or first) + 1)

    def download(self, reader, name, copy, uids):
        for uid, _, octets in reader.bodies(b",".join(b"%d" % uid for uid in uids)):
            digest = hashlib.sha256(octets).digest()
            assert copy.known.setdefault(uid, digest) == digest, f"{name}: UID {uid} has other octets than once"
            copy.digests[uid] = digest

    def check(self, port):
        """Syncs, and compares with a fresh download; nothing may change meanwhile."""
        self.sync(port)
        reader = Reader(port, self.user)
        names = reader.names() - self.ignored
        for name in [name for name in self.copies if name not in names and name not in self.ignored]:
            del self.copies[name]
        for name in sorted(names):
            copy = self.copies[name]
            octets = reader.ask(b"EXAMINE " + name.encode())
            assert int(item(rb"UIDVALIDITY (\d+)", octets)) == copy.validity, f"{name}: UIDVALIDITY changed"
            fresh = {uid: (flags, hashlib.sha256(octets).digest()) for uid, flags, octets in reader.bodies()}
            mine = {uid: (flags, copy.digests.get(uid)) for uid, flags in copy.flags.items()}
            wrong = {uid: (mine.get(uid), fresh.get(uid)) for uid in mine.keys() | fresh.keys() if mine.get(uid) != fresh.get(uid)}
            assert not wrong, f"{name}: (cached, shown) differ: {dict(list(wrong.items())[:5])}"
            other = [uid for uid, (_, digest) in fresh.items() if copy.known.get(uid, digest) != digest]
            assert not other, f"{name}: UIDs with other octets than once: {other[:5]}"
            self.compared += len(fresh)
        reader.close()
