"""Bad disks under load: one that fills up, and one that changes what was written to it."""
import pathlib
import shutil

import alerts
import damage
import harness
from harness import eventually
from rounds import Rounds
from small_disk import HARD, MIB, RESERVES, SmallDisk


class SmallPair(harness.Pair):
    """Each node has a small file system of its own."""

    def __init__(self, *up_arguments, prepare=None):
        self.disks = {}
        super().__init__(*RESERVES, *up_arguments, prepare=self.mount)

    def mount(self, directory):
        for node in "ab":
            self.disks[node] = SmallDisk(directory, node)

    def close(self, keep=False):
        self.run("down", self.dir, check=False)
        for disk in self.disks.values():
            if keep:
                shutil.copytree(disk.data, disk.data.with_name("kept"), ignore=shutil.ignore_patterns("*.sock", "foreign"))
            disk.unmount()
        super().close(keep)


class FullDiskRounds(Rounds):
    """The disk of one node fills up until nothing can be changed, and is emptied again. A SmallPair."""

    name = "full disk"
    KINDS = ["primary", "standby", "primary, killed while full", "standby, killed while full"]

    def kind(self, number):
        return self.KINDS[number % len(self.KINDS)]

    def round(self, number, kind):
        primary = self.pair.primary()
        full = primary if kind.startswith("primary") else "b" if primary == "a" else "a"
        self.load(primary, 200)
        self.pair.disks[full].fill_to(HARD - 16 * MIB)
        refused = self.crew.counts()["refused"]
        eventually(lambda: self.crew.counts()["refused"] > refused + 20, what="commands are refused")
        if "killed" in kind:
            self.pair.kill(full)
        self.pair.disks[full].make_room()
        if "killed" in kind:
            self.pair.start(full)
        self.pair.whole()
        self.load(self.pair.primary(), 100)  # goes on
        self.crew.stop()
        self.seen[kind] += 1


class CorruptRounds(Rounds):
    """A file of the standby is damaged while it is off for a moment. It is repaired from the primary under load, or the
    node says that it cannot start; then it is made anew, as the runbook says, and becomes primary."""

    name = "corrupt file"

    def kind(self, number):
        return f"file {number}"

    def round(self, number, kind):
        primary = self.pair.primary()
        standby = "b" if primary == "a" else "a"
        self.load(primary, 1000, budget=1500)
        self.pair.kill(standby)
        self.pair.start(standby)  # its log becomes files
        self.pair.wait(standby, "eligible")
        self.pair.kill(standby)
        file = max((pathlib.Path(self.pair.dir) / standby / "data" / "db").glob("*.sst"), key=lambda path: path.stat().st_size)
        for at in range(0, file.stat().st_size * 3 // 4, 1000):  # at its end stands what is in it
            damage.flip(file, at)
        if self.pair.run("start", self.pair.dir, standby, check=False).returncode == 0:
            self.load(primary, 100, budget=1500)
            eventually(lambda: alerts.value("twinspool_digest_mismatches_total", self.pair, standby) > 0, what="the damage is met")
            self.pair.whole()
            self.crew.stop()
            self.judge()
            self.pair.kill(standby)
            self.seen["repaired"] += 1
        else:
            self.crew.stop()
            self.seen["refused to start"] += 1
        self.make_anew(standby, primary)
        self.pair.ctl(primary, "switchover")

    def make_anew(self, lost, left):
        self.pair.over(lost, left, "solo", "--peer-fenced")
        self.pair.ctl(left, "pair", "dissolve", "--peer-never-returns")
        if "pair init" in self.pair.ctl(left, "pair", "invite", "127.0.0.1:1", check=False).stderr:
            self.pair.ctl(left, "pair", "init")
        invitation = self.pair.invite(left)
        self.pair.renew(lost)
        self.pair.ctl(lost, "pair", "join", invitation)
        self.pair.wait(lost, "eligible")
