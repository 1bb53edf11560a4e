"""SEARCH, SORT and THREAD with the same keys on both sides. A value is one message judged by one key."""
import random

import fetching
import grammar
import known_search
import mailsets
from wire import literal
from words import Words

MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
PER_KEY = 30


class Query:
    """`key` as it stands in the command; `parts` are the queries that a combination is made of."""

    def __init__(self, group, key, about=None, parts=(), word="", day=None, logic=None, charset="UTF-8"):
        self.group, self.key, self.about, self.parts = group, key, about or key.decode("utf-8", "replace"), parts
        self.word, self.day, self.logic, self.charset = word, day, logic, charset


def string_key(name, text, field=None, charset="UTF-8"):
    octets = text.encode(charset)
    key = b"%s %s%s" % (name.encode(), b"%s " % field.encode() if field else b"", literal(octets))
    return Query(f"SEARCH {name}", key, f"{name} {field + ' ' if field else ''}{text!r}", word=text, charset=charset)


def header_keys(words):
    for name in ("SUBJECT", "FROM", "TO", "CC", "BCC"):
        for _ in range(PER_KEY):
            if (word := words.of_field(name)) is not None:
                yield string_key(name, word)
        for word in words.foreign_of_field(name, PER_KEY // 3):
            yield string_key(name, word)
    names = sorted(name for name, pool in words.fields.items() if len(pool) > 1 and name.replace("-", "").isalnum())
    for _ in range(2 * PER_KEY if names else 0):
        name = words.rng.choice(names)
        yield string_key("HEADER", words.of_field(name), name)
    for name in words.rng.sample(names, min(len(names), PER_KEY)) + ["X-NOT-THERE", "SUBJECT", "MIME-VERSION"]:
        yield string_key("HEADER", "", name)


def body_keys(words):
    for name in ("BODY", "TEXT"):
        for charset, word in words.of_bodies(PER_KEY):
            query = string_key(name, word)
            query.about += f" (from {charset})"
            yield query
    for charset, word in words.foreign(2):
        for said_in in sorted({"UTF-8", charset.upper()} - {"NONE"}):
            query = string_key("BODY", word, charset=said_in)
            query.about += f" (from {charset}, said in {said_in})"
            yield query
    for _ in range(PER_KEY // 2):
        if (word := words.of_field(words.rng.choice(["SUBJECT", "FROM", "RECEIVED"]))) is not None:
            yield string_key("TEXT", word)


def date_key(name, day):
    year, month, number = day
    return Query(f"SEARCH {name}", f"{name} {number}-{MONTHS[month - 1]}-{year}".encode(), day=day)


def date_keys(words):
    rng = words.rng
    sent = [day for day in words.sent if 1970 < day[0] < 2038] or [(2026, 1, 5)]
    for _ in range(PER_KEY):
        for name in ("SENTBEFORE", "SENTON", "SENTSINCE"):
            yield date_key(name, rng.choice(sent))
        for name in ("BEFORE", "ON", "SINCE"):
            yield date_key(name, (rng.choice([2020, 2021]), rng.randrange(1, 13), rng.randrange(1, 29)))


def size_keys(messages, rng):
    for _ in range(PER_KEY):
        size = len(rng.choice(messages)[1])
        for name in ("LARGER", "SMALLER"):
            yield Query(f"SEARCH {name}", f"{name} {max(size + rng.choice([-1, 0, 0, 1]), 0)}".encode())


def combinations(queries, rng):
    """NOT, OR and all of several, of keys that were also asked alone."""
    cheap = [query for query in queries if query.group not in ("SEARCH BODY", "SEARCH TEXT")]
    for _ in range(3 * PER_KEY):
        a, b, c = rng.sample(cheap, 3)
        kind = rng.randrange(4)
        key = [b"NOT " + a.key, b"OR %s %s" % (a.key, b.key), b"%s NOT %s" % (a.key, b.key),
               b"OR (%s NOT %s) NOT (OR %s %s)" % (a.key, b.key, b.key, c.key)][kind]
        used = [[a], [a, b], [a, b], [a, b, c]][kind]
        about = ["NOT {0}", "OR {0} {1}", "{0} NOT {1}", "OR ({0} NOT {1}) NOT (OR {1} {2})"][kind].format(*(q.about for q in used))
        logic = [lambda a: not a, lambda a, b: a or b, lambda a, b: a and not b,
                 lambda a, b, c: a and not b or not (b or c)][kind]
        yield Query("SEARCH combinations", key, about, used, logic=logic)


def all_queries(messages, seed):
    rng = random.Random(seed)
    words = Words(messages, rng)
    queries = [*header_keys(words), *body_keys(words), *date_keys(words), *size_keys(messages, rng)]
    return queries + list(combinations(queries, rng))


def ask(client, query):
    """The set of numbers, or what was said instead."""
    answer = client.numbers([b"SEARCH CHARSET %s %s" % (query.charset.encode(), query.key)])[0]
    return answer if isinstance(answer, str) else set(answer)


def composed(query, answers, side, number):
    """What the combination should say by the side's own answers to its parts."""
    return query.logic(*(number in answers[id(part)][side] for part in query.parts))


def expected(query, octets, date):
    """What a key must say of a message by the octets and the date that were appended; None: not so plain."""
    name, _, argument = query.about.partition(" ")
    if name in ("LARGER", "SMALLER"):
        return len(octets) > int(argument) if name == "LARGER" else len(octets) < int(argument)
    if name in ("BEFORE", "ON", "SINCE"):
        return known_search.judged(query.group, known_search.day_of_arrival(date), known_search.as_date(query.day))
    value = known_search.sent_value(octets)
    if name.startswith("SENT") and value is not None and grammar.valid("date", value):
        return known_search.judged(query.group, known_search.sent_day(value), known_search.as_date(query.day))
    return None


def check(messages, ours, report, wanted):
    """Without another server: what must hold among our own answers, and by the octets."""
    answers = {}
    queries = [query for query in all_queries(messages, report.options.seed) if wanted(query.group)]
    dates = [date for date, _ in mailsets.dated(messages, report.options.seed)]
    for query in queries:
        answer = ask(ours, query)
        if isinstance(answer, str):
            report.faults.append(f"{query.about}: {answer}")
            continue
        answers[id(query)] = (answer, answer)
        check_answer(query, answers, messages, dates, report)
    print(f"  SEARCH: {len(queries)} keys", flush=True)


def check_answer(query, answers, messages, dates, report):
    mine = answers[id(query)][0]
    logic = query.logic and all(id(part) in answers for part in query.parts)
    for number, (name, octets) in enumerate(messages, 1):
        should = composed(query, answers, 0, number) if logic else expected(query, octets, dates[number - 1])
        if should is not None:
            report.compared["of our own answers"] += 1
            report.equal["of our own answers"] += should == (number in mine)
            if should != (number in mine):
                report.faults.append(f"{name}: {query.about} says {number in mine}")


def compare(messages, ours, theirs, report, wanted):
    queries = [query for query in all_queries(messages, report.options.seed) if wanted(query.group)]
    dates = [date for date, _ in mailsets.dated(messages, report.options.seed)]
    answers = {}
    for count, query in enumerate(queries, 1):
        both = (ask(ours, query), ask(theirs, query))
        if isinstance(both[0], str) or isinstance(both[1], str):
            said = [answer if isinstance(answer, str) else "OK" for answer in both]
            report.take(fetching.Difference("", b"", query.group, query.about, *said), query.group)
            continue
        answers[id(query)] = both
        compare_answers(query, answers, messages, dates, report)
        if count % 100 == 0 or count == len(queries):
            print(f"  SEARCH: {count} of {len(queries)} keys, {len(report.unexplained)} unexplained", flush=True)


def compare_answers(query, answers, messages, dates, report):
    mine, yours = answers[id(query)]
    asked = all(id(part) in answers for part in query.parts)
    report.compared[query.group] += len(messages) - len(mine ^ yours)
    report.equal[query.group] += len(messages) - len(mine ^ yours)
    for number in sorted(mine ^ yours):
        context = {"query": query, "date": dates[number - 1]}
        if query.logic and asked:
            context["composed"] = [composed(query, answers, side, number) for side in (0, 1)]
        report.take(fetching.Difference(*messages[number - 1], query.group, query.about, number in mine, number in yours, context),
                    query.group)
    check_answer(query, answers, messages, dates, report)
