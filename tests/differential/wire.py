"""A small IMAP client that answers values, not text: NIL is None, strings are bytes however they were sent, numbers
are ints, lists are lists, anything else is an Atom. It pipelines, and knows LITERAL+ and MULTIAPPEND."""
import re
import socket

SECTION = rb"(?:BODY|BINARY)(?:\.SIZE)?\[[^\]]*\](?:<\d+>)?"
TOKEN = re.compile(rb'[ \r\n]*(?:(\()|(\))|"((?:[^"\\]|\\.)*)"|(\{\d+\}\r\n)|(' + SECTION + rb'|[^\s()"{]+))', re.DOTALL)


class Atom(str):
    """A word that is neither NIL nor a number."""


class Refused(Exception):
    """A command that was answered NO or BAD."""


def tokens(chunks):
    """Tokens of a response that came as text, literal, text, literal, … text."""
    for index, chunk in enumerate(chunks):
        if index % 2:
            yield "string", chunk
            continue
        at = 0
        while found := TOKEN.match(chunk, at):
            at = found.end()
            opening, closing, quoted, announced, word = found.groups()
            if opening or closing:
                yield "list", bool(opening)
            elif word is not None:
                yield "word", word
            elif announced is None:
                yield "string", re.sub(rb"\\(.)", rb"\1", quoted, flags=re.DOTALL)
        if chunk[at:].strip():
            raise ValueError(f"not IMAP: {chunk[at:at + 80]!r} in {chunk[:80]!r}")


def word_value(word):
    if word.upper() == b"NIL":
        return None
    return int(word) if word.isdigit() else Atom(word.decode("latin-1"))


def values(chunks):
    """The values of one response, without recursion: hostile mail nests."""
    stack = [[]]
    for kind, token in tokens(chunks):
        if kind == "string":
            stack[-1].append(token)
        elif kind == "word":
            stack[-1].append(word_value(token))
        elif token:
            stack.append([])
        elif len(stack) > 1:
            inner = stack.pop()
            stack[-1].append(inner)
        else:
            raise ValueError(f"a list that was not opened: {chunks[0][:80]!r}")
    if len(stack) != 1:
        raise ValueError(f"a list that is not closed: {chunks[0][:80]!r}")
    return stack[0]


class Client:
    """A session. `name` is for messages."""

    def __init__(self, name, port, user, password="pass", timeout=300):
        self.name = name
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.file = self.socket.makefile("rb", buffering=1 << 20)
        self.count = 0
        self.response()
        self.command(b"LOGIN %s %s" % (user.encode(), password.encode()))

    def response(self):
        """One response as chunks: text, literal, text, …"""
        chunks = []
        while True:
            line = self.file.readline()
            if not line.endswith(b"\n"):
                raise ConnectionError(f"{self.name} closed the connection")
            chunks.append(line)
            announced = re.search(rb"\{(\d+)\}\r\n$", line)
            if not announced:
                return chunks
            chunks.append(self.file.read(int(announced.group(1))))

    def send(self, text):
        self.count += 1
        tag = b"d%d" % self.count
        self.socket.sendall(tag + b" " + text + b"\r\n")
        return tag

    def collect(self, tag, text=b""):
        """Untagged responses up to the tagged one."""
        answers = []
        while True:
            chunks = self.response()
            if chunks[0].startswith(tag + b" "):
                if not chunks[0].startswith(tag + b" OK"):
                    raise Refused(f"{self.name}: {text[:200]!r}: {chunks[0].strip()!r}")
                return answers
            if chunks[0].startswith(b"+"):
                continue
            answers.append(chunks)

    def command(self, text):
        return self.collect(self.send(text), text)

    def pipeline(self, commands, window=32):
        """The answers to commands in turn, so many of them under way at a time."""
        tags = []
        for index in range(len(commands) + window):
            if index < len(commands):
                tags.append(self.send(commands[index]))
            done = index - window
            if done >= 0:
                yield self.collect(tags[done], commands[done])

    def capabilities(self):
        answers = self.command(b"CAPABILITY")
        return {word.upper() for chunks in answers for word in chunks[0].decode().split()[2:]}

    def fetch(self, requests):
        """[(number or set, items)] → {number: {item: value}}"""
        found = {}
        commands = [b"FETCH %s (%s)" % (str(numbers).encode(), " ".join(items).encode()) for numbers, items in requests]
        for answers in self.pipeline(commands):
            for chunks in answers:
                head = chunks[0].split(b" ", 3)
                if len(head) > 3 and head[2] == b"FETCH":
                    chunks[0] = head[3]
                    data = values(chunks)[0]
                    pairs = zip(data[::2], data[1::2])
                    found.setdefault(int(head[1]), {}).update((normal_item(name), value) for name, value in pairs)
        return found

    def numbers(self, commands, keyword=b"SEARCH"):
        """Answers of SEARCH, SORT or THREAD, in turn; None where the command was refused."""
        results = []
        tags = [self.send(command) for command in commands]
        for tag, command in zip(tags, commands):
            try:
                answers = self.collect(tag, command)
            except Refused as refused:
                results.append(str(refused))
                continue
            start = b"* " + keyword
            results.append(next((values([c[0][len(start):], *c[1:]]) for c in answers if c[0].startswith(start)), []))
        return results

    def append(self, mailbox, messages):
        """[(date, octets)], all in MULTIAPPENDs of a few megabytes."""
        for group in groups(messages, 4 << 20):
            literals = [b' "%s" {%d+}\r\n%s' % (date, len(octets), octets) for date, octets in group]
            self.command(b"APPEND %s%s" % (mailbox.encode(), b"".join(literals)))

    def close(self):
        try:
            self.command(b"LOGOUT")
        except (OSError, Refused):
            pass
        self.socket.close()


def normal_item(name):
    """Names of items in one spelling; field names are asked for in capitals and quoted by none."""
    return name.upper().replace('"', "")


def groups(messages, octets_max):
    group, size = [], 0
    for date, octets in messages:
        if group and size + len(octets) > octets_max:
            yield group
            group, size = [], 0
        group.append((date, octets))
        size += len(octets)
    if group:
        yield group


def literal(octets):
    """A string of a command, as it may always be sent."""
    return b"{%d+}\r\n%s" % (len(octets), octets)
