"""Bad peers: whose certificate or pair does not fit is refused, nothing is taken from him, and status says why on both."""
import pathlib
import shutil
import unittest

import harness
from harness import append, login


class Strangers(unittest.TestCase):
    """Two pairs whose second nodes get each other's certificates and addresses."""

    def setUp(self):
        self.pairs = [harness.Pair(), harness.Pair()]
        for pair in self.pairs:
            self.addCleanup(pair.close)

    def tls(self, pair, node):
        return pathlib.Path(pair.dir) / node / "data" / "tls"

    def status_line(self, pair, node):
        text = pair.ctl(node, "status").stdout
        return next(line for line in text.splitlines() if line.startswith("peer"))

    def told(self, pair, node, *pieces):
        def complete():
            error = pair.status(node)["peer_error"] + pair.status(node)["peer_refused"]
            assert all(piece in error for piece in pieces), f"{node} says: {error!r}"
            return True
        harness.eventually(complete, what=f"{node} says why it does not talk to its peer")
        self.assertIn(pieces[0], self.status_line(pair, node))

    def blocked(self, pair):
        pair.expect_state("a", "primary", "blocked", reads=True, advice="`twinspoolctl solo --peer-fenced`")
        self.assertEqual(append(login(pair, "a"), "refused"), "NO")

    def restart_b(self, pair, prepare):
        pair.kill("b")
        prepare(self.tls(pair, "b"))
        pair.start("b")

    def test_certificates_and_pairs_that_do_not_fit(self):
        one, two = self.pairs
        self.assertEqual(append(login(one, "a"), "mine"), "OK")
        kept = pathlib.Path(one.dir) / "kept"
        shutil.copytree(self.tls(one, "b"), kept)
        with self.subTest("a certificate with another role"):
            def take_node_0(tls):
                for file in ("node.pem", "node.key"):
                    shutil.copy(self.tls(one, "a") / file, tls / file)
            self.restart_b(one, take_node_0)
            self.told(one, "a", "refused a connection", "/node/0 and not", "/node/1")
            self.told(one, "b", "/node/0 and not", "/node/1")
            self.blocked(one)
        with self.subTest("another pair's node and certificates"):
            config = pathlib.Path(one.dir) / "b" / "twinspool.conf"
            before = config.read_text()
            config.write_text(f"{before}peer-address = 127.0.0.1:{two.port('a', 'grpc_port')}\n")
            two.kill("b")  # makes room for a stranger

            def take_the_others(tls):
                for file in ("ca.pem", "node.pem", "node.key"):
                    shutil.copy(self.tls(two, "b") / file, tls / file)
            self.restart_b(one, take_the_others)
            self.told(one, "b", two.status("a")["pair_id"] + "/node/0 and not", one.status("a")["pair_id"] + "/node/0")
            self.blocked(two)
            self.assertNotIn("standby", one.status("b")["role"])
            config.write_text(before)
        with self.subTest("certificates of another authority"):
            self.restart_b(one, lambda tls: None)
            self.told(one, "b", "SSL")
            self.blocked(one)
        with self.subTest("its own again"):
            self.restart_b(one, lambda tls: shutil.copytree(kept, tls, dirs_exist_ok=True))
            one.wait("b", "eligible")
            one.expect_state("a", "primary", "replicated", reads=True, writes=True, advice="")
            for node in "ab":
                status = one.status(node)
                self.assertEqual((status["peer_error"], status["peer_refused"]), ("", ""))
            one.verify_equal()
            two.start("b")
            two.wait("b", "eligible")
            two.verify_equal()

    def test_a_copied_data_directory_is_no_second_node(self):
        one, _ = self.pairs
        one.kill("b")
        one.kill("a")
        home = pathlib.Path(one.dir)
        shutil.rmtree(home / "b" / "data")
        shutil.copytree(home / "a" / "data", home / "b" / "data", ignore=shutil.ignore_patterns("admin.sock"))
        one.start("a")
        one.start("b")
        for node in "ab":
            status = one.expect_state(node, "fenced")
            self.assertFalse(status["serves_reads"] or status["serves_writes"] or status["peer_connected"])


harness.main()
