"""Every difference that may remain, and the line of an RFC that lets it: what is not in this table is a fault.

A rule is a function of a Difference (fetching.py); the first that holds explains it. Each asks for as much as it can,
so that another fault in the same place is not taken for the known one.
"""
import re
import urllib.parse

import grammar
import known_order
import known_search
from known_rule import Known

ADDRESS_FIELDS = {"from", "sender", "reply-to", "to", "cc", "bcc"}


def field_of(difference):
    return difference.item.rpartition(".")[2].lower()


def is_address_list(difference):
    return "ENVELOPE." in difference.item and field_of(difference) in ADDRESS_FIELDS


def header_with(difference):
    """The header that an ENVELOPE or a part's field was read from."""
    return difference.context.get("header", b"")


def raw(difference, name=None):
    return grammar.raw_fields(header_with(difference), (name or field_of(difference)).encode())


def both_octets(d):
    return isinstance(d.ours, bytes) and isinstance(d.theirs, bytes)


def squeezed(value):
    """White space as one blank, none at the ends."""
    if isinstance(value, bytes):
        return re.sub(rb"[ \t\r\n]+", b" ", value).strip()
    return [squeezed(item) for item in value] if isinstance(value, list) else value


# --- BODYSTRUCTURE

def case_only(d):
    if d.item == "BODYSTRUCTURE.params":
        return named_in_any_case(d.ours) == named_in_any_case(d.theirs)
    return d.item in ("BODYSTRUCTURE.type", "BODYSTRUCTURE.subtype", "BODYSTRUCTURE.encoding") and \
        d.ours.lower() == d.theirs.lower()


def named_in_any_case(params):
    """Names, and the charset's value, in lower case; other values as they are."""
    pairs = zip(params[::2], params[1::2]) if isinstance(params, list) else ()
    return [(name.lower(), value.lower() if name.lower() == b"charset" else value) for name, value in pairs]


def meant(params):
    """Pairs without what RFC 2231 lets differ: pieces by their name, percents undone, in any order."""
    pairs = zip(params[::2], params[1::2]) if isinstance(params, list) else ()
    return sorted((name.lower().partition(b"*")[0], urllib.parse.unquote_to_bytes(value)) for name, value in pairs)


def continued(d):
    starred = re.search(rb"(?mi)^[^:]+:(?:[^\r\n]|\r\n[ \t])*[a-z]\*", header_with(d))
    if d.item not in ("BODYSTRUCTURE.params", "BODYSTRUCTURE.disposition") or not starred:
        return False
    mine, yours = [meant(value if d.item.endswith("params") else (value or [b"", None])[1]) for value in (d.ours, d.theirs)]
    if any(name == b"charset" for name, _ in mine):
        yours = [pair for pair in yours if pair != (b"charset", b"us-ascii") or pair in mine]
    return mine == yours


def unmarked(d):
    return d.item == "BODYSTRUCTURE.encoding" and d.theirs == b"7bit" and \
        not grammar.raw_fields(grammar.header_of(d.octets), b"MIME-Version")


def invalid_encoding(d):
    values = raw(d, "Content-Transfer-Encoding")
    return d.item == "BODYSTRUCTURE.encoding" and d.theirs == b"7bit" and bool(values) and \
        not grammar.valid("encoding", values[0])


def invalid_type(d):
    where = d.octets if d.item == "BODYSTRUCTURE.tree" else header_with(d)
    return d.item in ("BODYSTRUCTURE.tree", "BODYSTRUCTURE.type", "BODYSTRUCTURE.subtype", "BODYSTRUCTURE.params") and any(
        not grammar.valid("type", value) for value in grammar.raw_fields(where, b"Content-Type"))


def invalid_disposition(d):
    values = raw(d, "Content-Disposition")
    return d.item == "BODYSTRUCTURE.disposition" and bool(values) and not grammar.valid("disposition", values[0])


def prefix_boundaries(d):
    names = re.findall(rb'boundary="([^"]+)"', d.octets)
    return d.item == "BODYSTRUCTURE.tree" and any(a != b and a.startswith(b) for a in names for b in names)


def break_of_boundary(d):
    """Theirs has one line break more, which in the message is the one before a boundary."""
    if d.item in ("BODYSTRUCTURE.octets", "BODYSTRUCTURE.lines"):
        return d.theirs - d.ours == (2 if d.item.endswith("octets") else 1) and b"\r\n--" in d.octets
    return d.item.startswith("section") and both_octets(d) and d.theirs == d.ours + b"\r\n" and d.theirs + b"--" in d.octets


def empty_line_before_boundary(d):
    """Ours ends with an empty line whose line break is also that of a boundary."""
    return d.item in ("section MIME", "section HEADER") and both_octets(d) and \
        d.ours == d.theirs + b"\r\n" and d.ours + b"--" in d.octets


# --- sections

def no_empty_line(d):
    """The header has none, and theirs makes one."""
    return d.item == "section HEADER.FIELDS" and not d.part and b"\r\n\r\n" not in b"\r\n" + d.octets and \
        d.theirs == d.ours + b"\r\n"


def nothing_there(d):
    return d.item.startswith("section") and d.ours is None and d.theirs == b"" and not d.context


def foreign_fields(d):
    """Theirs has lines that are not of the nested header."""
    return d.item.startswith("section HEADER.FIELDS") and bool(d.part) and isinstance(d.theirs, bytes) and \
        not set(d.theirs.split(b"\r\n")) <= set((d.context.get("nested header") or b"").split(b"\r\n"))


def lone_cr(d):
    if re.search(rb"\r(?!\n)", d.octets) is None:
        return False
    if d.item in ("RFC822.SIZE", "BODYSTRUCTURE.octets"):
        return d.ours > d.theirs
    ours, theirs = [re.sub(rb"\r+(\n|$)", rb"\1", value) if isinstance(value, bytes) else value for value in (d.ours, d.theirs)]
    return d.item.startswith("section") and ours == theirs


# --- ENVELOPE

def repeated_field(d):
    return "ENVELOPE." in d.item and len(raw(d)) > 1


def unfolded(d):
    values = raw(d)
    return "ENVELOPE." in d.item and not is_address_list(d) and bool(values) and squeezed(d.ours) == squeezed(d.theirs) and \
        d.ours == re.sub(rb"\r\n", b"", values[0]).strip(b" \t")


def blanks_in_quotes(d):
    return is_address_list(d) and d.ours != d.theirs and squeezed(d.ours) == squeezed(d.theirs) and any(
        re.search(rb'"([ \t]|[^"]*([ \t]{2}|[ \t]"))|\([^)]*[ \t]{2}', value) for value in raw_source(d))


def raw_source(d):
    """Raw address fields; Sender and Reply-To default to From."""
    return raw(d) or raw(d, "From")


def empty_element(d):
    values = raw_source(d)
    blank = [None, None, b"MISSING_MAILBOX", b"MISSING_DOMAIN"]
    return is_address_list(d) and isinstance(d.theirs, list) and d.ours == [a for a in d.theirs if a != blank] and any(
        re.search(rb",\s*,|^\s*,", value) for value in values)


def invalid_addresses(d):
    return is_address_list(d) and any(not grammar.valid("addresses", value) for value in raw_source(d))


TABLE = [
    Known("case of names", "RFC 2045 §5.1, §6.1; RFC 2046 §4.1.2",
          "Types, subtypes, names of parameters, encodings and charsets are the same in any case. Ours shows what was sent, "
          "and capitals where nothing was.",
          case_only),
    Known("no such part", "RFC 3501 §4.5, §9 (msg-att-static)",
          "NIL stands for what does not exist, \"\" for an empty string. Ours tells a part that is not there by NIL; Dovecot "
          "answers \"\".",
          nothing_there),
    Known("unfolding", "RFC 5322 §2.2.3",
          "Unfolding takes the CRLF away and leaves the blanks behind it, and blanks within an unstructured field count. "
          "Dovecot makes one blank of several, and keeps one at the end.",
          unfolded),
    Known("blanks in quotes", "RFC 5322 §3.2.4",
          "Blanks inside the quotes are part of the word. Dovecot makes one of several.",
          blanks_in_quotes),
    Known("empty list elements", "RFC 5322 §4.4 (obs-addr-list)",
          "Elements of an address list may be empty and mean nothing. Dovecot makes an address of each.",
          empty_element),
    Known("repeated field", "RFC 5322 §3.6",
          "Such a field may occur once. Which one counts is not said: ours takes the first, Dovecot the last.",
          repeated_field),
    Known("no address list", "RFC 5322 §3.4, §4.4",
          "The field is no address list, not even an obsolete one, so no reading is prescribed. Ours keeps what may be of "
          "use.",
          invalid_addresses),
    Known("no Content-Type", "RFC 2045 §5.1, §5.2",
          "Special characters in a value must be quoted, and parameters begin with a semicolon; a field that is not so "
          "should be taken as the default. Ours reads what is meant, Dovecot some of it.",
          invalid_type),
    Known("no Content-Disposition", "RFC 2183 §2",
          "A disposition begins with a token. Ours shows what stands there, or nothing; Dovecot \"\".",
          invalid_disposition),
    Known("continued parameters", "RFC 2231 §3, §4.1, §7; RFC 2045 §5.1",
          "Pieces are numbered without a gap, a value with an encoded piece has only attribute-chars, the order of "
          "parameters means nothing, and a charset may be given encoded. Ours joins up to a gap and encodes what it joins; "
          "Dovecot does neither, and adds us-ascii.",
          continued),
    Known("no encoding", "RFC 2045 §6.1",
          "An encoding is one token. Ours shows the first that stands there, Dovecot \"7bit\".",
          invalid_encoding),
    Known("no MIME-Version", "RFC 2045 §4",
          "Without that field it is left to local custom whether Content- fields count. Ours shows them all, Dovecot no "
          "encoding.",
          unmarked),
    Known("boundary that begins with another", "RFC 2046 §5.1.1, §5.1.2",
          "A boundary need only begin a line, and one of an outer multipart ends all inside. Ours takes the longest that "
          "fits.",
          prefix_boundaries),
    Known("break before a boundary", "RFC 2046 §5.1.1",
          "The CRLF before a boundary line belongs to it, so to no part. Dovecot keeps it behind an inner end boundary and "
          "in a header that a boundary cuts off.",
          break_of_boundary),
    Known("empty line before a boundary", "RFC 2046 §5.1.1; RFC 3501 §6.4.5",
          "Where an empty line ends a header and a boundary follows, one CRLF is both. A header is fetched with its empty "
          "line, so ours gives it; Dovecot counts it to the boundary.",
          empty_line_before_boundary),
    Known("no empty line", "RFC 3501 §6.4.5",
          "The empty line is part of HEADER.FIELDS, but not where the message has none. Dovecot makes one, though not for "
          "HEADER.FIELDS.NOT.",
          no_empty_line),
    Known("fields of another header", "RFC 3501 §6.4.5",
          "HEADER.FIELDS of a part speaks of the nested message's header. Dovecot adds fields of the part, or the boundary.",
          foreign_fields),
    Known("lone CR", "RFC 5322 §2.3",
          "CR and LF only occur together; what to do with others is not said. Ours keeps all octets, Dovecot drops a CR "
          "ahead of CRLF.",
          lone_cr),
    *known_search.TABLE,
    *known_order.TABLE,
]


def explain(difference):
    # Orders have rules of their own: the others read a message from end to end.
    table = known_order.TABLE if difference.item.startswith(("SORT", "THREAD")) else TABLE
    return next((known for known in table if known.holds(difference)), None)
