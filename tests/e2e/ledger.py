"""Load with a ledger: what was acknowledged must be there, once; what was not answered may be.

Each Worker owns the messages it appended: it knows for every one the set of states it may be in. A
state is (mailbox, flags) or None for expunged. An acknowledged command leaves one state, an unanswered
one adds the state it would have led to. judge() compares with what a node shows and settles the doubt.
"""
import imaplib
import random
import re
import socket
import threading

import harness
import mail

BOXES = ["load", "moved"]
FLAGS = [r"\Seen", r"\Flagged", r"\Answered", "work"]


class Unanswered(Exception):
    """The connection ended before the tagged answer came."""


class Worker(threading.Thread):
    def __init__(self, name, port, user, seed):
        super().__init__(name=name, daemon=True)
        self.label = name
        self.port = port
        self.user = user
        self.rng = random.Random(seed)
        self.states = {}  # subject -> set of possible states
        self.uids = {}    # subject -> (mailbox, uid) as last acknowledged
        self.count = 0
        self.acknowledged = 0
        self.unanswered = 0
        self.refused = 0
        self.stop = threading.Event()
        self.client = None
        self.selected = None

    def run(self):
        try:
            self.client = mail.login(self.port, self.user)
            while not self.stop.is_set():
                self.step()
        except (Unanswered, OSError, imaplib.IMAP4.abort, socket.timeout):
            pass  # the node is gone: that is what the test is about

    def call(self, function, *arguments):
        """Runs a command; True: OK, False: refused. Unanswered when the connection ends before."""
        try:
            answer, data = function(*arguments)
        except imaplib.IMAP4.abort as error:
            raise Unanswered(str(error)) from error
        except OSError as error:
            raise Unanswered(str(error)) from error
        except imaplib.IMAP4.error:
            return False, []
        return answer == "OK", data

    def select(self, box):
        if self.selected != box:
            ok, _ = self.call(self.client.select, box)
            self.selected = box if ok else None
        return self.selected == box

    def step(self):
        settled = [s for s, states in self.states.items() if len(states) == 1 and None not in states]
        if len(settled) < 5 or self.rng.random() < 0.45:
            return self.append()
        subject = self.rng.choice(settled)
        return self.rng.choice([self.store, self.store, self.move, self.expunge])(subject)

    def doubt(self, subject, new_state, action):
        """Performs `action`; the message is in the old state, the new one, or either."""
        try:
            ok, data = action()
        except Unanswered:
            self.unanswered += 1
            self.states.setdefault(subject, {None}).add(new_state)
            raise
        if ok:
            self.acknowledged += 1
            self.states[subject] = {new_state}
        else:
            self.refused += 1
        return ok, data

    def append(self):
        self.count += 1
        subject = f"{self.label}-{self.count}"
        body = "x" * self.rng.choice([10, 500, 4000, 4000, 100_000 if self.count % 17 == 0 else 2000])
        octets = (f"From: a@example.org\r\nSubject: {subject}\r\n\r\n{body}\r\n").encode()
        flags = rf"({FLAGS[self.count % 2]})"
        ok, data = self.doubt(subject, ("load", frozenset([FLAGS[self.count % 2]])),
                              lambda: self.call(self.client.append, "load", flags, None, octets))
        if ok:
            self.uids[subject] = ("load", int(re.search(rb"APPENDUID \d+ (\d+)", data[0]).group(1)))

    def store(self, subject):
        box, uid = self.uids[subject]
        if not self.select(box):
            return
        (_, flags), = self.states[subject]
        flag = self.rng.choice(FLAGS)
        remove = flag in flags
        new = flags - {flag} if remove else flags | {flag}
        self.doubt(subject, (box, new),
                   lambda: self.call(self.client.uid, "STORE", str(uid), ("-" if remove else "+") + "FLAGS.SILENT", f"({flag})"))

    def move(self, subject):
        box, uid = self.uids[subject]
        target = BOXES[1 - BOXES.index(box)]
        if not self.select(box):
            return
        (_, flags), = self.states[subject]
        ok, _ = self.doubt(subject, (target, flags), lambda: self.call(self.client.uid, "MOVE", str(uid), target))
        if ok:
            code = self.client.response("COPYUID")[1][-1]
            self.uids[subject] = (target, int(code.split()[-1]))

    def expunge(self, subject):
        box, uid = self.uids[subject]
        if not self.select(box):
            return
        (_, flags), = self.states[subject]
        ok, _ = self.doubt(subject, (box, flags | {r"\Deleted"}),
                           lambda: self.call(self.client.uid, "STORE", str(uid), "+FLAGS.SILENT", r"(\Deleted)"))
        if ok:
            self.doubt(subject, None, lambda: self.call(self.client.uid, "EXPUNGE", str(uid)))


def make_boxes(pair, node, user):
    client = mail.login(pair.port(node), user)
    for box in BOXES:
        client.create(box)
    client.logout()


def judge(pair, node, user, workers):
    """Compares every worker's ledger with what `node` shows; settles doubts. Returns counts."""
    client = mail.login(pair.port(node), user)
    shown = {}
    for box in BOXES:
        for uid, (flags, subject) in harness.fetch_all(client, box).items():
            shown.setdefault(subject, []).append((box, flags, uid))
    client.logout()
    problems = []
    for worker in workers:
        for subject, states in worker.states.items():
            copies = shown.pop(subject, [])
            if len(copies) > 1:
                problems.append(f"doubled: {subject}: {copies}")
                continue
            state = (copies[0][0], copies[0][1]) if copies else None
            if state not in states:
                problems.append(f"{'lost' if state is None else 'wrong'}: {subject}: shown {state}, allowed {states}")
            # What was never acknowledged may still come: the old primary gives it back when it returns.
            worker.states[subject] = {state} if copies or len(states) == 1 else states
            if copies:
                worker.uids[subject] = (copies[0][0], copies[0][2])
    known = {worker.label for worker in workers}
    problems += [f"unknown: {s}" for s in shown if s.rsplit("-", 1)[0] in known]
    if problems:
        raise AssertionError("\n".join(problems[:20]) + pair.logs())
    return sum(len(w.states) for w in workers)
