"""Whether a header field is what its RFC says: where it is not, no reading of it is prescribed.

Strict, with the obsolete forms of RFC 5322 §4; built of regular expressions from the inside out, and only ever used on
fields that two servers read differently. Groups that need not be tried again are atomic, so that nothing takes long.
"""
import functools
import re

FIELD_MAX = 20_000  # nothing longer is judged


def _build():
    fws = r"(?:[ \t]|\r\n(?=[ \t]))"
    flat = rf"\((?:[^()\\\r\n]|\\.|{fws})*\)"
    nested = rf"\((?:[^()\\\r\n]|\\.|{fws}|{flat})*\)"
    cfws = rf"(?>(?:{fws}|{nested})*)"
    atom = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\xff-]++"
    quoted = r'"(?:[^"\\\r\n]|\\.|\r\n(?=[ \t]))*"'
    word = rf"{cfws}(?:{atom}|{quoted}){cfws}"
    phrase = rf"{word}(?:{word}|{cfws}\.{cfws})*"
    local = rf"{word}(?:\.{word})*"
    domain = rf"{cfws}(?:{atom}{cfws}(?:\.{cfws}{atom}{cfws})*|\[[^\[\]\\]*\]{cfws})"
    spec = rf"{local}@{domain}"
    route = rf"(?:[, \t]|{nested})*@{domain}(?:,(?:{cfws}@{domain})?)*:"
    angle = rf"{cfws}<(?:{route})?{spec}>{cfws}"
    mailbox = rf"(?:(?:{phrase})?{angle}|{spec})"
    mailboxes = rf"(?:{cfws},)*(?:{mailbox}(?:,(?:{mailbox}|{cfws}))*)?"
    group = rf"{phrase}:(?:{mailboxes}|{cfws});{cfws}"
    addresses = rf"(?:{cfws},)*(?:{mailbox}|{group})(?:,(?:{mailbox}|{group}|{cfws}))*"
    token = r"[!#$%&'*+.0-9A-Z^_`a-z{|}~-]++"
    parameter = rf"{cfws};{cfws}{token}{cfws}={cfws}(?:{token}|{quoted})"
    year = rf"{cfws}(?:\d{{4,}}+|\d\d){cfws}"
    time = rf"{cfws}(?:[01]\d|2[0-3]){cfws}:{cfws}[0-5]\d{cfws}(?::{cfws}(?:[0-5]\d|60))?{cfws}"
    zone = r"(?:[+-]\d{4}|[A-Za-z]++)"
    day = rf"{cfws}(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun){cfws},)?{cfws}\d\d?{cfws}"
    month = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    known = "(?i:7bit|8bit|binary|quoted-printable|base64)"
    return {
        "date": day + month + year + time + zone + cfws,
        "encoding": rf"{cfws}{token}{cfws}",
        "known encoding": rf"{cfws}{known}{cfws}",
        "addresses": addresses,
        "type": rf"{cfws}{token}{cfws}/{cfws}{token}(?:{parameter})*{cfws}",
        "disposition": rf"{cfws}{token}(?:{parameter})*{cfws}",
    }


RULES = {name: re.compile(text, re.DOTALL) for name, text in _build().items()}


@functools.lru_cache(maxsize=20_000)
def valid(rule, value):
    """True if the raw value (folded, without its last line break) is a `rule` of RULES. A very long one counts as valid, and
    so explains nothing."""
    return len(value) > FIELD_MAX or RULES[rule].fullmatch(value.decode("latin-1")) is not None


def raw_fields(header, name):
    """Raw values of the fields of that name, each with its folding."""
    pattern = rb"(?mi)^" + re.escape(name) + rb"[ \t]*:((?:[^\r\n]|\r(?!\n)|\r?\n[ \t])*)"
    return [found.group(1) for found in re.finditer(pattern, header[:1 << 20])]


def header_of(octets):
    """The lines before the first empty one, whose line break may be CRLF or LF."""
    end = re.search(rb"(?:\A|\n)\r?\n", octets)
    return octets[:end.start() + 1 if end.start() else 0] if end else octets
