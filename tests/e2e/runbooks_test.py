"""Every runbook, in the situation that it is for: the pair is really broken so, the commands of the file are typed, and
in the end all mail is there and both copies are equal. A command that no test types is a failure, too."""
import os
import pathlib
import sys
import unittest

import alerts
import crew
import damage
import harness
from harness import eventually, login
from runbook import FOLDER, Runbook, matches, read
from small_disk import MIB, RESERVES, SOFT, SmallDisk

USERS = ("user1", "user2")


class Situation(harness.PairTest):
    """`book`: the runbook. Mail that was acknowledged is in `kept`; sent without an answer, in `open`."""

    book = ""
    values = {}

    def setUp(self):
        super().setUp()
        self.kept = {user: [] for user in USERS}
        self.open = {user: [] for user in USERS}
        self.send("a", 3)

    def in_turn(self, *situations):
        """On one pair; each begins with a as primary."""
        for situation in situations:
            if self.pair.whole() == "b":
                self.pair.ctl("b", "switchover")
                self.pair.whole()
            situation()

    def runbook(self, actions=None, **nodes):
        return Runbook(self.book, self.pair, nodes, actions, self.values)

    def send(self, node, count=1):
        for user in USERS:
            client = login(self.pair, node, user)
            for _ in range(count):
                octets = f"Subject: {node} {len(self.kept[user])}\r\n\r\n{os.urandom(30).hex()}\r\n".encode()
                self.assertEqual(client.append("INBOX", None, None, octets)[0], "OK", self.pair.logs())
                self.kept[user].append(octets)
            client.logout()

    def send_unanswered(self, node, user="user1"):
        """Durable on the node, and never acknowledged, because its peer does not hear of it."""
        client = login(self.pair, node, user)
        octets = b"Subject: nobody was told\r\n\r\n" + os.urandom(30).hex().encode() + b"\r\n"
        before = self.pair.status(node)["last_seq"]
        client.send(b"x APPEND INBOX {%d+}\r\n%s\r\n" % (len(octets), octets))
        eventually(lambda: self.pair.status(node)["last_seq"] > before, what="it is in the log")
        self.open[user].append(octets)

    def alarmed(self, node, *names):
        """These alerts would fire; their runbook, or the page of the alarm, knows them."""
        for name in names:
            eventually(lambda: alerts.fires(name, self.pair, node), what=f"{name} on {node}")
            self.assertIn(f"`{name}`", (FOLDER / self.book).read_text(encoding="utf-8"))

    def all_there(self):
        """On the node that serves: each message once, and nothing else. Then both copies are compared."""
        node = self.pair.whole()
        for user in USERS:
            shown = sorted(octets for _, octets in harness.mail.read_mailbox(self.pair.port(node), user=user)[1].values())
            self.assertEqual(shown, sorted(self.kept[user] + self.open[user]))
        self.send(node)
        self.pair.verify_equal()


class DeadPrimary(Situation):
    book = "dead-primary.md"

    def test_it_is_followed(self):
        self.in_turn(self.it_is_brought_back, self.the_standby_takes_over, self.the_standby_has_restarted_too, self.it_never_comes_back)

    def it_is_brought_back(self):
        book = self.runbook(primary="a", standby="b")
        self.pair.kill("a")
        book.follow("What you see", "Bring it back")
        self.all_there()

    def the_standby_takes_over(self):
        book = self.runbook({"power-off": lambda: self.assertIsNone(self.pair.pid("a"))}, primary="a", standby="b")
        book.follow("Promote says exit 4")
        self.pair.kill("a")
        self.alarmed("b", "TwinspoolNoPrimary")
        book.follow("What you see", "Take over")
        self.send("b", 2)
        self.alarmed("b", "TwinspoolSolo")
        book.follow("The old primary comes back", "Over when")
        self.all_there()

    def the_standby_has_restarted_too(self):
        book = self.runbook(primary="a", standby="b")
        self.pair.kill("a")
        self.pair.kill("b")
        self.pair.start("b")
        book.follow("The standby has restarted, too", "Bring it back")
        self.all_there()

    def it_never_comes_back(self):
        book = self.runbook(primary="a", standby="b")
        self.pair.kill("a")
        self.pair.kill("b")
        self.pair.start("b")
        book.follow("The standby has restarted, too", "The primary never comes back")
        self.send("b")
        self.pair.start("a")  # it is not lost: the mail is all there all the same
        self.all_there()


class DeadStandby(Situation):
    book = "dead-standby.md"

    def test_it_is_followed(self):
        self.in_turn(self.it_is_brought_back, self.the_primary_goes_on_alone, self.it_is_slow)

    def it_is_brought_back(self):
        book = self.runbook(primary="a", standby="b")
        self.pair.kill("b", "STOP")
        self.send_unanswered("a")
        self.pair.kill("b")
        self.alarmed("a", "TwinspoolBlocked", "TwinspoolPeerAway")
        book.follow("What you see", "Bring it back", "Over when")
        self.all_there()

    def the_primary_goes_on_alone(self):
        book = self.runbook({"power-off": lambda: self.assertIsNone(self.pair.pid("b"))}, primary="a", standby="b")
        self.pair.kill("b")
        book.follow("What you see", "Go on alone")
        self.alarmed("a", "TwinspoolSolo", "TwinspoolPeerAway")
        self.send("a", 2)
        book.follow("Bring it back", "Over when")
        self.all_there()

    def it_is_slow(self):
        book = self.runbook(primary="a", standby="b")
        self.pair.kill("b", "STOP")
        self.send_unanswered("a")
        eventually(lambda: alerts.value("twinspool_replication_lag_seconds", self.pair, "a") > 0.5, what="lag")
        self.pair.kill("b", "CONT")
        book.follow("It is there, but slow")
        self.send("a")
        book.follow("Bring it back", "Over when")
        self.all_there()


class Partition(harness.ProxyPairTest, Situation):
    book = "partition.md"

    def test_it_is_followed(self):
        self.in_turn(self.the_network_comes_back, self.one_goes_on)

    def part(self):
        self.proxy.half_open()
        self.send_unanswered("a")
        self.proxy.cut()
        self.alarmed("a", "TwinspoolBlocked", "TwinspoolPeerAway")

    def the_network_comes_back(self):
        book = self.runbook(primary="a", standby="b", serving="a")
        self.part()
        book.follow("What you see")
        self.proxy.heal()
        book.follow("The network comes back", "Over when")
        self.all_there()

    def one_goes_on(self):
        for heading, stopped, serving in (("Go on with the primary", "b", "a"), ("Go on with the standby", "a", "b")):
            with self.subTest(heading):
                book = self.runbook(primary="a", standby="b", stopped=stopped, serving=serving)
                self.part()
                book.follow("What you see", heading)
                self.send(serving)
                self.proxy.heal()
                book.follow("Afterwards", "Over when")
                self.all_there()


class Rebuild(Situation):
    book = "rebuild.md"

    @property
    def values(self):
        return {"LEFT:4190": f"127.0.0.1:{self.pair.port(self.left, 'grpc_port')}"}

    def lose(self, lost):
        """Its files are damaged, so that it does not start."""
        self.left = "b" if lost == "a" else "a"
        book = self.runbook(lost=lost, left=self.left)
        self.pair.kill(lost)
        damage.flip_start(next((pathlib.Path(self.pair.dir) / lost / "data" / "db").glob("MANIFEST-*")))
        book.follow("What you see")
        return book

    def test_the_lost_node_was_the_standby(self):
        book = self.lose("b")
        book.follow("The lost node was the standby")
        self.send("a")
        book.follow("Make it anew", "Over when")
        self.all_there()

    def test_the_lost_node_was_the_primary(self):
        book = self.lose("a")
        book.follow("The lost node was the primary")
        self.send("b")
        anew = book.below("Make it anew")
        book.do(anew[0])
        book.follow("A new pair")  # b was node 1
        for block in anew[1:]:
            book.do(block)
        book.follow("Over when")
        self.all_there()

    def test_new_certificates(self):
        self.left = "b"
        book = self.runbook(lost="a", left="b")
        before = self.pair.status("b")
        book.follow("New certificates")
        self.send("b")
        for block in book.below("Make it anew")[1:]:
            book.do(block)
        book.follow("Over when")
        after = self.pair.status("b")
        self.assertNotEqual(after["pair_id"], before["pair_id"])
        for which in ("certificate_expires_ns", "peer_certificate_expires_ns"):
            self.assertGreater(after[which], max(before["certificate_expires_ns"], before["peer_certificate_expires_ns"]))
        self.all_there()


class Divergence(Situation):
    book = "divergence.md"

    def test_an_old_primary_comes_back(self):
        self.pair.kill("b", "STOP")
        for user in USERS:
            self.send_unanswered("a", user)
        self.pair.kill("a")
        self.pair.kill("b", "CONT")
        self.pair.over("a", "b", "promote", "--peer-fenced")
        self.send("b")
        self.pair.start("a")
        self.runbook(old="a").follow("An old primary has come back")
        self.all_there()

    def test_something_could_not_be_as_it_was(self):
        self.pair.kill("b")
        self.pair.ctl("a", "solo", "--peer-fenced")
        client = login(self.pair, "a", "user1")
        self.send("a")
        short_lived = b"Subject: short-lived\r\n\r\nx\r\n"
        self.assertEqual(client.append("INBOX", None, None, short_lived)[0], "OK")
        client.select("INBOX")
        self.store(client, "3,5", r"(\Deleted)")
        self.assertEqual(client.expunge()[0], "OK")
        self.pair.kill("a")
        self.pair.start("b")
        self.pair.ctl("b", "promote", "--allow-data-loss", "--peer-fenced")
        client = login(self.pair, "b", "user1")
        client.select("INBOX")
        self.store(client, "3", r"(\Answered)")
        self.pair.start("a")
        self.pair.wait("a", "eligible")
        self.alarmed("a", "TwinspoolSalvage")
        self.values = {"/root/salvage": f"{self.pair.dir}/exported"}
        self.runbook(old="a").follow("Something could not be as it was")
        self.assertNotIn("salvage", self.pair.ctl("a", "status").stdout)
        exported = [path.read_bytes() for path in pathlib.Path(self.pair.dir, "exported").glob("*.eml")]
        self.assertIn(short_lived, exported)
        self.kept["user1"].append(short_lived)
        self.all_there()

    def store(self, client, messages, flags):
        self.assertEqual(client.store(messages, "+FLAGS.SILENT", flags)[0], "OK")

    def test_the_copies_differed(self):
        book = self.runbook(primary="a", standby="b")
        self.send("a", 30)
        self.pair.kill("b")
        self.pair.start("b")  # its log becomes files
        self.pair.wait("b", "eligible")
        self.pair.kill("b")
        self.spoil(max((pathlib.Path(self.pair.dir) / "b" / "data" / "db").glob("*.sst"), key=lambda path: path.stat().st_size))
        self.pair.start("b")
        for user in USERS:  # b meets what is damaged
            client = login(self.pair, "a", user)
            for there, back in (("INBOX", "Archive"), ("Archive", "INBOX")):
                client.select(there)
                self.assertEqual(client.uid("MOVE", "1:*", back)[0], "OK", self.pair.logs())
        self.alarmed("b", "TwinspoolDigestMismatch")
        book.follow("The copies differed and were repaired")
        self.all_there()

    def spoil(self, file):
        for at in range(0, file.stat().st_size * 3 // 4, 1000):  # at its end stands what is in it
            damage.flip(file, at)


class Damage(Situation):
    book = "damage.md"

    def test_it_is_followed(self):
        self.in_turn(self.it_was_healed, self.it_could_not_be_healed)

    def harm(self, node):
        self.pair.kill(node)
        damage.flip_row(pathlib.Path(self.pair.dir) / node / "data" / "db", "bodies", "", 0, 99)
        self.pair.start(node)
        self.pair.whole()

    def it_was_healed(self):
        self.harm("b")
        self.pair.ctl("a", "verify-pair", "--deep")
        self.alarmed("b", "TwinspoolDamageHealed")
        self.runbook(damaged="b", primary="a").follow("It was healed")
        self.all_there()

    def it_could_not_be_healed(self):
        for node in "ab":
            self.harm(node)
        self.pair.expect(11, "a", "verify-pair", "--deep")
        self.alarmed("b", "TwinspoolDamage")
        self.runbook(damaged="b", primary="a").follow("It could not be healed")
        self.harm("a")  # as it was
        self.pair.ctl("a", "verify-pair", "--deep")
        self.all_there()


class Upgrade(Situation):
    book = "upgrade.md"

    def test_under_load(self):
        installed = []
        load = crew.Crew(self.pair, label="u")
        self.addCleanup(load.close)
        before = {node: self.pair.pid(node) for node in "ab"}
        book = self.runbook({"install": lambda: installed.append(self.pair.pid("a"))}, primary="a", standby="b")
        load.load("a", 1500)
        eventually(lambda: load.counts()["acknowledged"] > 100, what="some load")
        book.follow("Before", "The standby", "The roles change")
        load.load("b", 1500)
        book.follow("The former primary", "Over when")
        load.load("b", 200)
        load.more(20)
        load.stop()
        self.assertGreater(load.judge(self.pair.whole()), 100)
        self.pair.verify_equal()
        self.assertEqual([installed[0], installed[1]], [before["a"], None], "one node at a time")
        self.assertTrue(all(self.pair.pid(node) != before[node] for node in "ab"), "both were started anew")

    def test_the_modes_differ(self):
        book = self.runbook(primary="a", standby="b")
        config = pathlib.Path(self.pair.dir) / "b" / "twinspool.conf"
        self.pair.kill("b", "TERM")
        config.write_text(config.read_text().replace("mode = available", "mode = strict"))
        self.pair.start("b")
        self.alarmed("b", "TwinspoolModeMismatch")
        book.follow("The modes differ")
        self.all_there()


@unittest.skipIf(os.geteuid() != 0, "mounting needs root")
class DiskFull(Situation):
    book = "disk-full.md"
    up_arguments = RESERVES

    def test_it_is_followed(self):
        self.in_turn(self.room_is_made, self.the_standby_is_stopped, self.the_primary_is_swapped, self.it_does_not_start)

    def prepare(self, directory):
        self.disks = {node: SmallDisk(directory, node) for node in "ab"}
        for disk in self.disks.values():
            self.addCleanup(disk.unmount)

    def filled(self, node):
        """The runbook, in its situation."""
        book = self.runbook({"make-room": self.disks[node].make_room}, full=node, primary="a")
        self.disks[node].fill_to(SOFT - 16 * MIB)
        self.alarmed("a", "TwinspoolDiskLow")
        self.alarmed("b", "TwinspoolDiskLow")
        book.follow("What you see")
        client = login(self.pair, "a", "test")  # whose mail is not compared
        eventually(lambda: harness.append(client, "refused in the end") == "NO", what="new mail is refused")
        return book

    def room_is_made(self):
        for node in "ab":
            with self.subTest(full=node):
                self.filled(node).follow("Make room", "Over when")
                self.all_there()

    def the_standby_is_stopped(self):
        book = self.filled("b")
        stopping, starting = book.below("It takes longer, and the full one is the standby")
        book.do(stopping)
        eventually(lambda: self.pair.status("a")["role_detail"] == "solo", what="a is alone")
        self.send("a", 2)
        book.follow("Make room")
        book.do(starting)
        book.follow("Over when")
        self.all_there()

    def the_primary_is_swapped(self):
        book = self.filled("a")
        book.follow("It takes longer, and the full one is the primary")
        self.pair.wait("b", "serving")
        self.pair.wait("a", "eligible")
        stopping, starting = book.below("It takes longer, and the full one is the standby")
        book.do(stopping)
        self.send("b", 2)
        book.follow("Make room")
        book.do(starting)
        book.nodes["primary"] = "b"
        book.follow("Over when")
        self.all_there()

    def it_does_not_start(self):
        book = self.filled("b")
        self.pair.kill("b")
        self.disks["b"].fill_to(0)
        parts = book.below("It does not start any more")
        for block in parts[:2]:
            book.do(block)
        book.follow("Make room")
        book.do(parts[2])
        self.pair.wait("b", "eligible")
        book.follow("Over when")
        self.all_there()


class Reading(harness.PairTest):
    """A runbook that is wrong is noticed."""

    up_arguments = ("--single",)

    def follow(self, text):
        book = Runbook("README.md", self.pair, {"it": "a"})
        book.blocks = read("# H\n" + text, "text")
        book.follow("H")

    def test_what_is_wrong_in_the_text_fails(self):
        good = "```sh it\ntwinspoolctl is-primary\n```\n```text\nyes (primary, epoch …)\n```\n"
        self.follow(good)
        for old, new in (("is-primary", "is-standby"), ("is-primary", "is-primry"), ("yes", "no"), ("sh it", "sh it exit=10"),
                         ("twinspoolctl is-primary", "twinspoolctl promote\ntwinspoolctl is-primary"), ("epoch …)", "epoch 17)")):
            with self.subTest(new), self.assertRaises(AssertionError):
                self.follow(good.replace(old, new))
        for broken in ("```sh it\ntrue\n", "```python\nx\n```\n", "```text\nx\n```\n"):
            with self.subTest(broken), self.assertRaises(AssertionError):
                self.follow(broken)


class Matching(unittest.TestCase):
    def test_what_stands_for_anything(self):
        self.assertTrue(matches("…\na  … c\n…", "x\ny\na b b c\n"))
        self.assertTrue(matches("…", ""))
        for expected, output in (("a", "a\nb"), ("a\nb", "a"), ("", "a"), ("a …", "b c"), ("…\na", "a\nb"), ("a.c", "abc")):
            with self.subTest(expected=expected, output=output):
                self.assertFalse(matches(expected, output))


def tearDownModule():
    """When all was run and nothing left out: every command of every runbook was typed."""
    if len(sys.argv) > 1 or os.geteuid() != 0:
        return
    for path in sorted(FOLDER.glob("*.md")):
        left = [block.place for block in read(path.read_text(encoding="utf-8"), path.name) if block.place not in Runbook.typed]
        assert not left, f"no test types these: {left}"


if __name__ == "__main__":
    harness.main()
