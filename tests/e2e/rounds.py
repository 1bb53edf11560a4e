"""Rounds of failure under load: what kill, partition and zombie rounds have in common. Tests and scripts/soak run them.

    rounds = KillRounds(pair, seed)
    for number in range(120): rounds.run(number)
    rounds.finish()

In every round a crew loads the pair, something happens to it, the pair finds together again, and then nothing may be
lost, doubled, or otherwise than it may be; a client that kept a copy through it all must have what is shown, and both
copies must be equal. The same seed and numbers do the same, as far as processes and networks can.
"""
import collections
import random

import cache_client
import crew
import harness


class Rounds:
    """A subclass says its `name`, `kind(number)` and `round(number, kind)`."""

    name = ""
    rounds_per_generation = 5  # each judgement looks at one generation, to stay small

    def __init__(self, pair, seed):
        self.pair = pair
        self.rng = random.Random(seed)
        self.crew = crew.Crew(pair, seed, self.name[0])
        self.cache = cache_client.CacheClient(crew.USERS[0])
        self.seen = collections.Counter()  # what happened, for summaries
        self.rounds = 0
        self.judgements = 0

    def crews(self):
        """All whose ledgers are judged."""
        return [self.crew]

    def kind(self, number):
        raise NotImplementedError

    def round(self, number, kind):
        """From a pair that is whole to one that becomes whole by itself, the load stopped."""
        raise NotImplementedError

    def run(self, number):
        """One round and its judgement; an AssertionError that names the round if anything is wrong."""
        kind = self.kind(number)
        if number % self.rounds_per_generation == 0:
            for each in self.crews():
                each.generation = number // self.rounds_per_generation
            self.cache.new_generation()
        try:
            self.round(number, kind)
            self.judge()
        except (AssertionError, OSError) as error:
            raise AssertionError(f"{self.name} round {number}, {kind}: {error}") from error
        self.rounds += 1

    def judge(self):
        primary = self.pair.whole()
        self.judgements += sum(each.judge(primary) for each in self.crews())
        self.cache.check(self.pair.port(primary))
        self.pair.verify_equal()

    def finish(self):
        """Judges all that there ever was."""
        primary = self.pair.primary()
        self.judgements += sum(each.judge_all(primary) for each in self.crews())

    def counts(self):
        """What the clients counted."""
        return sum((each.counts() for each in self.crews()), collections.Counter())

    def under_way(self, wanted, who=None):
        """Waits until so many commands were acknowledged in all."""
        harness.eventually(lambda: (who or self.crew).counts()["acknowledged"] >= wanted, what="some load")

    def load(self, node, more, **budget):
        """Begins to load the node, and waits until `more` commands were acknowledged."""
        before = self.crew.counts()["acknowledged"]
        self.crew.load(node, **budget)
        self.under_way(before + more)

    def summary(self):
        counts = self.counts()
        return (f"{self.rounds} {self.name} rounds {dict(sorted(self.seen.items()))}: {counts['acknowledged']} acknowledged, "
                f"{counts['unanswered']} unanswered, {counts['refused']} refused, {counts['retry']} deliveries repeated; "
                f"{self.judgements} judgements; the cache learned {self.cache.told} changes, {self.cache.compared} of its messages "
                "compared: 0 lost, 0 doubled")

    def close(self):
        for each in self.crews():
            each.close()
