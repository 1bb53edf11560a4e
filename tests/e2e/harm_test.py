"""Bad disks under load (harm_rounds.py): full ones of either node, and damaged files of the standby. 0 lost, 0 doubled."""
import os
import unittest

import harness
from harm_rounds import CorruptRounds, FullDiskRounds, SmallPair

SEED = 20260306


@unittest.skipIf(os.geteuid() != 0, "mounting needs root")
class Full(harness.PairTest):
    kind_of_pair = SmallPair

    def test_each_disk_fills_up(self):
        rounds = FullDiskRounds(self.pair, SEED)
        self.addCleanup(rounds.close)
        for number in range(len(FullDiskRounds.KINDS)):
            rounds.run(number)
        rounds.finish()
        print(rounds.summary())


class Corrupt(harness.PairTest):
    def test_damaged_files_of_the_standby(self):
        rounds = CorruptRounds(self.pair, SEED)
        self.addCleanup(rounds.close)
        for number in range(2):
            rounds.run(number)
        rounds.finish()
        print(rounds.summary())
        self.assertGreater(rounds.seen["repaired"], 0, "nobody met the damage")


if __name__ == "__main__":
    harness.main()
