"""What operators see: for each situation the state, the exit code, and that the advice names the command that helps."""
import harness
from harness import append, login

FORCE = "twinspoolctl promote --allow-data-loss --peer-fenced"


class Crashes(harness.PairTest):
    def test_the_standby_dies_and_later_the_primary_restarts_alone(self):
        self.pair.kill("b", "TERM")  # gracefully: no pause
        self.pair.expect_state("a", "primary", "solo", reads=True, writes=True, advice="Running on one copy")
        self.assertEqual(append(login(self.pair, "a"), "one"), "OK")
        self.pair.start("b")
        self.pair.wait("b", "eligible")
        self.pair.kill("b")
        self.pair.expect_state("a", "primary", "blocked", reads=True, advice="`twinspoolctl solo --peer-fenced`")
        self.assertIn("twinspoolctl solo --peer-fenced", self.pair.expect(3, "a", "solo"))
        self.assertIn("epoch 4", self.pair.expect(0, "a", "solo", "--peer-fenced"))
        self.pair.expect_state("a", "primary", "solo", reads=True, writes=True, advice="bring the other node back")
        self.pair.kill("a")
        self.pair.start("a")  # it was solo: a grant of epoch 4 is stored
        status = self.pair.expect_state("a", "fenced", advice="`twinspoolctl solo`")
        self.assertRegex(status["advice"], "grant of epoch 4.*splits the mail")
        self.assertEqual((status["grant"], status["grant_usable"]), ("fence", False))
        self.assertIn("next: twinspoolctl solo\n", self.pair.expect(8, "a", "promote"))
        self.pair.expect(8, "a", "solo", "--peer-fenced")
        self.pair.expect(0, "a", "solo")
        self.assertEqual(harness.subjects(self.pair, "a"), ["one"])
        self.pair.start("b")
        self.pair.wait("b", "eligible")
        self.pair.expect_state("a", "primary", "replicated", reads=True, writes=True, advice="")
        self.pair.verify_equal()

    def test_the_primary_dies(self):
        self.assertEqual(append(login(self.pair, "a"), "one"), "OK")
        self.pair.kill("a")
        status = self.pair.expect_state("b", "standby", advice="`twinspoolctl promote --peer-fenced`")
        self.assertIn("Nothing", status["loss_if_promoted"])
        self.assertIn("next: twinspoolctl solo --peer-fenced", self.pair.expect(5, "b", "promote"))
        self.pair.expect_state("b", "primary", "blocked", advice="`twinspoolctl solo --peer-fenced`")
        self.assertEqual(append_or_refusal(self.pair, "b"), "refused")
        self.pair.kill("b")
        self.pair.start("b")  # after a plain promotion, before anybody was fenced
        status = self.pair.expect_state("b", "fenced", advice=f"`{FORCE}`")
        self.assertFalse(status["complete"])
        change = status["transitions"][0]
        self.assertEqual((change["to"], change["epoch"], change["reason"]), ("primary", 3, "promote"), "remembered over a crash")
        self.assertIn("twinspoolctl", change["actor"])
        self.assertIn(f"next: {FORCE}", self.pair.expect(8, "b", "promote", "--peer-fenced"))
        self.assertIn(f"next: {FORCE}", self.pair.expect(8, "b", "solo", "--peer-fenced"))
        self.pair.start("a")  # what helps
        self.pair.expect_state("b", "primary", "replicated", reads=True, writes=True, advice="")
        self.pair.wait("a", "eligible")
        self.pair.kill("b")
        self.assertIn("primary at epoch", self.pair.expect(0, "a", "promote", "--peer-fenced"))
        self.pair.expect_state("a", "primary", "solo", reads=True, writes=True, advice="Running on one copy")
        self.assertEqual(harness.subjects(self.pair, "a"), ["one"])
        self.pair.start("b")
        self.pair.wait("b", "eligible")
        self.pair.verify_equal()


def append_or_refusal(pair, node):
    try:
        return append(login(pair, node), "x")
    except Exception as error:  # noqa: BLE001: whatever the client library makes of BYE or NO
        return "refused" if "UNAVAILABLE" in str(error) else str(error)


class Resignations(harness.PairTest):
    def test_resigned_nodes_and_their_holders(self):
        self.assertEqual(append(login(self.pair, "a"), "one"), "OK")
        self.pair.kill("a", "TERM")
        self.pair.expect_state("b", "standby", advice="`twinspoolctl promote --peer-fenced`")
        self.assertTrue(self.pair.status("b")["holds_resignation"])
        self.pair.kill("b")
        self.pair.start("a")  # restarted gracefully, peer away
        status = self.pair.expect_state("a", "fenced", advice="`twinspoolctl promote --peer-fenced`")
        self.assertTrue(status["resigned"])
        self.assertIn("takes it back by itself", status["advice"])
        self.assertIn("on the peer: twinspoolctl promote --peer-fenced", self.pair.expect(8, "a", "promote"))
        self.pair.expect(8, "a", "solo")
        self.pair.start("b")  # ... and there again: taken back
        self.pair.expect_state("a", "primary", "replicated", reads=True, writes=True, advice="")
        self.pair.wait("b", "eligible")
        self.pair.kill("a", "TERM")
        self.pair.kill("b")
        self.pair.start("b")  # restarted while holding a resignation, resigned node away
        status = self.pair.expect_state("b", "fenced", advice="`twinspoolctl promote --peer-not-promoted`")
        self.assertTrue(status["holds_resignation"])
        self.assertIn("not promoted since it resigned", status["loss_if_promoted"])
        for claims in ([], ["--peer-fenced"]):
            self.assertIn("next: twinspoolctl promote --peer-not-promoted", self.pair.expect(8, "b", "promote", *claims))
        self.pair.expect(0, "b", "promote", "--peer-not-promoted")
        self.assertEqual(harness.subjects(self.pair, "b"), ["one"])
        self.assertEqual(append(login(self.pair, "b"), "two"), "OK")
        self.pair.start("a")
        self.pair.wait("a", "eligible")
        self.pair.verify_equal()
        self.held_down()

    def held_down(self):
        self.pair.expect(0, "a", "fence")
        status = self.pair.expect_state("a", "standby", advice="`twinspoolctl undemote`")
        self.assertTrue(status["held_down"])
        self.assertIn("twinspoolctl undemote", self.pair.expect(3, "a", "promote"))
        self.assertIn("on the peer: twinspoolctl undemote", self.pair.expect(3, "b", "switchover"))
        self.pair.expect_state("b", "primary", "replicated", reads=True, writes=True)
        self.pair.expect(0, "a", "undemote")
        self.pair.wait("a", "eligible")
        self.pair.expect(0, "b", "switchover")
        self.pair.wait("a", "serving")
        self.assertEqual(harness.subjects(self.pair, "a"), ["one", "two"])
        self.pair.expect(0, "a", "fence")  # the primary, while the standby is there
        self.pair.expect_state("b", "standby", advice="`twinspoolctl promote`")
        self.assertIn("next: twinspoolctl promote\n", self.pair.expect(4, "b", "promote", "--peer-fenced"))
        self.pair.expect(5, "b", "promote")
        self.pair.expect_state("b", "primary", "replicated", reads=True, writes=True)
        self.assertEqual(harness.subjects(self.pair, "b"), ["one", "two"])
        self.assertIn("twinspoolctl undemote", self.pair.status("a")["advice"])


class Forced(harness.PairTest):
    def test_the_old_node_alone_after_a_forced_promotion(self):
        self.pair.kill("b")
        self.pair.expect(0, "a", "solo", "--peer-fenced")
        self.assertEqual(append(login(self.pair, "a"), "only on a"), "OK")
        self.pair.kill("a")
        self.pair.start("b")
        self.pair.expect_state("b", "fenced", advice=f"`{FORCE}`")
        self.assertIn(f"next: {FORCE}", self.pair.expect(8, "b", "promote", "--peer-fenced"))
        self.pair.expect(2, "b", "promote", "--allow-data-loss")
        self.pair.expect(0, "b", "promote", "--allow-data-loss", "--peer-fenced")
        self.pair.kill("b")
        self.pair.start("a")
        status = self.pair.expect_state("a", "fenced")
        self.assertRegex(status["advice"], "grant of epoch 4.*if it was, this splits the mail")
        self.pair.start("b")
        self.pair.wait("a", "standby")
        self.pair.wait("b", "serving")
        harness.eventually(lambda: harness.subjects(self.pair, "b") == ["only on a"], what="the message comes back")
        self.pair.verify_equal()


class Unfinished(harness.PairTest):
    def test_a_copy_that_is_not_whole_refuses_even_force(self):
        self.pair.ctl("a", "pair", "dissolve")
        self.pair.renew("b", "peer-address = 127.0.0.1:1")  # it joins, finds nobody, and stays empty
        self.pair.ctl("b", "pair", "join", self.pair.invite("a"))
        status = self.pair.expect_state("b", "fenced", advice="bring the primary back")
        self.assertTrue(status["incomplete"])
        self.assertIn("even force is refused", self.pair.expect(3, "b", "promote", "--allow-data-loss", "--peer-fenced"))
        self.pair.expect(3, "b", "promote")
        self.pair.expect(3, "b", "solo")
        self.pair.expect_state("a", "primary", "solo", reads=True, writes=True, advice="bring the other node back")


harness.main()
