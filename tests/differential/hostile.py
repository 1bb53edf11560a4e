"""What mail made to exhaust a parser costs one node: time and memory of FETCH, first (the message is scanned) and again."""
import time

import mailsets
import servers

ITEMS = ["ENVELOPE BODYSTRUCTURE", "ENVELOPE BODYSTRUCTURE", "BODY.PEEK[1.1.1]", "BODY.PEEK[9999]",
         "BODY.PEEK[HEADER.FIELDS (TO SUBJECT)]"]
SEARCHES = [b"SEARCH TO zz", b"SEARCH TEXT zzyzx", b"SEARCH SENTSINCE 1-Jan-2026"]
COLUMNS = ["append", "first", "again", "1.1.1", "9999", "fields", "TO", "TEXT", "SENT"]
SECONDS_MAX = 5.0  # of one answer: what is more is not linear


def main():
    ours = servers.Ours()
    slow = []
    try:
        client = ours.client()
        print(f"{'':38} {'octets':>9} " + " ".join(f"{name:>7}" for name in COLUMNS[:6]) + " " +
              " ".join(f"{name:>6}" for name in COLUMNS[6:]) + f" {'answer':>8} {'peak':>9}")
        for number, (name, octets) in enumerate(mailsets.hostile(), 1):
            mailbox = f"h{number}"
            client.command(b"CREATE " + mailbox.encode())
            times = [timed(lambda: client.append(mailbox, [(b" 5-Jan-2026 10:00:00 +0000", octets)]))[0]]
            client.command(b"SELECT " + mailbox.encode())
            answer = 0
            for items in ITEMS:
                seconds, responses = timed(lambda: client.command(f"FETCH 1 ({items})".encode()))
                times.append(seconds)
                answer = max(answer, sum(len(chunk) for chunks in responses for chunk in chunks))
            times += [timed(lambda: client.command(key))[0] for key in SEARCHES]
            print(f"{name:38} {len(octets):9} " + " ".join(f"{t * 1000:5.0f}ms" for t in times[:6]) + " " +
                  " ".join(f"{t * 1000:4.0f}ms" for t in times[6:]) + f" {answer / 1024:5.0f}KiB {ours.peak_mib():5} MiB", flush=True)
            if max(times) > SECONDS_MAX:
                slow.append(name)
    finally:
        ours.stop(False)
    print(f"slower than {SECONDS_MAX} s: {', '.join(slow) or 'none'}")
    return 1 if slow else 0


def timed(action):
    began = time.monotonic()
    result = action()
    return time.monotonic() - began, result
