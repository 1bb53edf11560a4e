"""Flags of single messages are linearizable through every kind of failover; and the checker that says so can say no."""
import os
import re
import unittest

import harness
import linear
from linear import Call, State

ROUNDS = 100 if harness.FULL else 24
MESSAGES = 8
ANSWERS = 400  # before and after what happens
EMPTY = State(frozenset(), 10)
SEEN = frozenset([r"\Seen"])


def explained(*calls):
    return linear.order_of(calls, EMPTY)[0] is not None


class Checker(unittest.TestCase):
    def test_one_after_the_other(self):
        self.assertTrue(explained(Call("add", r"\Seen", 0, 1), Call("read", None, 2, 3, (SEEN, 11))))

    def test_an_acknowledged_change_that_a_later_read_does_not_show(self):
        self.assertFalse(explained(Call("add", r"\Seen", 0, 1), Call("read", None, 2, 3, (frozenset(), 10))))

    def test_a_change_that_was_shown_and_is_gone(self):
        self.assertFalse(explained(Call("add", r"\Seen", 0), Call("read", None, 2, 3, (SEEN, 11)), Call("read", None, 4, 5, (frozenset(), 10))))

    def test_a_change_without_an_answer_may_come_late_or_never(self):
        lost = Call("add", r"\Seen", 0)
        before = Call("read", None, 2, 3, (frozenset(), 10))
        self.assertTrue(explained(lost, before, Call("read", None, 4, 5, (SEEN, 11))))
        self.assertTrue(explained(lost, before, Call("read", None, 4, 5, (frozenset(), 10))))

    def test_but_not_before_it_was_asked_for(self):
        self.assertFalse(explained(Call("read", None, 0, 1, (SEEN, 11)), Call("add", r"\Seen", 2)))

    def test_calls_at_the_same_time_in_either_order(self):
        add, remove = Call("add", r"\Seen", 0, 5), Call("remove", r"\Seen", 0, 5)
        self.assertTrue(explained(add, remove, Call("read", None, 6, 7, (SEEN, 11))))
        self.assertTrue(explained(add, remove, Call("read", None, 6, 7, (frozenset(), 12))))

    def test_a_modseq_never_changes_alone_and_never_falls(self):
        first = Call("read", None, 0, 1, (frozenset(), 10))
        self.assertFalse(explained(first, Call("read", None, 2, 3, (frozenset(), 11))))
        self.assertFalse(explained(first, Call("add", r"\Seen", 2, 3), Call("read", None, 4, 5, (SEEN, 9))))

    def test_of_two_changes_under_the_same_condition_one_is_refused(self):
        one, two = Call("add-if", (r"\Seen", 10), 0, 5, True), Call("add-if", (r"\Flagged", 10), 0, 5, False)
        self.assertTrue(explained(one, two))
        self.assertFalse(explained(one, Call("add-if", (r"\Flagged", 10), 0, 5, True)))
        self.assertFalse(explained(two), "refused for no reason")

    def test_a_condition_counts_when_it_was_answered(self):
        seen, flagged = Call("add", r"\Seen", 0, 1), frozenset([r"\Seen", r"\Flagged"])
        after = [seen, Call("read", None, 2, 3, (SEEN, 11)), Call("read", None, 6, 7, (flagged, 12))]
        self.assertFalse(explained(*after, Call("add-if", (r"\Flagged", 10), 4, 5, True)))
        self.assertTrue(explained(*after, Call("add-if", (r"\Flagged", 10), 0)), "given back by a node that died with it")

    def test_a_thousand_calls_at_the_same_time_as_a_few_others(self):
        calls = [Call("add", r"\Flagged", 0), Call("remove", r"\Flagged", 0), Call("add", "work", 0)]
        for i in range(0, 1000, 2):
            calls += [Call("add" if i % 4 == 0 else "remove", r"\Seen", i, i + 1.5),
                      Call("read", None, i + 1.6, i + 1.9, (SEEN if i % 4 == 0 else frozenset(), 11 + i))]
        self.assertTrue(explained(*calls))
        calls[501] = Call("read", None, calls[501].begin, calls[501].end, (frozenset(["x"]), 4711))
        self.assertFalse(explained(*calls))


class Linearizable(harness.PairTest):
    def begin(self, number):
        """A fresh mailbox and clients at work in it; what each message is at first."""
        client = harness.login(self.pair, self.pair.primary())
        mailbox = f"round{number}"
        client.create(mailbox)
        for i in range(MESSAGES):
            harness.append(client, str(i), mailbox)
        client.select(mailbox)
        start = {}
        for line in client.uid("FETCH", "1:*", "(FLAGS MODSEQ)")[1]:
            found = re.search(rb"UID (\d+).*MODSEQ \((\d+)\)", line)
            start[int(found.group(1))] = State(frozenset(), int(found.group(2)))
        client.logout()
        self.assertEqual(len(start), MESSAGES)
        clients = linear.Clients(self.pair, mailbox, list(start), seed=f"{os.environ.get('TWINSPOOL_SEED', '1')}.{number}")
        self.addCleanup(clients.stop)
        return clients, start

    def go_on(self, clients):
        wanted = clients.answers + ANSWERS
        harness.eventually(lambda: clients.answers >= wanted, what="clients are answered")

    def switchover(self, primary, _):
        self.pair.ctl(primary, "switchover")

    def kill_primary(self, primary, standby):
        self.pair.kill(primary)
        self.pair.over(primary, standby, "promote", "--peer-fenced")
        self.pair.start(primary)

    def kill_standby(self, _, standby):
        self.pair.kill(standby)
        self.pair.start(standby)

    def kill_both(self, primary, standby):
        self.pair.kill(primary)
        self.pair.kill(standby)
        self.pair.start(standby)
        self.pair.start(primary)

    def test_every_message_as_if_there_were_one_copy(self):
        kinds = [self.switchover, self.kill_primary, self.kill_standby, self.kill_both]
        checked = unanswered = 0
        for number in range(ROUNDS):
            kind = kinds[number % len(kinds)]
            clients, start = self.begin(number)
            self.go_on(clients)
            primary = self.pair.primary()
            kind(primary, "b" if primary == "a" else "a")
            self.go_on(clients)
            self.pair.whole()
            self.go_on(clients)
            clients.stop()
            count, problems = clients.check(start)
            self.assertEqual(problems, [], f"round {number}, {kind.__name__}")
            checked += count
            unanswered += sum(not call.answered for calls in clients.calls.values() for call in calls)
        print(f"{ROUNDS} rounds: {checked} calls of {MESSAGES * ROUNDS} messages explained, {unanswered} of them without an answer")


harness.main()
