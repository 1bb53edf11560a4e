"""Words to search for, drawn from the mail itself, decoded by Python's own mail parser: neither side's."""
import collections
import email
import email.header
import email.utils
import re

WORD = re.compile(r"[^\W_]{3,}")


def decoded(value):
    """A header's value for people, or "" where Python gives up."""
    try:
        return str(email.header.make_header(email.header.decode_header(re.sub(r"\r?\n", "", str(value)))))
    except (ValueError, LookupError, UnicodeError, email.errors.MessageError):
        return ""


def clean(text):
    """Replacement characters stand for what could not be read, so they are not searched for."""
    return "" if "\ufffd" in text or not text.isprintable() else text


def encodable(word, charset):
    try:
        return bool(word.encode(charset))
    except (LookupError, UnicodeError):
        return False


class Words:
    """What the messages hold: words of fields, words of bodies by charset, sent dates."""

    def __init__(self, messages, rng):
        self.rng = rng
        self.fields = collections.defaultdict(list)
        self.bodies = collections.defaultdict(list)
        self.sent = []
        for _, octets in messages:
            self.read(email.message_from_bytes(octets))

    def read(self, message):
        for name, value in message.items():
            text = decoded(value)
            words = [word for word in WORD.findall(text) if clean(word)]
            if words:
                self.fields[name.upper()].append((words, clean(" ".join(text.split()))))
            if name.upper() == "DATE" and (parsed := email.utils.parsedate(str(value))):
                self.sent.append(parsed[:3])
        for part in message.walk():
            if part.get_content_maintype() == "text":
                self.read_text(part)

    def read_text(self, part):
        charset = (part.get_content_charset() or "none").lower()
        if len(self.bodies[charset]) > 2000:
            return
        try:
            text = part.get_payload(decode=True).decode(charset if charset != "none" else "ascii", "replace")
        except (LookupError, AttributeError, ValueError):
            return
        lines = [line.strip() for line in text.splitlines()[:200] if clean(line.strip())]
        found = [(WORD.findall(line), line) for line in lines]
        found = [(words, line) for words, line in found if words]
        self.bodies[charset] += self.rng.sample(found, min(len(found), 5))

    def pick(self, pool):
        """A word, a piece of one, two words as they stand beside each other, in another case now and then."""
        words, line = self.rng.choice(pool)
        word = self.rng.choice(words)
        kind = self.rng.randrange(4)
        if kind == 1 and len(word) > 4:
            word = word[self.rng.randrange(2):-1]
        elif kind == 2:
            start = line.find(word)
            word = line[start:start + len(word) + self.rng.randrange(1, 12)].strip()
        return word.swapcase() if self.rng.randrange(3) == 0 and word.isascii() else word

    def of_field(self, name):
        return self.pick(self.fields[name]) if self.fields[name] else None

    def foreign_of_field(self, name, count):
        """Words of the field that are not of ASCII."""
        found = sorted({word for words, _ in self.fields[name] for word in words if not word.isascii()})
        return self.rng.sample(found, min(len(found), count))

    def foreign(self, each):
        """(charset, word): words that are not of ASCII, of each charset that can say them."""
        for charset, pool in sorted(self.bodies.items()):
            found = sorted({word for words, _ in pool for word in words if not word.isascii() and encodable(word, charset)})
            yield from ((charset, word) for word in self.rng.sample(found, min(len(found), each)))

    def of_bodies(self, count):
        """(charset, word), all charsets in turn."""
        charsets = sorted(charset for charset, pool in self.bodies.items() if pool)
        if not charsets:
            return []
        return [(charset, self.pick(self.bodies[charset])) for charset in (charsets * (count // len(charsets) + 1))[:count]]
