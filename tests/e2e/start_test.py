"""Starts: each of {primary, standby, both} restarts after a crash x {the peer can be reached, not}."""
import harness

FORCE = "`twinspoolctl promote --allow-data-loss --peer-fenced`"


class Starts(harness.CutPairTest):
    def setUp(self):
        super().setUp()
        self.written = []

    def write(self, node="a"):
        text = f"message {len(self.written)}"
        client = harness.login(self.pair, node)
        self.assertEqual(harness.append(client, text), "OK")
        client.logout()
        self.written.append(text)

    def whole(self):
        """Both are back by themselves, at the same epoch, with everything."""
        self.pair.expect_state("a", "primary", "replicated", reads=True, writes=True, advice="")
        self.pair.wait("b", "eligible")
        self.assertEqual([self.pair.status(node)["epoch"] for node in "ab"], [2, 2], "nobody was promoted")
        self.assertEqual(harness.subjects(self.pair, "a"), self.written)
        self.write()
        self.pair.verify_equal()

    def deaf(self, node):
        with self.assertRaisesRegex(Exception, "UNAVAILABLE"):
            harness.login(self.pair, node)

    def test_restarts_with_the_peer_there(self):
        self.write()
        with self.subTest("the primary restarts"):
            self.pair.kill("a")
            self.pair.expect_state("b", "standby", advice="`twinspoolctl promote --peer-fenced`")
            self.assertTrue(self.pair.status("b")["eligible"])
            self.pair.start("a")
            self.whole()
        with self.subTest("the standby restarts"):
            self.pair.kill("b")
            self.pair.expect_state("a", "primary", "blocked", reads=True, advice="`twinspoolctl solo --peer-fenced`")
            self.assertEqual(harness.subjects(self.pair, "a"), self.written, "reads go on")
            self.assertEqual(harness.append(harness.login(self.pair, "a"), "refused"), "NO")
            self.pair.start("b")
            self.whole()
        for first, second in ("ab", "ba"):
            with self.subTest("both restart", first=first):
                self.pair.kill("a")
                self.pair.kill("b")
                self.pair.start(first)
                self.pair.start(second)
                self.whole()

    def test_restarts_with_the_peer_away(self):
        self.write()
        self.pair.kill("a")
        self.pair.kill("b")
        with self.subTest("the primary restarts"):
            self.pair.start("a")
            self.former_primary_alone()
            self.pair.kill("a")
        with self.subTest("the standby restarts"):
            self.pair.start("b")
            self.former_standby_alone()
        with self.subTest("both restart"):
            self.wire.open.clear()
            self.pair.start("a")
            self.former_primary_alone()
            self.former_standby_alone()
            self.wire.open.set()
            self.whole()

    def former_primary_alone(self):
        status = self.pair.expect_state("a", "fenced", advice=FORCE)
        self.assertIn("Bring it back", status["advice"])
        self.assertFalse(status["complete"])
        self.deaf("a")
        self.assertIn("twinspoolctl promote --allow-data-loss --peer-fenced", self.pair.expect(8, "a", "solo"))
        self.pair.expect(8, "a", "promote")
        self.pair.expect(3, "a", "switchover")
        self.pair.expect_state("a", "fenced", advice=FORCE)

    def former_standby_alone(self):
        status = self.pair.expect_state("b", "fenced", advice=FORCE)
        self.assertIn("bring it back", status["advice"])
        self.assertFalse(status["eligible"], "a restart forgets it")
        self.deaf("b")
        self.assertIn("bring the primary back", self.pair.expect(8, "b", "promote"))
        self.pair.expect(8, "b", "promote", "--peer-fenced")
        self.pair.expect(8, "b", "solo", "--peer-fenced")
        self.pair.expect(10, "b", "is-eligible")
        self.pair.expect_state("b", "fenced", advice=FORCE)


harness.main()
