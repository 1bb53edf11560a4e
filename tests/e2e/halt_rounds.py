"""kill -9 at named points: what a node was doing when it died is chosen and not left to chance.

A node is stopped (halt.cc) just before or after it makes a certain file durable, while the pair is under load, and is
killed there; then the operator does what one does. A HaltPair.
"""
import pathlib
import subprocess

import harness
from harness import eventually
from rounds import Rounds

LIBRARY = harness.ROOT / "build" / harness.SERVER.parent.name / "tests" / "e2e" / "libtwinspool_halt.so"
LOG, CONTROL_A, CONTROL_B, SALVAGE = "db/*.log", "control/a", "control/b", "salvage/*"
TAIL = 30        # commands of each process in a tail that is to be rewound
AFTERWARDS = 50  # … before the node that died is back


class HaltPair(harness.ProxyPair):
    """A pair whose nodes can be stopped at a point; and whose conversation can be slowed down."""

    def __init__(self, *up_arguments, prepare=None):
        assert LIBRARY.exists(), f"{LIBRARY} is missing: build the target twinspool_halt"
        super().__init__(*up_arguments, prepare=prepare)

    @property
    def point(self):
        return pathlib.Path(self.dir) / "halt"

    @property
    def environment(self):
        return {"LD_PRELOAD": str(LIBRARY), "TWINSPOOL_HALT": str(self.point)}

    def arm(self, node, when, file):
        """The next time that the node is about to make that file durable ("before"), or has ("after"), it stops."""
        written = self.point.with_suffix(".new")
        written.write_text(f"{when} */{node}/data/{file}")
        written.rename(self.point)

    def halted(self, node):
        """Waits until it has."""
        def stopped():
            return not self.point.exists() and pathlib.Path(f"/proc/{self.pid(node)}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        eventually(stopped, what=f"{node} halts at its point")

    def begin(self, node, *order):
        """An order, or "start", to a node that may halt before it can answer."""
        socket = pathlib.Path(self.dir) / node / "data" / "admin.sock"
        words = [harness.DEV_PAIR, "start", self.dir, node] if order == ("start",) else [harness.CTL, "--socket", socket, *order]
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                start_new_session=True, env={**harness.os.environ, **self.environment})


class HaltRounds(Rounds):
    """Its kinds are (what happens, when, which file or what follows)."""

    name = "halt"
    KINDS = [
        ("primary", "before", LOG, "resumes"), ("primary", "before", LOG, "other promoted"),
        ("primary", "after", LOG, "resumes"), ("primary", "after", LOG, "other promoted"),
        ("standby", "before", LOG, "restarts"), ("standby", "after", LOG, "restarts"),
        ("standby", "before", LOG, "both restart"), ("standby", "after", LOG, "primary dies, promoted"),
        ("promote", "before", CONTROL_A), ("promote", "after", CONTROL_A), ("promote", "after", CONTROL_B),
        ("solo", "before", CONTROL_A), ("solo", "after", CONTROL_A), ("solo", "after", CONTROL_B),
        ("resign", "before", CONTROL_A), ("resign", "after", CONTROL_B), ("take over", "after", CONTROL_A),
        ("catch-up", "after", LOG), ("catch-up", "before", CONTROL_A),
        ("rewind", "before", SALVAGE), ("rewind", "after", SALVAGE), ("rewind", "after", LOG),
    ]

    def kind(self, number):
        return self.KINDS[number % len(self.KINDS)]

    def round(self, number, kind):
        primary = self.pair.primary()
        standby = "b" if primary == "a" else "a"
        self.load(primary, 100)
        self.cache.sync(self.pair.port(primary))
        getattr(self, "amid_" + kind[0].replace(" ", "_").replace("-", "_"))(primary, standby, *kind[1:])
        self.seen[f"{kind[1]} {kind[2]}"] += 1
        self.pair.whole()
        self.crew.stop()

    def killed_at(self, node, when, file, order=None, on=None):
        """The node is halted at the point, to which the order leads it, and dies there."""
        self.pair.arm(node, when, file)
        asked = self.pair.begin(on or node, *order) if order else None
        self.pair.halted(node)
        self.pair.kill(node)
        if asked:
            asked.wait(60)

    def restart(self, *nodes):
        for node in nodes:
            self.pair.start(node)

    # --- writes -----------------------------------------------------------------------------

    def amid_primary(self, primary, standby, when, file, then):
        self.killed_at(primary, when, file)
        if then == "other promoted":
            self.pair.over(primary, standby, "promote", "--peer-fenced")
            self.crew.load(standby, AFTERWARDS)
        self.restart(primary)

    def amid_standby(self, primary, standby, when, file, then):
        self.pair.arm(standby, when, file)
        self.pair.halted(standby)
        if then == "restarts":
            self.pair.kill(standby)
            self.restart(standby)
        elif then == "both restart":
            self.pair.kill(standby)
            self.pair.kill(primary)
            self.restart(standby, primary)
        else:  # its ack reaches nobody
            self.pair.kill(primary)
            self.pair.kill(standby, "CONT")
            self.pair.over(primary, standby, "promote", "--peer-fenced")
            self.crew.load(standby, AFTERWARDS)
            self.restart(primary)

    # --- the control file -------------------------------------------------------------------

    def amid_promote(self, primary, standby, when, file):
        self.pair.kill(primary)
        eventually(lambda: not self.pair.status(standby)["peer_connected"], what="the standby notices")
        self.killed_at(standby, when, file, ("promote", "--peer-fenced"))
        self.restart(standby, primary)

    def amid_solo(self, primary, standby, when, file):
        self.pair.kill(standby)
        eventually(lambda: not self.pair.status(primary)["peer_connected"], what="the primary notices")
        self.killed_at(primary, when, file, ("solo", "--peer-fenced"))
        self.restart(primary, standby)

    def amid_resign(self, primary, standby, when, file):
        self.killed_at(primary, when, file, ("switchover",))
        self.pair.over(primary, standby, "promote", "--peer-fenced")
        self.crew.load(standby, AFTERWARDS)
        self.restart(primary)

    def amid_take_over(self, primary, standby, when, file):
        self.killed_at(standby, when, file, ("switchover",), on=primary)
        self.restart(standby)

    # --- coming back ------------------------------------------------------------------------

    def amid_catch_up(self, primary, standby, when, file):
        """What the standby missed is not in the primary's memory any more, so that it is sent by record, and slowly."""
        self.pair.kill(standby)
        self.pair.over(standby, primary, "solo", "--peer-fenced")
        self.load(primary, 1000)
        self.crew.stop()
        self.pair.kill(primary)
        self.restart(primary)
        self.pair.ctl(primary, "solo")
        self.pair.proxy.slow(200_000)
        self.restart(standby)
        eventually(lambda: self.pair.status(standby)["role"] == "catching-up", what="the catch-up is under way")
        self.pair.arm(standby, when, file)
        if file == CONTROL_A:  # its end
            self.pair.proxy.heal()
        self.pair.halted(standby)
        self.pair.kill(standby)
        self.pair.proxy.heal()
        self.restart(standby)

    def amid_rewind(self, primary, standby, when, file):
        """The old primary has a tail that the new one lacks."""
        self.pair.proxy.half_open()
        self.crew.load(primary, TAIL)
        eventually(lambda: self.pair.status(primary)["lag_records"] > 3, what="a tail")
        self.pair.kill(primary)
        self.pair.proxy.heal()
        self.pair.over(primary, standby, "promote", "--peer-fenced")
        self.crew.load(standby, AFTERWARDS)
        self.pair.arm(primary, when if file == SALVAGE else "after", SALVAGE)
        starting = self.pair.begin(primary, "start")
        self.pair.halted(primary)
        if file == LOG:  # further on: something was undone
            self.pair.arm(primary, when, file)
            self.pair.kill(primary, "CONT")
            self.pair.halted(primary)
        self.pair.kill(primary)
        starting.wait(60)
        self.restart(primary)
