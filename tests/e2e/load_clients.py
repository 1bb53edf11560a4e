"""Pipelining clients of a load process: connections that never block, and the commands under way on them.

A client sends a batch of commands at once, takes the answers as they come, and then asks its planner for the
next batch. When the connection ends, what has no answer is unanswered. Connections are closed by a reset:
a node must not go on with what a client that left had sent ahead.
"""
import dataclasses
import re
import socket
import struct
import time

TIMEOUT_S = 60
PAUSE_S = 0.1


@dataclasses.dataclass
class Command:
    """`octets` without tag; `done(answer)` gets "OK", "NO" or None for unanswered, and the UIDs told."""

    octets: bytes
    done: object
    copied: int = 0


class Client:
    """What IMAP and LMTP clients share: a socket, octets to send, lines that came."""

    selected = None  # the box, of an IMAP client

    def __init__(self, port, planner):
        self.planner = planner
        self.sock = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.setblocking(False)
        self.out = bytearray()
        self.input = bytearray()
        self.open = True
        self.draining = False    # no new batches
        self.resume_at = 0.0     # after refusals

    def wants_write(self):
        return bool(self.out)

    def on_writable(self):
        try:
            sent = self.sock.send(self.out)
            del self.out[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self.close()

    def on_readable(self):
        try:
            data = self.sock.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self.input += data
        *lines, rest = self.input.split(b"\n")
        self.input = bytearray(rest)
        for line in lines:
            if self.open:
                self.on_line(bytes(line).rstrip(b"\r"))
        self.next_batch()

    def send(self, octets):
        self.out += octets
        self.on_writable()

    def next_batch(self):
        if self.open and self.idle() and not self.draining and self.planner.budget > 0 and time.monotonic() >= self.resume_at:
            self.start_batch()

    def close(self):
        if self.open:
            self.open = False
            self.sock.close()
            self.abandon()


class ImapClient(Client):
    def __init__(self, port, planner, user):
        super().__init__(port, planner)
        self.tags = 0
        self.waiting = {}      # tag -> Command
        self.ready = False
        self.greet = [b"LOGIN %s pass" % user.encode()]

    def idle(self):
        return self.ready and not self.waiting

    def start_batch(self):
        octets = bytearray()
        for command in self.planner.imap_batch(self):
            self.tags += 1
            tag = b"t%d" % self.tags
            self.waiting[tag] = command
            octets += tag + b" " + command.octets + b"\r\n"
        self.send(octets)

    def on_line(self, line):
        tag, _, rest = line.partition(b" ")
        if tag == b"*":
            found = re.match(rb"OK \[COPYUID \d+ \d+ (\d+)\]", rest)
            if found:
                next(iter(self.waiting.values())).copied = int(found.group(1))
            elif rest.startswith(b"BYE"):
                self.close()
            elif self.greet and rest.startswith(b"OK"):
                self.send(b"login " + self.greet.pop() + b"\r\n")
        elif tag == b"login":
            self.ready = rest.startswith(b"OK")
            if not self.ready:
                self.close()
        elif tag in self.waiting:
            self.answered(self.waiting.pop(tag), rest)

    def answered(self, command, rest):
        found = re.match(rb"OK \[(?:APPENDUID \d+|COPYUID \d+ \d+) (\d+)\]", rest)
        good = rest.startswith(b"OK")
        if not good:
            self.resume_at = time.monotonic() + PAUSE_S
        command.done("OK" if good else "NO", int(found.group(1)) if found else command.copied, rest)

    def abandon(self):
        while self.waiting:
            self.waiting.pop(next(iter(self.waiting))).done(None, 0, b"")


class LmtpClient(Client):
    """One delivery after the other, its envelope in one packet."""

    def __init__(self, port, planner, user):
        super().__init__(port, planner)
        self.user = user.encode()
        self.delivery = None
        self.body = b""
        self.expected = [b"2", b"2"]  # first digits of the replies to come; the greeting and LHLO
        self.send(b"LHLO load\r\n")

    def idle(self):
        return not self.expected and self.delivery is None

    def start_batch(self):
        self.delivery, self.body = self.planner.lmtp_delivery()
        self.expected = [b"2", b"2", b"3"]
        self.send(b"MAIL FROM:<a@example.org>\r\nRCPT TO:<%s@example.org>\r\nDATA\r\n" % self.user)

    def on_line(self, line):
        if line[3:4] == b"-":
            return
        wanted = self.expected.pop(0) if self.expected else b""
        if line[:1] != wanted:
            self.refused(line)
        elif wanted == b"3":
            self.expected = [b"2"]
            self.send(self.body + b".\r\n")
            self.body = b""
        elif not self.expected and self.delivery is not None:
            delivery, self.delivery = self.delivery, None
            delivery.done("OK", 0, line)

    def refused(self, line):
        """A refusal after the text is an answer; before, or a 421, it ends the connection: an MTA comes again."""
        if self.delivery is not None:
            delivery, self.delivery = self.delivery, None
            delivery.done("NO", 0, line)
        self.close()

    def abandon(self):
        if self.delivery is not None:
            delivery, self.delivery = self.delivery, None
            delivery.done(None, 0, b"")
