"""twinspoolctl as people and scripts meet it: help, exit codes, JSON, --expect-epoch, waiting, and from afar."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import unittest

import harness

COMMANDS = ["status", "is-primary", "is-standby", "is-eligible", "wait", "reload", "promote", "switchover", "demote", "undemote",
            "fence", "solo", "accept-epoch", "pair init", "pair invite", "pair join", "pair dissolve", "verify-pair",
            "user add", "user passwd", "user delete", "user list", "user quota", "acl set", "acl list",
            "expunged list", "expunged restore", "mailbox deleted", "mailbox restore",
            "user app-password add", "user app-password list", "user app-password remove", "mailbox list", "salvage list", "salvage show", "salvage export",
            "salvage reinject", "salvage discard"]
ROLE_FIELDS = ["ok", "exit_code", "role", "epoch", "message", "next"]
PAIR_FIELDS = ["ok", "exit_code", "message", "join_string", "pair_id", "node_index", "next"]
USER_FIELDS = ["ok", "exit_code", "user_id", "message"]
ANSWER_FIELDS = ["ok", "answer", "exit_code", "role", "epoch"]
FAILURE_FIELDS = ["ok", "exit_code", "error", "message"]
STATUS_FIELDS = """schema node_name version pair_id node_id node_index role role_detail mode epoch incarnation eligible
    complete serves_reads serves_writes grant grant_usable resigned holds_resignation held_down rewinding incomplete
    last_seq acked_seq lag_records lag_bytes lag_seconds free_bytes peer_free_bytes disk_low peer_connected peer_role
    peer_epoch peer_version peer_mode peer_refused peer_error peer_last_heard_seconds outbox_entries outbox_bytes
    salvage_records salvage_conflicts digest_mismatches catch_up_units peer_last_seq last_ack_seconds waits_over certificate_expires_ns
    peer_certificate_expires_ns scrub_running scrub_ended_ns scrub_seconds scrub_mailboxes scrub_bodies damage_found
    damage_healed damage_unrepaired unrepaired loss_if_promoted advice warning history transitions""".split()
VERIFY_FIELDS = ["ok", "exit_code", "mailboxes", "seq", "message", "differences", "mailboxes_read", "bodies_read",
                 "damage_found", "damage_healed", "damage"]
# What changes a role, with what else it needs.
ROLE_COMMANDS = [["promote"], ["promote", "--peer-fenced"], ["promote", "--allow-data-loss", "--peer-fenced"],
                 ["switchover"], ["demote"], ["undemote"], ["fence"], ["solo"], ["solo", "--peer-fenced"],
                 ["accept-epoch", "9"], ["pair", "dissolve"], ["pair", "dissolve", "--peer-never-returns"]]


def ctl(*arguments, **environment):
    return subprocess.run([harness.CTL, *arguments], capture_output=True, text=True, check=False, timeout=60,
                          stdin=subprocess.DEVNULL, env={**os.environ, **environment})


class Help(unittest.TestCase):
    def test_every_command_explains_itself_with_an_example(self):
        general = ctl("--help")
        self.assertEqual(general.returncode, 0)
        listed = re.findall(r"(?m)^  ((?:pair |user app-password |user |mailbox |salvage |acl |expunged )?[a-z-]+)", general.stdout.partition("Options")[0])
        self.assertEqual(sorted(listed), sorted(COMMANDS))
        for part in ("--host", "--tls-cert", "Exit codes", "Examples"):
            self.assertIn(part, general.stdout)
        for command in COMMANDS:
            shown = ctl(*command.split(), "--help")
            self.assertEqual(shown.returncode, 0, command)
            self.assertIn(f"Usage: twinspoolctl {command}", shown.stdout)
            self.assertRegex(shown.stdout, rf"(?s)\nExample\n.*twinspoolctl {command}", command)

    def test_the_manual_knows_every_command(self):
        manual = (harness.ROOT / "deploy" / "man" / "twinspoolctl.8").read_text()
        for command in COMMANDS:
            self.assertIn(command.split()[-1], manual)
        self.assertIn("--host mail-a", manual)

    def test_every_exit_code_is_explained(self):
        outcomes = (harness.ROOT / "proto" / "admin.proto").read_text().partition("enum Outcome {")[2].partition("}")[0]
        codes = re.findall(r"(?m)^  [A-Z_]+ = (\d+);", outcomes)
        self.assertGreaterEqual(len(codes), 12)
        documents = {"docs/failover.md": r"(?m)^\| {} \|", "deploy/man/twinspoolctl.8": r"(?m)(^|; ){} [a-z]"}
        for code in codes:
            self.assertRegex(ctl("--help").stdout.partition("Exit codes")[2], rf"(?m)(^| ){code} [a-z]")
            for name, pattern in documents.items():
                self.assertRegex((harness.ROOT / name).read_text(), pattern.format(code), name)
        for name, row in (("docs/failover.md", "| 70 |"), ("deploy/man/twinspoold.8", "70 after a failed write")):
            self.assertIn(row, (harness.ROOT / name).read_text())

    def test_what_is_mistyped_is_usage(self):
        for words in ([], ["frobnicate"], ["pair"], ["pair", "frobnicate"], ["status", "--frobnicate"],
                      ["status", "extra"], ["wait", "--role", "king"], ["wait", "--role", "primary", "--timeout", "soon"],
                      ["wait"], ["promote", "--allow"], ["promote", "--expect-epoch", "0"],
                      ["promote", "--expect-epoch"], ["promote", "--expect-epoch", "-2"], ["accept-epoch", "two"],
                      ["accept-epoch"], ["user", "add"], ["mailbox", "list"], ["pair", "invite"],
                      ["user", "add", "anna", "--password", ""], ["--host", "127.0.0.1:1", "status"]):
            for more in ([], ["--json"]):
                result = ctl("--socket", "/nowhere/admin.sock", *words, *more)
                self.assertEqual(result.returncode, 2, f"{words} {more}: {result.stdout}{result.stderr}")
                if more:
                    self.assertEqual(list(json.loads(result.stdout)), FAILURE_FIELDS, words)
                    self.assertEqual(json.loads(result.stdout)["exit_code"], 2)
                else:
                    self.assertIn("twinspoolctl", result.stderr, words)

    def test_a_node_that_is_not_there(self):
        for words in (["status"], ["promote"], ["pair", "init"], ["user", "list"], ["verify-pair"], ["mailbox", "list", "x"]):
            result = ctl("--socket", "/nowhere/admin.sock", *words)
            self.assertEqual(result.returncode, 9, words)
            self.assertIn("/nowhere/admin.sock", result.stderr)
        self.assertEqual(ctl("status", TWINSPOOL_SOCKET="/elsewhere/admin.sock").returncode, 9)


class Commands(harness.PairTest):
    def failed(self, node, *arguments):
        result = self.pair.ctl(node, *arguments, "--json", check=False)
        shown = json.loads(result.stdout)
        self.assertEqual(shown["exit_code"], result.returncode, shown)
        self.assertFalse(shown["ok"], shown)
        self.assertNotEqual(shown["message"], "")
        return shown

    def test_expect_epoch_guards_every_change_of_role(self):
        for node in "ab":
            before = self.steady(node)
            for command in ROLE_COMMANDS:
                shown = self.failed(node, *command, "--expect-epoch", "4711")
                self.assertEqual(shown["exit_code"], 3, shown)
                self.assertIn("epoch 2", shown["message"])
                self.assertEqual(list(shown), ROLE_FIELDS if command[0] != "pair" else PAIR_FIELDS)
            self.assertEqual(self.steady(node), before, "nothing was changed")
        self.pair.ctl("a", "switchover", "--expect-epoch", "2")
        self.pair.wait("b", "serving")
        self.assertEqual(self.failed("b", "switchover", "--expect-epoch", "2")["exit_code"], 3, "the second of two scripts")
        self.fields()
        self.waits()

    def steady(self, node):
        status = self.pair.status(node)
        return {name: status[name] for name in ("role", "role_detail", "epoch", "held_down", "grant", "eligible", "incarnation",
                                                "serves_writes", "transitions")}

    def fields(self):
        one = lambda *arguments: self.pair.json("b", *arguments)
        self.assertEqual(list(one("status")), STATUS_FIELDS)
        for question in ("is-primary", "is-standby", "is-eligible"):
            shown = json.loads(self.pair.ctl("b", question, "--json", check=False).stdout)
            self.assertEqual((list(shown), shown["answer"]), (ANSWER_FIELDS, question == "is-primary"))
        self.assertEqual(list(one("wait", "--role", "primary")), ANSWER_FIELDS)
        self.assertEqual(list(one("promote")), ROLE_FIELDS)
        self.assertEqual(list(one("verify-pair")), VERIFY_FIELDS)
        self.assertEqual(list(one("verify-pair", "--deep")), VERIFY_FIELDS)
        self.assertEqual(list(one("user", "add", "anna", "--password", "x")), USER_FIELDS)
        for verb in ("passwd", "delete"):
            self.assertEqual(list(one("user", verb, "anna", *(["--password", "y"] if verb == "passwd" else []))), USER_FIELDS)
        lines = lambda *arguments: [json.loads(line) for line in self.pair.ctl("b", *arguments, "--json").stdout.splitlines()]
        self.assertEqual(list(lines("user", "list", "user")[0]), ["name", "user_id", "mailboxes", "messages", "bytes",
                                                                     "shared", "bytes_max", "messages_max", "has_password", "app_passwords", "last_imap_login", "last_pop3_login"])
        self.assertEqual(list(lines("mailbox", "list", "user1")[0]), ["name", "mailbox_id", "uid_validity", "uid_next",
                                                                     "highest_modseq", "exists", "unseen", "bytes", "digest"])
        for refused in (["pair", "init"], ["pair", "invite", "127.0.0.1:1"], ["pair", "join", "x"]):
            self.assertEqual(list(self.failed("b", *refused)), PAIR_FIELDS)
        self.assertEqual(list(self.failed("b", "mailbox", "list", "nobody")), FAILURE_FIELDS)
        self.assertEqual(self.failed("b", "mailbox", "list", "nobody")["exit_code"], 2)
        self.assertEqual(self.failed("b", "user", "delete", "nobody")["exit_code"], 2)

    def waits(self):
        for role in ("standby", "eligible"):
            shown = self.failed("b", "wait", "--role", role, "--timeout", "0")
            self.assertEqual((shown["exit_code"], list(shown)), (6, FAILURE_FIELDS))
            self.assertIn("primary", shown["message"])
        self.assertEqual(self.pair.run("ctl", self.pair.dir, "b", "is-standby", check=False).returncode, 10, "dev-pair passes it on")
        self.pair.kill("a", "STOP")
        self.assertEqual(self.failed("a", "wait", "--role", "standby", "--timeout", "1")["exit_code"], 6, "it hangs")
        self.pair.kill("a", "CONT")


class FromAfar(harness.PairTest):
    def remote(self, node, folder, *arguments, name="admin", ca=None):
        return ctl("--host", f"127.0.0.1:{self.pair.port(node, 'grpc_port')}", "--tls-ca", str((ca or folder) / "ca.pem"),
                   "--tls-cert", str(folder / f"{name}.pem"), "--tls-key", str(folder / f"{name}.key"), *arguments)

    def tls(self, node):
        return pathlib.Path(self.pair.dir) / node / "data" / "tls"

    def test_only_the_pairs_administrator_is_obeyed(self):
        mine = pathlib.Path(self.pair.dir) / "laptop"
        mine.mkdir()
        for file in ("ca.pem", "admin.pem", "admin.key"):
            shutil.copy(self.tls("a") / file, mine)
        for node, role in (("a", "primary"), ("b", "standby")):
            shown = self.remote(node, mine, "status", "--json")
            self.assertEqual(shown.returncode, 0, shown.stderr)
            self.assertEqual(json.loads(shown.stdout)["role"], role)
        self.wrong_role(mine)
        self.no_certificate(mine)
        self.other_pair(mine)
        self.assertEqual(self.remote("a", mine, "pair", "init").returncode, 2, "only on the node itself")
        self.assertEqual(self.remote("a", mine, "user", "list", "user1").returncode, 0)
        self.assertEqual(self.remote("a", mine, "switchover", "--expect-epoch", "2").returncode, 0)
        self.assertEqual(self.remote("b", mine, "wait", "--role", "serving", "--timeout", "20").returncode, 0)
        result = self.remote("b", mine, "promote", "--expect-epoch", "2")
        self.assertEqual(result.returncode, 3, result.stderr)

    def wrong_role(self, mine):
        for command in (["status"], ["switchover"], ["user", "list"], ["user", "delete", "user1"], ["verify-pair"], ["pair", "init"]):
            for node, other in (("a", "b"), ("b", "a")):
                result = self.remote(node, self.tls(other), *command, name="node")
                self.assertEqual(result.returncode, 2, f"{command}: {result.stdout}{result.stderr}")
                self.assertRegex(result.stderr, "admin role|on the node itself")
        self.assertIn("admin_refused", self.pair.logs(60))

    def no_certificate(self, mine):
        for missing in ("--tls-ca", "--tls-cert", "--tls-key"):
            files = {"--tls-ca": "ca.pem", "--tls-cert": "admin.pem", "--tls-key": "admin.key"}
            del files[missing]
            options = [word for option, file in files.items() for word in (option, str(mine / file))]
            result = ctl("--host", f"127.0.0.1:{self.pair.port('a', 'grpc_port')}", *options, "status")
            self.assertEqual(result.returncode, 2)
            self.assertIn(missing, result.stderr)
        result = self.remote("a", mine, "status", name="no-such")
        self.assertEqual(result.returncode, 2)
        self.assertIn("no-such.pem", result.stderr)

    def other_pair(self, mine):
        other = harness.Pair("--single")
        try:
            other.ctl("a", "pair", "init")
            theirs = pathlib.Path(other.dir) / "a" / "data" / "tls"
            for ca in (theirs, mine):  # a stranger's node, and a stranger
                result = self.remote("a", theirs, "status", ca=ca)
                self.assertEqual(result.returncode, 9, result.stdout)
                self.assertIn("are the certificates of its pair?", result.stderr)
        finally:
            other.close()


harness.main()
