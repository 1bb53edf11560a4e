"""Floods and stalls against a real node: other sessions stay quick, memory and descriptors stay bounded."""
import os
import socket
import ssl
import sys
import threading

import harness
import hostile
import mail

MIB = 1 << 20
STALLED = 18 if harness.FULL else 12


def note(text):
    print(f"[{text}]", file=sys.stderr, end=" ", flush=True)


def quietly(function):
    """What an attacker's end of the connection meets is his affair."""
    try:
        return function()
    except (OSError, ssl.SSLError):
        return None


class Flood(hostile.HostileTest):
    options = ("connections-per-address-max=300",)

    def connect(self, kind):
        client = socket.create_connection(("127.0.0.1", self.pair.port("a", kind)), 20)
        self.addCleanup(client.close)
        return client

    def test_thousands_of_connections_beyond_the_limit(self):
        session = self.imap()
        before = self.descriptors()
        for kind, refusal in (("imap_port", b"* BYE [UNAVAILABLE]"), ("lmtp_port", b"421"), ("imaps_port", b"")):
            taken = []
            refused = 0
            for _ in range(1500):
                client = socket.create_connection(("127.0.0.1", self.pair.port("a", kind)), 20)
                if len(taken) < 250:
                    taken.append(client)
                    continue
                # The first ones beyond the limit are told so; of all of them nothing stays behind.
                if len(taken) < 320:
                    taken.append(client)
                else:
                    greeting = quietly(lambda: client.recv(100)) or b""
                    self.assertTrue(greeting.startswith(refusal), greeting)
                    refused += 1
                    client.close()
            self.assertEqual(refused, 1180)
            self.assertLess(self.descriptors(), before + 320)
            answer, seconds = hostile.timed(lambda: session.ask(b"NOOP"))
            self.assertIn("OK", answer)
            self.assertLess(seconds, 2)
            for client in taken:
                client.close()
            harness.eventually(lambda: self.descriptors() < before + 10, what="the connections are given back")
        self.imap()

    def test_login_flood_over_reconnects(self):
        stop = threading.Event()
        tries = [0]

        def attack():
            while not stop.is_set():
                quietly(lambda: self.guess(tries))
        session = self.imap()
        threads = [threading.Thread(target=attack, daemon=True) for _ in range(30)]
        for thread in threads:
            thread.start()
        harness.eventually(lambda: tries[0] > 100, what="the flood is under way")
        # A session that is there, a user whose password is remembered, and one whose is not.
        answer, there = hostile.timed(lambda: session.ask(b"NOOP"))
        self.assertIn("OK", answer)
        _, known = hostile.timed(self.imap)
        _, fresh = hostile.timed(lambda: self.imap(user="test"))
        stop.set()
        for thread in threads:
            thread.join(30)
        harness.eventually(lambda: self.descriptors() < self.resting + 10, what="those who left are forgotten")
        note(f"{tries[0]} guesses; NOOP {there:.3f} s, login known {known:.3f} s, new {fresh:.3f} s")
        self.assertLess(there, 2)
        self.assertLess(known, 5)
        self.assertLess(fresh, 15)

    def guess(self, tries):
        client = hostile.Imap(self.pair.port("a"), login=False)
        try:
            client.send(b"a LOGIN user1 wrong%d\r\n" % tries[0])
            tries[0] += 1
            client.socket.settimeout(0.3)  # leaves before the pause is over, and comes back
            client.line()
        finally:
            client.close()

    def test_refused_logins_of_one_connection_are_answered_ever_later(self):
        client = self.imap(login=False)
        answers = [hostile.timed(lambda: client.ask(b"LOGIN user1 wrong")) for _ in range(3)]
        self.assertTrue(all("AUTHENTICATIONFAILED" in answer for answer, _ in answers), answers)
        self.assertGreater(answers[2][1], 1.5)

    def test_half_open_and_slow_clients(self):
        before = self.descriptors()
        for kind in ("imap_port", "lmtp_port", "imaps_port", "http_port", "grpc_port"):
            for start in (b"", b"a", b"a LOGIN {5}\r\n", b"\x16\x03\x01\x02"):
                client = self.connect(kind)
                client.sendall(start)
                client.shutdown(socket.SHUT_WR)
        slow = [self.connect("imap_port") for _ in range(100)]
        for octet in b"a NOOP\r":
            for client in slow:
                client.sendall(bytes([octet]))
        answer, seconds = hostile.timed(lambda: self.imap().ask(b"NOOP"))
        self.assertIn("OK", answer)
        self.assertLess(seconds, 2)
        for client in slow:
            client.sendall(b"\n")
        for client in slow:
            text = client.makefile("rb").readlines(1)[0]
            self.assertTrue(text.startswith(b"* OK"))
        for client in slow:
            client.close()
        harness.eventually(lambda: self.descriptors() < before + 10, what="half-open connections end")

    def test_garbage_on_every_port(self):
        before = self.descriptors()
        memory = self.memory()
        garbage = [os.urandom(200_000), b"\x16\x03\x01\xff\xff" + os.urandom(70_000), b"GET / HTTP/1.1\r\n" * 10_000, b"\x00" * 100_000,
                   b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + os.urandom(50_000), b"GET /" + b"a" * 100_000, b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                   b"GET /primary HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 100_000]
        for kind in ("imap_port", "lmtp_port", "imaps_port", "http_port", "grpc_port"):
            for octets in garbage:
                client = self.connect(kind)
                quietly(lambda: client.sendall(octets))
                quietly(lambda: client.shutdown(socket.SHUT_WR))
                client.settimeout(0.1)
                quietly(lambda: client.recv(1 << 16))
                client.close()
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        for _ in range(3):
            with context.wrap_socket(self.connect("imaps_port")) as secure:
                self.assertIn(b"OK", secure.recv(1000))
                quietly(lambda: socket.socket.sendall(secure, os.urandom(5000)))  # below the layer of TLS
        self.assertLess(self.memory() - memory, 30)
        harness.eventually(lambda: self.descriptors() < before + 10, what="the connections end")


class Stall(hostile.HostileTest):
    options = ("cache-bytes=8M",)

    def test_clients_that_stop_reading_a_large_fetch(self):
        one = b"Subject: large\r\n\r\n" + os.urandom(37 * MIB).hex().encode()[:100 * MIB // 2] + b"\r\n"
        one += b"0123456789abcdef" * ((100 * MIB - len(one)) // 16) + b"\r\n"
        owner = harness.login(self.pair, "a", "user2")
        self.assertEqual(owner.append("INBOX", None, None, one)[0], "OK")
        for octets in mail.generated(200):
            owner.append("Drafts", None, None, octets)
        owner.select("INBOX", readonly=True)
        _, data = owner.fetch("1", "(BODY.PEEK[])")  # caches are as full as they get
        self.assertEqual(data[0][1], one)
        del data
        memory = self.memory()
        stalled = []
        for number in range(STALLED):
            client = self.imap(user="user2")
            client.ask(b"SELECT INBOX")
            client.send(b"x FETCH 1 (BODY.PEEK[])\r\n")
            self.assertEqual(len(client.socket.recv(50_000)) > 0, True)
            stalled.append(client)
        slowest = 0
        for _ in range(20):
            answer, seconds = hostile.timed(lambda: owner.select("Drafts", readonly=True))
            self.assertEqual(answer[0], "OK")
            answer, more = hostile.timed(lambda: owner.fetch("1:*", "(FLAGS BODY.PEEK[])"))
            self.assertEqual(answer[0], "OK")
            slowest = max(slowest, seconds, more)
        growth = self.memory() - memory
        note(f"{STALLED} stalled: {growth:.1f} MiB more, slowest answer of another session {slowest:.3f} s")
        self.assertLess(growth, 30)
        self.assertLess(slowest, 2)
        for client in stalled[:2]:  # who goes on gets the rest
            size, last = 0, b""
            while not last.endswith(b"FETCH completed\r\n"):
                octets = client.socket.recv(MIB)
                self.assertTrue(octets)
                size, last = size + len(octets), (last + octets)[-100:]
            self.assertGreater(size, len(one) - 100_000)


harness.main()
