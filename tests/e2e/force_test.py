"""Forced promotion with real processes: what is lost is declared, what comes back comes under new UIDs,
and a QRESYNC client that had seen the lost changes is told so."""
import pathlib
import re

import harness

JUMP = 1 << 20


def append(client, text, mailbox="INBOX"):
    answer, data = client.append(mailbox, None, None, f"Subject: {text}\r\n\r\nbody of {text}\r\n".encode())
    assert answer == "OK", data
    return int(re.search(rb"APPENDUID \d+ (\d+)", data[0]).group(1))


def state_of(client, mailbox="INBOX"):
    _, data = client.status(mailbox, "(UIDVALIDITY UIDNEXT HIGHESTMODSEQ MESSAGES)")
    return {name.decode(): int(value) for name, value in re.findall(rb"([A-Z]+) (\d+)", data[0].rpartition(b"(")[2])}


def subjects(pair, node, mailbox="INBOX", user="user1"):
    return {subject: uid for uid, (_, subject) in harness.fetch_all(harness.login(pair, node, user), mailbox).items()}


def resync(pair, node, known, mailbox="INBOX"):
    """Lines of a SELECT with QRESYNC of a client that knows `known`, as state_of()."""
    client = harness.login(pair, node)
    client.send(b"q1 ENABLE QRESYNC\r\n")
    lines = []
    for tag, command in (("q1", None), ("q2", f"SELECT {mailbox} (QRESYNC ({known['UIDVALIDITY']} {known['HIGHESTMODSEQ']}))")):
        if command:
            client.send(f"{tag} {command}\r\n".encode())
        while not (lines and lines[-1].startswith(tag)):
            lines.append(client.readline().decode().rstrip())
        assert lines[-1].startswith(f"{tag} OK"), lines
    return lines


def in_set(uid, text):
    for part in text.split(","):
        first, _, last = part.partition(":")
        if int(first) <= uid <= int(last or first):
            return True
    return False


def vanished(lines):
    return ",".join(line.rpartition(" ")[2] for line in lines if line.startswith("* VANISHED (EARLIER)"))


class Forced(harness.PairTest):
    def lose_a_with(self, *texts):
        """a goes on alone, takes these messages, and is lost; b comes back. Answers UIDs and state of a."""
        client = harness.login(self.pair, "a")
        append(client, "on both")
        self.pair.kill("b")
        self.pair.ctl("a", "solo", "--peer-fenced")
        uids = {text: append(client, text) for text in texts}
        client.select("INBOX")
        self.assertEqual(client.uid("STORE", "1", "+FLAGS", r"(\Flagged)")[0], "OK")
        known = state_of(client)
        self.pair.kill("a")
        self.pair.start("b")
        return uids, known

    def force(self, node):
        refused = self.pair.ctl(node, "promote", check=False)
        self.assertIn(refused.returncode, (3, 8), refused.stdout + refused.stderr)
        half = self.pair.ctl(node, "promote", "--peer-fenced", check=False)
        self.assertIn(half.returncode, (3, 8), half.stdout + half.stderr)
        self.pair.ctl(node, "promote", "--allow-data-loss", "--peer-fenced")
        self.assertIn("began by force", self.pair.status(node)["warning"])
        log = (pathlib.Path(self.pair.dir) / node / "log").read_text()
        self.assertRegex(log, r"role_change .*epoch=\d{2,} reason=\"forced promotion \(--allow-data-loss --peer-fenced\)\" actor=\"uid 0")

    def test_lost_messages_come_back_under_new_uids_and_clients_are_told(self):
        uids, known = self.lose_a_with("lost 1", "lost 2")
        self.force("b")
        client = harness.login(self.pair, "b")
        state = state_of(client)
        self.assertEqual(state["UIDVALIDITY"], known["UIDVALIDITY"])
        self.assertGreater(state["HIGHESTMODSEQ"], known["HIGHESTMODSEQ"])
        self.assertEqual(set(subjects(self.pair, "b")), {"on both"})
        first = append(client, "after the promotion")
        self.assertGreater(first, JUMP)
        self.assertGreater(first, max(uids.values()))

        lines = resync(self.pair, "b", known)
        for uid in uids.values():
            self.assertTrue(in_set(uid, vanished(lines)), lines)
        told = [line for line in lines if re.match(r"\* \d+ FETCH .*UID 1\b", line)]
        self.assertTrue(told and r"\Flagged" not in told[0], f"the lost flag change is taken back: {lines}")

        self.pair.start("a")
        self.pair.wait("a", "eligible")
        back = harness.eventually(lambda: (lambda found: found if len(found) == 4 else None)(subjects(self.pair, "b")),
                                  what="the messages come back")
        self.assertEqual(back["on both"], 1)
        for text, uid in uids.items():
            self.assertGreater(back[text], first, f"{text} was {uid}")
        harness.eventually(lambda: not any(self.pair.status(node)["salvage_records"] for node in "ab"), what="nothing is left to give back")
        harness.eventually(lambda: self.pair.status("b")["warning"] == "", what="nothing may be missing any more")
        self.pair.verify_equal()

        lines = resync(self.pair, "b", known)
        for uid in uids.values():
            self.assertTrue(in_set(uid, vanished(lines)), lines)
        for uid in back.values():
            self.assertFalse(in_set(uid, vanished(lines)), lines)
        self.pair.ctl("b", "switchover")
        self.pair.wait("a", "serving")
        self.assertEqual(subjects(self.pair, "a"), back, "both nodes show the same")

    def test_a_forced_promotion_survives_a_crash_and_goes_on(self):
        self.lose_a_with("lost")
        self.force("b")
        uid = append(harness.login(self.pair, "b"), "kept")
        self.pair.kill("b")
        self.pair.start("b")
        self.pair.ctl("b", "solo")
        client = harness.login(self.pair, "b")
        self.assertEqual(append(client, "next"), uid + 1)
        self.pair.start("a")
        self.pair.wait("a", "eligible")
        harness.eventually(lambda: set(subjects(self.pair, "b")) == {"on both", "kept", "next", "lost"},
                           what="everything is there")
        self.pair.verify_equal()

    def test_new_mailboxes_get_uidvalidities_that_the_lost_node_never_gave(self):
        client = harness.login(self.pair, "a")
        self.pair.kill("b")
        self.pair.ctl("a", "solo", "--peer-fenced")
        client.create("Lost")
        lost = state_of(client, "Lost")
        self.pair.kill("a")
        self.pair.start("b")
        self.force("b")
        client = harness.login(self.pair, "b")
        client.create("Lost")
        self.assertGreater(state_of(client, "Lost")["UIDVALIDITY"], lost["UIDVALIDITY"])

    def test_the_last_primary_forced_alone_moves_what_the_peer_may_lack(self):
        client = harness.login(self.pair, "a")
        append(client, "on both")
        append(client, "on both, too")
        self.pair.kill("b", "STOP")
        client.socket().settimeout(2)
        with self.assertRaises(Exception):
            append(client, "unproven")  # durable on a, never acknowledged
        self.pair.kill("a")
        self.pair.kill("b")
        self.pair.start("a")
        self.force("a")
        found = subjects(self.pair, "a")
        self.assertEqual(set(found), {"on both", "on both, too", "unproven"})
        self.assertEqual(found["on both"], 1)
        self.assertGreater(found["unproven"], JUMP, "b may have given its UID to another message")
        append(harness.login(self.pair, "a"), "after")
        self.pair.start("b")
        self.pair.wait("b", "eligible")
        self.pair.verify_equal()
        self.pair.ctl("a", "switchover")
        self.pair.wait("b", "serving")
        self.assertEqual({subject: uid for subject, uid in subjects(self.pair, "b").items() if subject != "after"}, found)


class UidDistance(harness.PairTest):
    def test_a_primary_alone_stops_before_the_uids_that_a_forced_peer_would_give(self):
        client = harness.login(self.pair, "a")
        client.create("Full")
        append(client, "on both", "Full")
        for number in range(16):
            append(client, f"{number}")
        self.pair.kill("b")
        self.pair.ctl("a", "solo", "--peer-fenced")
        client.select("INBOX")
        for _ in range(13):  # 2^17 messages
            self.assertEqual(client.copy("1:*", "INBOX")[0], "OK")
            client.noop()
        answer = "OK"
        while answer == "OK":
            given = state_of(client, "Full")["UIDNEXT"] - 1
            answer, data = client.copy("1:*", "Full")
        self.assertIn(b"[LIMIT]", data[0])
        self.assertGreaterEqual(given, JUMP)
        answer, data = client.append("Full", None, None, b"Subject: x\r\n\r\nx\r\n")
        self.assertEqual((answer, data[0][:7]), ("NO", b"[LIMIT]"))
        append(client, "other mailboxes go on")
        self.pair.kill("a")
        self.pair.start("b")
        self.pair.ctl("b", "promote", "--allow-data-loss", "--peer-fenced")
        self.assertGreater(append(harness.login(self.pair, "b"), "forced", "Full"), given)


class OutboxDropped(harness.PairTest):
    up_arguments = ("--set", "outbox-bytes-max=1M")

    def test_what_has_no_log_any_more_comes_back_too(self):
        client = harness.login(self.pair, "a")
        append(client, "on both")
        self.pair.kill("b")
        self.pair.ctl("a", "solo", "--peer-fenced")
        for number in range(20):
            append(client, f"lost {number}")
        name = "start"
        client.create(name)
        for number in range(90):  # each keeps the long former names as previous values
            client.rename(name, f"{number:02}" + "n" * 850)
            name = f"{number:02}" + "n" * 850
        harness.eventually(lambda: "is full and is dropped" in self.pair.logs(400), what="the outbox is dropped")
        self.pair.kill("a")
        self.pair.start("b")
        self.pair.ctl("b", "promote", "--allow-data-loss", "--peer-fenced")
        append(harness.login(self.pair, "b"), "after the promotion")
        self.assertEqual(set(subjects(self.pair, "b")), {"on both", "after the promotion"})
        self.pair.start("a")
        self.pair.wait("a", "eligible", 120)
        wanted = {"on both", "after the promotion"} | {f"lost {number}" for number in range(20)}
        harness.eventually(lambda: set(subjects(self.pair, "b")) == wanted, what="the messages come back")
        self.assertEqual(len(harness.fetch_all(harness.login(self.pair, "b"), "INBOX")), len(wanted), "each once")
        self.pair.verify_equal()


harness.main()
