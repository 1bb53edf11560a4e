"""Real clients across a failover: curl, imaplib (NOTIFY and CATENATE by hand), mbsync (isync),
imapflow with QRESYNC."""
import json
import os
import pathlib
import shutil
import subprocess
import unittest

import harness
import mail


class Clients(harness.PairTest):
    def setUp(self):
        super().setUp()
        client = harness.login(self.pair, "a")
        for octets in mail.generated(30):
            client.append("INBOX", r"(\Seen)", None, octets)
        client.logout()

    def fail_over(self):
        self.pair.kill("a")
        self.pair.ctl("b", "promote", "--peer-fenced")

    def test_curl_reads_and_uploads(self):
        url = f"imap://127.0.0.1:{self.pair.port('a')}/INBOX"
        one = subprocess.run(["curl", "-sS", "-u", "user1:pass", url + ";UID=1"], capture_output=True, check=True)
        self.assertEqual(one.stdout, next(iter(mail.generated(30))))
        file = pathlib.Path(self.pair.dir) / "upload.eml"
        file.write_bytes(b"Subject: up\r\n\r\nhi\r\n")
        subprocess.run(["curl", "-sS", "-u", "user1:pass", "-T", str(file), url], capture_output=True, check=True)
        secure = f"imaps://127.0.0.1:{self.pair.port('a', 'imaps_port')}/INBOX;UID=31"
        got = subprocess.run(["curl", "-sS", "-k", "-u", "user1:pass", secure], capture_output=True, check=True)
        self.assertEqual(got.stdout, b"Subject: up\r\n\r\nhi\r\n")

    def test_imaplib_sees_the_same_after_promotion(self):
        before = mail.read_mailbox(self.pair.port("a"))
        self.fail_over()
        self.assertEqual(mail.read_mailbox(self.pair.port("b")), before)

    def test_mbsync_needs_no_download_after_promotion(self):
        if shutil.which("mbsync") is None:
            self.skipTest("mbsync (isync) is not installed")
        home = pathlib.Path(self.pair.dir) / "mbsync"
        home.mkdir()
        self.mbsync(home, "a")
        files = self.mail_files(home)
        self.assertEqual(len(files), 30)
        self.fail_over()
        self.mbsync(home, "b")
        self.assertEqual(self.mail_files(home), files, "mbsync fetched or renamed something again")
        client = harness.login(self.pair, "b")
        client.append("INBOX", None, None, b"Subject: new\r\n\r\nafter the failover\r\n")
        client.logout()
        self.mbsync(home, "b")
        self.assertEqual(len(self.mail_files(home)), 31)

    def mail_files(self, home):
        return {str(p): p.stat().st_mtime_ns for p in (home / "mail").rglob("*") if p.is_file() and p.parent.name in ("cur", "new")}

    def mbsync(self, home, node):
        (home / "rc").write_text(f"""IMAPStore far
Host 127.0.0.1
Port {self.pair.port(node)}
User user1
Pass pass
SSLType None
AuthMechs LOGIN

MaildirStore near
Path {home}/mail/
Inbox {home}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns INBOX
Create Near
Sync All
SyncState *
""")
        (home / "mail").mkdir(exist_ok=True)
        result = subprocess.run(["mbsync", "-c", str(home / "rc"), "all"], capture_output=True, text=True, check=False, timeout=120)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_notify_and_catenate_before_and_after_a_switchover(self):
        threads = self.watch_and_catenate("a", "b")
        self.pair.ctl("a", "switchover")
        self.pair.wait("b", "primary")
        self.assertEqual(self.threads("b"), threads, "a thread has another id on the other node")
        self.watch_and_catenate("b", "c")

    def watch_and_catenate(self, node, name):
        """What a session hears of another one, and a message made of parts of others."""
        watcher = harness.login(self.pair, node)
        watcher.sock.settimeout(30)
        watcher.select("INBOX")
        watcher.xatom("NOTIFY", "SET (selected (MessageNew (UID) MessageExpunge)) "
                                "(personal (MessageNew MessageExpunge MailboxName))")
        other = harness.login(self.pair, node)
        box = f"News-{name}"
        other.create(box)
        self.assertEqual(watcher.readline(), f'* LIST (\\HasNoChildren) "/" {box}\r\n'.encode())
        harness.append(other, "one", box)
        self.assertEqual(watcher.readline(), f"* STATUS {box} (MESSAGES 1 UIDNEXT 2)\r\n".encode())
        exists = int(other.select("INBOX")[1][0])
        typ, data = other.xatom("APPEND", f'INBOX CATENATE (URL "/{box}/;UID=1" URL "/{box}/;UID=1/;SECTION=TEXT")')
        self.assertEqual(typ, "OK", data)
        self.assertEqual(watcher.readline(), f"* {exists + 1} EXISTS\r\n".encode())
        self.assertRegex(watcher.readline(), rb"^\* \d+ FETCH \(UID \d+\)\r\n$")
        octets = other.fetch(str(exists + 1), "(BODY.PEEK[])")[1][0][1]
        self.assertEqual(octets, b"Subject: one\r\n\r\nbody of one\r\nbody of one\r\n")
        typ, data = other.xatom("APPEND", f'INBOX CATENATE (URL "/{box}/;UID=2")')
        self.assertEqual(typ, "NO")
        self.assertIn(b"[BADURL", data[0])
        other.logout()
        watcher.logout()
        return self.threads(node)

    def threads(self, node):
        client = harness.login(self.pair, node)
        client.select("INBOX", readonly=True)
        found = sorted(client.uid("FETCH", "1:30", "(THREADID)")[1])
        client.logout()
        return found

    def test_imapflow_resumes_with_qresync(self):
        node = shutil.which("node")
        modules = pathlib.Path(os.environ.get("TWINSPOOL_NODE_MODULES", harness.ROOT / "build" / "node"))
        if node is None or not (modules / "node_modules" / "imapflow").is_dir():
            self.skipTest("imapflow is not installed (scripts/test fetches it from the npm registry)")
        script = str(pathlib.Path(__file__).with_name("imapflow_qresync.cjs"))
        first = self.imapflow(node, script, modules, "a", "{}")
        self.assertEqual(first["exists"], 30)
        self.assertTrue(first["qresync"])
        client = harness.login(self.pair, "a")
        client.select("INBOX")
        client.uid("STORE", "5", "+FLAGS.SILENT", r"(\Flagged)")
        client.uid("STORE", "7", "+FLAGS.SILENT", r"(\Deleted)")
        client.expunge()
        client.logout()
        self.fail_over()
        second = self.imapflow(node, script, modules, "b", json.dumps(first))
        self.assertEqual(second["uidValidity"], first["uidValidity"])
        self.assertEqual(second["changed"], [5])
        self.assertEqual(second["vanished"], [7])

    def imapflow(self, node, script, modules, name, state):
        result = subprocess.run([node, script, str(self.pair.port(name)), state], capture_output=True, text=True, check=False,
                                timeout=60, env={**os.environ, "NODE_PATH": str(modules / "node_modules")})
        self.assertEqual(result.returncode, 0, result.stderr + result.stdout)
        return json.loads(result.stdout)


harness.main()
