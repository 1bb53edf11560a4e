"""What must hold between the answers of one server, whoever else is asked: sizes, lines, slices, header and text."""
import re

import structure


def faults(octets, data, parts):
    """Sentences about what does not add up in one message; nothing if all does. `data`: fetching.fetch_messages()."""
    yield from whole(octets, data)
    if data["BODY"] != structure.without_extension(data["BODYSTRUCTURE"]):
        yield "BODY is not BODYSTRUCTURE without its extension"
    for part in parts:
        if f"BODY[{part.path}]" in data and part.path:
            yield from one_part(octets, data, part)
    for key, value in data.items():
        if isinstance(key, tuple):
            section, offset, length = key
            if value != data[section][offset:offset + length]:
                yield f"{section}<{offset}.{length}> is no slice: {value!r:.60}"


def whole(octets, data):
    if data["BODY[]"] != octets:
        yield "BODY[] is not what was appended"
    if data["RFC822.SIZE"] != len(octets):
        yield f"RFC822.SIZE is {data['RFC822.SIZE']}, not {len(octets)}"
    if data["BODY[HEADER]"] + data["BODY[TEXT]"] != octets:
        yield "BODY[HEADER] and BODY[TEXT] are not BODY[]"
    yield from filtered(data, "")


def filtered(data, prefix):
    """The two filters share the fields of the header among them."""
    header = data[f"BODY[{prefix}HEADER]"]
    pieces = [value for item, value in data.items()
              if isinstance(item, str) and item.startswith(f"BODY[{prefix}HEADER.FIELDS") and isinstance(value, bytes)]
    if len(pieces) != 2:
        yield f"{prefix}HEADER.FIELDS was not answered"
        return
    shared = sorted(line for piece in pieces for line in fields_of(piece))
    if shared != sorted(fields_of(header)):
        yield f"{prefix}HEADER.FIELDS and .NOT are not the fields of {prefix}HEADER"
    # RFC 3501 §6.4.5: the empty line is part of all of them, unless there is none.
    if any(has_empty_line(piece) != has_empty_line(header) for piece in pieces):
        yield f"{prefix}HEADER.FIELDS: empty line at the end where {prefix}HEADER has none, or none where it has one"


def has_empty_line(header):
    return re.search(rb"(?:\A|\n)\r?\n\Z", header) is not None


def fields_of(header):
    return [line for line in header.split(b"\n") if line.strip(b"\r")]


def one_part(octets, data, part):
    body = data[f"BODY[{part.path}]"]
    mime = data[f"BODY[{part.path}.MIME]"]
    if body is None or mime is None:
        yield f"part {part.path} is in BODYSTRUCTURE and not in BODY[]"
        return
    if part.kind != "multipart" and part.fields["octets"] != len(body):
        yield f"part {part.path}: {part.fields['octets']} octets in BODYSTRUCTURE, {len(body)} in BODY[]"
    if "lines" in part.fields and part.fields["lines"] != body.count(b"\n"):
        yield f"part {part.path}: {part.fields['lines']} lines in BODYSTRUCTURE, {body.count(10)} in BODY[]"
    if mime + body not in octets:
        yield f"part {part.path}: MIME and body do not follow each other in the message"
    if part.kind == "message":
        nested = [data[f"BODY[{part.path}.{name}]"] for name in ("HEADER", "TEXT")]
        if None in nested or b"".join(nested) != body:
            yield f"part {part.path}: HEADER and TEXT are not the nested message"
        yield from filtered(data, f"{part.path}.")
