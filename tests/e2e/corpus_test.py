"""Real mail and torture mail, octet for octet, from the primary and after a failover from the other."""
import os
import pathlib

import harness
import mail

COUNT = None if harness.FULL else 1000


def corpus():
    path = pathlib.Path(os.environ.get("TWINSPOOL_CORPUS", harness.ROOT / "build" / "corpus"))
    if (path / ".complete").exists():
        return list(mail.from_path(path))[:COUNT], "corpus"
    print("SKIPPED the real corpus (not fetched): generated mail instead")
    return list(mail.generated(COUNT or 6000)), "generated"


def torture():
    path = pathlib.Path(os.environ.get("TWINSPOOL_TORTURE", harness.ROOT.parent / "shared" / "corpus" / "torture"))
    if not path.is_dir():
        print("SKIPPED about 190 torture messages: none beside this checkout (TWINSPOOL_TORTURE)")
        return []
    return [mail.crlf(p.read_bytes()) for p in sorted(path.rglob("*.eml"))]


class Corpus(harness.PairTest):
    def test_octet_for_octet_on_both_nodes(self):
        messages, source = corpus()
        hard = torture()
        # LMTP for all: it takes any octets, NUL and bare CR too, which APPEND's literals may not hold.
        sent = {"user1": self.deliver("user1", messages), "user2": self.deliver("user2", hard)}
        before = self.check("a", sent)
        self.pair.ctl("a", "switchover")
        self.pair.wait("b", "serving")
        self.assertEqual(self.check("b", sent), before)
        self.pair.wait("a", "eligible")
        self.pair.verify_equal()
        print(f"{len(messages)} messages ({source}) and {len(hard)} torture messages equal on both nodes")

    def deliver(self, user, messages):
        lmtp = mail.Lmtp(self.pair.port("a", "lmtp_port"))
        sent = [m if m.endswith(b"\r\n") else m + b"\r\n" for m in messages]
        for octets in sent:
            lmtp.deliver(user, octets)
        # The same octets from the same sender are a delivery and its retry: stored once.
        return list(dict.fromkeys(sent))

    def check(self, node, sent):
        shown = {user: mail.read_mailbox(self.pair.port(node), user=user) for user in sent}
        for user, octets in sent.items():
            self.assertEqual([got for _, got in shown[user][1].values()], octets)
        return shown


harness.main()
