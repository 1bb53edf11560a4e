"""What a lost primary had accepted alone, with real processes: merged when it comes back, and listed, shown, exported,
given back once more or discarded by its operator."""
import json
import os
import pathlib
import re

import harness


def append(client, text, mailbox="INBOX"):
    answer, data = client.append(mailbox, None, None, f"Subject: {text}\r\n\r\nbody of {text}\r\n".encode())
    assert answer == "OK", data


class Salvage(harness.PairTest):
    def lines(self, *arguments):
        return [json.loads(line) for line in self.pair.ctl("a", "salvage", *arguments, "--json").stdout.splitlines()]

    def names(self, node):
        answer, listed = harness.login(self.pair, node).list()
        assert answer == "OK"
        return {re.search(r'"?([^"]*)"?$', line.decode().partition('"/" ')[2]).group(1) for line in listed}

    def store(self, client, uid, flags, mailbox="INBOX"):
        client.select(mailbox)
        self.assertEqual(client.uid("STORE", uid, "+FLAGS", flags)[0], "OK")

    def flags(self, uid):
        return harness.fetch_all(harness.login(self.pair, "b"), "INBOX")[uid][0]

    def go_separate_ways(self):
        client = harness.login(self.pair, "a")
        for text in ("first", "second", "third", "fourth"):
            append(client, text)
        for name in ("Renamed", "Deleted", "Busy"):
            client.create(name)
        self.pair.kill("b")
        self.pair.ctl("a", "solo", "--peer-fenced")
        client = harness.login(self.pair, "a")
        append(client, "only on a")
        append(client, "short-lived")
        self.store(client, "1", r"(\Flagged)")
        self.store(client, "2,3,6", r"(\Deleted)")
        self.assertEqual(client.uid("EXPUNGE", "2,3,6")[0], "OK")
        self.assertEqual(client.uid("MOVE", "4", "Busy")[0], "OK")
        for command in (("rename", "Renamed", "New name"), ("delete", "Deleted"), ("create", "Made")):
            self.assertEqual(getattr(client, command[0])(*(f'"{name}"' for name in command[1:]))[0], "OK", command)
        append(client, "in the new mailbox", "Made")
        self.pair.kill("a")
        self.pair.start("b")
        self.pair.ctl("b", "promote", "--allow-data-loss", "--peer-fenced")
        self.store(harness.login(self.pair, "b"), "3", r"(\Answered)")

    def come_back(self):
        self.pair.start("a")
        self.pair.wait("a", "eligible")
        harness.eventually(lambda: self.pair.status("a")["salvage_records"] == 0, what="everything is given back")

    def test_everything_comes_together_and_conflicts_are_named(self):
        self.go_separate_ways()
        self.come_back()
        inbox = {subject: uid for uid, (_, subject) in harness.fetch_all(harness.login(self.pair, "b"), "INBOX").items()}
        self.assertEqual(set(inbox), {"first", "third", "only on a"}, "second was expunged, fourth moved, third changed here")
        self.assertIn(r"\Flagged", self.flags(1))
        self.assertIn(r"\Answered", self.flags(3))
        self.assertEqual({text for _, text in harness.fetch_all(harness.login(self.pair, "b"), "Busy").values()}, {"fourth"})
        self.assertEqual({text for _, text in harness.fetch_all(harness.login(self.pair, "b"), "Made").values()},
                         {"in the new mailbox"})
        names = self.names("b")
        self.assertTrue({"Made", "New name"} <= names, names)
        self.assertFalse({"Renamed", "Deleted"} & names, names)
        self.assertEqual(self.pair.status("a")["salvage_conflicts"], 1)
        conflict, = self.lines("list", "--state", "conflict")
        self.assertEqual((conflict["kind"], conflict["uid"], conflict["user"]), ("flags", 3, "user1"))
        self.assertIn("changed meanwhile", conflict["outcome"])
        self.pair.verify_equal()
        self.operate()

    def operate(self):
        """What an operator does with the folder afterwards."""
        kept = next(item for item in self.lines("list", "--state", "kept") if item["kind"] == "append")
        shown = self.pair.ctl("a", "salvage", "show", kept["name"][:6]).stdout
        self.assertIn("Subject: short-lived", shown)
        directory = os.path.join(self.pair.dir, "exported")
        self.pair.ctl("a", "salvage", "export", directory)
        mails = {path.stem: path.read_text() for path in pathlib.Path(directory).glob("*.eml")}
        self.assertIn("body of short-lived", mails[kept["name"]])
        index = [json.loads(line) for line in pathlib.Path(directory, "index.jsonl").read_text().splitlines()]
        self.assertEqual({item["name"] for item in index if item["octets"] and item["kind"] == "append"}, set(mails))
        for _ in range(2):
            self.pair.ctl("a", "salvage", "reinject", kept["name"], "--mailbox", "Made")
        self.assertEqual(sorted(text for _, text in harness.fetch_all(harness.login(self.pair, "b"), "Made").values()),
                         ["in the new mailbox", "short-lived"])
        self.pair.expect(2, "a", "salvage", "show", "ffffffffff")
        self.pair.expect(2, "a", "salvage", "discard")
        self.pair.ctl("a", "salvage", "discard", "--settled")
        self.assertEqual(self.pair.status("a")["salvage_conflicts"], 1, "a conflict stays until somebody says so")
        self.pair.ctl("a", "salvage", "discard", kept["name"])
        self.assertEqual(self.lines("show", kept["name"])[0]["state"], "discarded")
        self.pair.ctl("a", "salvage", "discard", "--all")
        self.assertEqual(self.lines("list"), [])
        self.assertEqual(self.pair.status("a")["salvage_conflicts"], 0)
        self.pair.verify_equal()


if __name__ == "__main__":
    harness.main()
