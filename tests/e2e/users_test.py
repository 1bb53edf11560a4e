"""Users and mailboxes by twinspoolctl: odd names, passwords, and that a deleted user is gone on both nodes."""
import base64
import json

import harness
import mail

ODD_USERS = ["anna@example.org", "o'brien", "r\u00e9my@\u4f8b\u3048.jp", "a+b", "x" * 200, "semi;colon", "two words", "dollar$(id)", "\U0001f600"]
ODD_BOXES = ["a b", "quo\"te", "back\\slash", "per%cent", "..", "-rf", "$(id)", "\u00fcml\u00e4ut", "\u65e5\u672c\u8a9e",
             "\U0001f600", "Sent/2025/Q1", "n" * 200]
STEERING = ["tab\there", "bell\x07", "esc\x1b[31m", "\x9b31m"]


def utf7(name):
    """Modified UTF-7 of a mailbox name, quoted."""
    out, pending = "", ""
    def flush():
        nonlocal out, pending
        if pending:
            out += "&" + base64.b64encode(pending.encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-"
            pending = ""
    for c in name:
        if 0x20 <= ord(c) <= 0x7e:
            flush()
            out += "&-" if c == "&" else c
        else:
            pending += c
    flush()
    return '"' + out.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Users(harness.PairTest):
    def lines(self, node, *arguments):
        return [json.loads(line) for line in self.pair.ctl(node, *arguments, "--json").stdout.splitlines()]

    def names(self, node="a"):
        return {user["name"] for user in self.lines(node, "user", "list")}

    def test_users_and_mailboxes(self):
        self.odd_users()
        self.passwords()
        self.odd_mailboxes()
        self.deletion()
        self.pair.verify_equal()

    def odd_users(self):
        before = self.names()
        for name in ODD_USERS:
            self.pair.ctl("a", "user", "add", name, "--password", "pass")
        self.assertEqual(self.names() - before, set(ODD_USERS))
        self.assertEqual([user["name"] for user in self.lines("a", "user", "list", "anna@")], ["anna@example.org"])
        for bad in ("", " ", " x", "a/b", "@x", "new\nline", "bell\x07", "x" * 300):
            result = self.pair.ctl("a", "user", "add", bad, "--password", "pass", check=False)
            self.assertEqual(result.returncode, 2, f"{bad!r}: {result.stdout}{result.stderr}")
        self.assertEqual(self.names() - before, set(ODD_USERS))
        again = self.pair.ctl("a", "user", "add", "ANNA@example.org", "--password", "x", check=False)
        self.assertEqual(again.returncode, 2, "names fold")
        self.assertIn("already", again.stderr)
        self.pair.ctl("a", "user", "add", "anna@example.org", "--password", "x", "--if-missing")
        mail.login(self.pair.port("a"), "anna@example.org", "pass").logout()  # and its password stays

    def passwords(self):
        self.pair.ctl("a", "user", "passwd", "anna@example.org", "--password", "-new-")
        mail.login(self.pair.port("a"), "anna@example.org", "-new-").logout()
        with self.assertRaisesRegex(Exception, "AUTHENTICATIONFAILED"):
            mail.login(self.pair.port("a"), "anna@example.org", "pass")
        for verb in (["user", "passwd", "nobody", "--password", "x"], ["user", "delete", "nobody"], ["mailbox", "list", "nobody"]):
            result = self.pair.ctl("a", *verb, check=False)
            self.assertEqual(result.returncode, 2, verb)
            self.assertIn("no user named nobody", result.stderr)
        for standby in (["user", "add", "late", "--password", "x"], ["user", "delete", "user1"], ["user", "list"],
                        ["user", "passwd", "user1", "--password", "x"], ["mailbox", "list", "user1"]):
            self.assertRegex(self.pair.expect(3, "b", *standby), "not the primary|nothing to show")

    def odd_mailboxes(self):
        client = mail.login(self.pair.port("a"), "anna@example.org", "-new-")
        for name in ODD_BOXES:
            self.assertEqual(client.create(utf7(name))[0], "OK", name)
        for name in STEERING:
            self.assertEqual(client.create(utf7(name))[0], "NO", f"{name!r} would reach terminals")
        client.append(utf7("a b"), None, None, b"Subject: x\r\n\r\nx\r\n")
        shown = {box["name"]: box for box in self.lines("a", "mailbox", "list", "anna@example.org")}
        self.assertLessEqual(set(ODD_BOXES), set(shown), "every name is shown as it is")
        self.assertEqual((shown["a b"]["exists"], shown["a b"]["unseen"]), (1, 1))
        text = self.pair.ctl("a", "mailbox", "list", "anna@example.org").stdout
        self.assertEqual(len(text.splitlines()), len(shown), "one line each")
        client.logout()

    def deletion(self):
        doomed = mail.login(self.pair.port("a"), "o'brien")
        for number in range(5):
            doomed.append("INBOX", None, None, f"Subject: {number}\r\n\r\n{'x' * 100_000}\r\n".encode())
        doomed.select("INBOX")
        validity = int(doomed.response("UIDVALIDITY")[1][0])
        self.assertEqual([user["messages"] for user in self.lines("a", "user", "list", "o'brien")], [5])
        self.pair.ctl("a", "user", "delete", "o'brien")
        with self.assertRaises(Exception, msg="his session ends, or can do nothing"):
            if doomed.append("INBOX", None, None, b"Subject: late\r\n\r\nx\r\n")[0] != "OK":
                raise OSError("refused")
        with self.assertRaises(Exception):
            mail.login(self.pair.port("a"), "o'brien")
        with self.assertRaisesRegex(OSError, "550"):
            mail.Lmtp(self.pair.port("a", "lmtp_port")).deliver("o'brien@example.org", b"Subject: x\r\n\r\nx\r\n")
        self.pair.verify_equal()
        self.pair.ctl("a", "user", "add", "o'brien", "--password", "again")
        client = mail.login(self.pair.port("a"), "o'brien", "again")
        self.assertEqual(client.select("INBOX")[1], [b"0"])
        self.assertGreaterEqual(int(client.response("UIDVALIDITY")[1][0]), validity)
        kept = self.names()
        self.pair.ctl("a", "switchover")
        self.pair.wait("b", "serving")
        self.pair.wait("a", "eligible")
        self.assertEqual(self.names("b"), kept)
        self.assertEqual([user["messages"] for user in self.lines("b", "user", "list", "o'brien")], [0])
        client = mail.login(self.pair.port("b"), "o'brien", "again")
        self.assertEqual(client.select("INBOX")[1], [b"0"], "nothing is left on the other node")


harness.main()
