"""Real pairs for end-to-end tests: a fixture over scripts/dev-pair, IMAP helpers, waiting for events.

Environment (set by ctest): TWINSPOOL_PRESET, the build that is tested. TWINSPOOL_FULL=1: larger counts.
"""
import imaplib
import json
import os
import pathlib
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "lib"))
import fault_proxy  # noqa: E402
import mail  # noqa: E402

FULL = os.environ.get("TWINSPOOL_FULL") == "1"
DEV_PAIR = str(ROOT / "scripts" / "dev-pair")
SERVER = ROOT / "build" / os.environ.get("TWINSPOOL_PRESET", "release") / "server"
CTL = SERVER / "cli" / "twinspoolctl"
DAEMON = SERVER / "node" / "twinspoold"
imaplib._MAXLINE = 100_000_000
imaplib.Commands["MOVE"] = ("SELECTED",)


class Pair:
    """A pair (or one node) below a temporary directory."""

    environment = {}  # of everything that is started, beside what there is

    def __init__(self, *up_arguments, prepare=None):
        self.dir = tempfile.mkdtemp(prefix="twinspool-e2e-")
        if prepare is not None:
            prepare(pathlib.Path(self.dir))
        self.run("up", "--dir", self.dir, "--users", "3", *up_arguments)

    def run(self, *arguments, check=True, tool=(DEV_PAIR,)):
        # In a session of its own: Ctrl-C is for the test, which then ends what it began.
        result = subprocess.run([*tool, *arguments], capture_output=True, text=True, check=False, timeout=300,
                                stdin=subprocess.DEVNULL, start_new_session=True, env={**os.environ, **self.environment})
        if check and result.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, [*tool, *arguments]))}: exit {result.returncode}: "
                                 f"{result.stderr}{result.stdout}{self.logs()}")
        return result

    def ctl(self, node, *arguments, check=True):
        socket_path = pathlib.Path(self.dir) / node / "data" / "admin.sock"
        return self.run(*arguments, check=check, tool=(CTL, "--socket", socket_path))

    def expect(self, code, node, *arguments):
        """Runs twinspoolctl, which must end with `code`; answers all that it printed."""
        result = self.ctl(node, *arguments, check=False)
        text = result.stdout + result.stderr
        if result.returncode != code:
            raise AssertionError(f"{node}: twinspoolctl {' '.join(arguments)}: exit {result.returncode}, not {code}: {text}{self.logs()}")
        return text

    def expect_state(self, node, role, detail="", reads=False, writes=False, advice=None, seconds=30):
        """Waits until the node is in that state; answers its status. `advice`: a piece of it, "" for none at all."""
        wanted = (role, detail, reads, writes)

        def reached():
            status = self.status(node)
            found = (status["role"], status["role_detail"], status["serves_reads"], status["serves_writes"])
            assert found == wanted, f"{node} is {found}, not {wanted}; advice: {status['advice']}"
            if advice is not None:
                assert advice in status["advice"] and (advice or not status["advice"]), f"{node} advises: {status['advice']}"
            return status
        return eventually(reached, seconds, f"{node} as {role} {detail}")

    def json(self, node, *arguments):
        return json.loads(self.ctl(node, *arguments, "--json").stdout)

    def status(self, node):
        return self.json(node, "status")

    def kill(self, node, signal="KILL"):
        self.run("kill", self.dir, node, signal)

    def start(self, node):
        self.run("start", self.dir, node)

    def renew(self, node, *lines):
        """The node starts again with an empty data directory, and `lines` in its configuration. Answers where the
        former data directory is."""
        if self.pid(node):
            self.kill(node)
        home = pathlib.Path(self.dir) / node
        former = home / f"former{len(list(home.glob('former*')))}"
        (home / "data").rename(former)
        with open(home / "twinspool.conf", "a", encoding="utf-8") as config:
            config.write("".join(line + "\n" for line in lines))
        self.start(node)
        return former

    def invite(self, node):
        return self.json(node, "pair", "invite", f"127.0.0.1:{self.port(node, 'grpc_port')}")["join_string"]

    def wait(self, node, role, seconds=60):
        self.ctl(node, "wait", "--role", role, "--timeout", str(seconds))

    def port(self, node, kind="imap_port"):
        data = json.loads((pathlib.Path(self.dir) / "pair.json").read_text())
        return data["nodes"][node][kind]

    def pid(self, node):
        data = json.loads((pathlib.Path(self.dir) / "pair.json").read_text())
        return data["nodes"][node]["pid"]

    def primary(self):
        for node in "ab":
            if self.pid(node) and self.ctl(node, "is-primary", check=False).returncode == 0:
                return node
        raise AssertionError("no node is primary" + self.logs())

    def whole(self, seconds=60):
        """Waits until both have found together: one serves, the other could take over, nothing waits to be given back."""
        def together():
            states = {node: self.status(node) for node in "ab"}
            serving = [node for node in "ab" if states[node]["serves_writes"]]
            eligible = [node for node in "ab" if states[node]["eligible"]]
            assert len(serving) == len(eligible) == 1 and not any(s["salvage_records"] for s in states.values()), \
                [(s["role"], s["role_detail"], s["eligible"], s["salvage_records"], s["advice"]) for s in states.values()] + [self.logs()]
            return serving[0]
        return eventually(together, seconds, "the pair finds together")

    def over(self, dead, node, *order):
        """An order to `node` after `dead` was killed: repeated until it has noticed, which a busy machine may delay."""
        assert self.pid(dead) is None, f"{dead} runs"
        result = eventually(lambda: (lambda r: r if r.returncode != 4 else None)(self.ctl(node, *order, check=False)), what=f"{order}")
        assert result.returncode == 0, f"{order}: exit {result.returncode}: {result.stdout}{result.stderr}{self.logs()}"

    def verify_equal(self):
        result = self.ctl(self.primary(), "verify-pair", check=False)
        if result.returncode != 0:
            raise AssertionError(f"verify-pair: exit {result.returncode}\n{result.stdout}{result.stderr}{self.logs()}")

    def logs(self, lines=12):
        text = ""
        for node in "ab":
            path = pathlib.Path(self.dir) / node / "log"
            if path.exists():
                tail = path.read_text(errors="replace").splitlines()[-lines:]
                text += f"\n--- log of {node}\n" + "\n".join(tail)
        return text

    def close(self, keep=False):
        self.run("down", self.dir, check=False)
        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)


class PairTest(unittest.TestCase):
    """A test case with a pair of its own; the directory stays when a test failed."""

    up_arguments = ()
    kind_of_pair = Pair

    def setUp(self):
        self.pair = self.kind_of_pair(*self.up_arguments, prepare=self.prepare)
        self.addCleanup(self.close_pair)  # also when the rest of a setUp fails

    def prepare(self, directory):
        """Before the pair is made in the directory."""

    def close_pair(self):
        result = self._outcome.result
        failed = any(getattr(test, "test_case", test) is self for test, _ in result.errors + result.failures)
        self.pair.close(keep=failed)
        if failed:
            print(f"the pair's directory is kept: {self.pair.dir}", file=sys.stderr)


def eventually(condition, seconds=30, what="the condition"):
    """Waits until condition() is true; its last exception or value is in the failure."""
    end = time.monotonic() + seconds
    last = None
    while time.monotonic() < end:
        try:
            last = condition()
            if last:
                return last
        except (AssertionError, OSError, imaplib.IMAP4.error) as error:
            last = error
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come true in {seconds} s; last: {last!r}")


def login(pair, node, user="user1"):
    return mail.login(pair.port(node), user)


def append(client, text, mailbox="INBOX"):
    """'OK' or 'NO'."""
    return client.append(mailbox, None, None, f"Subject: {text}\r\n\r\nbody of {text}\r\n".encode())[0]


def subjects(pair, node, mailbox="INBOX", user="user1"):
    client = login(pair, node, user)
    found = [subject for _, subject in fetch_all(client, mailbox).values()]
    client.logout()
    return found


def fetch_all(client, mailbox, items="UID FLAGS"):
    """{uid: (flags, subject)} of a mailbox."""
    client.select(f'"{mailbox}"', readonly=True)
    _, data = client.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    found = {}
    for item in data or []:
        if isinstance(item, tuple):
            head = item[0].decode()
            uid = int(re.search(r"UID (\d+)", head).group(1))
            flags = frozenset(re.search(r"FLAGS \(([^)]*)\)", head).group(1).split())
            subject = item[1].decode(errors="replace").partition(":")[2].strip()
            found[uid] = (flags, subject)
    return found


class CutWire:
    """A TCP proxy between the nodes that can hold back what the primary sends."""

    def __init__(self, target):
        self.target = target
        self.open = threading.Event()
        self.open.set()
        self.held = threading.Event()  # something waits to be let through
        self.budget = None             # octets that pass before the wire closes by itself
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            near, _ = self.server.accept()
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                near.close()
                continue
            threading.Thread(target=self.pump, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self.pump, args=(far, near, True), daemon=True).start()

    def hold_after(self, octets):
        """Lets that much through, then holds back what follows until `open` is set."""
        self.held.clear()
        self.budget = octets

    def spend(self, octets):
        if self.budget is not None:
            self.budget -= octets
            if self.budget < 0:
                self.budget = None
                self.open.clear()

    def pump(self, source, sink, held):
        try:
            while data := source.recv(1 << 16):
                if held:
                    self.spend(len(data))
                while held and not self.open.wait(0.02):
                    self.held.set()
                    if source.fileno() < 0:
                        return
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def free_base_port(count=10):
    """The first of `count` adjacent free ports, apart from those of dev-pair and of outgoing connections."""
    while True:
        base = random.randrange(12000, 20000, count)
        try:
            for port in range(base, base + count):
                socket.create_server(("127.0.0.1", port)).close()
            return base
        except OSError:
            continue


class CutPairTest(PairTest):
    """A pair whose conversation goes through `self.wire`."""

    def setUp(self):
        base = free_base_port()
        self.wire = CutWire(base + 3)
        self.up_arguments = ("--base-port", str(base), "--set", f"peer-address=127.0.0.1:{self.wire.port}")
        super().setUp()


class ProxyPair(Pair):
    """A pair whose conversation goes through `proxy`, which can break it (fault_proxy.py). Node 1 dials, so its octets
    flow UP to node 0, a."""

    def __init__(self, *up_arguments, prepare=None):
        self.proxy = fault_proxy.FaultProxy(lambda: self.port("a", "grpc_port"))
        super().__init__("--set", f"peer-address=127.0.0.1:{self.proxy.port}", *up_arguments, prepare=prepare)

    def close(self, keep=False):
        super().close(keep)
        self.proxy.close()


class ProxyPairTest(PairTest):
    """With such a pair."""

    kind_of_pair = ProxyPair

    @property
    def proxy(self):
        return self.pair.proxy


def main():
    unittest.main(verbosity=2, warnings="ignore")
