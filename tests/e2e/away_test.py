"""A standby that was away until the log kept for it was dropped: it comes back by comparing, user by user, and is equal."""
import pathlib
import re

import harness
import mail

USERS = ("user1", "user2", "test")


def append(client, text, mailbox="INBOX"):
    assert client.append(mailbox, None, None, f"Subject: {text}\r\n\r\nbody of {text}\r\n".encode())[0] == "OK"


class Away(harness.PairTest):
    up_arguments = ("--set", "outbox-bytes-max=1M")

    def log(self, node):
        return (pathlib.Path(self.pair.dir) / node / "log").read_text()

    def shown(self, node):
        """All that clients of all users can see: names, counters, messages."""
        found = {}
        for user in USERS:
            client = harness.login(self.pair, node, user)
            for line in client.list()[1]:
                name = line.decode().rpartition(' "/" ')[2].strip('"')
                status = client.status(f'"{name}"', "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ)")[1][0]
                found[user, name] = (status, mail.read_mailbox(self.pair.port(node), f'"{name}"', user))
            client.logout()
        return found

    def change_much(self):
        client = harness.login(self.pair, "a")
        client.select("INBOX")
        client.store("1:10", "+FLAGS", r"(\Flagged Work)")
        client.copy("5:15", "Archive")
        client.store("11:20", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.rename("Drafts", "Papers")
        client.delete("Trash")
        client.create("New")
        append(client, "in a new mailbox", "New")
        other = harness.login(self.pair, "a", "user2")
        append(other, "for user2")
        self.pair.ctl("a", "user", "add", "late", "--password", "pass")
        return client

    def fill_the_log(self, client):
        name = "start"
        client.create(name)
        for number in range(90):  # each keeps the long former name as its previous value
            client.rename(name, f"{number:02}" + "n" * 850)
            name = f"{number:02}" + "n" * 850
            if number % 10 == 0 and "is full and is dropped" in self.log("a"):
                break
        harness.eventually(lambda: "is full and is dropped" in self.log("a"), what="the log is dropped")

    def test_it_is_compared_and_equal(self):
        client = harness.login(self.pair, "a")
        client.create("Archive")
        for number in range(30):
            append(client, f"on both {number}")
        append(harness.login(self.pair, "a", "test"), "who changes nothing meanwhile")
        self.pair.kill("b")
        self.pair.ctl("a", "solo", "--peer-fenced")
        client = self.change_much()
        self.fill_the_log(client)
        append(client, "after the log was dropped")
        before = len(re.findall("kind=compare", self.log("a")))
        self.pair.start("b")
        self.pair.wait("b", "eligible")
        self.assertGreater(len(re.findall("kind=compare", self.log("a"))), before, "no shorter way was taken")
        self.assertEqual(self.pair.status("b")["salvage_records"], 0, "nothing was undone")
        self.pair.verify_equal()
        wanted = self.shown("a")
        append(harness.login(self.pair, "a"), "and it follows")
        self.pair.ctl("a", "switchover")
        self.pair.wait("b", "serving")
        shown = self.shown("b")
        self.assertEqual(len(shown.pop(("user1", "INBOX"))[1][1]), len(wanted.pop(("user1", "INBOX"))[1][1]) + 1)
        self.assertEqual(shown, wanted)


harness.main()
