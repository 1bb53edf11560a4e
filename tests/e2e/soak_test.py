"""scripts/soak: it ends when it is told to, and a loss ends it with 1 and keeps what is needed to look for the cause."""
import contextlib
import importlib.machinery
import importlib.util
import io
import pathlib
import re
import shutil
import signal
import subprocess
import unittest

import harness
from kill_rounds import KillRounds

SOAK = str(harness.ROOT / "scripts" / "soak")


class Losing(KillRounds):
    """Somebody expunges a message behind the clients' backs."""

    def round(self, number, kind):
        super().round(number, kind)
        client = harness.login(self.pair, self.pair.whole())
        box = max((line.decode().rpartition(' "/" ')[2] for line in client.list()[1]), key=lambda name: int(client.select(name)[1][0]))
        client.select(box)
        client.store("1", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.logout()


class Soak(unittest.TestCase):
    def test_it_ends_with_a_summary(self):
        process = subprocess.Popen([SOAK, "--hours", "24", "--seed", "5", "--only", "kill"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.assertIn("seed 5", process.stdout.readline())
        self.assertRegex(process.stdout.readline(), r"\[ +\d+ s\] kill round 0, primary: \d+ acknowledged, 0 lost, 0 doubled")
        process.send_signal(signal.SIGINT)
        text, _ = process.communicate(timeout=120)
        self.assertRegex(text, r"(?s)ends after this round.*\n[12] good rounds in \d+ s, seed 5: \d+ operations .*, 0 lost, 0 doubled\n$")
        self.assertEqual(process.returncode, 0)

    def test_a_loss_is_no_success(self):
        loader = importlib.machinery.SourceFileLoader("soak", SOAK)
        soak = importlib.util.module_from_spec(importlib.util.spec_from_loader("soak", loader))
        loader.exec_module(soak)
        soak.KINDS["kill"] = (harness.Pair, Losing)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = soak.Soak(["kill"], 1, 1000).run()
        self.assertEqual(code, 1, said.getvalue())
        self.assertIn("0 good rounds", said.getvalue())
        self.assertIn("lost: ", said.getvalue())
        kept = pathlib.Path(re.search(r"kept: (\S+)", said.getvalue()).group(1))
        self.assertTrue((kept / "a" / "log").exists() and (kept / "b" / "data" / "db").exists())
        shutil.rmtree(kept)


if __name__ == "__main__":
    harness.main()
