"""A node under attack: one node for all tests of a file, raw clients, and the proof that nothing changed."""
import pathlib
import socket
import time
import unittest

import harness
import mail


class Raw:
    """A client that says what it likes."""

    def __init__(self, port, timeout=20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.file = self.socket.makefile("rb")

    def send(self, octets):
        self.socket.sendall(octets)

    def line(self):
        """One line; "" at the end of the connection."""
        try:
            return self.file.readline(1 << 20).decode(errors="replace").rstrip("\r\n")
        except ConnectionResetError:
            return ""

    def until(self, start):
        """Lines up to one that begins so, or the end of the connection."""
        lines = []
        while True:
            line = self.line()
            lines.append(line)
            if line.startswith(start) or not line:
                return lines

    def ask(self, command, tag="a"):
        """The tagged answer."""
        self.send(f"{tag} ".encode() + command + b"\r\n")
        return self.until(f"{tag} ")[-1]

    def close(self):
        self.file.close()
        self.socket.close()


class Imap(Raw):
    def __init__(self, port, user="user1", login=True):
        super().__init__(port)
        self.greeting = self.line()
        if login:
            answer = self.ask(f"LOGIN {user} pass".encode())
            assert answer.startswith("a OK"), answer


class Lmtp(Raw):
    def __init__(self, port):
        super().__init__(port)
        self.greeting = self.line()
        self.say(b"LHLO hostile")

    def say(self, line):
        self.send(line + b"\r\n")
        return self.reply()

    def reply(self):
        while True:
            line = self.line()
            if line[3:4] != "-":
                return line


class HostileTest(unittest.TestCase):
    """One node; after each test it must still be that process, serve, and hold the same mail."""

    options = ()

    @classmethod
    def setUpClass(cls):
        arguments = [word for option in cls.options for word in ("--set", option)]
        cls.pair = harness.Pair("--single", *arguments)
        cls.addClassCleanup(cls.pair.close)
        cls.pair.ctl("a", "pair", "init")  # opens the port for the peer, too
        client = harness.login(cls.pair, "a")
        for octets in mail.generated(10):
            client.append("INBOX", None, None, octets)
        client.logout()
        cls.process = cls.pair.pid("a")
        cls.before = cls.state()
        cls.resting = cls.descriptors()

    def setUp(self):
        harness.eventually(lambda: self.descriptors() < self.resting + 5, what="the attackers before are gone")

    @classmethod
    def state(cls):
        """Digests of every mailbox of user1, and what a client reads."""
        return cls.pair.ctl("a", "mailbox", "list", "user1", "--json").stdout, mail.read_mailbox(cls.pair.port("a"))

    def tearDown(self):
        self.assertEqual(self.state(), self.before, "mail was changed")
        self.assertTrue(pathlib.Path(f"/proc/{self.process}").exists(), "the node is another process" + self.pair.logs())

    def imap(self, **arguments):
        client = Imap(self.pair.port("a"), **arguments)
        self.addCleanup(client.close)
        return client

    def lmtp(self):
        client = Lmtp(self.pair.port("a", "lmtp_port"))
        self.addCleanup(client.close)
        return client

    def memory(self):
        """Resident megabytes of the node."""
        for line in pathlib.Path(f"/proc/{self.process}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise AssertionError("the node is gone" + self.pair.logs())

    @classmethod
    def descriptors(cls):
        return len(list(pathlib.Path(f"/proc/{cls.process}/fd").iterdir()))


def timed(function):
    """Its result and how many seconds it took."""
    begin = time.monotonic()
    result = function()
    return result, time.monotonic() - begin
