#!/usr/bin/env python3
"""Runs the same FETCH and SEARCH (SORT and THREAD where we have them) against Twinspool and Dovecot, and lists every difference.

  tests/differential/differential.py                              all: the real corpus and the torture mail
  tests/differential/differential.py --mail torture               a minute's look
  tests/differential/differential.py --messages 500 --seed 7      500 messages of each set, other words to search for
  tests/differential/differential.py --only ENVELOPE --examples 20
  tests/differential/differential.py --only SEARCH --json out.json
  tests/differential/differential.py --ours-only --mail damaged   no Dovecot: what must hold among our own answers
  tests/differential/differential.py --hostile                    no Dovecot: time and memory of mail made to exhaust

Both get the same octets by APPEND with the same dates, so messages are compared by their number. A difference is explained
by a rule of known.py, which names the line of an RFC, or it is a fault. Build first: scripts/build release.

Exit codes: 0 all equal or explained; 1 something is not; 77 Dovecot or the corpus is not there.
"""
import argparse
import collections
import json
import sys
import time

import consistency
import fetching
import grammar
import hostile
import known
import mailsets
import ordering
import searching
import servers
import structure

STRETCH = 100  # messages that are fetched and compared at a time
SKIPPED = 77


class Report:
    """What was compared, and what of it differs."""

    def __init__(self, options):
        self.options = options
        self.compared = collections.Counter()
        self.equal = collections.Counter()
        self.explained = collections.Counter()
        self.examples = collections.defaultdict(list)
        self.unexplained = []
        self.faults = []
        self.notes = []

    def take(self, difference, group):
        """One value of each side."""
        self.compared[group] += 1
        if difference.ours == difference.theirs:
            self.equal[group] += 1
            return
        rule = known.explain(difference)
        if rule is None:
            self.unexplained.append(difference)
        else:
            self.explained[rule.name] += 1
            if len(self.examples[rule.name]) < self.options.examples:
                self.examples[rule.name].append(difference.show())

    def note(self, text):
        self.notes.append(text)
        print(text, flush=True)

    def print(self):
        print("\ncompared                       values      equal  different")
        for group in sorted(self.compared):
            print(f"  {group:26} {self.compared[group]:9} {self.equal[group]:10} {self.compared[group] - self.equal[group]:10}")
        total = sum(self.compared.values())
        print(f"  {'all':26} {total:9} {sum(self.equal.values()):10} {total - sum(self.equal.values()):10}\n\nexplained")
        for rule in known.TABLE:
            if self.explained[rule.name]:
                print(f"  {self.explained[rule.name]:6}  {rule.name} — {rule.rfc}: {rule.says}")
        for fault in self.faults[:self.options.examples]:
            print(f"FAULT in our own answers: {fault}")
        print(f"\nunexplained: {len(self.unexplained)}; faults in our own answers: {len(self.faults)}")
        for difference in self.unexplained[:self.options.examples]:
            shown = difference.show()
            print("  {message} {item} {part}\n    ours   {ours}\n    theirs {theirs}".format(**shown))

    def write(self, path):
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"compared": self.compared, "equal": self.equal, "notes": self.notes, "faults": self.faults,
                       "explained": {rule.name: {"rfc": rule.rfc, "says": rule.says, "count": self.explained[rule.name],
                                                 "examples": self.examples[rule.name]} for rule in known.TABLE},
                       "unexplained": [difference.show() for difference in self.unexplained]}, file, indent=1)

    def good(self):
        return not self.unexplained and not self.faults


def load(options):
    """[(name, octets)] that both sides can be given."""
    sets = {"made": mailsets.made, "large": mailsets.large, "torture": mailsets.torture, "corpus": mailsets.corpus,
            "damaged": lambda: mailsets.damaged(options.seed)}
    messages = []
    for name in options.mail:
        found = sets[name]()
        if not found:
            print(f"SKIPPED {name}: there is none (TWINSPOOL_TORTURE)")
        messages += found[:options.messages]
    # RFC 3501 §9: a literal is of CHAR8, which NUL is not. Such mail comes by LMTP only.
    good = [(name, octets) for name, octets in messages if b"\0" not in octets]
    print(f"{len(good)} messages, {sum(len(octets) for _, octets in good) / 1e6:.1f} MB; "
          f"{len(messages) - len(good)} set aside because they hold NUL")
    return good


def fill(client, messages, seed):
    client.command(b"CREATE diff")
    client.append("diff", mailsets.dated(messages, seed))
    client.command(b"EXAMINE diff")


def wanted(options, item):
    return not options.only or any(item.upper().startswith(only.upper()) for only in options.only)


def wanted_of(options, *groups):
    """True if anything of one of the groups is wanted."""
    return any(wanted(options, group) or any(only.upper().startswith(group.upper()) for only in options.only) for group in groups)


def compare_fetches(messages, ours, theirs, report):
    """FETCH of everything; without `theirs` only what must hold among our own answers."""
    began = time.monotonic()
    for first in range(1, len(messages) + 1, STRETCH):
        last = min(first + STRETCH - 1, len(messages))
        mine, parts = fetching.fetch_messages(ours, first, last)
        yours = fetching.fetch_messages(theirs, first, last)[0] if theirs else None
        for number in range(first, last + 1):
            name, octets = messages[number - 1]
            faults = list(consistency.faults(octets, mine[number], parts[number]))
            report.faults += [f"{name}: {fault}" for fault in faults]
            report.compared["of our own answers"] += 1
            report.equal["of our own answers"] += not faults
            if yours:
                compare_message(name, octets, mine[number], yours[number], report)
        if first % 1000 == 1 or last == len(messages):
            print(f"  FETCH: {last} of {len(messages)} messages, {time.monotonic() - began:.0f} s, "
                  f"{len(report.unexplained)} unexplained", flush=True)


def compare_message(name, octets, mine, yours, report):
    for item, part, here, there, fields in fetching.compare(octets, mine, yours):
        if wanted(report.options, item):
            difference = fetching.Difference(name, octets, item, part, here, there, fields)
            report.take(difference, item.split(".")[0] if item.startswith("section") else item)


def run(options, report):
    messages = load(options)
    ours = servers.Ours()
    theirs = None
    try:
        theirs = None if options.ours_only else servers.Theirs(options.install)
        clients = [side.client() for side in (ours, theirs) if side]
        for client in clients:
            fill(client, messages, options.seed)
        if wanted_of(options, "ENVELOPE", "nested", "BODY", "section", "partial", "RFC822"):
            compare_fetches(messages, clients[0], clients[1] if theirs else None, report)
        if theirs and wanted_of(options, "SEARCH", "SORT", "THREAD"):
            searching.compare(messages, *clients, report, lambda item: wanted(options, item))
            if options.only:  # one message's place is not explained by a rule of its own
                ordering.compare(messages, *clients, report, lambda item: wanted(options, item))
        elif not theirs and wanted_of(options, "SEARCH"):
            searching.check(messages, clients[0], report, lambda item: wanted(options, item))
        for client in clients:
            client.close()
    finally:
        ours.stop(options.keep)
        if theirs:
            theirs.stop(options.keep)


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mail", type=lambda s: s.split(","), default=["made", "large", "torture", "corpus"],
                        help="made, large, torture, damaged, corpus (default: all but damaged)")
    parser.add_argument("--messages", type=int, help="only so many of each set")
    parser.add_argument("--seed", type=int, default=1, help="of dates and words (default 1)")
    parser.add_argument("--only", type=lambda s: s.split(","), default=[],
                        help="what begins so: ENVELOPE, BODYSTRUCTURE, section, partial, SEARCH, 'SEARCH BODY', SORT, THREAD")
    parser.add_argument("--examples", type=int, default=10, help="unexplained differences that are shown")
    parser.add_argument("--keep", action="store_true", help="leave both servers' directories")
    parser.add_argument("--json", metavar="FILE", help="everything, for other programs")
    parser.add_argument("--install", action="store_true", help="install Dovecot from Debian first (as root)")
    parser.add_argument("--ours-only", action="store_true")
    parser.add_argument("--hostile", action="store_true")
    return parser.parse_args(arguments)


def main():
    options = parse()
    report = Report(options)
    if options.hostile:
        return hostile.main()
    try:
        run(options, report)
    except servers.Unavailable as missing:
        print(f"SKIPPED: {missing}")
        return SKIPPED
    report.print()
    if options.json:
        report.write(options.json)
    return 0 if report.good() else 1


if __name__ == "__main__":
    sys.exit(main())
