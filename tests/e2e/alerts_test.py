"""The alert rules: they are whole, all that they look at is exported by real nodes, and each leads to a runbook."""
import re
import shutil
import subprocess
import unittest

import alerts
import harness
from runbook import FOLDER

# What must be noticed, and for how long it must last.
NEEDED = {"TwinspoolSolo": "5m", "TwinspoolLag": "", "TwinspoolBlocked": "10s", "TwinspoolDigestMismatch": "", "TwinspoolOutbox": "",
          "TwinspoolCertificate": "", "TwinspoolNodeDown": "30s", "TwinspoolNoPrimary": "30s", "TwinspoolSalvage": "10m",
          "TwinspoolDiskLow": "10s", "TwinspoolPeerAway": "30s", "TwinspoolModeMismatch": "1m",
          "TwinspoolDamage": "", "TwinspoolDamageHealed": "", "TwinspoolNoScrub": ""}
# Expression, and metrics of which it is false and true.
EDGES = [("TwinspoolLag", {"replication_lag_seconds": 30}, {"replication_lag_seconds": 31}),
         ("TwinspoolOutbox", {"outbox_bytes": 80, "outbox_limit_bytes": 100}, {"outbox_bytes": 81, "outbox_limit_bytes": 100}),
         ("TwinspoolDigestMismatch", {"digest_mismatches_total": 0}, {"digest_mismatches_total": 1}),
         ("TwinspoolSalvage", {"salvage_records": 0, "salvage_conflicts": 0}, {"salvage_records": 1, "salvage_conflicts": 0}),
         ("TwinspoolSalvage", {"salvage_records": 0, "salvage_conflicts": 0}, {"salvage_records": 0, "salvage_conflicts": 1}),
         ("TwinspoolDamage", {"damage_unrepaired": 0}, {"damage_unrepaired": 1}),
         ("TwinspoolDamageHealed", {"damage_healed_total": 0}, {"damage_healed_total": 1}),
         ("TwinspoolNoScrub", {"scrub_last_pass_seconds": 0}, {"scrub_last_pass_seconds": 1}),
         ("TwinspoolNoScrub", {"scrub_last_pass_seconds": 1e11}, {"scrub_last_pass_seconds": 1e9}),
         ("TwinspoolCertificate", {"certificate_expires_seconds": 0}, {"certificate_expires_seconds": 1}),
         ("TwinspoolCertificate", {"certificate_expires_seconds": 1e11}, {"certificate_expires_seconds": 1e9}),
         ("TwinspoolPeerAway", {"peer_connected": 0, "paired": 0}, {"peer_connected": 0, "paired": 1})]


class Rules(harness.PairTest):
    def test_all_that_they_look_at_is_exported(self):
        for node in "ab":
            known = alerts.exported(self.pair, node)
            for rule in alerts.rules():
                for sample in rule.samples():
                    self.assertTrue(sample[0] == "up" or sample in known, f"{rule.name}: {node} exports no {sample}")
                if rule.name not in ("TwinspoolNodeDown", "TwinspoolNoPrimary"):  # of Prometheus itself; of all nodes
                    self.assertFalse(alerts.holds(rule.expr, known), f"{rule.name} of a pair that is well")


class Texts(unittest.TestCase):
    def test_what_must_be_noticed_is(self):
        self.assertEqual({rule.name: rule.patience for rule in alerts.rules()}, NEEDED)
        by_name = {rule.name: rule for rule in alerts.rules()}
        for name, quiet, loud in EDGES:
            for metrics, wanted in ((quiet, False), (loud, True)):
                with self.subTest(name, metrics=metrics):
                    known = {("twinspool_" + metric, ""): number for metric, number in metrics.items()}
                    self.assertEqual(alerts.holds(by_name[name].expr, known), wanted)

    def test_each_leads_to_its_runbook(self):
        installed = (harness.ROOT / "CMakeLists.txt").read_text()
        self.assertIn("install(DIRECTORY deploy/runbooks DESTINATION share/twinspool)", installed)
        index = (FOLDER / "README.md").read_text(encoding="utf-8")
        for rule in alerts.rules():
            folder, _, file = rule.runbook.rpartition("/")
            self.assertEqual(folder, "/usr/share/twinspool/runbooks")
            self.assertIn(f"`{rule.name}`", (FOLDER / file).read_text(encoding="utf-8"), f"{file} does not know its alarm")
            self.assertIn(f"`{rule.name}`", index)

    def test_no_link_leads_nowhere(self):
        files = [*FOLDER.glob("*.md"), *(harness.ROOT / "docs").glob("*.md"), *harness.ROOT.glob("*.md")]
        for file in files:
            for link in re.findall(r"\]\(([^)#]+)[^)]*\)", file.read_text(encoding="utf-8")):
                if "://" not in link:
                    self.assertTrue((file.parent / link).exists(), f"{file.name}: {link}")
        index = (FOLDER / "README.md").read_text(encoding="utf-8")
        for file in FOLDER.glob("*.md"):
            self.assertTrue(file.name == "README.md" or f"({file.name})" in index, f"the index does not know {file.name}")
        known = {rule.name for rule in alerts.rules()}
        for file in FOLDER.glob("*.md"):
            named = set(re.findall(r"`(Twinspool[A-Z]\w+)`", file.read_text(encoding="utf-8")))
            self.assertLessEqual(named, known, f"{file.name} names alarms that are not there")

    def test_prometheus_can_read_them(self):
        if shutil.which("promtool") is None:
            self.skipTest("no promtool here")
        checked = subprocess.run(["promtool", "check", "rules", str(alerts.FILE)], capture_output=True, text=True, check=False)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)


if __name__ == "__main__":
    harness.main()
