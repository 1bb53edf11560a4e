"""kill -9 at each named point once (halt_rounds.py): 0 lost, 0 doubled, both copies equal after each."""
import harness
from halt_rounds import HaltPair, HaltRounds

SEED = 20260305


class Points(harness.PairTest):
    kind_of_pair = HaltPair

    def test_every_point(self):
        rounds = HaltRounds(self.pair, SEED)
        self.addCleanup(rounds.close)
        for number in range(len(HaltRounds.KINDS)):
            rounds.run(number)
        rounds.finish()
        print(rounds.summary())


if __name__ == "__main__":
    harness.main()
