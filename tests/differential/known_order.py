"""Differences of SORT and THREAD that a line of an RFC explains."""
import re

import grammar
import known_search
from known_rule import Known


def raw(octets, name):
    values = grammar.raw_fields(grammar.header_of(octets), name)
    return values[0] if values else None


def dated(d):
    return d.item.startswith("THREAD") or "DATE" in d.item


def bad_date(octets):
    value = known_search.sent_value(octets)
    return value is not None and not grammar.valid("date", value)


def loosely_dated(d):
    """Its own date, or that of a message that it changed places with."""
    return dated(d) and bad_date(d.octets)


def other_of_thread(says):
    """Some message of the same subject or references is such a one, and the thread stands or begins elsewhere by it."""
    def holds(d):
        others = [int(n) for n in re.findall(r"\d+", f"{d.ours} {d.theirs}")] if d.item.startswith("THREAD") else []
        return any(says(d.context["messages"][number - 1][1]) for number in others)
    return holds


def no_address(d):
    names = {"FROM": b"From", "TO": b"To", "CC": b"Cc"}
    used = [name for key, name in names.items() if d.item.startswith("SORT") and key in d.item.split()]
    return any((value := raw(d.octets, name)) is not None and (not grammar.valid("addresses", value) or b"<>" in value or not value.strip())
               for name in used)


def beyond_32_bits(octets):
    """A year that no unsigned 32-bit count of seconds reaches."""
    found = known_search.DAY.search(b" ".join((known_search.sent_value(octets) or b"").split()))
    return found is not None and not 1970 <= int(found.group(3)) < 2106


def space_before_colon(octets):
    return re.search(rb"(?mi)^Date[ \t]+:", grammar.header_of(octets)) is not None


def odd_date(octets):
    return bad_date(octets) or beyond_32_bits(octets) or space_before_colon(octets)


def raw_octets_in_subject(octets):
    """No charset is named for them."""
    value = raw(octets, b"Subject") or b""
    return any(octet >= 0x80 for octet in value) and not utf8(value)


def utf8(value):
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def empty_first_address(d):
    names = {"FROM": b"From", "TO": b"To", "CC": b"Cc"}
    return d.item.startswith("SORT") and any(
        key in d.item.split() and re.match(rb"\s*,", raw(d.octets, name) or b"") for key, name in names.items())


def size_of_lone_cr(d):
    return d.item.startswith("SORT") and "SIZE" in d.item and re.search(rb"\r(?!\n)", d.octets) is not None


def contradicting_references(d):
    """Another message names this one as an ancestor of what this one names as its ancestors."""
    if not d.item.startswith("THREAD REF"):
        return False
    own = re.findall(rb"<[^<>]*>", raw(d.octets, b"References") or b"")
    mine = (re.findall(rb"<[^<>]*>", raw(d.octets, b"Message-ID") or b"") or [None])[0]
    for _, octets in d.context["messages"]:
        if mine and mine in octets:
            ids = re.findall(rb"<[^<>]*>", raw(octets, b"References") or b"")
            if mine in ids and any(other in ids[ids.index(mine) + 1:] for other in own):
                return True
    return False


def order_of_refs(d):
    return d.item == "THREAD REFS" and d.ours == "thread's place here"


TABLE = [
    Known("order of threads by REFS", "no RFC (draft-ietf-morg-inthread)",
          "Threads stand in the order of the latest arrival (INTERNALDATE) in each. Dovecot's do not.",
          order_of_refs),
    Known("SORT, THREAD by a Date that is none", "RFC 5256 §2.2; RFC 5322 §3.3, §4.3",
          "Where the field cannot be read the internal date counts; what may be read though it is not by the rules is not said. "
          "Ours reads \"10:28:3\" and the like, Dovecot does not.",
          loosely_dated),
    Known("threads with such a Date in them", "RFC 5256 §3",
          "Siblings and threads are in the order of dates, so that one such date moves its neighbours.",
          other_of_thread(odd_date)),
    Known("SORT by an address that is none", "RFC 5256 §3; RFC 5322 §3.4",
          "The field holds no whole address, so no reading is prescribed. Ours takes what is missing as empty, Dovecot as the "
          "word that it writes for it.",
          no_address),
    Known("SORT, THREAD by a date before 1970 or after 2105", "RFC 5256 §2.2; RFC 5322 §3.3",
          "A sent date is any date with a year of four digits. Ours orders by all of them, Dovecot counts seconds in 32 bits without a sign.",
          lambda d: dated(d) and beyond_32_bits(d.octets)),
    Known("SORT, THREAD by a Date with space before its colon", "RFC 5322 §4.5",
          "Such fields must be understood. Ours does, Dovecot takes them for no Date.",
          lambda d: dated(d) and space_before_colon(d.octets)),
    Known("SORT by a subject of octets without a charset", "RFC 5322 §2.2; RFC 5256 §2.1",
          "A field is US-ASCII (or, RFC 6532, UTF-8); what stands for other octets is not said. Ours orders by what is left of the "
          "text, Dovecot by the marks that it puts in their place.",
          lambda d: "SUBJECT" in d.item and raw_octets_in_subject(d.octets)),
    Known("threads by such subjects", "RFC 5256 §2.1, §3",
          "Messages of one base subject are one thread, whose text is not the same on both sides.",
          lambda d: d.item.startswith("THREAD") and raw_octets_in_subject(d.octets) or other_of_thread(raw_octets_in_subject)(d)),
    Known("SORT by addresses that begin with an empty one", "RFC 5322 §4.4",
          "Empty members of a list mean nothing, so that the first address is the one behind the comma. Ours takes that, Dovecot nothing.",
          empty_first_address),
    Known("SORT by size, lone CR", "RFC 5322 §2.3",
          "CR and LF only occur together; what to do with others is not said. Ours counts all octets.",
          size_of_lone_cr),
    Known("THREAD, references that contradict each other", "RFC 5256 §3 (REFERENCES, step 1)",
          "A link that would close a circle is not made, so the order of links decides. Ours lets a message's own references "
          "count before what others say of it.",
          contradicting_references),
]
