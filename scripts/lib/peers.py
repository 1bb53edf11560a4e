"""Cyrus IMAP and Dovecot from Debian on loopback, for measuring beside them in one run.

Both are configured for trials only: plain-text logins, one password. Cyrus runs without replication
(one node); Dovecot stores mail as mdbox. Needs root, because both change to users of their own.
"""
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import time

USERS = ["cyrus"] + [f"t{n}" for n in range(1, 21)]


def install():
    """Packages; dovecot-imapd conflicts with cyrus-imapd in apt, so only its files are taken."""
    root = pathlib.Path(__file__).resolve().parents[2]
    subprocess.run([str(root / "scripts" / "deps"), "peers"], check=True)
    if not pathlib.Path("/usr/lib/dovecot/imap").exists():
        work = root / "build" / "peers-deb"
        work.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-q", "dovecot-imapd"], cwd=work, check=True, stdout=subprocess.DEVNULL)
        deb = next(work.glob("dovecot-imapd*.deb"))
        subprocess.run(["dpkg-deb", "-x", deb.name, "files"], cwd=work, check=True)
        shutil.copytree(work / "files" / "usr" / "lib" / "dovecot", "/usr/lib/dovecot", dirs_exist_ok=True, symlinks=True)


def wait_for(port, what):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{what} does not listen on port {port}")


class Cyrus:
    name, imap_port, lmtp_port = "cyrus", 11143, 11024

    def __init__(self, directory):
        self.dir = pathlib.Path(directory) / "cyrus"

    def start(self):
        base = self.dir
        for sub in ("conf", "spool", "run", "proc", "lock", "socket", "sieve"):
            (base / sub).mkdir(parents=True, exist_ok=True)
        (base / "imapd.conf").write_text(f"""configdirectory: {base}/conf
proc_path: {base}/proc
mboxname_lockpath: {base}/lock
defaultpartition: default
partition-default: {base}/spool
sievedir: {base}/sieve
servername: localhost
virtdomains: userid
unixhierarchysep: yes
altnamespace: yes
allowplaintext: yes
admins: cyrus
autocreate_quota: 0
autocreate_post: yes
hashimapspool: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {base}/sasldb2
sasl_mech_list: PLAIN LOGIN
lmtpsocket: {base}/socket/lmtp
idlesocket: {base}/socket/idle
notifysocket: {base}/socket/notify
maxlogins_per_user: 0
maxlogins_per_host: 0
""")
        (base / "cyrus.conf").write_text(f"""START {{
  recover cmd="ctl_cyrusdb -C {base}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="imapd -C {base}/imapd.conf -U 250" listen="127.0.0.1:{self.imap_port}" proto="tcp4" prefork=0 maxchild=200
  lmtp cmd="lmtpd -C {base}/imapd.conf -a" listen="127.0.0.1:{self.lmtp_port}" proto="tcp4" prefork=0 maxchild=50
}}
EVENTS {{
  checkpoint cmd="ctl_cyrusdb -C {base}/imapd.conf -c" period=30
}}
DAEMON {{
  idled cmd="idled -C {base}/imapd.conf"
}}
""")
        for user in USERS:
            for realm in ([], ["-u", "localhost"]):
                subprocess.run(["saslpasswd2", "-p", "-c", "-f", str(base / "sasldb2"), *realm, user], input=b"pass", check=True)
        subprocess.run(["chown", "-R", "cyrus:mail", str(base)], check=True)
        for parent in base.parents:
            if parent != pathlib.Path("/"):
                os.chmod(parent, os.stat(parent).st_mode | 0o755)
        subprocess.run(["/usr/sbin/cyrmaster", "-C", str(base / "imapd.conf"), "-M", str(base / "cyrus.conf"),
                        "-p", str(base / "run" / "master.pid"), "-d", "-L", str(base / "master.log")], check=True)
        wait_for(self.imap_port, "Cyrus")

    def stop(self):
        try:
            os.kill(int((self.dir / "run" / "master.pid").read_text()), signal.SIGTERM)
        except (OSError, ValueError):
            pass


class Dovecot:
    name, imap_port, lmtp_port = "dovecot", 14143, 14024
    settings = ""  # lines of its configuration beside those below

    def __init__(self, directory):
        self.dir = pathlib.Path(directory) / "dovecot"

    def start(self):
        base = self.dir
        for sub in ("run", "state", "mail"):
            (base / sub).mkdir(parents=True, exist_ok=True)
            os.chmod(base / sub, 0o755)
        entry = pwd.getpwnam("mail")
        os.chown(base / "mail", entry.pw_uid, entry.pw_gid)
        for parent in [base, *base.parents]:
            if parent != pathlib.Path("/"):
                os.chmod(parent, os.stat(parent).st_mode | 0o755)
        (base / "dovecot.conf").write_text(f"""base_dir = {base}/run
state_dir = {base}/state
instance_name = bench
protocols = imap lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
log_path = {base}/dovecot.log
mail_location = mdbox:~/mail
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
mail_max_userip_connections = 0
passdb {{
  driver = static
  args = password=pass
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={base}/mail/%u allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  inet_listener imap {{
    port = {self.imap_port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {self.lmtp_port}
  }}
}}
{self.settings}""")
        subprocess.run(["/usr/sbin/dovecot", "-c", str(base / "dovecot.conf")], check=True)
        wait_for(self.imap_port, "Dovecot")

    def stop(self):
        try:
            os.kill(int((self.dir / "run" / "master.pid").read_text()), signal.SIGTERM)
        except (OSError, ValueError):
            pass
