"""The story that scripts/quickstart tells: deliver, lose the primary, promote, go on, come back."""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import mail  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEV_PAIR = str(ROOT / "scripts" / "dev-pair")
GENERATED = 200
start = time.monotonic()


def step(text):
    print(f"{time.monotonic() - start:7.1f} s  {text}", flush=True)


def stop(text):
    print(f"quickstart: {text}", file=sys.stderr)
    sys.exit(1)


def dev_pair(*arguments):
    result = subprocess.run([DEV_PAIR, *arguments], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        stop(f"dev-pair {' '.join(arguments)}: {result.stderr.strip() or result.stdout.strip()}")
    return result.stdout


def ctl(directory, node, *arguments):
    return dev_pair("ctl", directory, node, *arguments)


def port(directory, node, kind):
    return json.loads((pathlib.Path(directory) / "pair.json").read_text())["nodes"][node][kind]


def choose_mail(options):
    if options.mail:
        messages = list(mail.from_path(options.mail))
        source = options.mail
    else:
        corpus = ROOT / "build" / "corpus"
        if (corpus / ".complete").exists():
            messages = list(mail.from_path(corpus / "easy-ham-1"))[:GENERATED]
            source = "the SpamAssassin corpus"
        else:
            messages = list(mail.generated(GENERATED))
            source = f"generated mail: {GENERATED} messages of the corpus are skipped (scripts/corpus could not fetch it)"
    if not messages:
        stop(f"no messages in {options.mail}")
    return messages, source


def deliver(directory, node, messages, label):
    """Half by LMTP, half by IMAP APPEND."""
    half = (len(messages) + 1) // 2
    lmtp = mail.Lmtp(port(directory, node, "lmtp_port"))
    for number, octets in enumerate(messages[:half], 1):
        lmtp.deliver("user1@example.org", octets)
        if number % 500 == 0:
            step(f"  {number} delivered")
    client = mail.login(port(directory, node, "imap_port"))
    for octets in messages[half:]:
        answer = client.append("INBOX", None, None, octets)
        if answer[0] != "OK":
            stop(f"APPEND was refused: {answer}")
    client.select("INBOX")
    client.store("1:*", "+FLAGS", r"(\Seen)") if label == "first" else None
    client.store("1:3", "+FLAGS", r"(\Flagged work)")
    client.logout()
    return half, len(messages) - half


def same(before, after, where):
    if before[0] != after[0]:
        stop(f"{where}: UIDVALIDITY changed from {before[0]} to {after[0]}")
    if before[1].keys() != after[1].keys():
        stop(f"{where}: {len(before[1])} messages before, {len(after[1])} after")
    for uid, message in before[1].items():
        if after[1][uid] != message:
            stop(f"{where}: message {uid} differs")


def show_single(directory, messages):
    half, rest = deliver(directory, "a", messages, "first")
    before = mail.read_mailbox(port(directory, "a", "imap_port"))
    step(f"{half} messages by LMTP and {rest} by IMAP are in user1's INBOX")
    dev_pair("kill", directory, "a", "KILL")
    step("the node was killed (SIGKILL)")
    dev_pair("start", directory, "a")
    same(before, mail.read_mailbox(port(directory, "a", "imap_port")), "after the restart")
    step("started again: every message is there, same UIDVALIDITY, UIDs, flags and octets")


def show_failover(directory, messages):
    half, rest = deliver(directory, "a", messages, "first")
    before = mail.read_mailbox(port(directory, "a", "imap_port"))
    step(f"{half} messages by LMTP and {rest} by IMAP are in user1's INBOX on a")
    dev_pair("kill", directory, "a", "KILL")
    step("a, the primary, was killed (SIGKILL)")
    step("twinspoolctl promote --peer-fenced   (on b)")
    print("           " + ctl(directory, "b", "promote", "--peer-fenced").strip().replace("\n", "\n           "))
    after = mail.read_mailbox(port(directory, "b", "imap_port"))
    same(before, after, "on the promoted node")
    step(f"b shows all {len(after[1])} messages: same UIDVALIDITY, UIDs, flags and octets")
    deliver(directory, "b", list(mail.generated(20, seed=2)), "second")
    step("20 more messages delivered and flagged on b")
    dev_pair("start", directory, "a")
    ctl(directory, "a", "wait", "--role", "eligible", "--timeout", "120")
    step("a is back, as standby, in sync")
    print("           " + ctl(directory, "b", "verify-pair").strip())
    step("the two copies are equal")


def how_to_connect(directory, options):
    node = "a" if options.single else "b"
    what = "node" if options.single else "pair"
    imap = port(directory, node, "imap_port")
    if options.keep:
        print(f"\nThe {what} keeps running in {directory}. Connect a mail client:")
    else:
        print(f"\nThe {what} was stopped. scripts/quickstart --keep leaves it running; a mail client connects so:")
    print(f"""  IMAP   127.0.0.1 port {imap}, no encryption (loopback only), user user1, password pass
  IMAPS  127.0.0.1 port {port(directory, node, 'imaps_port')}, self-signed certificate
  curl   curl -u user1:pass 'imap://127.0.0.1:{imap}/INBOX;UID=1'""")
    if options.keep:
        print(f"""Look and steer:
  scripts/dev-pair ctl {directory} {node} status
  scripts/dev-pair down {directory}""")
    else:
        print("The ports are chosen anew each time.")


def main():
    parser = argparse.ArgumentParser(prog="quickstart")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--single", action="store_true")
    parser.add_argument("--mail")
    parser.add_argument("--dir")
    options = parser.parse_args()
    directory = options.dir or tempfile.mkdtemp(prefix="twinspool-")
    messages, source = choose_mail(options)
    dev_pair("up", "--dir", directory, *(["--single"] if options.single else []))
    step(("one node" if options.single else "a pair (a: primary, b: standby)") + f" runs below {directory}")
    step(f"{len(messages)} messages from {source}")
    (show_single if options.single else show_failover)(directory, messages)
    print(f"\nDone in {time.monotonic() - start:.0f} s: nothing was lost, nothing was renumbered.")
    how_to_connect(directory, options)
    if not options.keep:
        dev_pair("down", directory)
        if not options.dir:
            shutil.rmtree(directory)


main()
