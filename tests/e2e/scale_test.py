"""Large things: ten thousand mailboxes of one user, and messages of 200 MB beside small ones."""
import hashlib
import multiprocessing
import os
import re
import sys
import threading

import harness
import hostile
import mail

MIB = 1 << 20
FORK = multiprocessing.get_context("fork")
MAILBOXES = 10_000
LARGE = (200 if harness.FULL else 40) * MIB


def note(text):
    print(f"[{text}]", file=sys.stderr, end=" ", flush=True)


class Mailboxes(harness.PairTest):
    def names(self, client, pattern):
        client.send(b'l LIST "" "%s"\r\n' % pattern)
        lines = client.until("l ")
        self.assertIn("l OK", lines[-1])
        return [re.sub(r'"', "", line.rsplit(' "/" ', 1)[1]) for line in lines[:-1]]

    def all_ok(self, client, commands):
        """Pipelined: sent at once, answers read while they come."""
        sender = threading.Thread(target=client.send, args=(b"".join(b"p%d " % n + c + b"\r\n" for n, c in enumerate(commands)),))
        sender.start()
        for number in range(len(commands)):
            self.assertIn(f"p{number} OK", client.until(f"p{number} ")[-1])
        sender.join()

    def shared_out(self, commands, node="a", sessions=8):
        """Over several sessions, so that they share commits."""
        threads = []
        failed = []

        def work(part):
            try:
                self.all_ok(hostile.Imap(self.pair.port(node)), part)
            except Exception as error:  # told by the test's own thread
                failed.append(error)
        for number in range(sessions):
            threads.append(threading.Thread(target=work, args=(commands[number::sessions],)))
            threads[-1].start()
        for thread in threads:
            thread.join(300)
        self.assertEqual(failed, [])

    def test_ten_thousand_mailboxes(self):
        client = hostile.Imap(self.pair.port("a"))
        children = [b"old/box%05d" % n for n in range(MAILBOXES)]
        times = {}

        def step(name, function):
            result, times[name] = hostile.timed(function)
            return result
        step("CREATE", lambda: self.shared_out([b"CREATE " + name for name in children]))
        step("fill", lambda: self.all_ok(client, [b"APPEND old/box%05d {14+}\r\nSubject: x\r\n\r\n" % n for n in range(0, MAILBOXES, 100)]))
        listed = step("LIST", lambda: self.names(client, b"old/*"))
        self.assertEqual(sorted(listed), [name.decode() for name in children])
        client.send(b's LIST "" "old/*" RETURN (STATUS (MESSAGES UIDNEXT SIZE))\r\n')
        lines = step("LIST-STATUS", lambda: client.until("s "))
        self.assertEqual(sum(line.startswith("* STATUS") for line in lines), MAILBOXES)
        self.assertEqual(sum("MESSAGES 1 UIDNEXT 2 SIZE 14" in line for line in lines), MAILBOXES // 100)
        step("STATUS", lambda: self.all_ok(client, [b"STATUS " + name + b" (MESSAGES)" for name in children[:1000]]))

        before = self.pair.status("a")["last_seq"]
        self.assertIn("a OK", step("RENAME", lambda: client.ask(b"RENAME old new")))
        self.assertLessEqual(self.pair.status("a")["last_seq"], before + 1, "more than one commit")
        self.assertEqual(len(self.names(client, b"old*")), 0)
        renamed = self.names(client, b"new/*")
        self.assertEqual(sorted(renamed), [name.decode().replace("old", "new") for name in children])

        step("verify", self.pair.verify_equal)
        self.pair.kill("a")
        step("promote", lambda: self.pair.ctl("b", "promote", "--peer-fenced"))
        client = hostile.Imap(self.pair.port("b"))
        self.assertEqual(sorted(self.names(client, b"new/*")), sorted(renamed))
        step("DELETE", lambda: self.shared_out([b"DELETE " + name.encode() for name in renamed], "b"))
        self.assertEqual(self.names(client, b"new/*"), [])
        self.pair.start("a")
        step("rejoin", lambda: self.pair.wait("a", "eligible"))
        self.pair.verify_equal()
        note(", ".join(f"{name} {seconds:.2f} s" for name, seconds in times.items()))


class Large(harness.PairTest):
    def setUp(self):
        super().setUp()
        line = os.urandom(37).hex().encode() + b"\r\n"
        head = b"From: a@example.org\r\nSubject: large\r\n\r\n"
        block = b"".join(os.urandom(37).hex().encode() + b"\r\n" for _ in range(MIB // len(line)))
        self.octets = head + block * ((LARGE - len(head)) // len(block))
        self.stop = FORK.Event()

    def small_ones(self, answers):
        """Another session's small APPENDs, one after the other; how long each waits for its answer."""
        client = harness.login(self.pair, "a", "user2")
        while not self.stop.is_set():
            answer, seconds = hostile.timed(lambda: client.append("INBOX", None, None, b"Subject: small\r\n\r\n" + b"x" * 4000 + b"\r\n"))
            answers.put((answer[0], seconds))
        answers.put(None)

    def shown(self, node, box):
        client = harness.login(self.pair, node)
        client.select(box, readonly=True)
        _, data = client.fetch("1", "(RFC822.SIZE BODY.PEEK[])")
        client.logout()
        return hashlib.sha256(data[0][1]).hexdigest()

    def test_large_messages_delay_nobody_and_are_the_same_on_the_other_node(self):
        answers = FORK.Queue()  # a process of its own: ours is busy with the large ones
        other = FORK.Process(target=self.small_ones, args=(answers,), daemon=True)
        other.start()
        pauses = [answers.get(timeout=30)]
        client = harness.login(self.pair, "a")
        client.create("large")
        answer, appended = hostile.timed(lambda: client.append("large", None, None, self.octets))
        self.assertEqual(answer[0], "OK", answer)
        answer, delivered = hostile.timed(lambda: mail.Lmtp(self.pair.port("a", "lmtp_port"), 120).deliver("user1", self.octets))
        self.assertTrue(answer.startswith("250"))
        self.stop.set()
        pauses += iter(lambda: answers.get(timeout=60), None)
        other.join(60)
        self.assertEqual({answer for answer, _ in pauses}, {"OK"})
        waits = sorted(seconds for _, seconds in pauses)
        megabytes = len(self.octets) / MIB
        note(f"{megabytes:.0f} MiB: APPEND {appended:.2f} s, LMTP {delivered:.2f} s; {len(waits)} small APPENDs beside them, "
             f"longest waits {' '.join(f'{p:.2f}' for p in waits[-3:])} s, median {waits[len(waits) // 2]:.4f} s")
        digest = hashlib.sha256(self.octets).hexdigest()
        self.assertEqual((self.shown("a", "large"), self.shown("a", "INBOX")), (digest, digest))
        self.pair.kill("a")
        self.pair.ctl("b", "promote", "--peer-fenced")
        self.assertEqual((self.shown("b", "large"), self.shown("b", "INBOX")), (digest, digest))
        self.assertEqual(len(mail.read_mailbox(self.pair.port("b"), user="user2")[1]), len(waits))
        self.pair.start("a")
        self.pair.wait("a", "eligible")
        self.pair.verify_equal()


harness.main()
