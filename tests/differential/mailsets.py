"""The mail that both sides are given: the real corpus, the torture mail, and what is made here."""
import os
import pathlib
import random

from servers import ROOT, Unavailable
import mail

DAYS = 400


def corpus():
    """[(name, octets)]: 6,046 real messages, from scripts/corpus."""
    path = pathlib.Path(os.environ.get("TWINSPOOL_CORPUS", ROOT / "build" / "corpus"))
    if not (path / ".complete").exists():
        raise Unavailable(f"no corpus in {path}: scripts/corpus {path} fetches it (or TWINSPOOL_CORPUS=DIR)")
    return read(path)


def torture():
    """About 210 messages made to break parsers; none if they are not beside this checkout."""
    path = pathlib.Path(os.environ.get("TWINSPOOL_TORTURE", ROOT.parent / "shared" / "corpus" / "torture"))
    return read(path) if path.is_dir() else []


def read(path):
    return [(str(file.relative_to(path)), mail.crlf(file.read_bytes())) for file in sorted(path.rglob("*.eml"))]


def made():
    """A few messages of shapes that matter, so that there is something to look at anywhere."""
    inner = "From: i@example.org\nSubject: inner\n\n"
    parts = {
        "mixed": 'Content-Type: multipart/mixed; boundary="b"\n\npreamble\n--b\n\none\n'
                 "--b\nContent-Type: text/html\n\n<p>two\n\n--b--\nepilogue\n",
        "nested": "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/alternative; boundary=bb\n\n"
                  "--bb\n\none\n--bb\n\ntwo\n--bb--\n\n--b\n\nthree\n--b--\n",
        "forwarded": f"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n{inner}text\nof two\n--b--\n",
        "forwarded-mixed": "Content-Type: message/rfc822\n\nSubject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n",
        "unterminated": "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nno end",
        "no-body": "X-Last: header",
        "only-body": "\nno header at all\n",
        "groups": "To: a: b@example.org, C <c@example.org>;, undisclosed:;\n\nx\n",
        "continued": "Content-Type: a/b; x*0=\"one \"; x*1=two; y*0*=utf-8''%c3; y*1=\"a b\"; z*1=no; w*0=a; w*2=c\n\nx\n",
        "continued-charset": "Content-Type: text/plain; charset*0=utf; charset*1=-8\n\nx\n",
        "encoded-charset": "Content-Type: text/plain; charset*=us-ascii'en'utf-8\n"
                           "Content-Disposition: attachment; filename*=utf-8''%e2%82%ac\n\nx\n",
        "no-parts": "Content-Type: multipart/mixed; boundary=b\n\nnothing here\n",
    }
    heads = {name: f"From: A <a@example.org>\nSubject: {name}\n" for name in parts if name != "only-body"}
    return [(f"made/{name}", mail.crlf((heads.get(name, "") + text).encode())) for name, text in parts.items()]


def large():
    """Messages and headers beyond what is read at once: parts of such are found while the octets pass by."""
    rng = random.Random(5)
    lines = ["".join(rng.choices("abcdefghij klmnop", k=70)) for _ in range(16_000)]
    text = "\n".join(lines) + "\n"
    head = "From: A <a@example.org>\nTo: b@example.org\nDate: Mon, 05 Jan 2026 10:00:00 +0000\n"
    nested = f"From: i@example.org\nSubject: inner\nContent-Type: multipart/mixed; boundary=in\n\n--in\n\n{text}\n--in\n\nlast\n--in--\n"
    wide = "".join(f"X-Field-{n}: {lines[n]}\n" for n in range(1000))
    shapes = {
        "text": f"\n{text}",
        "mixed": f"Content-Type: multipart/mixed; boundary=b\n\npre\n--b\n\n{text}--b\nContent-Type: a/b\n\n{text}\n--b--\n{text}",
        "forwarded": f"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b\nContent-Type: message/rfc822\n\n{nested}\n--b--\n",
        "header-32k": f"{wide[:33_000]}\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n",
        "header-80k": f"{wide}Subject: far behind\n\nx\n",
        "header-inside": f"Content-Type: multipart/mixed; boundary=b\n\n--b\n{wide}Content-Type: text/html\n\n{text}--b\n"
                         f"Content-Type: message/rfc822\n\n{wide}Subject: far\n\n{text}",
        "header-alone": head.join(f"X-{n}: {line}\n" for n, line in enumerate(lines)),
        "folded": "Subject: " + "\n ".join(lines[:12_000]) + "\n\nx\n",
    }
    return [(f"large/{name}", mail.crlf((head + text).encode())) for name, text in shapes.items()]


def damaged(seed, times=10):
    """The made and torture mail with lines lost, doubled, moved and cut: nobody says what it means, but it must add up."""
    rng = random.Random(seed)
    return [(f"{name}, damaged {turn}", damage(octets, rng)) for name, octets in made() + torture() for turn in range(times)]


def damage(octets, rng):
    lines = octets.splitlines(keepends=True)
    for _ in range(rng.randrange(1, 6)):
        at, other = (rng.randrange(len(lines) + 1) for _ in range(2))
        kind = rng.randrange(5)
        if kind == 0:
            del lines[at:at + rng.randrange(1, 4)]
        elif kind == 1:
            lines.insert(other, lines[at] if at < len(lines) else b"\r\n")
        elif kind == 2 and at < len(lines):
            lines[at] = lines[at][:rng.randrange(len(lines[at]) + 1)]
        elif kind == 3 and at < len(lines):
            lines[at] = lines[at].replace(b"\r\n", rng.choice([b"\n", b"\r\n\r\n", b""]))
        else:
            lines.insert(other, rng.choice([b"\r\n", b" folded\r\n", b"--\r\n", b"Content-Type: message/rfc822\r\n\r\n"]))
    return b"".join(lines) or b"\r\n"


def hostile():
    """Mail made to exhaust: (name, octets)."""
    start = b"From: a@example.org\r\nSubject: hostile\r\nDate: Mon, 5 Jan 2026 10:00:00 +0000\r\n"
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d_\r\n\r\n--b%d_\r\n" % (n, n) for n in range(100))
    deep = b"".join(b"Content-Type: multipart/mixed; boundary=b%d_\r\n\r\n--b%d_\r\n" % (n, n) for n in range(10_000))
    many = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    return [
        ("10,000 parts", start + many + b"--b\r\n\r\nx\r\n" * 10_000 + b"--b--\r\n"),
        ("100,000 parts", start + many + b"--b\r\n\r\nx\r\n" * 100_000 + b"--b--\r\n"),
        ("10,000 parts with long names", start + many + (b"--b\r\nContent-Type: a/b; name=%s\r\n\r\nx\r\n" % (b"n" * 900)) * 10_000),
        ("1,000 parts of 1,000 continued names", start + many + b"".join(
            b"--b\r\nContent-Type: a/b%s\r\n\r\nx\r\n" % b"".join(b"; a*%d*=x" % n for n in range(1000)) for _ in range(1000))),
        ("depth 100", start + nested + b"\r\nx\r\n"),
        ("depth 10,000", start + deep + b"\r\nx\r\n"),
        ("10,000 nested messages", start + b"Content-Type: message/rfc822\r\n\r\n" * 10_000),
        ("10,000 messages side by side", start + many.replace(b"mixed", b"digest") + b"--b\r\n\r\nTo: a@b\r\n\r\nx\r\n" * 10_000),
        ("4 kB of nested groups", start + b"To: " + b"a:" * 2_048 + b"\r\n\r\nx\r\n"),
        ("4 MB of nested groups", start + b"To: " + b"a:" * 2_097_152 + b"\r\n\r\nx\r\n"),
        ("100 kB of addresses", start + b"To: " + b"a@b.c, " * 14_300 + b"d@e.f\r\n\r\nx\r\n"),
        ("10 MB of addresses", start + b"To: " + b"a@b.c, " * 1_430_000 + b"d@e.f\r\n\r\nx\r\n"),
        ("1 MB of <", start + b"To: " + b"<" * (1 << 20) + b"\r\n\r\nx\r\n"),
        ("1 MB of open routes", start + b"To: " + b"<@a," * (1 << 18) + b"\r\n\r\nx\r\n"),
        ("1 MB of open comments", start + b"To: " + b"(" * (1 << 20) + b"\r\n\r\nx\r\n"),
        ("1 MB of quotes", start + b"To: " + b'"' * (1 << 20) + b"\r\n\r\nx\r\n"),
        ("one header of 10 MB", start + b"X-Long: " + b"x" * (10 << 20) + b"\r\n\r\nx\r\n"),
        ("one folded header of 10 MB", start + b"Subject: " + b"x\r\n " * (10 << 18) + b"\r\n\r\nx\r\n"),
        ("700,000 headers", start + b"X-Many: y\r\n" * 700_000 + b"\r\nx\r\n"),
        ("700,000 To: fields", start + b"To: a@b\r\n" * 700_000 + b"\r\nx\r\n"),
        ("200,000 parameters", start + b"Content-Type: text/plain" + b"; a=b" * 200_000 + b"\r\n\r\nx\r\n"),
        ("98 boundaries, 160,000 near misses", start + b"".join(
            b"Content-Type: multipart/mixed; boundary=%s\r\n\r\n--%s\r\n" % (b"b" * n, b"b" * n) for n in range(1, 99)) +
         (b"--" + b"b" * 50 + b"\r\n") * 160_000),
        ("encoded words, 1 MB", start + b"Subject: " + b"=?utf-8?q?x?= " * 75_000 + b"\r\n\r\nx\r\n"),
        ("encoded words that never end", start + b"Subject: " + b"=?utf-8?q?" * 100_000 + b"\r\n\r\nx\r\n"),
    ]


def dated(messages, seed):
    """[(date as APPEND takes it, octets)], over DAYS days and several zones, at moments where a zone changes the day."""
    rng = random.Random(seed)
    months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
    dates = []
    for _ in messages:
        day = rng.randrange(DAYS)
        time = rng.choice(["00:00:00", "23:59:59", "12:34:56", f"{rng.randrange(24):02}:00:01"])
        zone = rng.choice(["+0000", "-0800", "+0530", "+1300", "-0330"])
        dates.append(f"{day % 28 + 1:2}-{months[day // 28 % 12]}-{2020 + day // 336} {time} {zone}".encode())
    return list(zip(dates, (octets for _, octets in messages)))
