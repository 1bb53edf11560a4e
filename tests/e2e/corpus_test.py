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
        lmtp = mail.Lmtp(self.pair.port("a", "lmtp_port"))
        delivered = [m if m.endswith(b"\r\n") else m + b"\r\n" for m in messages]
        for octets in delivered:
            lmtp.deliver("user1", octets)
        client = harness.login(self.pair, "a")
        client.create("torture")
        for octets in hard:
            self.assertEqual(client.append("torture", None, None, octets or b"\r\n")[0], "OK")
        client.logout()
        before = self.check("a", delivered, hard)
        self.pair.ctl("b", "switchover", check=False)
        if self.pair.ctl("b", "is-primary", check=False).returncode != 0:
            self.pair.kill("a")
            self.pair.ctl("b", "promote", "--peer-fenced")
        self.assertEqual(self.check("b", delivered, hard), before)
        print(f"{len(messages)} messages ({source}) and {len(hard)} torture messages equal on both nodes")

    def check(self, node, delivered, hard):
        inbox = mail.read_mailbox(self.pair.port(node), "INBOX")
        # The same octets delivered twice by the same sender are one delivery and its retry.
        unique = list(dict.fromkeys(delivered))
        self.assertEqual([octets for _, octets in inbox[1].values()], unique)
        bad = mail.read_mailbox(self.pair.port(node), "torture")
        self.assertEqual([octets for _, octets in bad[1].values()], [m or b"\r\n" for m in hard])
        return inbox, bad


harness.main()
