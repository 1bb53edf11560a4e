"""A write that fails, for real: the kernel lets files of a running node grow no further (RLIMIT_FSIZE). The process
ends with exit code 70, nothing that was acknowledged is lost, and the other node goes on."""
import ctypes
import os
import pathlib
import resource

import harness
import mail

EXIT_FAILED_WRITE = 70
PR_SET_CHILD_SUBREAPER = 36
BIG = b"Subject: %s\r\n\r\n" + b"x" * 100_000 + b"\r\n"


class FailedWrite(harness.PairTest):
    def setUp(self):
        # Nodes outlive the dev-pair that started them; with this their exit codes come to us.
        self.assertEqual(ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0)
        super().setUp()
        self.kept = []  # acknowledged: the octets of every message that must be there
        self.open = []  # sent, but not answered: each may be there or not

    def append(self, client, subject):
        """Whether it was acknowledged."""
        octets = BIG % subject.encode()
        try:
            answer = client.append("INBOX", None, None, octets)[0]
        except (OSError, client.abort):
            self.open.append(octets)
            return False
        self.assertEqual(answer, "OK")
        self.kept.append(octets)
        return True

    def data(self, node):
        return pathlib.Path(self.pair.dir) / node / "data"

    def limit(self, node, octets):
        """No file of the running node may grow beyond; a new process is free again."""
        resource.prlimit(self.pair.pid(node), resource.RLIMIT_FSIZE, (octets, octets))

    def limit_log(self, node, room):
        """The database's log, by far its largest file that is written to, may take `room` octets more."""
        self.limit(node, max(file.stat().st_size for file in (self.data(node) / "db").glob("*.log")) + room)

    def exit_code(self, node):
        return os.waitstatus_to_exitcode(os.waitpid(self.pair.pid(node), 0)[1])

    def judge(self, node):
        shown = sorted(octets for _, octets in mail.read_mailbox(self.pair.port(node))[1].values())
        for octets in self.kept:
            self.assertIn(octets, shown, "an acknowledged message is missing")
            shown.remove(octets)
        for octets in shown:
            self.assertIn(octets, self.open, "a message that nobody sent, or one twice")

    def test_database_of_the_primary(self):
        client = harness.login(self.pair, "a")
        for number in range(5):
            self.append(client, f"before {number}")
        self.limit_log("a", 350_000)
        number = 0
        while self.append(client, f"until it fails {number}"):
            number += 1
        self.assertEqual(self.exit_code("a"), EXIT_FAILED_WRITE)
        self.assertIn("write_failed", self.pair.logs(200))
        harness.eventually(lambda: not self.pair.status("b")["peer_connected"], what="b sees that a is gone")
        self.pair.ctl("b", "promote", "--peer-fenced")
        self.judge("b")
        self.assertTrue(self.append(harness.login(self.pair, "b"), "on b"))
        self.pair.start("a")
        self.pair.wait("a", "eligible")
        self.judge("b")
        self.pair.verify_equal()

    def test_database_of_the_standby(self):
        client = harness.login(self.pair, "a")
        self.append(client, "before")
        self.limit_log("b", 50_000)
        client.socket().settimeout(5)
        self.assertFalse(self.append(client, "b cannot store it"))
        self.assertEqual(self.exit_code("b"), EXIT_FAILED_WRITE)
        self.pair.start("b")
        self.pair.wait("b", "eligible")
        self.assertTrue(self.append(harness.login(self.pair, "a"), "on both again"))
        self.judge("a")
        self.pair.verify_equal()
        self.pair.kill("a")
        self.pair.ctl("b", "promote", "--peer-fenced")
        self.judge("b")

    def test_control_file_of_a_primary_that_hands_over(self):
        self.append(harness.login(self.pair, "a"), "before")
        self.limit("a", 16)  # smaller than any control file, and the handover writes nothing else
        self.assertIn("twinspoolctl status", self.pair.expect(7, "a", "switchover"), "its answer is lost")
        self.assertEqual(self.exit_code("a"), EXIT_FAILED_WRITE)
        self.assertEqual(self.pair.status("b")["role"], "standby", "what could not be stored was not sent")
        harness.eventually(lambda: not self.pair.status("b")["peer_connected"], what="b sees that a is gone")
        self.pair.ctl("b", "promote", "--peer-fenced")
        self.judge("b")
        self.pair.start("a")
        self.pair.wait("a", "eligible")
        self.pair.verify_equal()

    def test_control_file_of_a_standby_that_is_promoted(self):
        self.append(harness.login(self.pair, "a"), "before")
        self.pair.kill("a")
        harness.eventually(lambda: not self.pair.status("b")["peer_connected"], what="b sees that a is gone")
        epoch = self.pair.status("b")["epoch"]
        self.limit("b", 16)
        self.pair.expect(7, "b", "promote", "--peer-fenced")
        self.assertEqual(self.exit_code("b"), EXIT_FAILED_WRITE)
        self.pair.start("b")
        self.assertEqual(self.pair.status("b")["epoch"], epoch, "what was not stored never was")
        self.pair.start("a")
        self.pair.wait("a", "serving")
        self.pair.wait("b", "eligible")
        self.judge("a")
        self.pair.verify_equal()


harness.main()
