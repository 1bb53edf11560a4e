"""A plain IMAP connection for looking: one command after the other, and all that is answered as octets."""
import re
import socket

BODY = re.compile(rb"\* \d+ FETCH \(UID (\d+) FLAGS \(([^)]*)\)[^{\r]* BODY\[\] \{(\d+)\}\r\n")
SUBJECT = re.compile(rb"^Subject: ([^\r]*)\r$", re.M)


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

    def bodies(self, uids=b"1:*"):
        """(uid, flags, octets) of messages of the mailbox that is open; flags as octets."""
        answer = self.ask(b"UID FETCH " + uids + b" (UID FLAGS BODY.PEEK[])")
        at = 0
        while found := BODY.search(answer, at):
            if b" BODY[" in answer[at:found.start()]:
                break
            at = found.end() + int(found.group(3))
            yield int(found.group(1)), frozenset(found.group(2).split()) - {rb"\Recent"}, answer[found.end():at]
        if b" BODY[" in answer[at:]:
            raise OSError(f"not understood: {answer[at:at + 300]}")

    def messages(self, name):
        """[(subject, flags, uid, octets)] of a mailbox."""
        self.ask(b"EXAMINE " + name.encode())
        return [(SUBJECT.search(octets).group(1).decode(), frozenset(flag.decode() for flag in flags), uid, octets)
                for uid, flags, octets in self.bodies()]

    def close(self):
        self.file.close()
        self.sock.close()
