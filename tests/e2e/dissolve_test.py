"""The end of a pair and the next one: the expelled node is out for good, the other serves all the time."""
import pathlib
import re
import subprocess

import crew
import harness
from harness import append, login


class Stray:
    """A node started from a data directory that was set aside, on ports of its own."""

    def __init__(self, pair, node, data_dir):
        home = pathlib.Path(pair.dir) / node
        text = (home / "twinspool.conf").read_text().replace(f"{home}/data", str(data_dir))
        text = re.sub(r"(\w+-listen) = 127\.0\.0\.1:\d+", r"\1 = 127.0.0.1:0", text)
        config = home / "stray.conf"
        config.write_text(text)
        self.socket = data_dir / "admin.sock"
        self.log = open(home / "stray.log", "wb")
        self.process = subprocess.Popen([harness.DAEMON, "--config", config], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def ctl(self, *arguments):
        return subprocess.run([harness.CTL, "--socket", self.socket, *arguments],
                              capture_output=True, text=True, check=False, timeout=60)

    def close(self):
        self.process.kill()
        self.process.wait()
        self.log.close()


class Dissolved(harness.PairTest):
    def setUp(self):
        super().setUp()
        self.stray = None
        self.addCleanup(lambda: self.stray and self.stray.close())

    def begin_load(self, node):
        """A session that stays, and a crew with a ledger."""
        self.session = login(self.pair, node)
        self.session.select("INBOX")
        self.crew = crew.Crew(self.pair, users=["user2", "test"])
        self.addCleanup(self.crew.close)
        self.crew.load(node)
        self.crew.more(5)

    def end_load(self, node):
        counts = self.crew.stop()
        self.assertEqual((counts["unanswered"], counts["refused"]), (0, 0), "served without a pause")
        self.crew.judge(node)

    def deliver(self, node, text):
        self.assertEqual(append(login(self.pair, node), text), "OK")
        self.assertEqual(self.session.noop()[0], "OK", "the session is still there")
        _, data = self.session.uid("SEARCH", "HEADER", "SUBJECT", f'"{text}"')
        self.assertTrue(data[0], f"the session sees {text}")

    def expect_expelled(self, node):
        self.pair.expect_state(node, "fenced", advice="empty data directory")
        for order in (["promote"], ["promote", "--allow-data-loss", "--peer-fenced"], ["promote", "--peer-not-promoted"],
                      ["solo"], ["solo", "--peer-fenced"], ["switchover"], ["pair", "dissolve"]):
            self.assertIn("expelled", self.pair.expect(3, node, *order))
        self.assertIn("empty data directory", self.pair.expect(2, node, "pair", "join", self.invitation))

    def test_node_0_remains_and_takes_in_another(self):
        self.begin_load("a")
        self.assertIn("twinspoolctl pair invite", self.pair.expect(0, "a", "pair", "dissolve", "--expect-epoch", "2"))
        self.pair.expect_state("a", "primary", "single", reads=True, writes=True, advice="")
        self.assertEqual(self.pair.status("a")["mode"], "single")
        self.deliver("a", "single")
        self.invitation = self.pair.invite("a")
        self.expect_expelled("b")
        self.pair.kill("b")
        self.pair.start("b")
        self.expect_expelled("b")
        self.crew.more(5)
        former = self.pair.renew("b")
        self.stray = Stray(self.pair, "b", former)
        self.pair.ctl("b", "pair", "join", self.invitation)
        self.pair.wait("b", "eligible")
        self.pair.expect_state("a", "primary", "replicated", reads=True, writes=True, advice="")
        self.deliver("a", "a pair again")
        # The expelled node comes back beside the new one, knows that it is out, and dials nobody.
        harness.eventually(lambda: "empty data directory" in self.stray.ctl("status").stdout, what="the expelled node says why")
        self.assertIn("peer        away, not heard", self.stray.ctl("status").stdout)
        self.crew.more(5)
        self.end_load("a")
        self.assertNotIn("a newer connection", self.pair.logs(2000))
        self.pair.verify_equal()
        self.assertIn("already", self.pair.expect(2, "a", "pair", "invite", "127.0.0.1:1"))
        self.assertIn("invitation was used", self.reuse_invitation())
        self.pair.ctl("a", "switchover")
        self.pair.wait("b", "serving")
        self.assertEqual(harness.subjects(self.pair, "b"), ["single", "a pair again"])

    def reuse_invitation(self):
        """A third node with the invitation that was used."""
        self.stray.close()
        third = pathlib.Path(self.pair.dir) / "b" / "third"
        self.stray = Stray(self.pair, "b", third)
        harness.eventually(lambda: self.stray.ctl("status").returncode == 0, what="the third node answers")
        result = self.stray.ctl("pair", "join", self.invitation)
        self.assertEqual(result.returncode, 2)
        return result.stderr

    def test_node_1_remains_and_makes_a_new_pair(self):
        self.pair.ctl("a", "switchover")
        self.pair.wait("b", "serving")
        self.begin_load("b")
        old_pair = self.pair.status("b")["pair_id"]
        self.assertIn("only the primary", self.pair.expect(3, "a", "pair", "dissolve"))
        self.assertIn("twinspoolctl pair init", self.pair.expect(0, "b", "pair", "dissolve"))
        self.pair.expect_state("b", "primary", "single", reads=True, writes=True, advice="")
        self.deliver("b", "single")
        self.assertIn("twinspoolctl pair init", self.pair.expect(2, "b", "pair", "invite", "127.0.0.1:1"))
        self.crew.more(5)
        self.pair.ctl("b", "pair", "init")
        self.assertNotEqual(self.pair.status("b")["pair_id"], old_pair)
        self.invitation = self.pair.invite("b")
        self.expect_expelled("a")
        self.pair.renew("a")
        self.pair.ctl("a", "pair", "join", self.invitation)
        self.pair.wait("a", "eligible")
        self.pair.expect_state("b", "primary", "replicated", reads=True, writes=True, advice="")
        self.deliver("b", "a pair again")
        self.crew.more(5)
        self.end_load("b")
        self.pair.verify_equal()
        self.assertEqual([self.pair.status(node)["node_index"] for node in "ba"], [0, 1])
        self.pair.kill("b")
        self.pair.ctl("a", "promote", "--peer-fenced")
        self.assertEqual(harness.subjects(self.pair, "a"), ["single", "a pair again"])
        self.pair.start("b")
        self.pair.wait("b", "eligible")
        self.pair.ctl("a", "switchover")
        self.pair.wait("b", "serving")
        self.pair.wait("a", "eligible")
        self.pair.verify_equal()

    def test_without_the_other_node_it_takes_a_claim_and_a_grant(self):
        self.pair.kill("b")
        harness.eventually(lambda: not self.pair.status("a")["peer_connected"], what="a sees that b is gone")
        self.assertIn("--peer-never-returns", self.pair.expect(9, "a", "pair", "dissolve"))
        self.assertIn("twinspoolctl solo --peer-fenced", self.pair.expect(3, "a", "pair", "dissolve", "--peer-never-returns"))
        self.pair.expect(0, "a", "solo", "--peer-fenced")
        self.pair.expect(3, "a", "pair", "dissolve", "--peer-never-returns", "--expect-epoch", "2")
        self.pair.expect(0, "a", "pair", "dissolve", "--peer-never-returns", "--expect-epoch", "4")
        self.pair.kill("a")
        self.pair.start("a")
        self.pair.expect_state("a", "primary", "single", reads=True, writes=True, advice="")
        self.assertEqual(append(login(self.pair, "a"), "one"), "OK")
        self.pair.start("b")  # against the claim: it finds no pair any more
        harness.eventually(lambda: self.pair.status("b")["peer_error"], what="b is told why")
        self.pair.expect_state("b", "fenced")
        self.pair.expect_state("a", "primary", "single", reads=True, writes=True, advice="")


harness.main()
