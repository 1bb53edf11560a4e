"""Runbooks that are executed: reads a file of deploy/runbooks and types what stands there, word for word.

Blocks whose info string begins with `sh` are commands. A further word says on which node, by the name that the
runbook gives it; a test says which node that is.

    ```sh standby exit=5        typed on the standby, must end with 5 (without `exit`: with 0)
    ```sh standby repeat        typed again until it ends and prints as the runbook says
    ```sh survivor keep=STRING  later blocks get the first word of its last line where they say STRING
    ```sh yours=power-off       differs from site to site: the test does it by means of its own

A `text` block behind it is all that the commands print. `…` stands for anything within a line, a line `…` for
any lines; blanks count as one. Commands run in bash, with twinspoolctl, twinspoold, systemctl and journalctl of that node,
and with its paths and ports in place of those of an installed one.
"""
import dataclasses
import os
import pathlib
import re
import shlex
import subprocess

import harness

FOLDER = harness.ROOT / "deploy" / "runbooks"
ANY = "…"
REPEAT_S = 60
SYSTEMCTL = """#!/bin/bash
case "$*" in
  "start twinspool") exec {tool} start {home} {node} ;;
  "stop twinspool") {tool} kill {home} {node} TERM 2>&1 | (! grep -v "does not run") ;;
  "restart twinspool") "$0" stop twinspool && exec "$0" start twinspool ;;
  *) echo "systemctl $*: not known here" >&2; exit 1 ;;
esac
"""
JOURNALCTL = """#!/bin/bash
[ "$1 $2 $3" = "-u twinspool -n" ] && exec tail -n "$4" {log}
echo "journalctl $*: not known here" >&2; exit 1
"""


@dataclasses.dataclass(frozen=True)
class Block:
    """Commands, and what they must print (None: nothing is said of it)."""

    place: str      # file:line
    heading: str
    words: tuple    # of the info string, behind `sh`
    commands: str
    expected: str | None

    def option(self, name):
        return next((word.partition("=")[2] for word in self.words if word.startswith(name + "=")), None)

    @property
    def node(self):
        return next((word for word in self.words if "=" not in word and word != "repeat"), None)


def fences(text):
    """(heading, line number, info string, content) of every fenced block; it may stand within a list."""
    heading, fence, info, start, content = "", None, "", 0, []
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r"( *)```(.*)$", line)
        if fence is None and line.startswith("#"):
            heading = line.lstrip("# ").strip()
        elif fence is None and found:
            fence, info, start, content = found.group(1), found.group(2).strip(), number, []
        elif fence is not None and found:
            yield heading, start, info, "\n".join(content)
            fence = None
        elif fence is not None:
            content.append(line.removeprefix(fence))
    assert fence is None, f"line {start}: the block has no end"


def read(text, name=""):
    """The commands of a runbook, in order."""
    blocks = []
    for heading, line, info, content in fences(text):
        words = tuple(info.split())
        if words[:1] == ("sh",):
            blocks.append(Block(f"{name}:{line}", heading, words[1:], content, None))
        elif words == ("text",) and blocks and blocks[-1].expected is None:
            blocks[-1] = dataclasses.replace(blocks[-1], expected=content)
        else:
            raise AssertionError(f"{name}:{line}: ```{info}: neither commands nor their output")
    return blocks


def matches(expected, output):
    """Whether the output is what the runbook says."""
    lines = lambda text: [" ".join(line.split()) for line in text.strip().splitlines()]
    pattern = "".join(r"(?:.*\n)*?" if line == ANY else ".*?".join(map(re.escape, line.split(ANY))) + r"\n"
                      for line in lines(expected))
    return re.fullmatch(pattern, "".join(line + "\n" for line in lines(output))) is not None


class Runbook:
    """One runbook, followed with a pair. `nodes`: its names of nodes -> "a" or "b"; `actions`: for `yours=`;
    `values`: words of the text -> what they are here."""

    typed = set()  # places of all blocks that any test has typed

    def __init__(self, name, pair, nodes, actions=None, values=None):
        self.pair = pair
        self.nodes = nodes
        self.actions = actions or {}
        self.values = dict(values or {})
        self.blocks = read((FOLDER / name).read_text(encoding="utf-8"), name)

    def below(self, heading):
        blocks = [block for block in self.blocks if block.heading == heading]
        assert blocks, f"no commands below {heading!r}"
        return blocks

    def follow(self, *headings):
        """Types all that stands below these headings."""
        for heading in headings:
            for block in self.below(heading):
                self.do(block)

    def do(self, block):
        Runbook.typed.add(block.place)
        if block.option("yours"):
            self.actions[block.option("yours")]()
        elif "repeat" in block.words:
            harness.eventually(lambda: self.type(block) or True, REPEAT_S, block.place)
        else:
            self.type(block)

    def type(self, block):
        node = self.nodes[block.node]
        result = subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", self.here(block.commands, node)], env=self.environment(node),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                check=False, timeout=300)
        said = f"{block.place} on {node}: {block.commands}\nexit {result.returncode}: {result.stdout}"
        assert result.returncode == int(block.option("exit") or 0), said + self.pair.logs()
        assert block.expected is None or matches(self.here(block.expected, node), result.stdout), \
            f"{said}\nwanted:\n{block.expected}{self.pair.logs()}"
        if block.option("keep"):
            self.values[block.option("keep")] = result.stdout.strip().splitlines()[-1].split()[0]

    def here(self, text, node):
        home = pathlib.Path(self.pair.dir) / node
        for word, value in {**self.values, "/var/lib/twinspool": str(home / "data"),
                            "/etc/twinspool/twinspool.conf": str(home / "twinspool.conf"),
                            "127.0.0.1:8190": f"127.0.0.1:{self.pair.port(node, 'http_port')}"}.items():
            text = text.replace(word, value)
        return text

    def environment(self, node):
        """twinspoolctl as it is; small stand-ins for what an installed node is started and read with."""
        home = pathlib.Path(self.pair.dir) / node
        tools = home / "bin"
        if not tools.exists():
            tools.mkdir()
            quoted = {"tool": shlex.quote(harness.DEV_PAIR), "home": shlex.quote(self.pair.dir), "node": node,
                      "log": shlex.quote(str(home / "log"))}
            for name, text in (("systemctl", SYSTEMCTL), ("journalctl", JOURNALCTL)):
                (tools / name).write_text(text.format(**quoted))
                (tools / name).chmod(0o755)
        return {**os.environ, "PATH": f"{tools}:{harness.CTL.parent}:{harness.DAEMON.parent}:{os.environ['PATH']}",
                "TWINSPOOL_SOCKET": str(home / "data" / "admin.sock")}
