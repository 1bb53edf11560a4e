"""kill -9 at random moments under load: 0 lost, 0 doubled, both copies equal, round after round.

A hundred thousand acknowledged operations of three processes, and a client that keeps a copy with QRESYNC
across every failover. After each round what the current generation of mailboxes holds is judged; in the end, all.
"""
import time

import harness
from kill_rounds import KillRounds

ROUNDS = 240 if harness.FULL else 120
WANTED = 834 * ROUNDS
SEED = 20260105
COUNTED = ["append", "deliver", "store", "copy", "move", "expunge", "create", "rename", "delete", "retry"]


class Kills(harness.PairTest):
    def test_kill_rounds(self):
        rounds = KillRounds(self.pair, SEED)
        self.addCleanup(rounds.close)
        begin = time.monotonic()
        for number in range(ROUNDS):
            rounds.run(number)
        rounds.finish()
        counts = rounds.counts()
        print(f"{rounds.summary()}; in {time.monotonic() - begin:.0f} s: {', '.join(f'{counts[kind]} {kind}' for kind in COUNTED)}")
        self.assertGreater(counts["acknowledged"], WANTED)
        self.assertGreater(counts["unanswered"], ROUNDS, "no command was under way when a node died")
        for kind in COUNTED:
            self.assertGreater(counts[kind], 0, f"no {kind} was acknowledged")


if __name__ == "__main__":
    harness.main()
