"""Orders at a bad moment: amid a rewind or a catch-up, and with an answer that never comes."""
import os
import resource

import harness


def append(client, text):
    return client.append("INBOX", None, None, f"Subject: x\r\n\r\n{text}\r\n".encode())[0]


class Midway(harness.CutPairTest):
    """The wire holds back what a sends to b; b's words to a pass."""

    def refused_whatever_is_claimed(self, node):
        for claims in ([], ["--peer-fenced"], ["--allow-data-loss", "--peer-fenced"]):
            self.assertRegex(self.pair.expect(3, node, "promote", *claims), "a rewind|a catch-up")

    def alone(self, node):
        harness.eventually(lambda: not self.pair.status(node)["peer_connected"], what=f"{node} is alone")

    def test_a_standby_amid_a_catch_up_is_not_promoted(self):
        client = harness.login(self.pair, "a")
        self.pair.kill("b")
        self.pair.ctl("a", "solo", "--peer-fenced")
        for _ in range(100):
            self.assertEqual(append(client, os.urandom(25_000).hex()), "OK")  # does not shrink on the wire
        self.pair.kill("a")  # what it sent lately is not in its memory any more: a catch-up, no tail
        self.pair.start("a")
        self.pair.ctl("a", "solo")
        self.wire.hold_after(1_000_000)
        self.pair.start("b")
        harness.eventually(self.wire.held.is_set, what="the catch-up is under way")
        harness.eventually(lambda: self.pair.status("b")["role"] == "catching-up", what="b is amid it")
        self.pair.kill("a")
        self.alone("b")
        self.refused_whatever_is_claimed("b")
        self.wire.open.set()
        self.pair.start("a")
        self.pair.wait("b", "eligible")
        self.pair.wait("a", "serving")
        self.assertEqual(len(harness.subjects(self.pair, "a")), 100)
        self.pair.verify_equal()

    def test_an_old_primary_amid_its_rewind_is_not_promoted(self):
        client = harness.login(self.pair, "a")
        self.assertEqual(append(client, "on both"), "OK")
        self.wire.open.clear()
        client.sock.settimeout(2)
        with self.assertRaises(Exception):
            append(client, "never acknowledged" * 2_000)
        self.pair.kill("a")
        self.alone("b")
        self.pair.ctl("b", "promote", "--peer-fenced")
        self.pair.start("a")
        # It can remember that it has to rewind, but not save what it has to undo.
        resource.prlimit(self.pair.pid("a"), resource.RLIMIT_FSIZE, (20_000, 20_000))
        self.wire.open.set()
        harness.eventually(lambda: self.pair.status("a")["role"] == "catching-up", what="a has to rewind")
        self.pair.kill("b")
        self.alone("a")
        self.refused_whatever_is_claimed("a")
        self.pair.kill("a")
        self.pair.start("a")
        self.refused_whatever_is_claimed("a")
        self.pair.start("b")
        self.pair.wait("a", "eligible")
        harness.eventually(lambda: len(harness.subjects(self.pair, "b")) == 2, what="what a had alone is given back")
        self.pair.verify_equal()


class LostAnswer(harness.CutPairTest):
    def whole(self):
        """One node serves, the other follows, both are equal."""
        def one_serves():
            primary = self.pair.primary()
            return primary if self.pair.status(primary)["serves_writes"] else None
        primary = harness.eventually(one_serves, what="one node serves")
        self.pair.wait("b" if primary == "a" else "a", "eligible")
        self.assertEqual(harness.subjects(self.pair, primary), ["before"])
        self.assertEqual(harness.append(harness.login(self.pair, primary), "after"), "OK")
        self.pair.verify_equal()

    def setUp(self):
        super().setUp()
        self.assertEqual(harness.append(harness.login(self.pair, "a"), "before"), "OK")

    def test_a_node_that_hangs(self):
        self.pair.kill("a", "STOP")
        self.assertIn("did not answer in time", self.pair.expect(7, "a", "switchover", "--timeout", "1"))
        self.pair.kill("a", "CONT")
        self.whole()

    def test_a_peer_that_does_not_confirm_a_switchover(self):
        self.wire.open.clear()
        self.assertIn("twinspoolctl status", self.pair.expect(7, "a", "switchover", "--timeout", "1"))
        self.assertFalse(self.pair.status("a")["serves_writes"], "b may have taken over")
        self.wire.open.set()
        self.whole()

    def test_a_peer_that_does_not_confirm_a_demotion(self):
        self.wire.open.clear()
        self.pair.expect(7, "a", "demote", "--timeout", "1")
        self.assertEqual(self.pair.status("a")["role"], "fenced")
        self.wire.open.set()
        harness.eventually(lambda: self.pair.ctl("b", "promote", check=False).returncode == 0, what="b holds the resignation")
        harness.eventually(lambda: self.pair.status("a")["role"] in ("catching-up", "standby"), what="a follows b")
        self.pair.ctl("a", "undemote")
        self.whole()


harness.main()
