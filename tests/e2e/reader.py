"""A plain IMAP connection for looking: one command after the other, and all that is answered as octets."""
import re
import socket

SHOWN = re.compile(rb"\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\) RFC822\.SIZE (\d+) BODY\[HEADER\.FIELDS \(\"?SUBJECT\"?\)\] "
                   rb"\{\d+\}\r\nSubject: ([^\r]*)\r\n", re.I)


class Reader:
    """A plain connection for looking: sends, and takes all up to the tagged answer."""

    def __init__(self, port, user):
        self.sock = socket.create_connection(("127.0.0.1", port), 60)
        self.file = self.sock.makefile("rb", 1 << 20)
        self.file.readline()
        self.ask(b"LOGIN %s pass" % user.encode())

    def ask(self, command):
        """The octets before an OK; OSError for anything else."""
        self.sock.sendall(b"r " + command + b"\r\n")
        parts = []
        while True:
            line = self.file.readline()
            if line.startswith(b"r ") or not line:
                break
            parts.append(line)
            literal = re.search(rb"\{(\d+)\}\r\n$", line)
            if literal:
                parts.append(self.file.read(int(literal.group(1))))
        if not line.startswith(b"r OK"):
            raise OSError(f"{command.decode()}: {line.decode() or 'the connection ended'}")
        return b"".join(parts)

    def names(self):
        return {line.rsplit(b' "/" ', 1)[1].strip(b'"\r').decode() for line in self.ask(b'LIST "" *').split(b"\n") if b' "/" ' in line}

    def messages(self, name):
        """[(subject, flags, uid, size)] of a mailbox."""
        self.ask(b"EXAMINE " + name.encode())
        octets = self.ask(b"UID FETCH 1:* (UID FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        found = [(subject.decode(), frozenset(flags.decode().split()) - {r"\Recent"}, int(uid), int(size))
                 for uid, flags, size, subject in SHOWN.findall(octets)]
        if len(found) != octets.count(b" FETCH ("):
            raise OSError(f"{name}: {octets.count(b' FETCH (')} messages told, {len(found)} understood: {octets[:300]}")
        return found

    def close(self):
        self.file.close()
        self.sock.close()
