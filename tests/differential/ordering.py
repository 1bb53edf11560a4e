"""SORT and THREAD of both sides, message by message: which stand elsewhere, and which have another parent."""
import bisect

import fetching

SORTS = ["ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO", "REVERSE DATE", "SUBJECT REVERSE DATE", "REVERSE SIZE FROM"]
THREADS = ["ORDEREDSUBJECT", "REFERENCES", "REFS"]


def displaced(mine, yours):
    """Members of `mine` outside of a longest order that both have in common."""
    place = {number: at for at, number in enumerate(yours)}
    ends, last, before = [], [], {}
    for number in (n for n in mine if n in place):
        at = bisect.bisect_left(ends, place[number])
        before[number] = last[at - 1] if at else None
        ends[at:at + 1], last[at:at + 1] = [place[number]], [number]
    common, number = set(), last[-1] if last else None
    while number is not None:
        common.add(number)
        number = before[number]
    return [n for n in mine if n not in common]


def parents(threads):
    """{message: the message above it, or None}, and the first messages of all threads in their order."""
    above, firsts, todo = {}, [], [(thread, None, True) for thread in reversed(threads)]
    while todo:
        thread, parent, is_first = todo.pop()
        for at, item in enumerate(thread):
            if isinstance(item, list):
                todo += [(rest, parent, is_first) for rest in reversed(thread[at:])]
                break
            above[item] = parent
            if is_first:
                firsts.append(item)
            parent, is_first = item, False
    return above, firsts


def take(messages, moved, item, report, context=None):
    group = item.split()[0]
    report.compared[group] += len(messages) - len(moved)
    report.equal[group] += len(messages) - len(moved)
    for number, mine, yours in moved:
        report.take(fetching.Difference(*messages[number - 1], item, "", mine, yours, context or {}), group)


def compare_sort(messages, ours, theirs, order, report):
    mine, yours = (client.numbers([f"SORT ({order}) UTF-8 ALL".encode()], b"SORT")[0] for client in (ours, theirs))
    place, elsewhere = {number: at for at, number in enumerate(yours)}, set(displaced(mine, yours))
    moved = [(n, f"place {at}", f"place {place.get(n)}") for at, n in enumerate(mine) if n in elsewhere]
    take(messages, moved, f"SORT {order}", report)


def compare_thread(messages, ours, theirs, way, report):
    both = [client.numbers([f"THREAD {way} UTF-8 ALL".encode()], b"THREAD")[0] for client in (ours, theirs)]
    (mine, first), (yours, second) = (parents(threads) for threads in both)
    moved = [(n, f"below {mine.get(n)}", f"below {yours.get(n)}") for n in sorted(mine.keys() | yours.keys())
             if mine.get(n) != yours.get(n)]
    known = {n for n, _, _ in moved}
    moved += [(n, "thread's place here", "and there") for n in displaced(first, second) if n not in known]
    context = {"numbers": {name: number for number, (name, _) in enumerate(messages, 1)}, "messages": messages}
    take(messages, moved, f"THREAD {way}", report, context)


def compare(messages, ours, theirs, report, wanted):
    have = ours.capabilities()
    for group, ways, one in (("SORT", SORTS, compare_sort), ("THREAD", THREADS, compare_thread)):
        for way in ways:
            capability = group if group == "SORT" else f"THREAD={way}"
            if wanted(group) and capability in have:
                one(messages, ours, theirs, way, report)
            elif wanted(group):
                report.note(f"SKIPPED {capability}: not in our CAPABILITY")
