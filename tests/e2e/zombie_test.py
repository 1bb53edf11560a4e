"""Old primaries that come back from the dead while their clients are still connected: twenty of them (zombie_rounds.py)."""
import harness
from zombie_rounds import ZombieRounds

SEED = 20260213
ROUNDS = 20


class Zombies(harness.ProxyPairTest):
    def test_a_zombie_acknowledges_nothing_that_the_new_primary_lacks(self):
        rounds = ZombieRounds(self.pair, SEED)
        self.addCleanup(rounds.close)
        for number in range(ROUNDS):
            rounds.run(number)
        rounds.finish()
        print(f"{rounds.summary()}; 0 acknowledged that the new primary lacked")
        for what in ("acknowledged before", "tried after", "reads compared", "reads refused", "kept by the new primary"):
            self.assertGreater(rounds.seen[what], 0, f"nothing {what}: the test would see nothing")


if __name__ == "__main__":
    harness.main()
