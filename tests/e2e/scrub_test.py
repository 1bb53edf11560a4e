"""Damage inside the database, on either node: found, named, healed from the other node, and no client notices."""
import pathlib
import re

import harness
import mail
from damage import BIG, flip_row, flip_table

# Family, beginning of the key, which row, which bit.
ROWS = [("index", "", 0, 200), ("records", "", 3, 99), ("bodies", "", 2, 1234), ("mailboxes", "h", 1, 70),
        ("users", "h", 0, 300)]


class Scrub(harness.PairTest):
    def setUp(self):
        super().setUp()
        client = harness.login(self.pair, "a")
        for octets in [*mail.generated(30), BIG]:
            client.append("INBOX", r"(\Flagged)", None, octets)
        client.select("INBOX")
        client.store("3:5", "+FLAGS", "(Red)")
        client.store("7", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.copy("1:10", "Archive")
        client.logout()
        self.before = self.read("a")

    def read(self, node):
        port = self.pair.port(node)
        client = harness.login(self.pair, node)
        state = client.status("INBOX", "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN)")
        client.logout()
        return [mail.read_mailbox(port), mail.read_mailbox(port, "Archive"), state]

    def database(self, node):
        return pathlib.Path(self.pair.dir) / node / "data" / "db"

    def stopped(self, node, harm):
        """The node dies, its files come to harm, and it comes back."""
        self.pair.kill(node)
        harm(self.database(node))
        self.pair.start(node)
        self.pair.whole()

    def damage_rows(self, database, rows=ROWS):
        for row in rows:
            flip_row(database, *row)

    def deep(self, code=0):
        result = self.pair.ctl("a", "verify-pair", "--deep", "--json", check=False)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr + self.pair.logs())
        report = harness.json.loads(result.stdout)
        self.assertEqual(report["exit_code"], code)
        return report

    def test_damage_of_the_primary_is_healed_and_no_client_notices(self):
        self.stopped("a", self.damage_rows)
        report = self.deep()
        self.assertEqual({line["kind"] for line in report["damage"]}, {"mailbox", "body", "user"}, report)
        self.assertTrue(all(line["healed"] and line["node"] == "here" for line in report["damage"]), report)
        self.assertEqual({line["user"] for line in report["damage"] if line["kind"] == "body"}, {"user1"}, report)
        self.assertTrue(any(line["uid"] > 0 and line["mailbox"] for line in report["damage"]), report)
        self.assertEqual(report["damage_found"], report["damage_healed"])
        self.assertGreaterEqual(report["bodies_read"], 2 * 31)
        self.assertEqual(self.read("a"), self.before)
        again = self.deep()
        self.assertEqual(again["damage"], [])
        status = self.pair.status("a")
        self.assertEqual(status["damage_unrepaired"], 0)
        self.assertGreater(status["scrub_ended_ns"], 0)
        self.assertIn("damage_healed", (self.database("a").parents[1] / "log").read_text())

    def test_damage_of_the_standby_is_healed_and_it_can_take_over(self):
        self.stopped("b", self.damage_rows)
        report = self.deep()
        self.assertEqual({line["kind"] for line in report["damage"]}, {"mailbox", "body", "user"}, report)
        self.assertTrue(all(line["healed"] and line["node"] == "peer" for line in report["damage"]), report)
        self.pair.ctl("a", "switchover")
        self.assertEqual(self.read("b"), self.before)

    def test_a_block_that_cannot_be_read_is_healed_and_its_file_goes(self):
        files = []
        for node in "ab":
            for family in ("bodies", "records"):
                self.stopped(node, lambda database: files.append(flip_table(database, family)))
                report = self.deep()
                kinds = {line["kind"] for line in report["damage"]}
                self.assertIn("table", kinds, report)
                self.assertTrue(all(line["healed"] for line in report["damage"]), report)
                self.assertEqual(self.deep()["damage"], [])
        self.assertEqual(self.read("a"), self.before)
        for node in "ab":
            self.stopped(node, lambda database: None)
        self.assertEqual([file for file in files if file.exists()], [])
        self.assertEqual(self.deep()["damage"], [])
        self.pair.ctl("a", "switchover")
        self.assertEqual(self.read("b"), self.before)

    def test_damage_of_both_is_told_and_left_alone(self):
        for node in "ab":
            self.stopped(node, lambda database: self.damage_rows(database, [("bodies", "", 2, 1234)]))
        report = self.deep(code=11)
        self.assertEqual([line["healed"] for line in report["damage"]], [False, False], report)
        text = self.pair.expect(11, "a", "verify-pair", "--deep")
        self.assertIn("NOT HEALED", text)
        for node in "ab":
            status = self.pair.status(node)
            self.assertEqual(status["damage_unrepaired"], 1, node)
            self.assertEqual(status["unrepaired"][0]["kind"], "body")
            self.assertIn("not healed", status["warning"])
            self.assertIn("DAMAGED", self.pair.ctl(node, "status").stdout)
        # One of them is put right from outside: the other follows.
        self.stopped("b", lambda database: self.damage_rows(database, [("bodies", "", 2, 1234)]))
        self.deep()
        self.assertEqual(self.read("a"), self.before)
        self.assertEqual(self.pair.status("a")["damage_unrepaired"], 0)

    def test_it_begins_by_itself(self):
        self.pair.kill("b")
        # Ids decide which mailboxes come to harm; with one more header they are two at least.
        self.damage_rows(self.database("b"), [*ROWS, ("mailboxes", "h", 2, 70)])
        flip_row(self.database("b"), "meta", "scrub", 0, 8 * 8 + 5)  # it cannot be known when the last one ended
        with open(self.database("b").parents[1] / "twinspool.conf", "a", encoding="utf-8") as config:
            config.write("scrub-mib-per-second = 1000\nscrub-interval-h = 1\n")
        self.pair.start("b")
        harness.eventually(lambda: (status := self.pair.status("b"))["damage_healed"] >= 4 and status["scrub_ended_ns"] > 0,
                           what="b heals itself")
        self.pair.whole()
        self.assertEqual(self.pair.status("b")["damage_unrepaired"], 0)
        self.assertEqual(self.deep()["damage"], [])

    def test_single_node_searches_itself(self):
        self.pair.kill("b")
        self.pair.ctl("a", "solo", "--peer-fenced")
        self.pair.ctl("a", "pair", "dissolve", "--peer-never-returns")
        report = self.deep()
        self.assertEqual((report["damage"], report["bodies_read"]), ([], 31))
        self.pair.kill("a")
        self.damage_rows(self.database("a"), [("records", "", 3, 99)])
        self.pair.start("a")
        report = self.deep(code=11)
        self.assertEqual([line["healed"] for line in report["damage"]], [False])
        self.assertRegex(report["damage"][0]["outcome"], re.compile("away"))


harness.main()
