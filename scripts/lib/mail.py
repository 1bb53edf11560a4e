"""What the scripts share: mail to deliver, LMTP, and reading a mailbox back over IMAP."""
import imaplib
import mailbox
import pathlib
import random
import re
import socket

imaplib._MAXLINE = 100_000_000


def crlf(octets):
    return octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def generated(count, seed=1):
    """Plausible messages of many sizes, always the same."""
    rng = random.Random(seed)
    words = "mail pair node standby promote letter invoice garden meeting answer".split()
    for number in range(count):
        lines = [" ".join(rng.choices(words, k=10)) for _ in range(rng.choice([1, 5, 40, 400]))]
        yield crlf((f"From: Alice <alice{number}@example.org>\nTo: user1@example.org\n"
                    f"Subject: message {number} about {rng.choice(words)}\n"
                    f"Date: Mon, 05 Jan 2026 10:{number % 60:02}:00 +0000\n"
                    f"Message-ID: <{seed}.{number}@example.org>\n\n" + "\n".join(lines) + "\n").encode())


def from_path(path):
    """Messages of a directory of .eml files, a Maildir, or an mbox file; CRLF line ends."""
    path = pathlib.Path(path)
    if not path.exists():
        raise FileNotFoundError(f"--mail: there is no {path}")
    if path.is_dir() and (path / "cur").is_dir():
        for message in mailbox.Maildir(path, create=False):
            yield crlf(message.as_bytes())
    elif path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.is_file() and not file.name.startswith("."):
                yield crlf(file.read_bytes())
    else:
        for message in mailbox.mbox(path, create=False):
            yield crlf(message.as_bytes())


class Lmtp:
    """An LMTP client that knows just enough: one recipient a message."""

    def __init__(self, port, timeout=60):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.file = self.socket.makefile("rb")
        self.expect("2")
        self.say(b"LHLO quickstart")

    def expect(self, first):
        while True:
            line = self.file.readline().decode(errors="replace")
            if not line.startswith(first):
                raise OSError(f"LMTP: {line.strip() or 'connection closed'}")
            if line[3:4] != "-":
                return line

    def say(self, line, first="2"):
        self.socket.sendall(line + b"\r\n")
        return self.expect(first)

    def deliver(self, recipient, octets, sender="sender@example.org"):
        self.say(f"MAIL FROM:<{sender}>".encode())
        self.say(f"RCPT TO:<{recipient}>".encode())
        self.say(b"DATA", "3")
        body = octets if octets.endswith(b"\r\n") else octets + b"\r\n"
        self.socket.sendall(re.sub(rb"(?m)^\.", b"..", body) + b".\r\n")
        return self.expect("2")


def login(port, user="user1", password="pass"):
    client = imaplib.IMAP4("127.0.0.1", port, timeout=60)
    client.login(user, password)
    return client


def read_mailbox(port, name="INBOX", user="user1"):
    """UIDVALIDITY and {uid: (flags, octets)} of a mailbox."""
    client = login(port, user)
    client.select(name, readonly=True)
    validity = int(client.response("UIDVALIDITY")[1][0])
    _, data = client.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")
    messages = {}
    for item in data or []:
        if isinstance(item, tuple):
            head = item[0].decode()
            uid = int(re.search(r"UID (\d+)", head).group(1))
            flags = frozenset(re.search(r"FLAGS \(([^)]*)\)", head).group(1).split())
            messages[uid] = (flags, item[1])
    client.logout()
    return validity, messages
