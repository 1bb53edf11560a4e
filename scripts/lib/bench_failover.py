"""What failing over and coming back cost: the figures of scripts/bench that kill, stop and restart nodes.

Each figure is seen from outside: from a client's answers, from twinspoolctl's return, or from the octets on the wire
between the nodes. A pair of its own for each, so that none is measured on what another left behind.
"""
import base64
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time

import mail

STATE_S = 120  # in which a pair must reach a state that a figure begins with
TINY = b"Subject: x\r\n\r\n" + b"y" * 20 + b"\r\n"


def letters(count):
    """Octets as of an attachment: hardly to be compressed."""
    return base64.b64encode(os.urandom(count * 3 // 4))


def multi_append(client, box, messages):
    """One command, one commit."""
    literals = b"".join(b" {%d+}\r\n%s" % (len(m), m) for m in messages)
    tag = client._new_tag()
    client.send(tag + b" APPEND " + box.encode() + literals + b"\r\n")
    client._command_complete("APPEND", tag)


def populate(client, box, count, make=lambda i: TINY, batch=500):
    client.create(box)
    for first in range(0, count, batch):
        multi_append(client, box, [make(i) for i in range(first, min(first + batch, count))])


class BenchPair:
    """A pair below a temporary directory, with a counter on the wire between its nodes."""

    def __init__(self, dev_pair, root, proxy_class, *settings):
        self.dev_pair, self.root = dev_pair, root
        self.dir = tempfile.mkdtemp(prefix="twinspool-bench-")
        base = 22000 + os.getpid() % 400 * 20
        self.proxy = proxy_class(base + 3)
        sets = [f"peer-address=127.0.0.1:{self.proxy.port}", *settings]
        dev_pair("up", "--dir", self.dir, "--base-port", str(base), "--users", "4",
                 *(word for one in sets for word in ("--set", one)))

    def close(self):
        self.dev_pair("down", self.dir)
        self.proxy.server.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def node(self, name):
        return json.loads((pathlib.Path(self.dir) / "pair.json").read_text())["nodes"][name]

    def port(self, name, kind="imap_port"):
        return self.node(name)[kind]

    def kill(self, name, signal_name="KILL"):
        self.dev_pair("kill", self.dir, name, signal_name)

    def start(self, name):
        self.dev_pair("start", self.dir, name)

    def ctl(self, name, *arguments):
        return subprocess.run([str(self.root / "build/release/server/cli/twinspoolctl"), "--socket",
                               f"{self.node(name)['data_dir']}/admin.sock", *arguments],
                              capture_output=True, text=True, check=False)

    def must(self, name, *arguments):
        result = self.ctl(name, *arguments)
        if result.returncode != 0:
            raise RuntimeError(f"{name}: twinspoolctl {' '.join(arguments)}: exit {result.returncode}: {result.stderr}{result.stdout}")
        return result.stdout

    def status(self, name):
        return json.loads(self.must(name, "status", "--json"))

    def until(self, name, condition, what):
        end = time.monotonic() + STATE_S
        while not condition(status := self.status(name)):
            if time.monotonic() > end:
                raise RuntimeError(f"{name}: {what} did not come true; {status}")
            time.sleep(0.02)
        return status

    def whole(self):
        """Both together again: one serves, the other could take over, nothing waits to be given back."""
        end = time.monotonic() + STATE_S
        while True:
            states = [self.status(name) for name in "ab"]
            if any(s["serves_writes"] for s in states) and any(s["eligible"] for s in states) and \
                    not any(s["salvage_records"] for s in states):
                return
            if time.monotonic() > end:
                raise RuntimeError(f"the pair does not find together: {[(s['role'], s['role_detail'], s['advice']) for s in states]}")
            time.sleep(0.05)


class Writers:
    """Clients that append without a pause to whichever node serves; keeps when each answer came."""

    def __init__(self, ports, count=4):
        self.ports = ports
        self.stopping = threading.Event()
        self.answers = []  # times of acknowledgements
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True) for i in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        turn = number
        while not self.stopping.is_set():
            try:
                client = mail.login(self.ports[turn % 2], "user1")
                while not self.stopping.is_set():
                    if client.append("INBOX", None, None, TINY)[0] != "OK":
                        break
                    self.answers.append(time.monotonic())
            except (OSError, mail.imaplib.IMAP4.error):
                pass
            turn += 1
            time.sleep(0.005)

    def longest_pause(self, since, until):
        """Seconds in which nobody was answered."""
        times = sorted([since, *(t for t in list(self.answers) if since <= t <= until), until])
        return max(b - a for a, b in zip(times, times[1:]))

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def first_write(port, since, user="user1"):
    """Seconds from `since` to the first acknowledged append."""
    while True:
        try:
            client = mail.login(port, user)
            if client.append("INBOX", None, None, TINY)[0] == "OK":
                took = time.monotonic() - since
                client.logout()
                return took
        except (OSError, mail.imaplib.IMAP4.error):
            pass
        if time.monotonic() - since > STATE_S:
            raise RuntimeError("no write was acknowledged")
        time.sleep(0.002)


class FailoverBench:
    """`record(label, name, value, unit)` takes each figure."""

    TESTS = ["switchover", "promote", "restart", "rejoin", "millionflags", "pacing", "fullcopy"]

    def __init__(self, dev_pair, root, proxy_class, record, scale, load):
        self.dev_pair, self.root, self.proxy_class = dev_pair, root, proxy_class
        self.scale, self.load = scale, load
        self.record = lambda name, value, unit: record("twinspool", name, value, unit)

    def run(self, only):
        for name in self.TESTS:
            if only and name not in only:
                continue
            pair = BenchPair(self.dev_pair, self.root, self.proxy_class)
            try:
                getattr(self, name)(pair)
            except (RuntimeError, OSError) as error:
                print(f"  twinspool  {name}: FAILED: {error}", flush=True)
            finally:
                pair.close()

    def switchover(self, pair):
        """A planned switchover while four clients append: the longest time that no append was answered."""
        writers = Writers([pair.port("a"), pair.port("b")])
        worst = 0
        for turn in range(20 if self.scale == 1 else 4):
            here, there = "ab"[turn % 2], "ba"[turn % 2]
            before = time.monotonic()
            time.sleep(0.3)
            pair.must(here, "switchover")
            pair.until(there, lambda s: s["serves_writes"], "serving")
            time.sleep(1.5)
            pause = writers.longest_pause(before, time.monotonic())
            worst = max(worst, pause)
            self.record("switchover_pause", pause * 1e3, "ms")
            pair.whole()
        writers.stop()
        self.record("switchover_pause_max", worst * 1e3, "ms")

    def promote(self, pair):
        """The primary is killed; the standby knows; from the order to an acknowledged append."""
        for turn in range(10 if self.scale == 1 else 2):
            here, there = "ab"[turn % 2], "ba"[turn % 2]
            writers = Writers([pair.port(here)] * 2)
            time.sleep(1)
            pair.kill(here)
            pair.until(there, lambda s: not s["peer_connected"], "alone")
            writers.stop()
            start = time.monotonic()
            pair.must(there, "promote", "--peer-fenced")
            self.record("promote_returns", (time.monotonic() - start) * 1e3, "ms")
            self.record("promote_first_write", first_write(pair.port(there), start) * 1e3, "ms")
            pair.start(here)
            pair.whole()

    def restart(self, pair):
        """A primary with 100 k messages is killed while clients write, and started: to an acknowledged append."""
        client = mail.login(pair.port("a"), "test")
        populate(client, "big", 100_000 // self.scale)
        for _ in range(5 if self.scale == 1 else 2):
            writers = Writers([pair.port("a")] * 2)
            time.sleep(1)
            pair.kill("a")
            writers.stop()
            start = time.monotonic()
            pair.start("a")
            self.record("restart_first_write", first_write(pair.port("a"), start) * 1e3, "ms")
            pair.whole()

    def rejoin(self, pair):
        """A primary writes alone and dies, the other is promoted in spite of it: octets until both are one again."""
        client = mail.login(pair.port("a"), "test")
        populate(client, "big", 20_000 // self.scale)
        client.logout()
        here, there = "a", "b"
        for diverged in (10, 100, 1000):
            pair.kill(there, "TERM")
            pair.until(here, lambda s: s["serves_writes"] and not s["peer_connected"], "alone")
            client = mail.login(pair.port(here), "user2")
            for _ in range(diverged):
                client.append("INBOX", None, None, TINY)
            pair.kill(here)
            pair.start(there)
            pair.must(there, "promote", "--peer-fenced", "--allow-data-loss")
            before = pair.proxy.count
            pair.start(here)
            pair.whole()
            self.record(f"rejoin_{diverged}_diverged", (pair.proxy.count - before) / 1024, "KiB")
            here, there = there, here

    def millionflags(self, pair):
        """The standby is away for so many flag changes on 100 k messages: octets and time to catch up."""
        count = 100_000 // self.scale
        client = mail.login(pair.port("a"), "test")
        populate(client, "big", count)
        pair.whole()
        for rounds in (1, 10):
            pair.kill("b", "TERM")
            client.select("big")
            for turn in range(rounds):
                client.store("1:*", "+FLAGS.SILENT" if turn % 2 == 0 else "-FLAGS.SILENT", r"(\Flagged)")
            before, start = pair.proxy.count, time.monotonic()
            pair.start("b")
            pair.whole()
            self.record(f"catch_up_{rounds}_flag_changes_each", (pair.proxy.count - before) / count, "B/msg")
            self.record(f"catch_up_{rounds}_seconds", time.monotonic() - start, "s")

    def pacing(self, pair):
        """Appends a second alone, and while the standby catches up with 160 MB of mail."""
        make = lambda i: b"Subject: %d\r\n\r\n%s\r\n" % (i, letters(6000))
        client = mail.login(pair.port("a"), "test")
        for turn in range(5 if self.scale == 1 else 2):
            pair.kill("b", "TERM")
            populate(client, f"fill{turn}", 25_000, make, 200)  # more than the ring of frames holds
            alone = self.rate(pair)
            pair.start("b")
            pair.until("a", lambda s: s["catch_up_units"] > 0, "a catch-up")
            start = time.monotonic()
            beside = self.rate(pair)
            still = pair.status("a")["catch_up_units"] > 0
            pair.whole()
            self.record("clients_alone", alone, "msg/s")
            self.record("clients_beside_catch_up" if still else "clients_beside_short_catch_up", beside, "msg/s")
            self.record("clients_share_kept", 100 * beside / alone, "%")
            self.record("catch_up_beside_clients", time.monotonic() - start, "s")

    def fullcopy(self, pair):
        """A node with an empty data directory is filled with 500 MB of mail, beside nobody."""
        make = lambda i: b"Subject: %d\r\n\r\n%s\r\n" % (i, letters(30_000))
        client = mail.login(pair.port("a"), "test")
        populate(client, "fill", 16_000 // self.scale, make, 100)
        pair.whole()
        data = pathlib.Path(pair.node("b")["data_dir"])
        for _ in range(3 if self.scale == 1 else 1):
            pair.kill("b")
            shutil.rmtree(data)
            data.mkdir(mode=0o700)
            pair.must("a", "solo", "--peer-fenced")
            pair.must("a", "pair", "dissolve", "--peer-never-returns")
            invitation = json.loads(pair.must("a", "pair", "invite", f"127.0.0.1:{pair.port('a', 'grpc_port')}", "--json"))["join_string"]
            pair.start("b")
            before, start = pair.proxy.count, time.monotonic()
            pair.must("b", "pair", "join", invitation)
            pair.must("b", "wait", "--role", "eligible", "--timeout", "600")
            took = time.monotonic() - start
            self.record("full_copy", 16_000 // self.scale * 30_000 / 2**20 / took, "MiB/s")
            self.record("full_copy_wire", (pair.proxy.count - before) / 2**20 / took, "MiB/s")
        source, target = pathlib.Path(pair.node("a")["data_dir"]) / "db", pathlib.Path(pair.dir) / "copied"
        start = time.monotonic()
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("LOCK", "ballast"))
        os.sync()
        size = sum(f.stat().st_size for f in target.iterdir())
        self.record("full_copy_floor_cp", size / 2**20 / (time.monotonic() - start), "MiB/s")

    def rate(self, pair):
        return self.load(pair.port("a"), pair.port("a", "lmtp_port"), 16_000 if self.scale == 1 else 8_000)
