"""Shared mailboxes and quota with Python's imaplib: rights, everybody's own \\Seen, limits, and all of it on the other node."""
import json

import harness
import mail


class Sharing(harness.PairTest):
    def test_sharing_survives_the_primary(self):
        pair = self.pair
        for name in ("ann", "bob"):
            pair.ctl("a", "user", "add", name, "--password", "pass")
        pair.ctl("a", "user", "add", "team", "--shared")
        pair.ctl("a", "acl", "set", "team", "INBOX", "anyone", "lrsi")
        ann, bob = self.login("a", "ann"), self.login("a", "bob")
        self.assertEqual(ann.create("Work")[0], "OK")
        for number in range(3):
            self.assertEqual(harness.append(ann, f"of ann {number}", "Work"), "OK")
        self.assertEqual(ann.setacl("Work", "bob", "lrs")[0], "OK")
        self.assertEqual(ann.setacl("Work", "nobody", "lrs")[0], "NO")
        self.assertEqual(bob.myrights('"Other Users/ann/Work"')[1], [b'"Other Users/ann/Work" lrs'])
        self.assertEqual(self.unseen(bob, '"Other Users/ann/Work"'), 3)
        bob.select('"Other Users/ann/Work"')
        self.assertEqual(bob.store("1:2", "+FLAGS", r"(\Seen)")[0], "OK")
        self.assertEqual(bob.store("1", "+FLAGS", r"(\Flagged)")[0], "NO")
        self.assertEqual(bob.copy("3", "Shared/team")[0], "OK")
        self.assertEqual(bob.rename('"Other Users/ann/Work"', "Mine")[0], "NO")
        self.quota(ann)
        pair.verify_equal()
        pair.wait("b", "eligible")
        pair.kill("a")
        pair.over("a", "b", "promote", "--peer-fenced")
        self.everything_is_there()
        pair.start("a")
        pair.whole()
        pair.verify_equal()

    def everything_is_there(self):
        ann, bob = self.login("b", "ann"), self.login("b", "bob")
        self.assertEqual(ann.getacl("Work")[1], [b"Work ann lrswipkxteacd bob lrs"])
        self.assertEqual(self.unseen(bob, '"Other Users/ann/Work"'), 1)
        self.assertEqual(self.unseen(ann, "Work"), 3)
        self.assertEqual(harness.subjects(self.pair, "b", "Shared/team", "ann"), ["of ann 2"])
        bob.select('"Other Users/ann/Work"')
        self.assertEqual(bob.search(None, "UNSEEN")[1], [b"3"])
        self.assertEqual(ann.getquotaroot("INBOX")[1][1][0].split()[-1], b"5)")
        self.assertEqual(harness.append(ann, "too much"), "NO")
        # A session that has the mailbox open when the right to read it goes.
        self.assertEqual(ann.deleteacl("Work", "bob")[0], "OK")
        with self.assertRaises(Exception):
            bob.noop()
            bob.noop()
        self.assertNotIn(b"Work", b" ".join(line or b"" for line in self.login("b", "bob").list('"Other Users/"', "*")[1]))

    def quota(self, ann):
        self.pair.ctl("a", "user", "quota", "ann", "--messages", "5")
        self.assertEqual([user["messages_max"] for user in self.users("ann")], [5])
        self.assertEqual(harness.append(ann, "four"), "OK")
        self.assertEqual(harness.append(ann, "five"), "OK")
        self.assertEqual(harness.append(ann, "six"), "NO")
        with self.assertRaisesRegex(OSError, "452"):
            mail.Lmtp(self.pair.port("a", "lmtp_port")).deliver("ann@example.org", b"Subject: x\r\n\r\nx\r\n")
        for wrong in (["--storage", "lots"], ["--messages", "0"], [], ["--default", "--messages", "3"]):
            self.assertEqual(self.pair.ctl("a", "user", "quota", "ann", *wrong, check=False).returncode, 2, wrong)
        self.assertEqual(self.pair.ctl("a", "user", "quota", "noone", "--default", check=False).returncode, 2)
        for wrong in (["team", "INBOX", "ann", "lrz"], ["team", "Nowhere", "ann", "lr"], ["noone", "INBOX", "ann", "lr"], ["team", "INBOX", "noone", "lr"]):
            self.assertEqual(self.pair.ctl("a", "acl", "set", *wrong, check=False).returncode, 2, wrong)
        self.pair.ctl("a", "acl", "set", "--", "team", "INBOX", "-bob", "i")
        lines = [json.loads(line) for line in self.pair.ctl("a", "acl", "list", "team", "INBOX", "--json").stdout.splitlines()]
        self.assertEqual({line["identifier"]: line["rights"] for line in lines}, {"anyone": "lrsi", "-bob": "i"})

    def users(self, prefix):
        return [json.loads(line) for line in self.pair.ctl("a", "user", "list", prefix, "--json").stdout.splitlines()]

    def login(self, node, user):
        client = mail.login(self.pair.port(node), user, "pass")
        self.addCleanup(client.shutdown)
        return client

    @staticmethod
    def unseen(client, mailbox):
        return int(client.status(mailbox, "(UNSEEN)")[1][0].split()[-1].rstrip(b")"))


harness.main()
