"""Partitions under load: every kind of broken network with every thing that an operator may do about it.

40 rounds, each kind of fault with each ending once. After each the network is whole again, the pair must find
together by itself, nothing may be lost or doubled, and both copies must be equal.
"""
import harness
from partition_rounds import ENDINGS, KINDS, PartitionRounds

SEED = 20260212


class Partitions(harness.ProxyPairTest):
    def test_every_fault_with_every_ending(self):
        rounds = PartitionRounds(self.pair, SEED)
        self.addCleanup(rounds.close)
        for number in range(len(rounds.order)):
            rounds.run(number)
        rounds.finish()
        fired = dict(sorted(self.proxy.fired.items()))
        print(f"{rounds.summary()}; faults that fired: {fired}")
        for kind in KINDS:
            self.assertGreaterEqual(fired.get(kind.split()[0], 0), 3, f"{kind} hardly ever met anything")
        for ending in ENDINGS:
            self.assertGreater(rounds.seen[f"{ending} 0"] + rounds.seen[f"{ending} 5"], 0, f"{ending} was always refused")


if __name__ == "__main__":
    harness.main()
