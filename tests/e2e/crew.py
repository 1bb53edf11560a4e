"""A crew of load processes against a pair: begins, stops, judges, and adds up what they count.

    crew = Crew(pair)
    crew.load("a"); ...; crew.stop(); crew.judge("b")

Each process has a user, mailboxes, and a ledger of its own that lives as long as the crew; generations of
mailboxes keep what is judged after each round small, and judge_all() looks at everything.
"""
import collections
import json
import pathlib
import subprocess
import sys
import threading

import harness

USERS = ["user1", "user2", "test"]
GRACE_S = 20
ANSWER_S = 120


class Crew:
    def __init__(self, pair, seed=1, label="w", users=USERS):
        self.pair = pair
        self.generation = 0
        script = str(pathlib.Path(__file__).with_name("load_process.py"))
        self.processes = [subprocess.Popen([sys.executable, script, f"{label}{k}", user, f"{seed}.{k}"],
                                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
                          for k, user in enumerate(users)]

    def ask(self, **order):
        """Every process gets the order; their answers."""
        line = json.dumps(order).encode() + b"\n"
        for process in self.processes:
            process.stdin.write(line)
            process.stdin.flush()
        watchdog = threading.Timer(ANSWER_S, lambda: [process.kill() for process in self.processes])
        watchdog.start()
        answers = [process.stdout.readline() for process in self.processes]
        watchdog.cancel()
        if not all(answers):
            raise AssertionError(f"a load process ended or hangs at {order}" + self.pair.logs())
        return [json.loads(answer) for answer in answers]

    def load(self, node, budget=1_000_000):
        """Begins; each process sends about so many commands, deliveries without an answer first."""
        self.ask(do="load", imap=self.pair.port(node), lmtp=self.pair.port(node, "lmtp_port"), generation=self.generation, budget=budget)

    def more(self, each):
        """Waits until every process has got so many more acknowledgements."""
        acknowledged = lambda: [answer.get("acknowledged", 0) for answer in self.ask(do="counts")]
        before = acknowledged()
        harness.eventually(lambda: all(now >= then + each for now, then in zip(acknowledged(), before)), what="the load goes on")

    def counts(self):
        return sum((collections.Counter(answer) for answer in self.ask(do="counts")), collections.Counter())

    def stop(self, grace=GRACE_S):
        return sum((collections.Counter(answer) for answer in self.ask(do="stop", grace=grace)), collections.Counter())

    def attach(self, node):
        self.ask(do="attach", imap=self.pair.port(node))

    def peek(self, node=None):
        """Whether what was acknowledged is shown on the node, or (None) on the connections that were attached; doubts
        stay. Answers how many messages were compared, and refusals to show any."""
        answers = self.ask(do="peek", imap=self.pair.port(node) if node else None)
        self.no_problems(answers)
        return sum(answer["compared"] for answer in answers), sum(bool(answer["refused"]) for answer in answers)

    def judge(self, node, generations=1):
        """Nothing of the last generations is lost, doubled, or otherwise than it may be. Answers how many were judged."""
        answers = self.ask(do="judge", imap=self.pair.port(node), oldest=self.generation - generations + 1)
        self.no_problems(answers)
        return sum(answer["judged"] for answer in answers)

    def no_problems(self, answers):
        problems = [problem for answer in answers for problem in answer["problems"]]
        if problems:
            raise AssertionError("\n".join(problems) + self.pair.logs())

    def judge_all(self, node):
        return self.judge(node, self.generation + 1)

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait(30)
            process.stdin.close()
            process.stdout.close()
