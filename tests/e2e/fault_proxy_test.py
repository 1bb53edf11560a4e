"""The fault proxy itself: every fault does what its name says, and is counted only when it met something."""
import socket
import threading
import time
import unittest

import fault_proxy
from fault_proxy import DOWN, UP
from harness import eventually


class Echo:
    """Sends back what comes; remembers how much came."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.came = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            sock, _ = self.server.accept()
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        try:
            while data := sock.recv(1 << 16):
                self.came += len(data)
                sock.sendall(data)
        except OSError:
            pass
        sock.close()


class Faults(unittest.TestCase):
    def setUp(self):
        self.echo = Echo()
        self.proxy = fault_proxy.FaultProxy(lambda: self.echo.port)
        self.addCleanup(self.proxy.close)
        self.client = self.connect()

    def connect(self):
        client = socket.create_connection(("127.0.0.1", self.proxy.port), 5)
        self.addCleanup(client.close)
        return client

    def echoed(self, client, octets=b"hello"):
        client.sendall(octets)
        found = b""
        while len(found) < len(octets):
            data = client.recv(1 << 16)
            if not data:
                return found
            found += data
        return found

    def ended(self, client):
        """Whether the connection was ended by the proxy."""
        try:
            return client.recv(10) == b""
        except ConnectionResetError:
            return True

    def silent(self, client):
        client.settimeout(0.3)
        with self.assertRaises(TimeoutError):
            client.recv(10)
        client.settimeout(5)

    def test_passes(self):
        octets = bytes(range(256)) * 4000
        threading.Thread(target=self.client.sendall, args=(octets,)).start()
        found = b""
        while len(found) < len(octets):
            found += self.client.recv(1 << 16)
        self.assertEqual(found, octets)
        self.assertEqual(self.proxy.passed, [len(octets), len(octets)])
        self.client.close()
        eventually(lambda: not self.proxy.ends, what="both ends are closed")
        self.assertEqual(self.proxy.fired, {})

    def test_cut(self):
        self.assertEqual(self.echoed(self.client), b"hello")
        self.proxy.cut()
        self.assertTrue(self.ended(self.client))
        self.assertTrue(self.ended(self.connect()))
        self.proxy.heal()
        self.assertEqual(self.echoed(self.connect()), b"hello")
        self.assertEqual(self.proxy.fired, {"cut": 1})

    def test_half_open(self):
        self.proxy.half_open()
        self.assertFalse(self.proxy.hit(), "nothing was sent yet")
        new = self.connect()
        for client in (self.client, new):
            client.sendall(b"x")
            self.silent(client)
        self.assertEqual((self.echo.came, self.proxy.fired), (0, {"half_open": 1}))
        self.proxy.heal()
        self.assertTrue(self.ended(self.client) and self.ended(new))
        self.assertEqual(self.echoed(self.connect()), b"hello")

    def test_one_way(self):
        for direction, came in ((UP, 0), (DOWN, 5)):
            client, before = self.connect(), self.echo.came
            self.assertEqual(self.echoed(client, b"12345"), b"12345")
            self.proxy.one_way(direction)
            client.sendall(b"67890")
            self.silent(client)
            self.assertEqual(self.echo.came - before - 5, came)
            self.proxy.heal()
            self.assertTrue(self.ended(client), "its stream has a hole")
        self.assertEqual(self.proxy.fired, {"one_way": 2})

    def test_byte_cut(self):
        self.proxy.byte_cut(DOWN, 7)
        self.assertEqual(self.echoed(self.client), b"hello")
        self.assertFalse(self.proxy.hit())
        self.assertEqual(self.echoed(self.client, b"world"), b"wo")
        self.assertTrue(self.proxy.hit())
        self.assertEqual(self.echoed(self.connect()), b"hello")
        self.proxy.byte_cut(UP, 3, then="cut")
        new = self.connect()
        new.sendall(b"12345")
        self.assertTrue(self.ended(self.connect()) or self.ended(new))
        eventually(lambda: self.proxy.fault.kind == "cut", what="what comes after")

    def test_flap(self):
        self.proxy.flap(0.1)

        def passes():
            try:
                return self.echoed(self.connect()) == b"hello"
            except OSError:
                return False
        for wanted in (False, True, False, True):
            eventually(lambda: passes() is wanted, what=f"passes: {wanted}")
        self.assertEqual(self.proxy.fired, {"flap": 1})

    def test_slow(self):
        self.proxy.slow(100_000, 0.1)
        begin = time.monotonic()
        self.assertEqual(len(self.echoed(self.client, b"x" * 20_000)), 20_000)
        self.assertGreater(time.monotonic() - begin, 0.3)
        self.assertEqual(self.proxy.fired, {"slow": 1})


if __name__ == "__main__":
    unittest.main(verbosity=2)
