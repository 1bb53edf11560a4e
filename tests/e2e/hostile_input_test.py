"""Hostile input over IMAP and LMTP: a clear answer, nothing lost, nothing kept in memory."""
import time

import harness
import hostile

# A name per line that no mailbox may have: broken modified UTF-7, characters out of place.
BAD_NAMES = [b'"&"', b'"&ABC"', b'"&AGE-"', b'"&2AA-"', b'"&-&"', b'"a&b"', b'"&%%%%-"', b'"a//b"', b'"/a"', b'""', b'"a\\b"',
             b'"' + b"n" * 1001 + b'"', b'"' + b"/".join([b"d"] * 200) + b'"', b'"\xc3\xa9"', b'"a\x00b"', b'"a\x07b"', b'"&AAA-"']
BAD_SETS = [b"0", b"1:0", b"4294967296", b"99999999999999999999", b"*:*:*", b"1,,2", b",", b":", b"a:b", b"-1", b"1:", b"1;2", b"1 2", b"$1", b"$,1", b"1,$", b"$:2"]


class Input(hostile.HostileTest):
    options = ("message-bytes-max=1M",)

    def test_line_without_end(self):
        for login in (False, True):
            client = self.imap(login=login)
            memory = self.memory()
            try:
                for _ in range(64):
                    client.send(b"x" * (1 << 16))
            except OSError:
                pass  # it was closed in our face
            self.assertIn("BYE", client.until("* BYE")[-1])
            self.assertLess(self.memory() - memory, 20)

    def test_literals_above_the_limit_are_refused_before_their_octets(self):
        client = self.imap(login=False)
        self.assertIn("[LIMIT]", client.ask(b"LOGIN {5000}"))
        client = self.imap()
        for line, code in [(b"APPEND INBOX {1048577}", "[TOOBIG]"), (b"CREATE {1048577}", "[LIMIT]"), (b"SELECT {1048577}", "[LIMIT]"),
                           (b"APPEND INBOX (\\Seen) {18446744073709551615}", "[TOOBIG]")]:
            answer = client.ask(line)
            self.assertTrue(answer.startswith("a NO") and code in answer, answer)
        # With LITERAL+ the octets come anyway: answered at once, then swallowed.
        client.send(b"b APPEND INBOX {3000000+}\r\n")
        self.assertIn("b NO [TOOBIG]", client.line())
        client.send(b"c NOOP\r\n" * 375_000 + b"\r\n")
        self.assertIn("d OK", client.ask(b"NOOP", "d"))
        client.send(b"e LOGIN {2000000+}\r\n" + b"x" * 2_000_000 + b" y\r\n")
        self.assertIn("e NO", client.line())
        self.assertIn("f OK", client.ask(b"NOOP", "f"))
        client.send(b"g APPEND INBOX {99999999999999999999999}\r\n")
        self.assertIn("BYE", client.until("* BYE")[-1])

    def test_octets_that_are_not_allowed(self):
        client = self.imap()
        for line in (b"NO\x00OP", b'LIST "" "a\x00"', b"CREATE a\x80b", b"\xff\xfe", b"SELECT {3+}\r\na\x00b", b"SEARCH SUBJECT a\x00b"):
            self.assertRegex(client.ask(line), "^a (BAD|NO) ", line)
        for literal in (b"{20}", b"{20+}"):
            client.send(b"b APPEND INBOX " + literal + b"\r\nSubject: \x00\r\n\r\n1234567\r\n")
            self.assertRegex(client.until("b ")[-1], "^b BAD .*NUL")
        self.assertIn("c OK", client.ask(b"NOOP", "c"))

    def test_unknown_commands_end_in_goodbye(self):
        for login in (False, True):
            client = self.imap(login=login)
            client.send(b"".join(b"t%d FROBNICATE %d\r\n" % (n, n) for n in range(200)))
            lines = client.until("* BYE")
            self.assertIn("BYE", lines[-1])
            self.assertTrue(all(" BAD " in line for line in lines[:-1]), lines)
            self.assertLess(len(lines), 60)
        client = self.imap()
        for line in (b"", b" ", b"a", b"(", b"* OK", b"+ x"):
            client.send(line + b"\r\n")
            self.assertRegex(client.line(), "^(\\*|a) BAD ", line)

    def test_nonsense_sequences(self):
        for command in (b"FETCH %s FLAGS", b"STORE %s +FLAGS (\\Deleted)", b"COPY %s Drafts", b"MOVE %s Drafts", b"UID EXPUNGE %s", b"SEARCH UID %s"):
            client = self.imap()
            self.assertIn("OK", client.ask(b"SELECT INBOX"))
            for numbers in BAD_SETS:
                if command == b"SEARCH UID %s" and numbers in (b"1 2", b"-1"):
                    continue
                self.assertRegex(client.ask(command % numbers), "^a (BAD|NO) ", command % numbers)
        client = self.imap()
        client.ask(b"SELECT INBOX")
        for command in (b"UID STORE 4294967295 +FLAGS (\\Deleted)", b"UID FETCH 4000000000:4294967295 FLAGS", b"UID MOVE 77777 Drafts"):
            self.assertIn("a OK", client.ask(command))
        self.assertIn("a OK", client.ask(b"FETCH " + b",".join([b"1:*"] * 10_000) + b" UID"))
        self.assertIn("a BAD", client.ask(b"SEARCH " + b"(" * 10_000 + b"ALL" + b")" * 10_000))
        self.assertIn("a BAD", client.ask(b"SEARCH " + b"NOT " * 10_000 + b"ALL"))

    def test_names_that_no_mailbox_may_have(self):
        for command in (b"CREATE %s", b"RENAME INBOX %s", b"SUBSCRIBE %s"):
            client = self.imap()
            for name in BAD_NAMES:
                self.assertRegex(client.ask(command % name), "^a (BAD|NO) ", command % name)
        self.assertIn("a OK", self.imap().ask(b"LIST \"\" " + b'"' + b"*%" * 200 + b'x"'))

    def test_lmtp_nonsense(self):
        client = self.lmtp()
        self.assertTrue(client.say(b"x" * 5000).startswith("500"))
        self.assertTrue(client.say(b"MAIL FROM:<a\x00b@example.org>").startswith("500"))
        self.assertTrue(client.say(b"RCPT TO:<user1>").startswith("503"))
        self.assertTrue(client.say(b"DATA").startswith("503"))
        self.assertTrue(client.say(b"MAIL FROM:<<>>").startswith("5"))
        self.assertTrue(client.say(b"MAIL FROM:<a@example.org> SIZE=99999999999999999999999").startswith("5"))
        self.assertTrue(client.say(b"MAIL FROM:<a@example.org> SIZE=1048577").startswith("552"))
        self.assertTrue(client.say(b"MAIL FROM:<a@example.org>").startswith("250"))
        self.assertTrue(client.say("RCPT TO:<ü@example.org>".encode()).startswith("553"))
        self.assertTrue(client.say(b"RCPT TO:<nobody@example.org>").startswith("550"))
        self.assertTrue(client.say(b"DATA").startswith("5"))
        client = self.lmtp()
        client.send(b"FROBNICATE\r\n" * 200)
        lines = client.until("421")
        self.assertTrue(lines[-1].startswith("421"), lines[-1])
        client = self.lmtp()
        client.send(b"MAIL FROM:<a@example.org>\r\n" + b"RCPT TO:<user1@example.org>\r\n" * 1200)
        replies = [client.line()[:3] for _ in range(1201)]
        self.assertEqual((replies.count("250"), replies.count("452")), (1001, 200))

    def test_lmtp_message_that_is_too_big_or_cut_off(self):
        client = self.lmtp()
        client.say(b"MAIL FROM:<a@example.org>")
        client.say(b"RCPT TO:<user1@example.org>")
        self.assertTrue(client.say(b"DATA").startswith("354"))
        client.send(b"Subject: big\r\n\r\n" + b"0123456789\r\n" * 120_000)
        answer = client.say(b".")
        self.assertTrue(answer.startswith("552"), answer)
        client.say(b"MAIL FROM:<a@example.org>")
        client.say(b"RCPT TO:<user1@example.org>")
        client.say(b"DATA")
        client.send(b"Subject: cut off\r\n\r\n" + b"0123456789\r\n" * 10_000)
        client.close()
        client = self.lmtp()
        client.say(b"MAIL FROM:<a@example.org>")
        client.say(b"RCPT TO:<user1@example.org>")
        client.say(b"DATA")
        try:
            client.send(b"Subject: endless\r\n\r\n" + b"0123456789\r\n" * 300_000)
        except OSError:
            pass  # it did not wait for the end
        self.assertTrue(client.line().startswith("421"))

    def test_one_octet_at_a_time(self):
        client = self.imap(login=False)
        for octet in b"a LOGIN {5}\r\n":
            client.send(bytes([octet]))
        self.assertTrue(client.line().startswith("+"))
        for octet in b"user1 pass\r\n":
            client.send(bytes([octet]))
        self.assertIn("a OK", client.until("a ")[-1])
        delivery = self.lmtp()
        for octet in b"NOOP\r\n":
            delivery.send(bytes([octet]))
        self.assertTrue(delivery.reply().startswith("250"))


class Mime(hostile.HostileTest):
    """Mail that was built to hurt; it is user2's, so that user1's stays as it is."""

    def give(self, octets):
        client = harness.login(self.pair, "a", "user2")
        self.assertEqual(client.append("INBOX", None, None, octets)[0], "OK")
        client.select("INBOX")
        self.addCleanup(client.logout)
        memory, begin = self.memory(), time.monotonic()
        for items in ("(BODYSTRUCTURE)", "(ENVELOPE BODY)", "(BODY.PEEK[1.1.1.1.MIME])", "(BODY.PEEK[" + ".".join(["1"] * 100) + "])", "(BODY.PEEK[])"):
            answer, data = client.fetch("*", items)
            self.assertEqual(answer, "OK", (items[:40], data))
        self.assertEqual(data[0][1], octets)
        for keys in ('TEXT "zebra"', 'BODY "zebra"', 'HEADER "Subject" "zebra"'):
            self.assertEqual(client.search(None, keys)[0], "OK")
        self.assertLess(time.monotonic() - begin, 10)
        self.assertLess(self.memory() - memory, 200)

    def test_ten_thousand_levels_of_multipart(self):
        levels = 10_000
        self.give(b"Subject: deep\r\nMIME-Version: 1.0\r\n" + b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(levels)) +
            b"\r\nzebra\r\n" + b"".join(b"--b%d--\r\n" % n for n in reversed(range(levels))))

    def test_ten_thousand_levels_of_forwarded_messages(self):
        self.give(b"Subject: deep\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 10_000 + b"Subject: inner\r\n\r\nzebra\r\n")

    def test_a_hundred_thousand_parts(self):
        self.give(b"Subject: wide\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 100_000 + b"--b--\r\n")

    def test_headers_without_end(self):
        self.give(b"Subject: " + b"=?utf-8?q?a?= " * 60_000 + b"\r\nTo: " + b"a@b, " * 100_000 + b"c@d\r\n" + b"X: y\r\n" * 100_000 + b"\r\nbody\r\n")


harness.main()
