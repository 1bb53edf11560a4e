"""BODYSTRUCTURE and ENVELOPE (RFC 3501 §7.4.2) taken apart into named fields and numbered parts."""
import dataclasses

ENVELOPE = "date subject from sender reply-to to cc bcc in-reply-to message-id".split()
SINGLE = "type subtype params id description encoding octets".split()
EXTENSION = "disposition language location".split()


@dataclasses.dataclass
class Part:
    """`path` is what FETCH calls it, "" for a root that is a multipart. `owner` is the message/rfc822 part (or "") whose
    message it belongs to."""
    path: str
    kind: str  # multipart, message, text, other
    fields: dict
    owner: str = ""


def envelope_fields(value):
    if not isinstance(value, list) or len(value) != len(ENVELOPE):
        raise ValueError(f"no envelope: {value!r:.200}")
    return dict(zip(ENVELOPE, value))


def lower(value):
    return value.lower() if isinstance(value, bytes) else value


def kind_of(body):
    if isinstance(body[0], list):
        return "multipart"
    if lower(body[0]) == b"text":
        return "text"
    if lower(body[0]) == b"message" and lower(body[1]) == b"rfc822" and isinstance(body[7] if len(body) > 7 else None, list):
        return "message"
    return "other"


def fields_of(body, kind):
    if kind == "multipart":
        rest = [item for item in body if not isinstance(item, list)][:1]
        after = body[sum(1 for _ in children(body)) + 1:]
        return dict(zip(["subtype", "params", *EXTENSION], [*rest, *after]))
    names = list(SINGLE)
    if kind == "message":
        names += ["envelope", "body", "lines"]
    elif kind == "text":
        names += ["lines"]
    return dict(zip([*names, "md5", *EXTENSION], body))


def children(multipart):
    for item in multipart:
        if not isinstance(item, list):
            return
        yield item


def parts_of(body):
    """All parts in order, the root first; numbered as RFC 3501 §6.4.5 has it."""
    found, waiting = [], [(body, "", "", True)]
    while waiting:
        value, path, owner, root = waiting.pop()
        kind = kind_of(value)
        here = path
        if root and kind != "multipart":
            here = join(path, 1)
        part = Part(here, kind, fields_of(value, kind), owner)
        found.append(part)
        if kind == "multipart":
            below = [(child, join(path, number), owner, False) for number, child in enumerate(children(value), 1)]
            waiting.extend(reversed(below))
        elif kind == "message":
            waiting.append((part.fields["body"], here, here, True))
    return found


def join(path, number):
    return f"{path}.{number}" if path else str(number)


def tree(body):
    """The shape alone, in one line: "mixed(text message(text))"."""
    shape = []
    for part in parts_of(body):
        shape.append(f"{part.path or '-'}:{part.kind}")
    return " ".join(shape)


def without_extension(body):
    """What BODY should answer where BODYSTRUCTURE answers `body`."""
    done = {}
    waiting = [body]
    while waiting:
        value = waiting[-1]
        kind = kind_of(value)
        inner = list(children(value)) if kind == "multipart" else [value[8]] if kind == "message" else []
        missing = [child for child in inner if id(child) not in done]
        if missing:
            waiting.extend(missing)
            continue
        waiting.pop()
        short = [done[id(child)] for child in inner]
        if kind == "multipart":
            done[id(value)] = [*short, value[len(inner)]]
        elif kind == "message":
            done[id(value)] = [*value[:8], *short, value[9]]
        else:
            done[id(value)] = value[:8 if kind == "text" else 7]
    return done[id(body)]
