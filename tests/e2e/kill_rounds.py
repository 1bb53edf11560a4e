"""kill -9 of the primary, the standby, or both, at a random moment under load."""
from rounds import Rounds

OPERATIONS = (500, 1300)  # acknowledged in a round before the kill
AFTERWARDS = 50           # commands of each process before the old primary is back
KINDS = ["primary", "primary", "standby", "both"]


class KillRounds(Rounds):
    name = "kill"

    def kind(self, number):
        return KINDS[number % len(KINDS)]

    def round(self, number, kind):
        """Load, the kill amid it, and what the operator does then."""
        primary = self.pair.primary()
        standby = "b" if primary == "a" else "a"
        more = self.rng.randrange(*OPERATIONS)
        self.load(primary, more - 300)
        wanted = self.crew.counts()["acknowledged"] + 300
        if self.rng.random() < 0.25:
            self.cache.sync(self.pair.port(primary))
        self.under_way(wanted)
        getattr(self, "kill_" + kind)(primary, standby)
        self.crew.stop()
        self.seen[kind] += 1

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
