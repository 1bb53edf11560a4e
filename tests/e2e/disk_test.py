"""A nearly full and a full disk, for real: a small file system below one node, and somebody else's file in it."""
import os
import unittest

import harness
import mail
from small_disk import HARD, MIB, RESERVES, SOFT, SmallDisk


class FullDisk:
    """The cases; `small` is the node whose disk is small."""

    small = ""
    up_arguments = RESERVES

    def prepare(self, directory):
        self.disk = SmallDisk(directory, self.small)
        self.data = self.disk.data
        self.fill_to, self.make_room = self.disk.fill_to, self.disk.make_room
        self.addCleanup(self.disk.unmount)

    def setUp(self):
        super().setUp()
        self.kept = []  # acknowledged: the octets of every message that must be there
        self.client = harness.login(self.pair, "a")
        for number in range(20):
            self.assertEqual(self.append(f"before {number}")[0], "OK")
        harness.eventually((self.data / "db" / "ballast").exists, what="the ballast is made")

    def append(self, subject, client=None):
        octets = f"Subject: {subject}\r\n\r\nx\r\n".encode()
        answer, data = (client or self.client).append("INBOX", None, None, octets)
        if answer == "OK":
            self.kept.append(octets)
        return answer, data[0].decode()

    def deliver(self):
        octets = b"Subject: delivered\r\n\r\nx\r\n"
        try:
            mail.Lmtp(self.pair.port("a", "lmtp_port")).deliver("user1", octets)
        except OSError as error:
            return str(error)
        self.kept.append(octets)
        return "250"

    def refused(self):
        answer, text = self.append("refused")
        return answer == "NO" and "[OVERQUOTA]" in text

    def shown(self):
        return sorted(octets for _, octets in mail.read_mailbox(self.pair.port("a"))[1].values())

    def test_soft_reserve_then_hard_reserve_then_room(self):
        client = self.client
        client.select("INBOX")
        self.fill_to(SOFT - 8 * MIB)
        harness.eventually(self.refused, what="APPEND is refused below the soft reserve")
        self.assertIn("452", self.deliver())
        big = b"Subject: big\r\n\r\n" + b"x" * MIB + b"\r\n"  # staged while it arrives
        answer, data = client.append("INBOX", None, None, big)
        self.assertEqual((answer, b"[OVERQUOTA]" in data[0]), ("NO", True), data)
        self.assertEqual(client.store("1:5", "+FLAGS.SILENT", r"(\Flagged)")[0], "OK")
        self.assertEqual(client.store("1", "+FLAGS.SILENT", r"(\Deleted)")[0], "OK")
        self.assertEqual(client.expunge()[0], "OK")
        self.assertEqual(client.rename("Trash", "Bin")[0], "OK")
        del self.kept[0]

        self.fill_to(HARD - 16 * MIB)
        harness.eventually(lambda: client.store("2", "+FLAGS.SILENT", r"(\Seen)")[0] == "NO", what="STORE is refused below the hard reserve")
        harness.eventually(lambda: not (self.data / "db" / "ballast").exists(), what="the ballast is given up")
        self.assertTrue(self.refused())
        self.assertIn("452", self.deliver())
        self.assertEqual(client.rename("Bin", "Trash")[0], "NO")
        self.assertEqual(client.copy("1", "Drafts")[0], "NO")
        client.store("1", "+FLAGS.SILENT", r"(\Deleted)")
        client.expunge()
        self.assertEqual(self.shown(), sorted(self.kept))
        self.assertTrue(self.pair.status("a")["disk_low"])

        self.make_room()
        harness.eventually(lambda: self.append("room again")[0] == "OK", what="writes go on")
        harness.eventually(lambda: (self.data / "db" / "ballast").exists(), what="the ballast is made again")
        self.assertEqual(self.deliver(), "250")
        self.assertEqual(client.store("2", "+FLAGS.SILENT", r"(\Seen)")[0], "OK")
        self.assertEqual(self.shown(), sorted(self.kept))
        self.pair.verify_equal()

    def test_killed_while_full(self):
        self.fill_to(HARD - 16 * MIB)
        harness.eventually(self.refused, what="APPEND is refused")
        self.pair.kill(self.small)
        self.fill_to(HARD - 16 * MIB)
        self.pair.start(self.small)
        self.pair.wait("a", "serving")
        self.pair.wait("b", "eligible")
        self.client = harness.login(self.pair, "a")
        self.assertEqual(self.shown(), sorted(self.kept))
        self.fill_to(HARD - 16 * MIB)  # its log was let go after the start
        harness.eventually(self.refused, what="APPEND is refused after the restart")

        harness.eventually(lambda: not (self.data / "db" / "ballast").exists(), what="the ballast is given up")
        self.fill_to(0)  # what the reserves are there to prevent
        self.assertTrue(self.refused())
        self.assertEqual(self.shown(), sorted(self.kept))
        self.pair.kill(self.small)
        self.fill_to(0)
        result = self.pair.run("start", self.pair.dir, self.small, check=False)
        self.assertRegex(result.stderr, r"\(exit 1\)(.|\n)*Nothing is lost. Remedy: make room")
        self.make_room()
        self.pair.start(self.small)
        self.pair.wait("a", "serving")
        self.pair.wait("b", "eligible")
        self.client = harness.login(self.pair, "a")
        harness.eventually(lambda: self.append("room again")[0] == "OK", what="writes go on")
        self.assertEqual(self.shown(), sorted(self.kept))
        self.pair.verify_equal()


@unittest.skipIf(os.geteuid() != 0, "mounting needs root")
class OfThePrimary(FullDisk, harness.PairTest):
    small = "a"


@unittest.skipIf(os.geteuid() != 0, "mounting needs root")
class OfTheStandby(FullDisk, harness.PairTest):
    small = "b"


harness.main()
