"""A node that lost its data, or a part of it: the other one keeps all, and the pair becomes whole again."""
import pathlib
import shutil

import harness
import mail
from damage import BIG


class Rebuild(harness.PairTest):
    def fill(self, node):
        client = harness.login(self.pair, node)
        for octets in [*mail.generated(20), BIG]:
            client.append("INBOX", r"(\Flagged)", None, octets)
        client.logout()
        return mail.read_mailbox(self.pair.port(node))

    def make_anew(self, lost, left):
        """As docs/failover.md says under "When a node's data is lost"."""
        self.pair.ctl(left, "pair", "dissolve", "--peer-never-returns")
        if left == "b":
            self.pair.ctl(left, "pair", "init")
        address = f"127.0.0.1:{self.pair.port(left, 'grpc_port')}"
        invitation = self.pair.json(left, "pair", "invite", address)["join_string"]
        shutil.rmtree(pathlib.Path(self.pair.dir) / lost / "data")
        self.pair.start(lost)
        self.pair.ctl(lost, "pair", "join", invitation)
        self.pair.wait(lost, "eligible")

    def test_lost_standby_is_made_anew(self):
        before = self.fill("a")
        self.pair.kill("b")
        self.pair.ctl("a", "solo", "--peer-fenced")
        self.make_anew(lost="b", left="a")
        self.pair.verify_equal()
        self.pair.ctl("a", "switchover")
        self.assertEqual(mail.read_mailbox(self.pair.port("b")), before)

    def test_lost_primary_is_made_anew(self):
        before = self.fill("a")
        self.pair.kill("a")
        self.pair.ctl("b", "promote", "--peer-fenced")
        self.make_anew(lost="a", left="b")
        self.pair.verify_equal()
        self.pair.ctl("b", "switchover")
        self.assertEqual(mail.read_mailbox(self.pair.port("a")), before)
        self.pair.wait("b", "eligible")
        self.pair.kill("a")  # and once more, with the seats exchanged
        self.pair.ctl("b", "promote", "--peer-fenced")
        self.assertEqual(mail.read_mailbox(self.pair.port("b")), before)

    def test_primary_with_an_older_database_does_not_take_entries_from_the_standby(self):
        database = pathlib.Path(self.pair.dir) / "a" / "data" / "db"
        older = pathlib.Path(self.pair.dir) / "older"
        self.pair.kill("a")
        shutil.copytree(database, older)
        self.pair.start("a")
        self.pair.wait("a", "serving")
        before = self.fill("a")
        self.pair.kill("a")
        shutil.rmtree(database)
        older.rename(database)  # somebody "restores a backup"
        self.pair.start("a")
        harness.eventually(lambda: "this node lost entries" in (database.parents[1] / "log").read_text(), what="a sees it")
        self.assertFalse(self.pair.status("a")["serves_reads"])
        self.pair.kill("a")
        self.pair.ctl("b", "promote", "--peer-fenced")
        self.assertEqual(mail.read_mailbox(self.pair.port("b")), before)
        self.pair.start("a")  # now it is the one that follows
        self.pair.wait("a", "eligible")
        self.pair.verify_equal()


harness.main()
