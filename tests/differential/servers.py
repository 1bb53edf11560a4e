"""Both sides on loopback: one node of ours, and Dovecot from Debian with settings that keep octets as they came."""
import pathlib
import shutil
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
sys.path.insert(0, str(ROOT / "scripts" / "lib"))
import harness  # noqa: E402
import peers  # noqa: E402
from wire import Client  # noqa: E402


class Unavailable(Exception):
    """What the tool needs is not on this machine."""


class Ours:
    name = "twinspool"

    def __init__(self):
        self.pair = harness.Pair("--single")

    def client(self):
        return Client(self.name, self.pair.port("a"), "user1")

    def processor_seconds(self):
        """What the node has used so far."""
        fields = pathlib.Path(f"/proc/{self.pair.pid('a')}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def peak_mib(self):
        status = pathlib.Path(f"/proc/{self.pair.pid('a')}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) // 1024

    def stop(self, keep):
        self.pair.close(keep)
        if keep:
            print(f"kept: {self.pair.dir}")


class Theirs(peers.Dovecot):
    """On ports of its own, so that a measurement may go on beside it."""

    def __init__(self, install):
        if install:
            peers.install()
        if not pathlib.Path("/usr/sbin/dovecot").exists() or not pathlib.Path("/usr/lib/dovecot/imap").exists():
            raise Unavailable("Dovecot is not installed here: run with --install (as root), or --ours-only")
        self.home = tempfile.mkdtemp(prefix="differential-dovecot-")
        self.imap_port = harness.free_base_port(2)
        self.lmtp_port = self.imap_port + 1
        # Line ends are stored as they come, or a lone CR could not be told from one of Dovecot's making.
        self.settings = "mail_save_crlf = yes\n"
        super().__init__(self.home)
        self.start()

    def client(self):
        return Client(self.name, self.imap_port, "t1")

    def stop(self, keep):
        super().stop()
        if keep:
            print(f"kept: {self.home}")
        else:
            shutil.rmtree(self.home, ignore_errors=True)
