"""The crew and the cache client themselves: what is lost, doubled or changed behind their backs is noticed."""
import unittest

import book
import cache_client
import crew
import harness


class Scope(unittest.TestCase):
    def test_copies_in_older_mailboxes_are_looked_at(self):
        """A message in INBOX that has a copy in a mailbox of an older generation, too."""
        ledger = book.Book("w")
        older, _ = ledger.new_box(0)
        newer, _ = ledger.new_box(1)
        for subject, boxes in (("w-1", (book.INBOX, older)), ("w-2", (older,)), ("w-3", (newer,))):
            state = frozenset((box, frozenset()) for box in boxes)
            ledger.entries[subject] = book.Entry(1, book.digest(b"x"), False, 1 if newer in boxes else 0, {state})
        self.assertEqual(ledger.scope(1), ([newer], {older}, ["w-1", "w-3"]))
        self.assertEqual(ledger.scope(0), ([older, newer], set(), ["w-1", "w-2", "w-3"]))


class Judgement(unittest.TestCase):
    def entry(self, ledger, *states):
        return ledger.entries.setdefault("w-1", book.Entry(1, book.digest(b"x"), False, 0, {frozenset(state) for state in states}))

    def test_of_two_copies_in_mailboxes_that_are_gone_the_one_in_doubt_comes_back(self):
        ledger = book.Book("w")
        gone, doubted = ledger.new_box(0)[0], ledger.new_box(0)[0]
        entry = self.entry(ledger, [(gone, frozenset("a"))], [(gone, frozenset("a")), (doubted, frozenset("b"))])
        self.assertEqual(ledger.settle("w-1", entry, [(book.INBOX, frozenset("b"), 7, True)]), [])
        entry.states = {frozenset([(gone, frozenset("a"))]), frozenset([(gone, frozenset("a")), (doubted, frozenset("b"))])}
        self.assertIn("wrong", ledger.settle("w-1", entry, [(book.INBOX, frozenset("c"), 7, True)])[0])

    def test_what_was_shown_amid_a_command_counts_until_a_command_is_answered(self):
        ledger = book.Book("w")
        entry, inbox = self.entry(ledger, []), frozenset([(book.INBOX, frozenset())])
        entry.busy, seen = True, {}
        shown = {"w-1": [(book.INBOX, frozenset(), 7, True)]}
        self.assertEqual(ledger.compare([], shown, seen), (0, []))
        self.assertIn("was shown and is not there", ledger.compare([], {}, seen)[1][0])
        entry.states, entry.answers, entry.busy = {inbox | {(book.INBOX, frozenset("b"))}}, 1, False
        shown["w-1"].append((book.INBOX, frozenset("b"), 8, True))
        self.assertEqual(ledger.compare([], shown, seen), (1, []))


    def test_a_copy_in_a_mailbox_whose_name_is_in_doubt_is_not_missed(self):
        # It was taken for shown otherwise, and the command's own change then for a loss.
        ledger = book.Book("w")
        inbox, renamed = (book.INBOX, frozenset("f")), ledger.new_box(0)[0]
        entry = self.entry(ledger, [inbox, (renamed, frozenset("f"))])
        entry.busy, seen = True, {}
        ledger.boxes[renamed].names = {"old", "new"}
        self.assertEqual(ledger.compare(["old"], {"w-1": [(*inbox, 7, True)]}, seen), (0, []))
        self.assertEqual(seen, {})
        ledger.boxes[renamed].names = {"old"}
        ledger.compare(["old"], {"w-1": [(*inbox, 7, True)]}, seen)
        self.assertEqual(set(seen), {"w-1"}, "with its name it would be")


class Noticed(harness.PairTest):
    up_arguments = ("--single",)

    def setUp(self):
        super().setUp()
        self.crew = crew.Crew(self.pair)
        self.addCleanup(self.crew.close)
        self.cache = cache_client.CacheClient("user1")
        self.crew.load("a")
        harness.eventually(lambda: self.crew.counts()["acknowledged"] > 500, what="some load")
        self.crew.stop()
        self.assertGreater(self.crew.judge("a"), 100)
        self.assertGreater(self.crew.peek("a")[0], 100)
        self.cache.check(self.pair.port("a"))
        self.assertGreater(self.cache.compared, 20)
        self.client = harness.login(self.pair, "a")
        self.box = next(box for box in ("w0.0", "w0.1", "w0.2") if len(self.uids(box)) > 3)

    def uids(self, box):
        return sorted(harness.fetch_all(self.client, box))

    def noticed(self, what):
        """By whoever settles nothing, and by the judge, who then has settled it."""
        with self.assertRaisesRegex(AssertionError, "not as acknowledged|lost"):
            self.crew.peek("a")
        with self.assertRaisesRegex(AssertionError, what):
            self.crew.judge("a")
        self.crew.judge("a")
        self.cache.check(self.pair.port("a"))  # was told of it

    def test_what_happens_behind_their_backs(self):
        self.client.select(self.box)
        uid, other = map(str, self.uids(self.box)[:2])
        self.client.select(self.box)
        with self.subTest("a changed flag"):
            self.client.uid("STORE", uid, "+FLAGS", "(behind)")
            self.noticed("wrong")
        with self.subTest("a lost message"):
            self.client.select(self.box)
            self.client.uid("STORE", other, "+FLAGS", r"(\Deleted)")
            self.client.uid("EXPUNGE", other)
            self.noticed("lost")
        with self.subTest("other octets"):
            self.other_octets(str(self.uids(self.box)[0]))
        with self.subTest("a lost mailbox"):
            kept = next(box for box in ("w0.2", "w0.1", "w0.0") if box != self.box and self.uids(box))
            self.client.select("INBOX")
            self.client.delete(self.box)
            self.noticed("lost: the mailbox")
        with self.subTest("a message twice"):
            self.client.select(kept)
            self.client.uid("COPY", str(self.uids(kept)[0]), kept)
            with self.assertRaisesRegex(AssertionError, "doubled"):
                self.crew.judge("a")

    def other_octets(self, uid):
        """One octet of a message is another."""
        self.client.select(self.box)
        (head, octets), *_ = self.client.uid("FETCH", uid, "(FLAGS BODY.PEEK[])")[1]
        flags = head.decode().partition("FLAGS ")[2].partition(")")[0] + ")"
        self.client.uid("STORE", uid, "+FLAGS", r"(\Deleted)")
        self.client.uid("EXPUNGE", uid)
        self.client.append(self.box, flags, None, octets[:-3] + b"?" + octets[-2:])
        for look in (self.crew.peek, self.crew.judge):
            with self.assertRaisesRegex(AssertionError, "other octets"):
                look("a")

    def test_a_cache_that_differs(self):
        copy = self.cache.copies[self.box]
        uid = next(iter(copy.digests))
        for spoil, what in ((lambda: copy.known.update({uid: b"other"}), "other octets than once"),
                            (lambda: copy.flags.update({uid: frozenset([b"never"])}), "differ"),
                            (lambda: copy.flags.pop(uid), "differ"),
                            (lambda: setattr(copy, "modseq", copy.modseq + 1000), "HIGHESTMODSEQ was"),
                            (lambda: setattr(copy, "validity", 1), "UIDVALIDITY was")):
            spoil()
            with self.assertRaisesRegex(AssertionError, what):
                self.cache.check(self.pair.port("a"))
            self.cache.copies[self.box] = copy = cache_client.Copy()
            self.cache.check(self.pair.port("a"))


if __name__ == "__main__":
    harness.main()
