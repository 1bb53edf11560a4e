"""The differences of SEARCH that may remain, as in known.py."""
import codecs
import datetime
import email
import functools
import re
import unicodedata

import grammar
from known_rule import Known
from words import decoded

EPOCH_DAY = datetime.date(1970, 1, 1)


def query(difference):
    return difference.context.get("query")


def search(difference, *groups):
    return query(difference) is not None and (not groups or difference.item.removeprefix("SEARCH ") in groups)


def judged(group, day, other):
    """What BEFORE, ON, SINCE say of a day."""
    return {"BEFORE": day < other, "ON": day == other, "SINCE": day >= other}[group.removeprefix("SEARCH ").removeprefix("SENT")]


def as_date(day):
    return datetime.date(*day)


# --- dates

@functools.lru_cache(maxsize=10_000)
def arrival(date):
    return datetime.datetime.strptime(date.decode().strip(), "%d-%b-%Y %H:%M:%S %z")


def day_of_arrival(date):
    return arrival(date).date()


def zone_of_arrival(d):
    """Ours by the day as given with APPEND, theirs by the day of the same moment here."""
    if not search(d, "BEFORE", "ON", "SINCE"):
        return False
    given, other = arrival(d.context["date"]), as_date(query(d).day)
    return d.ours == judged(d.item, given.date(), other) and d.theirs == judged(d.item, given.astimezone().date(), other)


@functools.lru_cache(maxsize=10_000)
def sent_value(octets):
    """The raw first Date: field."""
    values = grammar.raw_fields(grammar.header_of(octets), b"Date")
    return values[0] if values else None


def sent(d):
    return sent_value(d.octets)


MONTHS = b"jan feb mar apr may jun jul aug sep oct nov dec".split()
DAY = re.compile(rb"(\d\d?)[ \t-]+(" + b"|".join(MONTHS) + rb")[a-z]*[ \t-]+(\d{4}|\d\d)(?!\d)", re.IGNORECASE)


@functools.lru_cache(maxsize=10_000)
def sent_day(value):
    """The day that a Date: field names, read with as little as will do."""
    plain = re.sub(rb"\([^()]*\)|\r\n", b"", value or b"")
    found = DAY.search(plain)
    try:
        if found:
            year = int(found.group(3))
            year += 0 if len(found.group(3)) == 4 else 2000 if year < 50 else 1900
            return datetime.date(year, MONTHS.index(found.group(2).lower()) + 1, int(found.group(1)))
        parsed = email.utils.parsedate(plain.decode("latin-1"))
        return as_date(parsed[:3]) if parsed else None
    except ValueError:
        return None


def not_sent(d):
    """Without a readable date ours matches nothing, theirs is of 1970."""
    return search(d, "SENTBEFORE", "SENTON", "SENTSINCE") and (sent(d) is None or not grammar.valid("date", sent(d))) and \
        not d.ours and d.theirs == judged(d.item, EPOCH_DAY, as_date(query(d).day))


def loosely_sent(d):
    """The field is not by the rules; ours reads it as Python does."""
    value = sent(d)
    return search(d, "SENTBEFORE", "SENTON", "SENTSINCE") and value is not None and not grammar.valid("date", value) and \
        sent_day(value) is not None and d.ours == judged(d.item, sent_day(value), as_date(query(d).day))


def sent_before_1970(d):
    day = sent_day(sent(d))
    return search(d, "SENTBEFORE", "SENTON", "SENTSINCE") and day is not None and (day < EPOCH_DAY or day.year > 2500) and \
        d.ours == judged(d.item, day, as_date(query(d).day))


# --- addresses

def addresses(d):
    return grammar.raw_fields(grammar.header_of(d.octets), d.item.removeprefix("SEARCH ").encode())


def address_search(d):
    return search(d, "FROM", "TO", "CC", "BCC")


def punctuation(d):
    """The string holds what is around the values of an envelope, not in them."""
    return address_search(d) and re.search(r'["<>(),;:\\]|\s\s', query(d).word) is not None


def search_invalid_addresses(d):
    return address_search(d) and d.ours and any(not grammar.valid("addresses", value) for value in addresses(d))


def blank_before_colon(d):
    name = d.item.removeprefix("SEARCH ").encode()
    return address_search(d) and re.search(rb"(?mi)^" + name + rb"[ \t]+:", grammar.header_of(d.octets)) is not None


# --- texts

def raw_8bit(d):
    """Octets above 127 in the header; Python finds the word in them as latin-1."""
    if not (search(d, "FROM", "TO", "CC", "BCC", "SUBJECT", "HEADER", "TEXT") and d.ours):
        return False
    header = grammar.header_of(d.octets)
    return not header.isascii() and not query(d).word.isascii() and holds(header.decode("latin-1"), query(d).word)


def blanks_of_folding(d):
    """The string has a blank where the header has a tab or several."""
    word = query(d).word if search(d) else ""
    return search(d, "SUBJECT", "HEADER", "TEXT") and not d.ours and " " in word and holds(
        decoded(grammar.header_of(d.octets).decode("latin-1")), word)


def folded(text):
    """As RFC 5051 compares, nearly: compatible characters taken apart, no case; and blanks as one."""
    return " ".join(unicodedata.normalize("NFKD", text).casefold().split())


def holds(text, word):
    return folded(word) in folded(text)


def inner_headers(message):
    """Headers of all parts but the message's own, for people."""
    fields = [field for part in list(message.walk())[1:] for field in part.items()]
    return [f"{name}: {text}" for name, value in fields for text in (decoded(value), str(value))]


def in_inner_header(d):
    if not (search(d, "BODY", "TEXT") and d.ours):
        return False
    # Python stops at boundaries that begin others; lines that can only be such fields count as well.
    lines = re.findall(rb"(?mi)^Content-[a-z-]*:(?:[^\r\n]|\r\n[ \t])*", d.octets.partition(b"\r\n\r\n")[2])
    texts = inner_headers(email.message_from_bytes(d.octets)) + [line.decode("latin-1") for line in lines]
    return any(holds(text, query(d).word) for text in texts)


def raw_parts(d, name, rule):
    """Raw texts of parts with a field `name` that is not by its rule."""
    for part in email.message_from_bytes(d.octets).walk():
        value = part.get(name)
        if value is not None and not part.is_multipart() and not grammar.valid(rule, str(value).encode("utf-8", "surrogateescape")):
            yield part.get_payload()


def unknown_encoding(d):
    return search(d, "BODY", "TEXT") and d.ours and any(
        holds(text, query(d).word) for text in raw_parts(d, "Content-Transfer-Encoding", "known encoding"))


def unknown_type(d):
    return search(d, "BODY", "TEXT") and d.ours and any(
        holds(text, query(d).word) for text in raw_parts(d, "Content-Type", "type"))


def text_of(part):
    """A text part decoded by Python; as windows-1252 where its charset is none, or does not explain the octets."""
    octets = part.get_payload(decode=True) or b""
    try:
        return octets.decode(part.get_content_charset() or "ascii")
    except LookupError:
        return octets.decode("cp1252", "replace")
    except ValueError:
        return "\n".join(octets.decode(charset, "replace") for charset in (part.get_content_charset() or "ascii", "cp1252"))


def charset_of_text(d):
    if not (search(d, "BODY", "TEXT") and d.ours):
        return False
    parts = [part for part in email.message_from_bytes(d.octets).walk() if part.get_content_maintype() == "text"]
    return any(holds(text_of(part), query(d).word) for part in parts if not (part.get_payload(decode=True) or b"").isascii())


def known_charset(part):
    try:
        codecs.lookup(part.get_content_charset() or "ascii")
        return True
    except LookupError:
        return False


def unknown_charset(d):
    if not (search(d, "BODY", "TEXT") and d.ours):
        return False
    parts = [part for part in email.message_from_bytes(d.octets).walk() if part.get_content_maintype() == "text"]
    return any(holds(text_of(part), query(d).word) for part in parts if not known_charset(part))


def unmarked(d):
    """Encoded text without MIME-Version."""
    message = email.message_from_bytes(d.octets)
    return search(d, "BODY", "TEXT") and d.ours and "MIME-Version" not in message and "Content-Transfer-Encoding" in message and \
        not message.is_multipart() and holds(text_of(message), query(d).word)


def in_comment(d):
    """Only a comment of the field holds the string."""
    comments = [comment for value in addresses(d) for comment in re.findall(rb"(?s)\((.*)\)", value)] if address_search(d) else []
    return d.ours and any(holds(comment.decode("latin-1"), query(d).word) for comment in comments)


def charset_refused(d):
    return d.item.startswith("SEARCH") and d.ours == "OK" and "[BADCHARSET]" in str(d.theirs)


def size_without_cr(d):
    return search(d, "LARGER", "SMALLER") and re.search(rb"\r(?!\n)", d.octets) is not None


def inherited(d):
    """Both say what their own answers to the single keys come to."""
    return d.item == "SEARCH combinations" and d.context.get("composed") == [d.ours, d.theirs]


def bad_logic(d):
    """Theirs is not what its own answers to the single keys come to; ours is."""
    composed = d.context.get("composed")
    return d.item == "SEARCH combinations" and composed is not None and composed[0] == d.ours and composed[1] != d.theirs


def placeholder(d):
    """What Dovecot writes into an envelope where the message says nothing."""
    return address_search(d) and not d.ours and any(
        query(d).word.upper() in word for word in ("MISSING_MAILBOX", "MISSING_DOMAIN", "SYNTAX_ERROR"))


def in_cut_header(d):
    """The nested message's header is not one, by Python's opinion either."""
    parts = list(email.message_from_bytes(d.octets).walk())[1:]
    return search(d, "BODY", "TEXT") and d.ours and any(part.defects for part in parts) and b"message/rfc822" in d.octets.lower() and \
        holds(d.octets.decode("latin-1"), query(d).word)


TABLE = [
    Known("SEARCH by day of arrival", "RFC 3501 §6.4.4",
          "BEFORE, ON and SINCE disregard the time zone: the day counts as INTERNALDATE writes it. Dovecot keeps no zone "
          "and takes its own.",
          zone_of_arrival),
    Known("SEARCH without a sent date", "RFC 3501 §6.4.4",
          "SENTBEFORE is about the Date: field; without one that can be read nothing is earlier. Dovecot takes 1970.",
          not_sent),
    Known("SEARCH, a Date: not by the rules", "RFC 5322 §3.3, §4.3",
          "The field is no date-time, so no reading is prescribed. Ours reads day, month and year where they are plain.",
          loosely_sent),
    Known("SEARCH before 1970", "RFC 5322 §3.3",
          "A year is any of four digits from 1900 on. Dovecot counts from 1970, and not to 3609.",
          sent_before_1970),
    Known("SEARCH, punctuation of addresses", "RFC 3501 §6.4.4",
          "FROM, TO … ask the envelope, which holds no quotes or brackets; where the string has them nothing is prescribed. "
          "Ours looks at the field as it stands, Dovecot at one that it writes itself.",
          punctuation),
    Known("SEARCH, no address list", "RFC 5322 §3.4, §4.4",
          "The field is no address list; ours still finds what stands in it, Dovecot only what it could read.",
          search_invalid_addresses),
    Known("SEARCH, blank before the colon", "RFC 5322 §4.5",
          "Obsolete fields may have blanks before the colon. Dovecot finds nothing in them.",
          blank_before_colon),
    Known("SEARCH, 8-bit headers", "RFC 5322 §2.2",
          "A header is of US-ASCII; what other octets mean is not said. Ours takes what is no UTF-8 as windows-1252, "
          "Dovecot as unreadable.",
          raw_8bit),
    Known("SEARCH, blanks of folding", "RFC 5322 §2.2.3",
          "Unfolding takes the CRLF away and leaves the blanks behind it. A string with one blank is not in a field with a "
          "tab in its place; Dovecot makes one blank of all.",
          blanks_of_folding),
    Known("SEARCH BODY, headers of parts", "RFC 3501 §6.4.4",
          "The body is all behind the message's header, so headers of parts and of nested messages belong to it. Dovecot "
          "leaves them out.",
          in_inner_header),
    Known("SEARCH, unknown encodings", "RFC 2045 §6.1, §6.4",
          "A part with an encoding that is none may be taken as octets of any kind. Ours searches it as it stands, Dovecot "
          "does not.",
          unknown_encoding),
    Known("SEARCH, no MIME-Version", "RFC 2045 §4",
          "Without that field it is left to local custom whether Content- fields count. Ours decodes the text as they say.",
          unmarked),
    Known("SEARCH, no Content-Type", "RFC 2045 §5.2",
          "Such a part should be taken as plain text, so ours searches it. Dovecot does not.",
          unknown_type),
    Known("SEARCH, octets that their charset does not explain", "RFC 3501 §6.4.4; RFC 2046 §4.1.2; RFC 5051 §2",
          "Strings are compared in their charset, compatible characters (TM for one sign) taken apart; what is not of it "
          "(or 8-bit where none is given) nobody explains. Ours takes such text as windows-1252, as Python finds it, "
          "Dovecot as unreadable.",
          charset_of_text),
    Known("SEARCH, charset refused", "RFC 3501 §6.4.4",
          "US-ASCII must be there, other charsets may be; BADCHARSET is the answer to those that are not.",
          charset_refused),
    Known("SEARCH, unknown charsets", "RFC 2046 §4.1.2, §4.1.4",
          "Text in a charset that is not known may be treated as octets of any kind. Ours searches it as windows-1252, "
          "Dovecot does not.",
          unknown_charset),
    Known("SEARCH, comments of addresses", "RFC 3501 §6.4.4, §7.4.2",
          "FROM, TO … ask the envelope, and whether comments are part of it is not said. Ours finds what stands in them.",
          in_comment),
    Known("SEARCH, made-up addresses", "RFC 3501 §6.4.4",
          "Where an address lacks a half, the message does not hold the word that stands for it. Dovecot finds it.",
          placeholder),
    Known("SEARCH BODY, a header that is none", "RFC 3501 §6.4.4; RFC 5322 §2.2",
          "What stands where the header of a nested message should be is part of the body, whatever it is. Dovecot leaves "
          "it out.",
          in_cut_header),
    Known("SEARCH by size, lone CR", "RFC 5322 §2.3",
          "Dovecot drops a CR ahead of CRLF, so its message is shorter.",
          size_without_cr),
    Known("SEARCH, combined keys", "RFC 3501 §6.4.4",
          "A difference of one of the keys that it is made of, alone explained above.",
          inherited),
    Known("SEARCH, logic", "RFC 3501 §6.4.4",
          "Several keys mean all of them. Dovecot takes NOT SINCE a NOT SINCE b for the later of the two days.",
          bad_logic),
]
