"""Partitions under load: every kind of broken network with every thing that an operator may do about it.

40 rounds, each kind of fault with each ending once. After each the network is whole again, the pair must find
together by itself, nothing may be lost or doubled, and both copies must be equal. Claims are true: who is
said to be fenced was killed before.
"""
import collections
import itertools
import random

import crew
import harness
from fault_proxy import DOWN, UP

SEED = 20260212
ROUNDS_PER_GENERATION = 8
KINDS = ["cut", "half_open", "one_way up", "one_way down", "byte_cut up", "byte_cut down", "flap", "slow"]
ENDINGS = ["heal", "fenced", "plain", "solo", "switchover"]
REFUSALS = (3, 4, 6, 7, 8, 9)


class Partitions(harness.ProxyPairTest):
    def setUp(self):
        super().setUp()
        self.crew = crew.Crew(self.pair, SEED)
        self.addCleanup(self.crew.close)
        self.rng = random.Random(SEED)
        self.outcomes = collections.Counter()

    def test_every_fault_with_every_ending(self):
        rounds = list(itertools.product(KINDS, ENDINGS))
        self.rng.shuffle(rounds)
        totals = collections.Counter()
        judged = 0
        for number, (kind, ending) in enumerate(rounds):
            self.crew.generation = number // ROUNDS_PER_GENERATION
            try:
                totals = self.round(kind, ending)
                judged += self.judged_and_equal()
            except (AssertionError, OSError) as error:
                raise AssertionError(f"round {number}, {kind}, ends by {ending}: {error}") from error
        judged += self.crew.judge_all(self.pair.primary())
        fired = dict(sorted(self.proxy.fired.items()))
        print(f"{len(rounds)} partitions, faults that fired: {fired}; outcomes: {dict(sorted(self.outcomes.items()))}; "
              f"{totals['acknowledged']} acknowledged, {totals['unanswered']} unanswered, {totals['refused']} refused, "
              f"{totals['retry']} deliveries repeated; {judged} judgements: 0 lost, 0 doubled")
        for kind in KINDS:
            self.assertGreaterEqual(fired.get(kind.split()[0], 0), 3, f"{kind} hardly ever met anything")
        for ending in ENDINGS:
            self.assertGreater(self.outcomes[f"{ending} 0"] + self.outcomes[f"{ending} 5"], 0, f"{ending} was always refused")

    def round(self, kind, ending):
        primary = self.pair.primary()
        standby = "b" if primary == "a" else "a"
        before = self.crew.counts()["acknowledged"]
        self.crew.load(primary)
        self.under_way(before + 100)
        self.strike(kind, "pass" if ending == "heal" else "cut")
        harness.eventually(lambda: self.proxy.hit(), what=f"{kind} meets something")
        getattr(self, "end_by_" + ending)(primary, standby)
        self.proxy.heal()
        for node in "ab":
            if not self.pair.pid(node):
                self.pair.start(node)
        self.pair.whole()
        return self.crew.stop()

    def under_way(self, wanted):
        harness.eventually(lambda: self.crew.counts()["acknowledged"] >= wanted, what="some load")

    def strike(self, kind, then):
        name, _, direction = kind.partition(" ")
        way = {"up": (UP,), "down": (DOWN,)}.get(direction, ())
        extra = {"byte_cut": (self.rng.randrange(1, 60_000), then), "flap": (self.rng.uniform(0.1, 0.6),),
                 "slow": (self.rng.randrange(50_000, 400_000), self.rng.uniform(0, 0.2))}.get(name, ())
        getattr(self.proxy, name)(*way, *extra)

    def both_noticed(self):
        return not any(self.pair.status(node)["peer_connected"] for node in "ab" if self.pair.pid(node))

    # --- endings ----------------------------------------------------------------------------

    def ordered(self, ending, node, *order):
        """An order of the operator, given again while the node still hears its peer; remembers how it ended."""
        def given():
            code = self.pair.ctl(node, *order, check=False).returncode
            return (code,) if code != 4 or not self.noticeable else None
        code, = harness.eventually(given, what=f"{order} on {node}")
        self.assertIn(code, (0, 5) + REFUSALS, self.pair.logs())
        self.outcomes[f"{ending} {code}"] += 1
        return code

    noticeable = True  # whether the other node is off, so that it will not be heard any more

    def end_by_heal(self, primary, standby):
        """Early, or after both have noticed where the fault is one that lasts."""
        if self.proxy.lasting() and self.rng.random() < 0.5:
            harness.eventually(self.both_noticed, what="both notice")
            self.outcomes["heal late"] += 1
        self.outcomes["heal 0"] += 1

    def end_by_fenced(self, primary, standby):
        self.pair.kill(primary)
        self.crew.stop(0.2)
        if self.ordered("fenced", standby, "promote", "--peer-fenced") == 0:
            self.crew.load(standby)  # and deliveries without an answer come again, before the old one is back

    def end_by_plain(self, primary, standby):
        """Both are on: the old primary may show what it had, and neither acknowledges."""
        if self.proxy.lasting():
            harness.eventually(self.both_noticed, what="both notice")
        self.noticeable = False
        code = self.ordered("plain", standby, "promote", "--timeout", "3")
        self.noticeable = True
        if code == 5:
            self.assertFalse(self.pair.status(standby)["serves_writes"] or self.pair.status(standby)["serves_reads"])
            self.assertFalse(self.pair.status(primary)["serves_writes"])

    def end_by_solo(self, primary, standby):
        self.pair.kill(standby)
        self.ordered("solo", primary, "solo", "--peer-fenced")

    def end_by_switchover(self, primary, standby):
        self.noticeable = False
        self.ordered("switchover", primary, "switchover", "--timeout", "2")
        self.noticeable = True

    # --- afterwards -------------------------------------------------------------------------

    def judged_and_equal(self):
        self.pair.whole()
        judged = self.crew.judge(self.pair.primary())
        self.pair.verify_equal()
        return judged


if __name__ == "__main__":
    harness.main()
