"""What `strict` and `async` change: when a primary stops, when it goes on, what a promotion may lose."""
import time

import harness
from harness import append, login


class Strict(harness.PairTest):
    up_arguments = ("--mode", "strict")

    def blocked(self, advice):
        status = self.pair.expect_state("a", "primary", "blocked", reads=True, advice=advice)
        self.assertEqual(append(login(self.pair, "a"), "refused"), "NO")
        return status

    def solo(self, *arguments):
        self.pair.expect(0, "a", "solo", *arguments)
        self.pair.expect_state("a", "primary", "solo", reads=True, writes=True)
        self.assertEqual(append(login(self.pair, "a"), "solo"), "OK")

    def back(self, node="b"):
        self.pair.start(node)
        self.pair.wait(node, "eligible")
        self.pair.expect_state("a", "primary", "replicated", reads=True, writes=True, advice="")

    def test_every_loss_of_the_peer_blocks(self):
        self.assertEqual(append(login(self.pair, "a"), "both"), "OK")
        self.pair.kill("b", "TERM")  # steps back, which is a grant: it sleeps
        status = self.blocked("`twinspoolctl solo`")
        self.assertEqual((status["grant"], status["grant_usable"], status["epoch"]), ("peer", False, 2))
        self.solo()
        self.pair.kill("a")  # at each start
        self.pair.start("a")
        status = self.pair.expect_state("a", "fenced", advice="`twinspoolctl solo`")
        self.assertEqual((status["grant"], status["grant_usable"]), ("peer", False))
        self.solo()
        self.assertEqual(self.pair.status("a")["epoch"], 2, "the stored grant is of this epoch")
        self.back()
        self.pair.kill("b", "TERM")  # at each dismissal
        self.blocked("`twinspoolctl solo`")
        self.solo()
        self.back()
        self.pair.kill("b")  # a crash is no grant
        self.assertEqual(self.blocked("`twinspoolctl solo --peer-fenced`")["grant"], "")
        self.assertIn("twinspoolctl solo --peer-fenced", self.pair.expect(3, "a", "solo"))
        self.solo("--peer-fenced")
        self.assertEqual(self.pair.status("a")["epoch"], 4)
        self.back()
        self.pair.verify_equal()

    def test_a_promotion_by_resignation_waits_for_the_word(self):
        self.assertEqual(append(login(self.pair, "a"), "both"), "OK")
        self.pair.kill("a", "TERM")
        self.assertIn("twinspoolctl solo", self.pair.expect(5, "b", "promote"))
        self.pair.expect_state("b", "primary", "blocked", advice="`twinspoolctl solo`")
        with self.assertRaisesRegex(Exception, "UNAVAILABLE"):
            harness.subjects(self.pair, "b")
        self.pair.expect(0, "b", "solo")
        self.assertEqual(harness.subjects(self.pair, "b"), ["both"])
        self.pair.start("a")
        self.pair.wait("a", "eligible")
        self.pair.expect_state("b", "primary", "replicated", reads=True, writes=True, advice="")
        self.pair.kill("b")
        self.pair.expect(0, "a", "promote", "--peer-fenced")  # is a word, too
        self.assertEqual(append(login(self.pair, "a"), "alone"), "OK")
        self.pair.start("b")
        self.pair.wait("b", "eligible")
        self.pair.verify_equal()


class Async(harness.PairTest):
    up_arguments = ("--mode", "async")

    def wait_follows(self, node, primary):
        """Nobody is eligible in async."""
        self.pair.wait(node, "standby")
        harness.eventually(lambda: self.pair.status(primary)["acked_seq"] == self.pair.status(node)["last_seq"],
                           what=f"{node} has everything")
        self.assertFalse(self.pair.status(node)["eligible"])

    def test_goes_on_alone_and_a_promotion_after_a_crash_is_forced(self):
        client = login(self.pair, "a")
        self.assertEqual(append(client, "both"), "OK")
        self.pair.expect_state("a", "primary", "async", reads=True, writes=True)
        self.pair.kill("b")
        harness.eventually(lambda: not self.pair.status("a")["peer_connected"], what="a sees that b is gone")
        self.assertEqual(append(client, "alone"), "OK")
        self.assertEqual(harness.subjects(self.pair, "a"), ["both", "alone"])
        self.pair.expect_state("a", "primary", "async", reads=True, writes=True)
        self.pair.start("b")
        harness.eventually(lambda: self.pair.status("b")["last_seq"] == self.pair.status("a")["last_seq"], what="b follows")
        self.wait_follows("b", "a")
        self.pair.kill("a")
        status = self.pair.expect_state("b", "standby", advice="`twinspoolctl promote --allow-data-loss --peer-fenced`")
        self.assertIn("last moments", status["loss_if_promoted"])
        for claims in ([], ["--peer-fenced"]):
            self.assertIn("promote --allow-data-loss --peer-fenced", self.pair.expect(8, "b", "promote", *claims))
        self.pair.expect(2, "b", "promote", "--allow-data-loss")
        self.pair.expect(0, "b", "promote", "--allow-data-loss", "--peer-fenced")
        self.assertEqual(harness.subjects(self.pair, "b"), ["both", "alone"])
        self.assertEqual(append(login(self.pair, "b"), "after"), "OK")
        self.pair.start("a")
        self.wait_follows("a", "b")
        self.pair.kill("b", "TERM")  # a resignation holds everything, in any mode
        self.pair.expect(0, "a", "promote")
        self.assertEqual(harness.subjects(self.pair, "a"), ["both", "alone", "after"])
        self.pair.start("b")
        self.wait_follows("b", "a")
        self.pair.verify_equal()


class AsyncThatWaits(harness.PairTest):
    up_arguments = ("--mode", "async", "--set", "sync-wait-ms=1500")

    def test_waits_for_the_standby_but_not_for_ever(self):
        client = login(self.pair, "a")

        def seconds(text):
            began = time.monotonic()
            self.assertEqual(append(client, text), "OK")
            return time.monotonic() - began
        harness.eventually(lambda: seconds("both") < 1.0, what="an answer with the standby's ack")
        self.pair.kill("b", "STOP")
        self.assertGreater(seconds("waited"), 1.4)
        self.pair.kill("b", "CONT")
        harness.eventually(lambda: seconds("both again") < 1.0, what="an answer with the standby's ack")
        self.pair.verify_equal()


harness.main()
