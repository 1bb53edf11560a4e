"""What is fetched of each message, and what of it is compared between both sides."""
import dataclasses

import grammar
import structure

FIELDS = "FROM TO SUBJECT DATE MESSAGE-ID CONTENT-TYPE RECEIVED X-NOT-THERE"
WHOLE = ["RFC822.SIZE", "ENVELOPE", "BODY", "BODYSTRUCTURE", "BODY[]", "BODY[HEADER]", "BODY[TEXT]",
         f"BODY[HEADER.FIELDS ({FIELDS})]", f"BODY[HEADER.FIELDS.NOT ({FIELDS})]"]
NESTED = ["HEADER", "TEXT", f"HEADER.FIELDS ({FIELDS})", f"HEADER.FIELDS.NOT ({FIELDS})"]
PARTS_MAX = 40  # of one message that are asked for; hostile mail has more
ITEMS_MAX = 120  # of one command


@dataclasses.dataclass
class Difference:
    message: str  # its name
    octets: bytes
    item: str  # ENVELOPE.subject, BODYSTRUCTURE.params, MIME …
    part: str  # its path, "" for the message
    ours: object
    theirs: object
    context: dict = dataclasses.field(default_factory=dict, repr=False)  # fields of the part here, for the rules

    def show(self):
        return {"message": self.message, "item": self.item, "part": self.part,
                "ours": short(self.ours), "theirs": short(self.theirs)}


def short(value, width=300):
    if isinstance(value, bytes) and len(value) > width:
        return f"{len(value)} octets: {value[:width // 2]!r} … {value[-width // 2:]!r}"
    text = repr(value)
    return text if len(text) <= 2 * width else f"{text[:width]} … {text[-width:]}"


def peek(item):
    return item.replace("BODY[", "BODY.PEEK[")


def edges(length):
    """Partials worth asking for: first, last, over the end, behind it, and one amid."""
    return sorted({(0, 1), (0, max(length, 1)), (max(length - 1, 0), 5), (length, 10), (length + 100, 1),
                   (length // 2, length // 3 + 1), (max(length - 2, 0), 2)})


def part_items(parts):
    """Sections of the parts of one message."""
    items = []
    for part in parts[:PARTS_MAX]:
        if not part.path:
            continue
        items += [f"BODY[{part.path}]", f"BODY[{part.path}.MIME]"]
        if part.kind == "message":
            items += [f"BODY[{part.path}.{nested}]" for nested in NESTED]
    beyond = sum(1 for part in parts if part.path.count(".") == 0 and part.path) + 1
    return items + [f"BODY[{beyond}]", f"BODY[{beyond}.MIME]", "BODY[1.1.1.1.7]", "BODY[1.HEADER]"]


def partial_items(message, parts):
    """[(section, offset, length)] for the message itself and its last part."""
    wanted = []
    last = next((part for part in reversed(parts[:PARTS_MAX]) if part.path), None)
    sections = ["BODY[]", "BODY[HEADER]", "BODY[TEXT]", f"BODY[HEADER.FIELDS ({FIELDS})]"]
    for section in sections + ([f"BODY[{last.path}]"] if last else []):
        octets = message.get(section)
        if isinstance(octets, bytes):
            wanted += [(section, offset, length) for offset, length in edges(len(octets))]
    return wanted


def requests(numbers, items_of):
    """FETCH requests for each message, cut to a size that every server takes."""
    out = []
    for number in numbers:
        items = items_of(number)
        out += [(number, [peek(item) for item in items[at:at + ITEMS_MAX]]) for at in range(0, len(items), ITEMS_MAX)]
    return out


def fetch_messages(client, first, last):
    """{number: {item: value}} of a stretch of the mailbox, parts and partials included."""
    found = client.fetch([(f"{first}:{last}", [peek(item) for item in WHOLE])])
    parts = {number: structure.parts_of(data["BODYSTRUCTURE"]) for number, data in found.items()}
    for number, data in client.fetch(requests(found, lambda n: part_items(parts[n]))).items():
        found[number].update(data)
    for number, data in fetch_partials(client, found, parts).items():
        found[number].update(data)
    return found, parts


def fetch_partials(client, found, parts):
    """{number: {(section, offset, length): value}}. Two of one offset go in turn: an answer does not tell the length.
    Responses of one command may come amid those of another (RFC 3501 §5.5), so they go by number."""
    plan = [(number, key) for number in found for key in partial_items(found[number], parts[number])]
    rounds = {}
    for number, key in plan:
        seen = rounds.setdefault(number, [])
        where = next((group for group in seen if all(other[:2] != key[:2] for other in group)), None)
        if where is None:
            seen.append(where := [])
        where.append(key)
    answers = {number: {} for number in rounds}
    for turn in range(max(map(len, rounds.values()), default=0)):
        asked = {number: groups[turn] for number, groups in rounds.items() if turn < len(groups)}
        got = client.fetch([(number, [peek(f"{s}<{o}.{n}>") for s, o, n in group]) for number, group in asked.items()])
        for number, group in asked.items():
            answers[number].update({(s, o, n): got.get(number, {}).get(f"{s}<{o}>", "no answer") for s, o, n in group})
    return answers


def compare(octets, ours, theirs):
    """Yields (item, part, value here, value there, fields of the part here), equal or not, for all that may be compared."""
    parts = [structure.parts_of(side["BODYSTRUCTURE"]) for side in (ours, theirs)]
    top = {"header": grammar.header_of(octets)}
    yield "RFC822.SIZE", "", ours["RFC822.SIZE"], theirs["RFC822.SIZE"], {}
    yield from compare_envelopes("ENVELOPE", "", ours["ENVELOPE"], theirs["ENVELOPE"], top)
    trees = [structure.tree(side["BODYSTRUCTURE"]) for side in (ours, theirs)]
    yield "BODYSTRUCTURE.tree", "", *trees, {}
    shared = {}
    if trees[0] == trees[1]:
        yield "BODY", "", strip(ours["BODY"], ours), strip(theirs["BODY"], theirs), {}
        for mine, yours in zip(*parts):
            shared[mine.path] = {**mine.fields, "nested header": ours.get(f"BODY[{mine.path}.HEADER]"),
                                 "header": header_of_part(mine, ours, top)}
            yield from compare_parts(mine, yours, shared[mine.path])
    yield from compare_sections(ours, theirs, shared, trees[0] == trees[1])


def header_of_part(part, ours, top):
    """Where its Content- fields stand: the message's header, that of a nested message, or its own."""
    if not part.path or (not part.owner and part.path == "1" and ours["BODY[TEXT]"] == ours.get("BODY[1]")):
        return top["header"]
    return ours.get(f"BODY[{part.path}.MIME]") or b""


def compare_sections(ours, theirs, shared, same_tree):
    for item in ours:
        if isinstance(item, tuple):
            if item in theirs and ours[item[0]] == theirs[item[0]]:  # else the whole is what differs
                yield "partial", item[0][5:-1], ours[item], theirs[item], {}
        elif item.startswith("BODY["):
            path, kind = section_of(item)
            if item in theirs and (same_tree or not path):
                fields = shared.get(path, {})
                exists = not kind.startswith(("section HEADER", "section TEXT")) or fields.get("nested header") is not None
                yield kind, path, ours[item], theirs[item], fields if exists else {}


def strip(body, side):
    """BODY is compared by what it says apart from BODYSTRUCTURE, which is compared field by field."""
    return "as BODYSTRUCTURE" if body == structure.without_extension(side["BODYSTRUCTURE"]) else body


def section_of(item):
    """"BODY[1.2.MIME]" → "1.2", "section MIME"."""
    section = item[5:-1]
    words = section.split(".")
    at = next((index for index, word in enumerate(words) if not word.isdigit()), len(words))
    kind = ".".join(words[at:]).split(" ")[0]
    return ".".join(words[:at]), f"section {kind}".strip()


def compare_envelopes(item, part, mine, yours, context):
    here, there = structure.envelope_fields(mine), structure.envelope_fields(yours)
    for field in structure.ENVELOPE:
        yield f"{item}.{field}", part, here[field], there[field], context


def compare_parts(mine, yours, context):
    for field in mine.fields:
        if field == "body":
            continue
        if field == "envelope":
            yield from compare_envelopes("nested ENVELOPE", mine.path, mine.fields[field], yours.fields[field],
                                         {"header": context["nested header"]})
        else:
            yield f"BODYSTRUCTURE.{field}", mine.path, mine.fields[field], yours.fields.get(field, "absent"), context
