"""The alert rules of deploy/prometheus, as far as tests need them: what they say, and whether one is true of a node.

Durations (`for`) are not waited for; `increase` counts from the start of the process, `sum` is of one node.
"""
import dataclasses
import re
import time
import urllib.request

import harness

FILE = harness.ROOT / "deploy" / "prometheus" / "alerts.yml"
SAMPLE = re.compile(r"(twinspool_\w+|up)(?:\{([^}]*)\})?")


@dataclasses.dataclass(frozen=True)
class Rule:
    name: str
    expr: str
    patience: str  # "" for none
    summary: str
    runbook: str

    def samples(self):
        """[(metric, labels as text)] that it looks at."""
        return SAMPLE.findall(self.expr)


def rules():
    found = []
    for text in FILE.read_text(encoding="utf-8").split("- alert: ")[1:]:
        fields = dict(re.findall(r"(?m)^ +(expr|for|summary|runbook): (.*)$", text))
        assert {"expr", "summary", "runbook"} <= fields.keys(), text
        found.append(Rule(text.split()[0], fields["expr"], fields.get("for", ""), fields["summary"].strip('"'), fields["runbook"]))
    return found


def exported(pair, node):
    """{(metric, labels as text): value} of a node that runs."""
    with urllib.request.urlopen(f"http://127.0.0.1:{pair.port(node, 'http_port')}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {(name, labels): float(value) for name, labels, value in re.findall(r"(?m)^(\w+)(?:\{([^}]*)\})? (\S+)$", text)}


def value(metric, pair, node):
    return exported(pair, node)[metric, ""]


def holds(expr, known):
    """Whether the expression is true of these metrics; KeyError for one that is not there."""
    plain = re.sub(r"increase\((\w+)\[\w+\]\)", r"\1", re.sub(r"sum by \(\w+\) ", "", expr))
    return bool(eval(SAMPLE.sub(lambda m: repr(known[m.group(1), m.group(2) or ""]), plain).replace("time()", str(time.time()))))


def fires(name, pair, node):
    rule, = [rule for rule in rules() if rule.name == name]
    return holds(rule.expr, exported(pair, node))
