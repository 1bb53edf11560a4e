"""kill -9 at random moments under load: 0 lost, 0 doubled, both copies equal, round after round.

A hundred thousand acknowledged operations of three processes, and a client that keeps a copy with QRESYNC
across every failover. After each round what the current generation of mailboxes holds is judged; in the end, all.
"""
import collections
import random
import time

import cache_client
import crew
import harness

ROUNDS = 240 if harness.FULL else 120
OPERATIONS = (500, 1300)  # acknowledged in a round before the kill
WANTED = 834 * ROUNDS
AFTERWARDS = 50           # commands of each process before the old primary is back
ROUNDS_PER_GENERATION = 5
SEED = 20260105
KINDS = ["primary", "primary", "standby", "both"]
COUNTED = ["append", "deliver", "store", "copy", "move", "expunge", "create", "rename", "delete", "retry"]


class KillRounds(harness.PairTest):
    def test_kill_rounds(self):
        self.crew = crew.Crew(self.pair, SEED)
        self.addCleanup(self.crew.close)
        self.cache = cache_client.CacheClient(crew.USERS[0])
        self.rng = random.Random(SEED)
        kinds = collections.Counter()
        totals, judged, begin = {}, 0, time.monotonic()
        for number in range(ROUNDS):
            if number % ROUNDS_PER_GENERATION == 0:
                self.crew.generation = number // ROUNDS_PER_GENERATION
                self.cache.new_generation()
            kind = KINDS[number % len(KINDS)]
            kinds[kind] += 1
            try:
                totals = self.round(kind)
                judged += self.judged(self.pair.whole())
            except (AssertionError, OSError) as error:
                raise AssertionError(f"round {number}, kill {kind}: {error}") from error
        judged += self.crew.judge_all(self.pair.primary())
        print(f"{ROUNDS} rounds {dict(kinds)} in {time.monotonic() - begin:.0f} s, {totals['acknowledged']} acknowledged "
              f"({', '.join(f'{totals[kind]} {kind}' for kind in COUNTED)}), {totals['unanswered']} unanswered, "
              f"{totals['refused']} refused, {judged} judgements; the cache learned {self.cache.told} changes, "
              f"{self.cache.compared} of its messages compared: 0 lost, 0 doubled")
        self.assertGreater(totals["acknowledged"], WANTED)
        self.assertGreater(totals["unanswered"], ROUNDS, "no command was under way when a node died")
        for kind in COUNTED:
            self.assertGreater(totals[kind], 0, f"no {kind} was acknowledged")

    def round(self, kind):
        """Load, the kill amid it, and what the operator does then; answers what the crew counted."""
        primary = self.pair.primary()
        standby = "b" if primary == "a" else "a"
        wanted = self.crew.counts()["acknowledged"] + self.rng.randrange(*OPERATIONS)
        self.crew.load(primary)
        self.under_way(wanted - 300)
        if self.rng.random() < 0.25:
            self.cache.sync(self.pair.port(primary))
        self.under_way(wanted)
        getattr(self, "kill_" + kind)(primary, standby)
        return self.crew.stop()

    def under_way(self, wanted):
        harness.eventually(lambda: self.crew.counts()["acknowledged"] >= wanted, what="some load")

    def judged(self, primary):
        judged = self.crew.judge(primary)
        self.cache.check(self.pair.port(primary))
        self.pair.verify_equal()
        return judged

    def kill_primary(self, primary, standby):
        self.pair.kill(primary)
        self.pair.over(primary, standby, "promote", "--peer-fenced")
        self.crew.load(standby, AFTERWARDS)  # deliveries without an answer come again before the old primary is back
        self.pair.start(primary)

    def kill_standby(self, primary, standby):
        self.pair.kill(standby)
        self.pair.start(standby)
        self.pair.wait(standby, "eligible")

    def kill_both(self, primary, standby):
        self.pair.kill(primary)
        self.pair.kill(standby)
        self.pair.start(standby)
        self.pair.start(primary)
        self.pair.wait(primary, "serving")


if __name__ == "__main__":
    harness.main()
