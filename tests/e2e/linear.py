"""Whether what clients were told of one message could have come from a single copy of it that nobody ever lost.

`order_of(calls)` looks for an order of the calls of one message in which every call takes effect at one instant between
its begin and its end, and every answer is what that order would give (Herlihy and Wing's linearizability, by Wing and
Gong's search, which remembers what it has tried). A call without an answer may take effect at any time after its begin,
or never.
"""
import dataclasses
import math
import random
import re
import threading
import time

import harness

FLAGS = [r"\Seen", r"\Flagged", r"\Answered", "work"]
NEVER = math.inf
TRIES_MAX = 1_000_000


class Undecided(Exception):
    """The search for an order was given up: nothing is known."""


class Refused(Exception):
    """The server said NO."""


@dataclasses.dataclass(frozen=True)
class Call:
    """`kind` and its argument: "add" or "remove" and a flag; "add-if" or "remove-if" and (flag, modseq), which must not
    change anything if the message has a later modseq; "read". `answer` of a read: (flags, modseq); of an -if: whether
    it was done."""

    kind: str
    argument: object
    begin: float
    end: float = NEVER
    answer: object = None

    @property
    def answered(self):
        return self.end != NEVER


@dataclasses.dataclass(frozen=True)
class State:
    """`modseq` is None after a change until somebody reads it; it is then above `floor`."""

    flags: frozenset
    modseq: int | None
    floor: int = 0

    def changed(self, add, flag):
        flags = self.flags | {flag} if add else self.flags - {flag}
        if flags == self.flags:
            return self
        return State(flags, None, self.floor if self.modseq is None else self.modseq)


def step(state, call):
    """The state after the call, or None if that answer is not possible in that state."""
    if call.kind == "read":
        if not call.answered:
            return state
        flags, modseq = call.answer
        if flags != state.flags or (modseq <= state.floor if state.modseq is None else modseq != state.modseq):
            return None
        return State(flags, modseq)
    if call.kind in ("add", "remove"):
        return state.changed(call.kind == "add", call.argument)
    flag, known = call.argument
    if not call.answered:
        # Its condition may have held on a node that died with it; what such a node had taken is given back later, whatever
        # else was changed meanwhile.
        return state.changed(call.kind == "add-if", flag)
    done = state.modseq is not None and state.modseq <= known
    if call.answered and call.answer != done:
        return None
    return state.changed(call.kind == "add-if", flag) if done else state


def order_of(calls, start):
    """Indexes into `calls`, sorted by their begin, in an order that explains all answers; or None, and how many calls
    could be explained at most. Undecided is raised when that takes too long to find out."""
    calls = sorted(calls, key=lambda call: call.begin)
    tried = set()
    path, stack = [], [choices(calls, 0, 0, start)]
    longest = 0
    while stack:
        choice = next(stack[-1], None)
        if choice is None:
            stack.pop()
            if path:
                path.pop()
            continue
        at, first, later, state = choice
        if (first, later, state) in tried:
            continue
        tried.add((first, later, state))
        if len(tried) > TRIES_MAX:
            raise Undecided(f"{longest} of {len(calls)} calls could be explained after {TRIES_MAX} tries")
        path.append(at)
        longest = max(longest, len(path))
        if not any(calls[i].answered for i in undone(len(calls), first, later)):
            return path, len(path)
        stack.append(choices(calls, first, later, state))
    if not any(call.answered for call in calls):
        return [], 0
    return None, longest


def undone(count, first, later):
    """Indexes from `first` on whose bit is not set in `later`."""
    return (i for i in range(first, count) if not later >> (i - first) & 1)


def choices(calls, first, later, state):
    """Every call that may come next, with what is done then and the state after it. Those without an answer last: they
    are called upon when nothing else explains an answer, and then close before it."""
    earliest_end = NEVER
    candidates = []
    for i in undone(len(calls), first, later):
        if calls[i].begin > earliest_end:
            break
        earliest_end = min(earliest_end, calls[i].end)
        candidates.append(i)
    for i in sorted(candidates, key=lambda i: not calls[i].answered):
        after = step(state, calls[i])
        if after is not None:
            now = later | 1 << (i - first)
            skip = 0
            while now >> skip & 1:
                skip += 1
            yield i, first + skip, now >> skip, after


class Clients:
    """Connections that all change and read the same few messages, and keep what they were told. A connection that ends
    is opened anew at whichever node serves."""

    def __init__(self, pair, mailbox, uids, count=6, seed=1):
        self.pair, self.mailbox = pair, mailbox
        self.calls = {uid: [] for uid in uids}
        self.known = {uid: 0 for uid in uids}  # the latest modseq that anybody read
        self.stopping = threading.Event()
        self.answers = 0
        self.threads = [threading.Thread(target=self.run, args=(random.Random(f"{seed}.{k}"),)) for k in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, rng):
        turn = rng.randrange(2)
        while not self.stopping.is_set():
            try:
                client = harness.login(self.pair, "ab"[turn % 2])
                client.select(self.mailbox)
                while not self.stopping.is_set():
                    self.call(client, rng)
                client.logout()
            except (OSError, harness.imaplib.IMAP4.error, Refused):
                turn += 1
                time.sleep(0.01)  # between attempts to connect

    def call(self, client, rng):
        uid = rng.choice(list(self.calls))
        kind = rng.choice(["read", "read", "add", "remove", "add-if", "remove-if"])
        flag = rng.choice(FLAGS)
        argument = None if kind == "read" else (flag, self.known[uid]) if kind.endswith("-if") else flag
        begin = time.monotonic()
        try:
            answer = self.read(client, uid) if kind == "read" else self.change(client, uid, kind, argument)
        except (OSError, harness.imaplib.IMAP4.error):
            if kind != "read":
                self.calls[uid].append(Call(kind, argument, begin))
            raise
        self.calls[uid].append(Call(kind, argument, begin, time.monotonic(), answer))
        self.answers += 1

    def read(self, client, uid):
        """NOOP first: what others were told before is in this connection's view from then on."""
        self.must(client.noop())
        client.response("FETCH")  # news of other messages, and of this one from before
        data = self.must(client.uid("FETCH", str(uid), "(UID FLAGS MODSEQ)"))
        line = [line for line in data if line and re.search(rb"UID %d[ )]" % uid, line)][-1]
        modseq = int(re.search(rb"MODSEQ \((\d+)\)", line).group(1))
        flags = re.search(rb"FLAGS \(([^)]*)\)", line).group(1).decode().split()
        self.known[uid] = max(self.known[uid], modseq)
        return frozenset(flags) - {r"\Recent"}, modseq

    def change(self, client, uid, kind, argument):
        sign = "+" if kind.startswith("add") else "-"
        flag, condition = argument, []
        if kind.endswith("-if"):
            flag, known = argument
            condition = [f"(UNCHANGEDSINCE {known})"]
        client.response("MODIFIED")
        self.must(client.uid("STORE", str(uid), *condition, f"{sign}FLAGS.SILENT", f"({flag})"))
        return client.response("MODIFIED")[1] == [None] if condition else None

    @staticmethod
    def must(answer):
        """A refusal changes nothing, so there is nothing to explain; the connection is given up."""
        status, data = answer
        if status != "OK":
            raise Refused(data)
        return data

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def check(self, start):
        """`start`: {uid: State}. Answers how many calls were checked, and what is wrong."""
        problems = []
        for uid, calls in self.calls.items():
            order, explained = order_of(calls, start[uid])
            if order is None:
                problems.append(f"message {uid}: no order explains more than {explained} of {len(calls)} calls; the calls around it: "
                                f"{sorted(calls, key=lambda call: call.begin)[max(0, explained - 8):explained + 8]}; "
                                f"unanswered: {[call for call in calls if not call.answered]}")
        return sum(map(len, self.calls.values())), problems
