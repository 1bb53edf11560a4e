"""Every kind of broken network with every thing that an operator may do about it, under load.

A pair with a proxy (harness.ProxyPair). Claims are true: who is said to be fenced was killed before.
"""
import itertools

import harness
from fault_proxy import DOWN, UP
from rounds import Rounds

KINDS = ["cut", "half_open", "one_way up", "one_way down", "byte_cut up", "byte_cut down", "flap", "slow"]
ENDINGS = ["heal", "fenced", "plain", "solo", "switchover"]
REFUSALS = (3, 4, 6, 7, 8, 9)
BUDGET = 2000  # commands of each process, so that a fault that lasts does not fill the ledgers


class PartitionRounds(Rounds):
    """`seen` counts endings with their exit codes."""

    name = "partition"
    rounds_per_generation = 8

    def __init__(self, pair, seed):
        super().__init__(pair, seed)
        self.proxy = pair.proxy
        self.order = list(itertools.product(KINDS, ENDINGS))
        self.rng.shuffle(self.order)

    def kind(self, number):
        """Forty rounds have each fault with each ending once."""
        return ", ends by ".join(self.order[number % len(self.order)])

    def round(self, number, kind):
        fault, _, ending = kind.partition(", ends by ")
        primary = self.pair.primary()
        standby = "b" if primary == "a" else "a"
        self.load(primary, 100, budget=BUDGET)
        self.cache.sync(self.pair.port(primary))
        self.crew.load(primary, BUDGET)
        self.strike(fault, "pass" if ending == "heal" else "cut")
        harness.eventually(lambda: self.proxy.hit(), what=f"{fault} meets something")
        getattr(self, "end_by_" + ending)(primary, standby)
        self.proxy.heal()
        for node in "ab":
            if not self.pair.pid(node):
                self.pair.start(node)
        self.pair.whole()
        self.crew.stop()

    def strike(self, fault, then):
        name, _, direction = fault.partition(" ")
        way = {"up": (UP,), "down": (DOWN,)}.get(direction, ())
        extra = {"byte_cut": (self.rng.randrange(1, 60_000), then), "flap": (self.rng.uniform(0.1, 0.6),),
                 "slow": (self.rng.randrange(50_000, 400_000), self.rng.uniform(0, 0.2))}.get(name, ())
        getattr(self.proxy, name)(*way, *extra)

    def both_noticed(self):
        return not any(self.pair.status(node)["peer_connected"] for node in "ab" if self.pair.pid(node))

    # --- endings ----------------------------------------------------------------------------

    def ordered(self, ending, node, *order, noticeable=True):
        """An order of the operator, given again while the node still hears a peer that is off (`noticeable`); remembers
        how it ended."""
        def given():
            code = self.pair.ctl(node, *order, check=False).returncode
            return (code,) if code != 4 or not noticeable else None
        code, = harness.eventually(given, what=f"{order} on {node}")
        assert code in (0, 5) + REFUSALS, f"{order} on {node}: exit {code}{self.pair.logs()}"
        self.seen[f"{ending} {code}"] += 1
        return code

    def end_by_heal(self, primary, standby):
        """Early, or after both have noticed where the fault is one that lasts."""
        if self.proxy.lasting() and self.rng.random() < 0.5:
            harness.eventually(self.both_noticed, what="both notice")
            self.seen["heal late"] += 1
        self.seen["heal 0"] += 1

    def end_by_fenced(self, primary, standby):
        self.pair.kill(primary)
        self.crew.stop(0.2)
        if self.ordered("fenced", standby, "promote", "--peer-fenced") == 0:
            self.crew.load(standby, BUDGET)  # and deliveries without an answer come again, before the old one is back

    def end_by_plain(self, primary, standby):
        """Both are on: the old primary may show what it had, and neither acknowledges."""
        if self.proxy.lasting():
            harness.eventually(self.both_noticed, what="both notice")
        if self.ordered("plain", standby, "promote", "--timeout", "3", noticeable=False) == 5:
            status = self.pair.status(standby)
            assert not status["serves_writes"] and not status["serves_reads"], "the new primary serves unconfirmed"
            assert not self.pair.status(primary)["serves_writes"], "the old primary serves writes"

    def end_by_solo(self, primary, standby):
        self.pair.kill(standby)
        self.ordered("solo", primary, "solo", "--peer-fenced")

    def end_by_switchover(self, primary, standby):
        self.ordered("switchover", primary, "switchover", "--timeout", "2", noticeable=False)
