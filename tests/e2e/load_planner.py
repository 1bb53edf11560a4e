"""What a load process does next: APPEND, STORE, COPY, MOVE, EXPUNGE, CREATE, RENAME, DELETE, and deliveries.

Every message and every mailbox has one command under way at most, so that a command without an answer
leaves exactly two possible states. The planner opens that doubt in its Book and the answer closes it.
"""
import collections
import random

import book
from load_clients import Command

FLAGS = [r"\Seen", r"\Flagged", r"\Answered", "work"]
DEPTH = 8
SIZES = [10, 300, 1000, 2000, 4000]
LARGE, LARGE_EVERY = 100_000, 97
BOXES_AT_ONCE = 6


class Planner:
    def __init__(self, label, seed):
        self.book = book.Book(label)
        self.rng = random.Random(seed)
        self.generation = 0
        self.steady = []     # boxes of this generation that stay
        self.own = []        # boxes that are renamed and deleted
        self.retries = collections.deque()
        self.clients = []
        self.appended = 0
        self.budget = 0      # commands that may still be planned
        self.counts = collections.Counter()

    def counted(self, kind, answer):
        self.counts[{"OK": "acknowledged", "NO": "refused", None: "unanswered"}[answer]] += 1
        if answer == "OK":
            self.counts[kind] += 1

    # --- batches ----------------------------------------------------------------------------

    def imap_batch(self, client):
        if len(self.steady) < 3:
            box = self.create(self.steady)
            if box is not None:
                return [box]
        self.budget -= DEPTH
        batch = []
        box = self.choose_box(client, batch)
        for _ in range(DEPTH):
            batch.append((self.change(box) if box is not None and self.rng.random() < 0.55 else None) or self.append())
        if self.rng.random() < 0.15:
            extra = self.on_mailbox()
            batch += [extra] if extra else []
        return batch

    def choose_box(self, client, batch):
        """The box that the batch works in, selected first when it is another one."""
        boxes = [box for box in [book.INBOX] + self.steady + self.own if self.book.box_name(box)]
        box = self.rng.choice(boxes)
        if client.selected == box and self.rng.random() < 0.9:
            # What was acknowledged to the other connections before is in this one's view from here on.
            batch.append(Command(b"NOOP", lambda *_: None))
            return box

        def done(answer, _, __):
            if answer != "OK":
                client.selected = None
        client.selected = box
        batch.append(Command(b"SELECT " + self.book.box_name(box).encode(), done))
        return box

    def targets(self):
        return [box for box in self.steady + self.own if self.book.box_name(box)]

    def append(self):
        boxes = self.targets()
        box = self.rng.choice(boxes) if boxes else book.INBOX
        subject, octets = self.new_message()
        flag = self.rng.choice(FLAGS)
        self.known(subject, octets)
        head = f"APPEND {self.book.box_name(box)} ({flag}) {{{len(octets)}+}}\r\n".encode()
        return self.doubt("append", subject, frozenset([(box, frozenset([flag]))]), head + octets, box)

    def new_message(self):
        self.appended += 1
        subject = f"{self.book.label}-{self.appended}"
        size = LARGE if self.appended % LARGE_EVERY == 0 else self.rng.choice(SIZES)
        return subject, (f"From: a@example.org\r\nSubject: {subject}\r\nMessage-ID: <{subject}@example.org>\r\n\r\n"
                         + "x" * 70 + "\r\n" + ("y" * 70 + "\r\n") * (size // 72)).encode()

    def known(self, subject, octets, added=False):
        self.book.entries[subject] = book.Entry(len(octets), book.digest(octets), added, self.generation, {frozenset()})

    def change(self, box):
        """A change of some message in the box, or None."""
        picked = self.book.pick(box, self.rng)
        if picked is None:
            return None
        subject, state = picked
        uid = self.book.entries[subject].uids[box]
        flags = next(flags for where, flags in state if where == box)
        rest = state - {(box, flags)}
        if r"\Deleted" in flags:
            return self.doubt("expunge", subject, rest, b"UID EXPUNGE %d" % uid, box)
        kind = "move" if box == book.INBOX else self.rng.choice(["store"] * 4 + ["move", "copy", "deleted"])
        if kind in ("move", "copy"):
            return self.transfer(kind, subject, state, rest, flags, uid, box)
        return self.store(kind, subject, rest, flags, uid, box)

    def store(self, kind, subject, rest, flags, uid, box):
        flag = r"\Deleted" if kind == "deleted" else self.rng.choice(FLAGS)
        sign = "-" if flag in flags else "+"
        new = flags - {flag} if sign == "-" else flags | {flag}
        return self.doubt("store", subject, rest | {(box, new)}, f"UID STORE {uid} {sign}FLAGS.SILENT ({flag})".encode(), box)

    def transfer(self, kind, subject, state, rest, flags, uid, box):
        taken = {where for where, _ in state}
        targets = [target for target in self.targets() if target not in taken]
        if not targets:
            return None
        target = self.rng.choice(targets)
        new = (rest if kind == "move" else state) | {(target, flags)}
        self.book.entries[subject].generation = self.generation
        return self.doubt(kind, subject, new, f"UID {kind.upper()} {uid} {self.book.box_name(target)}".encode(), box, target)

    def doubt(self, kind, subject, new, octets, *boxes):
        """A command that leads the message to the state `new`; its last box gets the UID that is told."""
        entry = self.book.entries[subject]
        entry.busy = True
        used = [self.book.boxes[box] for box in boxes if box != book.INBOX]
        for box in used:
            box.users += 1

        def done(answer, uid, line):
            entry.history.append((octets[:80].decode(), line[:60].decode(errors="replace")))
            entry.busy = False
            for box in used:
                box.users -= 1
            self.counted(kind, answer)
            entry.answers += answer is not None
            if answer == "OK":
                entry.states = {new}
                if uid:
                    self.book.place(subject, boxes[-1], uid)
            elif answer is None:
                entry.states.add(new)
        return Command(octets, done)

    # --- mailboxes --------------------------------------------------------------------------

    def on_mailbox(self):
        quiet = [box for box in self.own if self.book.box_name(box) and self.book.boxes[box].users == 0
                 and all(client.selected != box for client in self.clients)]
        if len(self.own) < BOXES_AT_ONCE or not quiet:
            return self.create(self.own) if len(self.own) < 2 * BOXES_AT_ONCE else None
        box = self.rng.choice(quiet)
        return self.rename(box) if self.rng.random() < 0.7 else self.delete(box)

    def create(self, kept):
        box, name = self.book.new_box(self.generation)
        kept.append(box)
        return self.mailbox_doubt("create", box, name, f"CREATE {name}".encode())

    def rename(self, box):
        old = self.book.box_name(box)
        stem, _, version = old.partition("v")
        new = f"{stem}v{int(version or 0) + 1}"
        return self.mailbox_doubt("rename", box, new, f"RENAME {old} {new}".encode())

    def delete(self, box):
        self.own.remove(box)
        return self.mailbox_doubt("delete", box, None, f"DELETE {self.book.box_name(box)}".encode())

    def mailbox_doubt(self, kind, box, new, octets):
        known = self.book.boxes[box]
        before = set(known.names)
        known.names = before | {new}

        def done(answer, _, __):
            self.counted(kind, answer)
            if answer is not None:
                known.names = {new} if answer == "OK" else before
        return Command(octets, done)

    # --- deliveries -------------------------------------------------------------------------

    def lmtp_delivery(self):
        """A delivery that had no answer comes again, as an MTA's would; else a new one."""
        self.budget -= 1
        again = bool(self.retries)
        if again:
            subject, octets = self.retries.popleft()
        else:
            subject, octets = self.new_message()
            self.known(subject, octets, added=True)
        entry = self.book.entries[subject]
        entry.busy = True  # until it is answered at last: nothing else happens to it meanwhile
        new = frozenset([(book.INBOX, frozenset())])

        def done(answer, _, line):
            entry.history.append(("delivery", line[:60].decode(errors="replace")))
            self.counted("retry" if again else "deliver", answer)
            if answer == "OK":
                entry.states = {new}
                entry.answers += 1
                entry.busy = False
                return
            self.retries.append((subject, octets))
            if answer is None:
                entry.states.add(new)
        return Command(b"", done), octets
