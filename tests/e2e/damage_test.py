"""Damaged files: a node that cannot trust what it finds says which file, what to do, and changes nothing."""
import os
import pathlib
import shutil
import subprocess
import unittest

import harness
import mail
from damage import BIG, cut, flip, flip_start, hashes, remove, say

BINARY = str(harness.ROOT / "build" / os.environ.get("TWINSPOOL_PRESET", "release") / "server" / "node" / "twinspoold")


class Damage(unittest.TestCase):
    """One node; each test begins with a copy of its whole directory, and the node stopped."""

    @classmethod
    def setUpClass(cls):
        cls.pair = harness.Pair("--single")
        cls.addClassCleanup(cls.pair.close)
        cls.data = pathlib.Path(cls.pair.dir) / "a" / "data"
        cls.whole = pathlib.Path(cls.pair.dir) / "whole"
        client = harness.login(cls.pair, "a")
        for octets in [*mail.generated(20), BIG]:
            client.append("INBOX", None, None, octets)
        cls.before = mail.read_mailbox(cls.pair.port("a"))
        assert len(cls.before[1]) == 21
        # A start brings the log's rows into tables and blob files.
        cls.pair.kill("a")
        cls.pair.start("a")
        cls.pair.kill("a")
        shutil.copytree(cls.data, cls.whole, ignore=shutil.ignore_patterns("*.sock"))

    def setUp(self):
        if self.pair.pid("a"):
            self.pair.run("kill", self.pair.dir, "a", check=False)
        self.restore()

    def restore(self):
        shutil.rmtree(self.data)
        shutil.copytree(self.whole, self.data)

    def file(self, pattern):
        """The largest of the files that match."""
        return max(self.data.glob(pattern), key=lambda path: path.stat().st_size)

    def refused(self, *expected, untouched="*"):
        """The node ends with a code, says all that is expected, and leaves the files as they were."""
        before = hashes(self.data, untouched)
        result = self.pair.run("start", self.pair.dir, "a", check=False)
        text = result.stdout + result.stderr
        self.assertRegex(text, r"ended at start \(exit [1-9]")
        for words in expected:
            self.assertIn(words, text)
        self.assertEqual(hashes(self.data, untouched), before, "something was overwritten")

    def test_damaged_files_are_named_and_left_alone(self):
        cases = [("db/*.sst", cut), ("db/*.sst", remove), ("db/MANIFEST-*", flip_start), ("db/MANIFEST-*", remove),
                 ("db/CURRENT", say("MANIFEST-nonsense")), ("db/CURRENT", cut), ("db/CURRENT", remove),
                 ("db/*.blob", cut), ("db/*.blob", remove), ("db/format", say("twinspool store 99\n")), ("db/format", remove)]
        for pattern, harm in cases:
            with self.subTest(file=pattern, harm=harm.__name__):
                self.restore()
                file = self.file(pattern)
                harm(file)
                # Blob files are looked at after the database was opened, which writes its journal anew.
                self.refused(file.name, "Remedy", untouched=pattern if "blob" in pattern else "*")
        self.restore()
        self.pair.start("a")
        self.assertEqual(mail.read_mailbox(self.pair.port("a")), self.before)

    def test_lost_database_of_a_known_node_is_no_beginning(self):
        shutil.rmtree(self.data / "db")
        (self.data / "db").mkdir()
        self.refused("db", "Remedy")
        shutil.rmtree(self.data / "db")
        for _ in range(2):  # nor does a first refusal make the second start a new node
            result = self.pair.run("start", self.pair.dir, "a", check=False)
            self.assertIn("Remedy", result.stderr)

    def test_flipped_octets_of_a_body_are_never_shown(self):
        flip(self.file("db/*.blob"))
        self.pair.start("a")
        client = harness.login(self.pair, "a")
        client.select("INBOX", readonly=True)
        for uid, (_, octets) in self.before[1].items():
            try:
                answer, data = client.uid("FETCH", str(uid), "(BODY.PEEK[])")
            except client.abort:
                answer, data = "BYE", []
                client = harness.login(self.pair, "a")
                client.select("INBOX", readonly=True)
            shown = [item[1] for item in data if isinstance(item, tuple)]
            if octets == BIG:
                self.assertNotEqual((answer, shown), ("OK", []), "silence about a message that is there")
                self.assertFalse(any(shown), "damaged octets were shown")
            else:
                self.assertEqual((answer, shown), ("OK", [octets]))

    def test_one_torn_copy_of_the_control_file_is_repaired_from_the_other(self):
        for name in "ab":
            for harm in (cut, flip) if name == "a" else (remove,):
                with self.subTest(copy=name, harm=harm.__name__):
                    self.restore()
                    harm(self.data / "control" / name)
                    self.pair.start("a")
                    self.assertEqual(mail.read_mailbox(self.pair.port("a")), self.before)
                    self.pair.kill("a")
                    self.assertEqual((self.data / "control" / "a").read_bytes(), (self.data / "control" / "b").read_bytes())
        self.assertIn("control_repaired", (self.data.parent / "log").read_text())

    def test_without_a_whole_control_file_nobody_guesses(self):
        for harm in (flip, say("")):
            with self.subTest(harm=harm.__name__):
                self.restore()
                for name in "ab":
                    harm(self.data / "control" / name)
                self.refused(str(self.data / "control"), "twinspoolctl", "fenced", untouched="control/*")
        self.restore()
        shutil.rmtree(self.data / "control")
        self.refused(str(self.data / "control"), "twinspoolctl", "fenced", untouched="control/*")

    def test_control_file_of_a_newer_program_is_refused(self):
        octets = bytearray((self.data / "control" / "a").read_bytes())
        octets[11] = 9  # behind the magic stands the version
        (self.data / "control" / "a").write_bytes(octets)
        self.refused("control", "format 9", "newer", untouched="control/*")

    def test_second_process_on_the_same_directory_is_turned_away(self):
        self.pair.start("a")
        config = self.data.parent / "twinspool.conf"
        second = subprocess.run([BINARY, "--config", str(config)], capture_output=True, text=True, check=False, timeout=60)
        self.assertNotEqual(second.returncode, 0)
        self.assertIn(str(self.data / "db"), second.stdout + second.stderr)
        self.assertIn("in use by another process", second.stdout + second.stderr)
        self.assertEqual(mail.read_mailbox(self.pair.port("a")), self.before)
        self.assertEqual(self.pair.status("a")["role_detail"], "single")

    def test_errors_of_the_configuration_name_the_option(self):
        config = self.data.parent / "twinspool.conf"
        good = config.read_text()
        cases = [("colour = red\n", "colour"), ("net-threads = 0\n", "net-threads"), ("cache-bytes = 12X\n", "cache-bytes"),
                 ("tls-key = /nowhere\n", "tls-certificate"), ("tls-key = /no/key\ntls-certificate = /no/cert\n", "/no/"),
                 ("sync-wait-ms = 5\n", "sync-wait-ms"), ("lmtp-allow = 10.0.0.1\nhttp-listen = nonsense\n", "http-listen")]
        for lines, words in cases:
            with self.subTest(lines=lines):
                keys = [line.split(" =")[0] for line in lines.splitlines()]
                kept = [line for line in good.splitlines() if line.split(" =")[0] not in keys]
                config.write_text("\n".join(kept) + "\n" + lines)
                result = self.pair.run("start", self.pair.dir, "a", check=False)
                self.assertRegex(result.stderr, r"\(exit [12]\)")
                self.assertIn(words, result.stderr)
        config.write_text(good)
        self.pair.start("a")
        self.assertEqual(mail.read_mailbox(self.pair.port("a")), self.before)
        missing = subprocess.run([BINARY, "--config", "/no/such.conf"], capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(missing.returncode, 2)
        self.assertIn("/no/such.conf", missing.stderr)


harness.main()
