"""Roles with real processes: start rules, exit codes, switchover under load, graceful stops, single."""
import json
import re
import pathlib
import unittest
import urllib.error
import urllib.request

import crew
import harness
import mail


def append(client, text):
    return client.append("INBOX", None, None, f"Subject: {text}\r\n\r\nx\r\n".encode())[0]


class Roles(harness.PairTest):
    def test_standby_greets_with_bye_and_421(self):
        with self.assertRaises(Exception) as caught:
            harness.login(self.pair, "b")
        self.assertIn("UNAVAILABLE", str(caught.exception))
        with self.assertRaises(OSError) as refused:
            mail.Lmtp(self.pair.port("b", "lmtp_port"))
        self.assertIn("421", str(refused.exception))

    def test_exit_codes_of_questions_and_refusals(self):
        code = lambda node, *arguments: self.pair.ctl(node, *arguments, check=False).returncode
        self.assertEqual(code("a", "is-primary"), 0)
        self.assertEqual(code("a", "is-standby"), 10)
        self.assertEqual(code("b", "is-eligible"), 0)
        self.assertEqual(code("b", "promote"), 4, "the peer is primary and answers")
        self.assertNotEqual(code("b", "promote", "--expect-epoch", "4711"), 0)
        self.assertEqual(code("b", "wait", "--role", "primary", "--timeout", "1"), 6)
        self.assertEqual(code("a", "frobnicate"), 2)
        self.pair.kill("b")
        self.assertEqual(code("b", "status"), 9)

    def test_every_order_leaves_an_audit_line_with_its_actor(self):
        self.pair.ctl("a", "user", "add", "audited", "--password", "not-for-the-log")
        self.pair.ctl("b", "promote", check=False)
        log = {node: (pathlib.Path(self.pair.dir) / node / "log").read_text() for node in "ab"}
        orders = {node: [line for line in log[node].splitlines() if "operator_order" in line] for node in "ab"}
        self.assertTrue(any("UserAdd" in o and "audited" in o and "twinspoolctl" in o and "DONE" in o for o in orders["a"]), orders["a"])
        self.assertTrue(any("Promote" in o and "PEER_REACHABLE" in o for o in orders["b"]), orders["b"])
        self.assertTrue(any("PairInit" in o for o in orders["a"]) and any("PairJoin" in o for o in orders["b"]), orders)
        self.assertNotIn("not-for-the-log", log["a"])

    def test_plain_promote_without_a_grant_is_blocked_and_says_what_helps(self):
        self.pair.kill("a")
        result = self.pair.ctl("b", "promote", check=False)
        self.assertEqual(result.returncode, 5, result.stdout + result.stderr)
        self.assertIn("twinspoolctl", result.stdout + result.stderr)
        self.pair.start("a")
        self.pair.wait("a", "eligible")
        self.pair.wait("b", "serving")

    def test_both_lose_power_and_resume_by_themselves(self):
        client = harness.login(self.pair, "a")
        self.assertEqual(append(client, "before"), "OK")
        self.pair.kill("a")
        self.pair.kill("b")
        self.pair.start("a")
        self.pair.start("b")
        self.pair.wait("a", "serving")
        self.pair.wait("b", "eligible")
        self.assertEqual(len(mail.read_mailbox(self.pair.port("a"))[1]), 1)

    def test_primary_alone_after_a_restart_neither_reads_nor_writes(self):
        self.pair.kill("a")
        self.pair.kill("b")
        self.pair.start("a")
        status = self.pair.status("a")
        self.assertFalse(status["serves_reads"] or status["serves_writes"], status)
        self.assertNotEqual(status["advice"], "")

    def test_graceful_stop_of_the_standby_leaves_the_primary_serving(self):
        client = harness.login(self.pair, "a")
        self.pair.kill("b", "TERM")
        self.assertEqual(append(client, "solo"), "OK")
        self.assertEqual(self.pair.status("a")["role_detail"], "solo")
        self.pair.start("b")
        self.pair.wait("b", "eligible")
        self.pair.verify_equal()

    def test_graceful_restart_of_the_primary_is_taken_back(self):
        self.pair.kill("a", "TERM")
        self.pair.start("a")
        self.pair.wait("a", "serving")
        self.pair.wait("b", "eligible")

    def test_promotion_after_a_graceful_stop_needs_no_claim(self):
        self.pair.kill("a", "TERM")
        self.pair.ctl("b", "promote")
        client = harness.login(self.pair, "b")
        self.assertEqual(append(client, "flows"), "OK")

    def test_solo_after_the_standby_was_switched_off(self):
        self.pair.kill("b")
        client = harness.login(self.pair, "a")
        self.pair.ctl("a", "solo", "--peer-fenced")
        self.assertEqual(append(client, "solo"), "OK")
        self.pair.start("b")
        self.pair.wait("b", "eligible")
        self.pair.verify_equal()

    def test_demote_holds_down_until_undemote(self):
        self.pair.ctl("a", "demote")
        self.pair.ctl("b", "promote")
        self.assertNotEqual(self.pair.ctl("a", "promote", check=False).returncode, 0)
        self.pair.ctl("a", "undemote")
        self.pair.wait("a", "eligible")
        self.pair.verify_equal()

    def test_switchover_under_load_loses_nothing(self):
        load = crew.Crew(self.pair)
        self.addCleanup(load.close)
        for _ in range(6):
            primary = self.pair.primary()
            other = "b" if primary == "a" else "a"
            load.load(primary)
            load.more(10)
            self.pair.ctl(primary, "switchover")
            self.pair.wait(other, "serving")
            load.stop()
            load.judge(other)
            self.pair.wait(primary, "eligible")
            self.pair.verify_equal()

    def test_http_endpoints_follow_the_role(self):
        self.assertEqual(append(harness.login(self.pair, "a"), "acknowledged by b"), "OK")

        def code(node, path):
            url = f"http://127.0.0.1:{self.pair.port(node, 'http_port')}{path}"
            try:
                with urllib.request.urlopen(url, timeout=10) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()
        self.assertEqual(code("a", "/primary")[0], 200)
        self.assertEqual(code("b", "/primary")[0], 503)
        self.assertEqual(code("b", "/standby")[0], 200)
        self.assertEqual(code("a", "/health")[0], 200)
        self.assertEqual(json.loads(code("a", "/status.json")[1])["role"], "primary")
        metrics = code("a", "/metrics")[1]
        for name in ("twinspool_role", "twinspool_epoch", "twinspool_replication_lag_records", "twinspool_digest_mismatches_total"):
            self.assertIn(name, metrics)
        acks = int(re.search(r"^twinspool_replication_ack_seconds_count (\d+)", metrics, re.M).group(1))
        self.assertGreater(acks, 0)
        self.assertEqual(code("a", "/nonsense")[0], 404)


class Divergence(harness.CutPairTest):
    def test_divergent_tail_of_the_old_primary_comes_back_under_new_uids(self):
        client = harness.login(self.pair, "a")
        self.assertEqual(append(client, "acknowledged by both"), "OK")
        self.wire.open.clear()
        client.sock.settimeout(2)
        with self.assertRaises(Exception):
            append(client, "unacknowledged")  # durable on a, never acknowledged
        self.pair.kill("a")
        harness.eventually(lambda: not self.pair.status("b")["peer_connected"], what="b sees that a is gone")
        self.pair.ctl("b", "promote", "--peer-fenced")
        other = harness.login(self.pair, "b")
        self.assertEqual(append(other, "acknowledged by b"), "OK")
        self.wire.open.set()
        self.pair.start("a")
        self.pair.wait("a", "eligible")

        def subjects():
            client = harness.login(self.pair, "b")
            found = harness.fetch_all(client, "INBOX")
            client.logout()
            return [s for _, s in found.values()]

        harness.eventually(lambda: len(subjects()) == 3, what="the message comes back")
        self.assertEqual(subjects(), ["acknowledged by both", "acknowledged by b", "unacknowledged"])
        harness.eventually(lambda: self.pair.status("a")["salvage_records"] == 0, what="the salvage is given back")
        self.pair.verify_equal()


class Single(harness.PairTest):
    up_arguments = ("--single",)

    def test_single_node_restarts_with_everything_and_becomes_a_pair(self):
        client = harness.login(self.pair, "a")
        self.assertEqual(append(client, "one"), "OK")
        before = mail.read_mailbox(self.pair.port("a"))
        self.pair.kill("a")
        self.pair.start("a")
        self.assertEqual(mail.read_mailbox(self.pair.port("a")), before)
        self.assertEqual(self.pair.status("a")["role_detail"], "single")


harness.main()
