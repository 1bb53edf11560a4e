"""Mail readers across a failover: offlineimap fetches nothing twice, neomutt in a terminal reads, marks and files."""
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import time
import unittest

import harness
import mail


class Terminal:
    """A program in a terminal of its own; what it shows is gathered, keys are typed."""

    def __init__(self, *command, env):
        self.seen = ""
        self.process, self.fd = pty.fork()
        if self.process == 0:
            os.execvpe(command[0], command, {**os.environ, **env, "TERM": "xterm", "LINES": "40", "COLUMNS": "120"})

    def wait_for(self, pattern, seconds=60):
        end = time.monotonic() + seconds
        while not re.search(pattern, self.plain()):
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise AssertionError(f"{pattern!r} was not shown in {seconds} s; shown: {self.plain()[-3000:]}")
            try:
                self.seen += os.read(self.fd, 65536).decode(errors="replace")
            except OSError as ended:
                raise AssertionError(f"the program ended; shown: {self.plain()[-3000:]}") from ended

    def plain(self):
        return re.sub(r"\x1b(\[[0-9;?]*[a-zA-Z]|[()][0-9A-B]|[=>])", "", self.seen)

    def keys(self, text):
        self.seen = ""
        os.write(self.fd, text.encode())

    def end(self, seconds=60):
        """Reads what is left until the program has ended; answers its exit status."""
        end = time.monotonic() + seconds
        while True:
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            if not ready:
                os.kill(self.process, signal.SIGKILL)
                raise AssertionError(f"it has not ended in {seconds} s; shown: {self.plain()[-3000:]}")
            try:
                octets = os.read(self.fd, 65536)
            except OSError:
                break
            if not octets:
                break
            self.seen += octets.decode(errors="replace")
        _, status = os.waitpid(self.process, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


class MailReaders(harness.PairTest):
    def setUp(self):
        super().setUp()
        client = harness.login(self.pair, "a")
        for number in range(20):
            client.append("INBOX", None, None, f"From: Anna <anna@example.org>\r\nSubject: letter {number:02}\r\n\r\nbody {number}\r\n".encode())
        client.logout()
        self.home = pathlib.Path(self.pair.dir) / "home"
        self.home.mkdir()

    def fail_over(self):
        self.pair.kill("a")
        self.pair.over("a", "b", "promote", "--peer-fenced")

    @unittest.skipUnless(shutil.which("offlineimap"), "offlineimap3 is not installed (scripts/deps test)")
    def test_offlineimap_fetches_nothing_twice(self):
        self.offlineimap("a")
        before = self.files()
        self.assertEqual(len(before), 20)
        self.fail_over()
        client = harness.login(self.pair, "b")
        client.select("INBOX")
        client.uid("STORE", "3", "+FLAGS.SILENT", r"(\Flagged)")
        harness.append(client, "new")
        client.logout()
        self.offlineimap("b")
        after = self.files()
        self.assertEqual(len(after), 21)
        kept = {re.sub(r":2,.*", "", name): inode for name, inode in after.items()}
        for name, inode in before.items():
            self.assertEqual(kept[re.sub(r":2,.*", "", name)], inode, "a message was fetched again")
        self.assertEqual(sum(":2," in name and "F" in name.rpartition(":2,")[2] for name in after), 1)
        # What is done offline goes up.
        doomed = next(path for path in (self.home / "mail").rglob("*") if path.is_file() and "letter 07" in path.read_text())
        doomed.unlink()
        self.offlineimap("b")
        self.assertNotIn("letter 07", harness.subjects(self.pair, "b"))

    def files(self):
        return {path.name: path.stat().st_ino for path in (self.home / "mail").rglob("*") if path.is_file() and path.parent.name in ("cur", "new")}

    def offlineimap(self, node):
        rc = self.home / "offlineimaprc"
        rc.write_text(f"""[general]
accounts = one
metadata = {self.home}/meta
[Account one]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {self.home}/mail
[Repository far]
type = IMAP
remotehost = 127.0.0.1
remoteport = {self.pair.port(node)}
remoteuser = user1
remotepass = pass
ssl = no
starttls = no
auth_mechanisms = LOGIN
folderfilter = lambda name: name == 'INBOX'
""")
        done = subprocess.run(["offlineimap", "-c", str(rc), "-o", "-u", "basic"], capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("ERROR", done.stdout + done.stderr)

    @unittest.skipUnless(shutil.which("neomutt"), "neomutt is not installed (scripts/deps test)")
    def test_neomutt_reads_marks_and_files(self):
        reader = self.neomutt("a")
        reader.wait_for(r"letter 19")
        reader.keys("1\n")
        reader.keys("\n")
        reader.wait_for(r"body 0")
        reader.keys("q")
        reader.keys("2\nF")  # a flag
        reader.keys("3\nd")  # away with it
        reader.keys("$")
        reader.wait_for(r"19 kept, 1 deleted")
        reader.keys("q")
        self.assertEqual(reader.end(), 0)
        found = self.by_subject("a")
        self.assertIn(r"\Seen", found["letter 00"])
        self.assertIn(r"\Flagged", found["letter 01"])
        self.assertNotIn("letter 02", found)
        self.fail_over()
        reader = self.neomutt("b")
        reader.wait_for(r"letter 19")
        reader.keys("1\n")
        reader.keys("s=Archive\n")  # files it
        reader.wait_for(r"(?i)archive.*done|Copying|Saving|appended|moved")
        reader.keys("$")
        reader.wait_for(r"18 kept, 1 deleted")
        reader.keys("q")
        self.assertEqual(reader.end(), 0)
        self.assertIn("letter 00", self.by_subject("b", "Archive"))
        self.assertNotIn("letter 00", self.by_subject("b"))

    def by_subject(self, node, mailbox="INBOX"):
        client = harness.login(self.pair, node)
        found = {subject: flags for flags, subject in harness.fetch_all(client, mailbox).values()}
        client.logout()
        return found

    def neomutt(self, node):
        rc = self.home / "neomuttrc"
        rc.write_text(f"""set folder = "imap://user1@127.0.0.1:{self.pair.port(node)}/"
set spool_file = "+INBOX"
set imap_pass = "pass"
set imap_authenticators = "login"
set ssl_starttls = no
set ssl_force_tls = no
set header_cache = "{self.home}/cache"
set imap_condstore = yes
set imap_qresync = yes
set confirm_append = no
set confirm_create = no
set delete = yes
set mark_old = no
set quit = yes
set sort = mailbox-order
set record = ""
set send_charset = "utf-8"
""")
        return Terminal("neomutt", "-n", "-F", str(rc), env={"HOME": str(self.home), "LANG": "C.UTF-8"})


harness.main()
