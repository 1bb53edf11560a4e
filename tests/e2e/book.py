"""The ledger of one client process: what may be where, and the comparison with what a node shows.

A message is known by its subject, and its octets by their hash. Its state is the set of its copies, each (box, flags); a box is known by
a number, because its name may change. An acknowledged command leaves one state, an unanswered one leaves
both, a refused one the old. judge() compares with what is shown and settles every doubt, so it is asked
when nothing can come any more: the pair is in sync and what an old primary saved is given back.
"""
import collections
import dataclasses
import hashlib
import itertools

INBOX = "INBOX"


def digest(octets):
    return hashlib.sha256(octets).digest()


@dataclasses.dataclass
class Entry:
    """One message; `busy` while a command about it is under way."""

    size: int      # octets that were sent
    digest: bytes  # … and their hash
    added: bool    # the node writes lines above them
    generation: int
    states: set
    uids: dict = dataclasses.field(default_factory=dict)  # box -> UID as last acknowledged or shown
    busy: bool = False
    answers: int = 0  # how many commands about it were answered
    history: collections.deque = dataclasses.field(default_factory=lambda: collections.deque(maxlen=8))  # (command, answer)

    def certain(self):
        """Its one state, or None."""
        return next(iter(self.states)) if len(self.states) == 1 and not self.busy else None

    def same(self, octets):
        """Whether these are the octets that were sent."""
        return (self.added or len(octets) == self.size) and digest(octets[-self.size:]) == self.digest


@dataclasses.dataclass
class Box:
    """One mailbox; `users` counts commands under way that name it."""

    generation: int
    names: set  # possible names, None: not there
    users: int = 0

    def name(self):
        return next(iter(self.names)) if len(self.names) == 1 else None


def visible(state, known):
    """The copies of a state in boxes that are there, by `known` names; None while a name of one of them is in doubt."""
    if any(box != INBOX and box not in known for box, _ in state):
        return None
    return frozenset(copy for copy in state if copy[0] == INBOX or known[copy[0]] is not None)


class Book:
    def __init__(self, label):
        self.label = label
        self.entries = {}
        self.boxes = {}
        self.contents = {}  # box -> subjects that are or were there

    def box_name(self, box):
        return INBOX if box == INBOX else self.boxes[box].name()

    def new_box(self, generation):
        box = len(self.boxes)
        self.boxes[box] = Box(generation, {None})
        self.contents[box] = []
        return box, f"{self.label}.{box}"

    def pick(self, box, rng):
        """(subject, its one state) of some message in the box that no command is about, or None."""
        subjects = self.contents.setdefault(box, [])
        for _ in range(8):
            if not subjects:
                return None
            at = rng.randrange(len(subjects))
            entry = self.entries[subjects[at]]
            state = entry.certain()
            if state is not None and box in entry.uids and any(where == box for where, _ in state):
                return subjects[at], state
            if state is not None:
                subjects[at] = subjects[-1]
                subjects.pop()
        return None

    def place(self, subject, box, uid):
        self.entries[subject].uids[box] = uid
        self.contents.setdefault(box, []).append(subject)

    # --- comparison -------------------------------------------------------------------------

    def scope(self, oldest):
        """(boxes, beside, subjects) that are judged: those of the generations from `oldest` on, and what may be in INBOX.
        `beside` are older boxes that may hold copies of these messages; nothing else in them is judged."""
        boxes = [box for box, known in self.boxes.items() if known.generation >= oldest]
        subjects = [subject for subject, entry in self.entries.items()
                    if entry.generation >= oldest or any(where == INBOX for state in entry.states for where, _ in state)]
        places = {where for subject in subjects for state in self.entries[subject].states for where, _ in state}
        return boxes, places - set(boxes) - {INBOX}, subjects

    def compare(self, listed, shown, seen):
        """Without settling anything: whether what is certain is shown, and all with the octets that were sent. Messages in doubt that are shown otherwise than
        before the doubt began are put into `seen`; what is in it already must be there. Answers (compared, what is wrong)."""
        problems = []
        compared = 0
        known = {box: known.name() for box, known in self.boxes.items() if len(known.names) == 1}
        for subject, entry in self.entries.items():
            actual = frozenset((box, flags) for box, flags, _, _ in shown.get(subject, []))
            problems += self.other_octets(subject, shown.get(subject, []))
            if subject in seen and seen[subject][1] == entry.answers:
                compared += 1
                if actual != seen[subject][0]:
                    problems.append(f"was shown and is not there: {subject}: {seen[subject][0]}, now {actual}")
                continue
            wanted = {visible(state, known) for state in entry.states}
            if None in wanted:
                continue  # a copy may be in a box that is not looked into, its name being in doubt
            if entry.certain() is not None:
                compared += 1
                if actual not in wanted:
                    problems.append(f"not as acknowledged: {subject}: {actual}, wanted {wanted}, was {list(entry.history)}")
            elif entry.busy and actual not in wanted and actual:
                seen[subject] = (actual, entry.answers)
        problems += [f"lost: the mailbox {name}" for name in known.values() if name and name not in listed]
        return compared, problems

    def settle_boxes(self, boxes, listed):
        """Which name each box has; what is wrong."""
        problems = []
        known = set()
        for box in boxes:
            names = self.boxes[box].names
            shown = [name for name in names if name in listed]
            known.update(shown)
            if len(shown) > 1:
                problems.append(f"doubled: a mailbox as {shown}")
            if not shown and None not in names:
                problems.append(f"lost: the mailbox {names}")
            self.boxes[box].names = {shown[0] if shown else None}
        others = {name for box in self.boxes if box not in set(boxes) for name in self.boxes[box].names}
        problems += [f"unknown: the mailbox {name}" for name in listed
                     if name.startswith(self.label + ".") and name not in known and name not in others]
        return problems

    def settle_messages(self, subjects, shown):
        """`shown`: {subject: [(box, flags, uid, same octets)]} of the boxes in scope. Answers what is wrong."""
        problems = []
        for subject in subjects:
            problems += self.settle(subject, self.entries[subject], shown.pop(subject, []))
        return problems + [f"unknown: {subject}: {copies}" for subject, copies in shown.items()
                           if subject.startswith(self.label + "-")]

    def other_octets(self, subject, copies):
        return [f"other octets: {subject}: UID {uid} of {box}" for box, _, uid, same in copies if not same]

    def settle(self, subject, entry, copies):
        actual = frozenset((box, flags) for box, flags, _, _ in copies)
        there = lambda box: box == INBOX or self.boxes[box].name() is not None
        allowed = {frozenset(copy for copy in state if there(copy[0])) for state in entry.states}
        if len(entry.states) > 1:  # of what an old primary gives back each copy goes to INBOX when its mailbox is gone
            for state in entry.states:
                gone = [copy for copy in state if not there(copy[0])]
                for back in itertools.chain.from_iterable(itertools.combinations(gone, n) for n in range(1, len(gone) + 1)):
                    allowed.add(frozenset([copy for copy in state if there(copy[0])] + [(INBOX, flags) for _, flags in back]))
        problems = []
        if len({box for box, _, _, _ in copies}) < len(copies):
            problems.append(f"doubled: {subject}: {copies}")
        elif actual not in allowed:
            word = "lost" if len(actual) < min(map(len, allowed)) else "doubled" if len(actual) > max(map(len, allowed)) else "wrong"
            problems.append(f"{word}: {subject}: shown {sorted(map(str, actual))}, allowed {[sorted(map(str, s)) for s in allowed]}, "
                            f"was {list(entry.history)}")
        problems += self.other_octets(subject, copies)
        for box, _, uid, _ in copies:
            if len(entry.states) == 1 and entry.uids.get(box, uid) != uid:
                problems.append(f"renumbered: {subject}: UID {uid} and not {entry.uids[box]}")
            if entry.uids.get(box) != uid:
                self.place(subject, box, uid)
        entry.states = {actual}
        entry.uids = {box: entry.uids[box] for box, _, _, _ in copies}
        return problems
