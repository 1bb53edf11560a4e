"""A process that is load: several connections, a ledger, and its judgement. Orders come as JSON lines on stdin.

Processes and no threads, because the interpreter would be the bottleneck and not the pair. Run by Crew
(crew.py), which describes the orders. Arguments: label, user, seed.
"""
import json
import os
import selectors
import sys
import time

import book
from load_clients import ImapClient, LmtpClient
from load_planner import Planner
from reader import Reader

CONNECTIONS = 4
LOOK_S = 5


class LoadProcess:
    def __init__(self, label, user, seed):
        self.user = user
        self.planner = Planner(label, seed)
        self.clients = []
        self.reader = None
        self.seen = {}
        self.orders = b""

    # --- orders -----------------------------------------------------------------------------

    def load(self, imap, lmtp, generation, budget):
        """Begins, beside connections that are open already; the answer does not wait for the end."""
        self.planner.budget = budget
        if generation != self.planner.generation:
            self.planner.generation = generation
            self.planner.steady, self.planner.own = [], []
        self.clients = self.planner.clients = [client for client in self.clients if client.open]
        try:
            for _ in range(CONNECTIONS):
                self.clients.append(ImapClient(imap, self.planner, self.user))
            self.clients.append(LmtpClient(lmtp, self.planner, self.user))
        except OSError:
            pass  # the node is gone already: that is what the tests are about
        return {}

    def counts(self):
        return {**self.planner.counts, "connections": sum(client.open for client in self.clients),
                "under way": sum(client.open and not client.idle() for client in self.clients)}

    def stop(self, grace):
        """No new commands; waits for answers at most so long, then leaves."""
        end = time.monotonic() + grace
        for client in self.clients:
            client.draining = True
        while time.monotonic() < end and any(client.open and not client.idle() for client in self.clients):
            self.turn(0.05)
        for client in self.clients:
            client.close()
        return self.counts()

    def judge(self, imap, oldest):
        """Compares what generations from `oldest` on touched with what the node shows."""
        reader = Reader(imap, self.user)
        boxes, beside, subjects = self.planner.book.scope(oldest)
        listed = reader.names()
        problems = self.planner.book.settle_boxes(boxes, listed)
        shown = self.shown(reader, [box for box in [*boxes, *beside] if self.planner.book.boxes[box].name()])
        judged = set(subjects)
        shown = {subject: copies for subject, copies in shown.items()
                 if subject in judged or any(box not in beside for box, *_ in copies)}
        problems += self.planner.book.settle_messages(subjects, shown)
        reader.close()
        return {"problems": problems[:20], "judged": len(subjects)}

    def shown(self, reader, boxes):
        """{subject: [(box, flags, uid, whether it has the octets that were sent)]} in INBOX and these boxes."""
        found = {}
        entries = self.planner.book.entries
        for box in [book.INBOX] + boxes:
            for subject, flags, uid, octets in reader.messages(self.planner.book.box_name(box)):
                same = subject not in entries or entries[subject].same(octets)
                found.setdefault(subject, []).append((box, flags, uid, same))
        return found

    def attach(self, imap):
        """A connection for looking later, when the node may not let anybody in any more."""
        self.reader = Reader(imap, self.user)
        self.reader.sock.settimeout(LOOK_S)
        return {}

    def peek(self, imap=None):
        """Compares, and settles nothing. Without a port: on the connection that was attached, which may refuse."""
        try:
            reader = Reader(imap, self.user) if imap else self.reader
            listed = reader.names()
            shown = self.shown(reader, [box for box, known in self.planner.book.boxes.items() if known.name() in listed])
        except (OSError, ValueError) as error:
            return {"refused": str(error), "compared": 0, "problems": []}
        if not imap:
            self.seen = {}
        compared, problems = self.planner.book.compare(listed, shown, self.seen)
        return {"refused": "", "compared": compared, "problems": problems[:20], "seen": len(self.seen)}

    # --- the loop ---------------------------------------------------------------------------

    def turn(self, patience, stdin=None):
        """Serves the connections once; answers whether an order waits."""
        selector = selectors.DefaultSelector()
        for client in self.clients:
            if client.open:
                client.next_batch()
            if client.open:
                selector.register(client.sock, selectors.EVENT_READ | (selectors.EVENT_WRITE if client.wants_write() else 0), client)
        if stdin is not None:
            selector.register(stdin, selectors.EVENT_READ)
        order = False
        for key, events in selector.select(patience):
            if key.data is None:
                order = True
                continue
            if events & selectors.EVENT_READ and key.data.open:
                key.data.on_readable()
            if events & selectors.EVENT_WRITE and key.data.open:
                key.data.on_writable()
        selector.close()
        return order

    def run(self):
        while True:
            if not self.turn(0.05 if any(client.open for client in self.clients) else None, stdin=0):
                continue
            data = os.read(0, 1 << 16)
            if not data:
                return
            self.orders += data
            while b"\n" in self.orders:
                line, self.orders = self.orders.split(b"\n", 1)
                order = json.loads(line)
                print(json.dumps(getattr(self, order.pop("do"))(**order)), flush=True)


if __name__ == "__main__":
    LoadProcess(sys.argv[1], sys.argv[2], sys.argv[3]).run()
