"""POP3 with Python's poplib: the same mail with the same names on both nodes, through STLS and TLS."""
import poplib
import re
import ssl

import harness

poplib._MAXLINE = 1 << 20
PLAIN = ssl.create_default_context()
PLAIN.check_hostname = False
PLAIN.verify_mode = ssl.CERT_NONE  # the nodes have made their certificates themselves


class Pop3(harness.PairTest):
    def setUp(self):
        base = harness.free_base_port()
        self.ports = {"a": base, "b": base + 2}
        self.up_arguments = [word for node, port in self.ports.items() for word in
                             ("--set", f"{node}:pop3-listen=127.0.0.1:{port}", "--set", f"{node}:pop3s-listen=127.0.0.1:{port + 1}")]
        super().setUp()

    def stls(self, node):
        client = poplib.POP3("127.0.0.1", self.ports[node], timeout=60)
        self.addCleanup(client.close)
        self.assertIn("STLS", client.capa())
        client.stls(PLAIN)
        self.assertNotIn("STLS", client.capa())
        return self.log_in(client)

    def implicit(self, node):
        client = poplib.POP3_SSL("127.0.0.1", self.ports[node] + 1, context=PLAIN, timeout=60)
        self.addCleanup(client.close)
        return self.log_in(client)

    def log_in(self, client):
        client.user("user1")
        client.pass_("pass")
        return client

    def fill(self):
        """Octets of five messages, as they were appended; the last ones are sent in pieces."""
        mails = [b"Subject: %d\r\n\r\n.dot %d\r\n.\r\n%s\r\n" % (n, n, b"".join(b".%d\r\n" % line for line in range(n * 40_000)))
                 for n in range(5)]
        client = harness.login(self.pair, "a")
        for octets in mails:
            self.assertEqual(client.append("INBOX", None, None, octets)[0], "OK")
        client.logout()
        return mails

    def flags(self, node):
        return {subject: flags for flags, subject in harness.fetch_all(harness.login(self.pair, node), "INBOX").values()}

    def octets(self, client, number):
        return b"".join(line + b"\r\n" for line in client.retr(number)[1])

    def test_names_last_over_a_switchover(self):
        mails = self.fill()
        client = self.stls("a")
        self.assertEqual(client.stat(), (5, sum(map(len, mails))))
        names = client.uidl()[1]
        self.assertEqual(len(set(names)), 5)
        for number, octets in enumerate(mails, 1):
            self.assertEqual(client.list(number).split()[2], str(len(octets)).encode())
        for number in (1, 2):
            self.assertEqual(self.octets(client, number), mails[number - 1])
        self.assertEqual(client.top(3, 1)[1], [b"Subject: 2", b"", b".dot 2"])
        client.dele(2)
        client.dele(4)
        dropped = self.implicit("a")
        dropped.dele(5)
        dropped.close()
        self.assertTrue(client.quit().startswith(b"+OK"))
        self.assertEqual(self.flags("a"), {"0": {"\\Seen"}, "2": set(), "4": set()})

        with self.assertRaisesRegex(poplib.error_proto, r"SYS/TEMP"):
            poplib.POP3("127.0.0.1", self.ports["b"], timeout=60)
        waiting = self.implicit("a")
        waiting.dele(1)
        self.pair.ctl("a", "switchover")
        self.pair.wait("b", "serving")
        with self.assertRaises((poplib.error_proto, OSError), msg="its node is no primary any more"):
            waiting.quit()

        client = self.implicit("b")
        kept = [0, 2, 4]
        self.assertEqual([name.split()[1] for name in client.uidl()[1]], [names[n].split()[1] for n in kept])
        for number, n in enumerate(kept, 1):
            self.assertEqual(self.octets(client, number), mails[n])
        client.dele(3)
        client.quit()
        self.assertEqual(self.flags("b"), {"0": {"\\Seen"}, "2": {"\\Seen"}})
        self.pair.wait("a", "eligible")
        self.pair.verify_equal()

    def memory(self):
        """MiB that node a holds for itself."""
        with open(f"/proc/{self.pair.pid('a')}/status", encoding="ascii") as status:
            return int(re.search(r"RssAnon:\s+(\d+)", status.read()).group(1)) / 1024

    def test_a_large_message_to_clients_that_take_nothing(self):
        octets = b"Subject: large\r\n\r\n" + b".a line that begins with a dot\r\n" * 1_500_000
        client = harness.login(self.pair, "a")
        self.assertEqual(client.append("INBOX", None, None, octets)[0], "OK")
        client.logout()
        self.stls("a").retr(1)
        before = self.memory()
        for _ in range(8):
            lazy = self.implicit("a")
            self.assertTrue(lazy._shortcmd("RETR 1").startswith(b"+OK"))
        self.assertEqual(self.octets(self.stls("a"), 1), octets)
        self.assertLess(self.memory() - before, 40, "8 times the message would be 360")

    def test_refusals(self):
        client = poplib.POP3("127.0.0.1", self.ports["a"], timeout=60)
        self.addCleanup(client.close)
        client.user("user1")
        with self.assertRaisesRegex(poplib.error_proto, r"\[AUTH\]"):
            client.pass_("wrong")
        self.log_in(client)
        with self.assertRaisesRegex(poplib.error_proto, "no such message"):
            client.retr(1)

    def test_a_quit_that_cannot_be_acked_is_no_success(self):
        self.fill()
        client = self.stls("a")
        names = client.uidl()[1]
        client.dele(1)
        self.pair.kill("b")
        self.pair.expect_state("a", "primary", "blocked", reads=True)
        with self.assertRaises((poplib.error_proto, EOFError, OSError)):
            client.quit()
        client = self.stls("a")
        self.assertEqual(client.uidl()[1], names, "reads go on")
        self.assertEqual(client.retr(1)[2], len(self.octets(client, 1)))
        client.close()
        self.pair.start("b")
        self.pair.wait("a", "serving")
        client = self.stls("a")
        client.dele(1)
        client.quit()
        self.assertEqual(self.stls("a").uidl()[1][0].split()[1], names[1].split()[1])


harness.main()
