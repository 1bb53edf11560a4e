"""Logins of real clients: SASL by imaplib and curl, tokens, app passwords, masters, certificates, SNI, reloading, proxies."""
import base64
import hashlib
import hmac
import http.server
import imaplib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time
import urllib.parse

import harness
import mail

PROXY = "127.0.0.9"  # whoever comes from here is a proxy


def openssl(*arguments, **options):
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60, **options).stdout


def b64url(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def hi(password, salt, rounds):
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)


class Scram:
    """The client's side of SCRAM-SHA-256 for imaplib."""

    def __init__(self, user, password):
        self.user, self.password, self.nonce = user, password, b64url(os.urandom(12))
        self.turns = 0

    def __call__(self, challenge):
        self.turns += 1
        if self.turns == 1:
            return f"n,,n={self.user},r={self.nonce}".encode()
        if self.turns == 2:
            return self.prove(challenge.decode())
        assert challenge.decode() == "v=" + base64.b64encode(self.server_signature).decode(), "the server is who it says"
        return b""

    def prove(self, first):
        said = dict(item.split("=", 1) for item in first.split(","))
        assert said["r"].startswith(self.nonce)
        self.salt, self.rounds = said["s"], said["i"]
        salted = hi(self.password, base64.b64decode(said["s"]), int(said["i"]))
        text = f"n={self.user},r={self.nonce},{first},c=biws,r={said['r']}".encode()
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(client_key).digest(), text, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        self.server_signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), text, "sha256")
        return f"c=biws,r={said['r']},p={base64.b64encode(proof).decode()}".encode()


class Introspection(http.server.BaseHTTPRequestHandler):
    """RFC 7662: knows one token."""

    asked = []

    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.asked.append((form["token"][0], self.headers["Authorization"]))
        good = form["token"][0] == "opaque & good"
        body = json.dumps({"active": True, "email": "user1", "iss": "https://id.example", "aud": "mail"} if good else {"active": False})
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


class Logins(harness.PairTest):
    def setUp(self):
        self.files = pathlib.Path(tempfile.mkdtemp(prefix="twinspool-logins-"))
        self.addCleanup(shutil.rmtree, self.files, ignore_errors=True)
        self.certificate("default", "mail.example")
        self.certificate("one", "mail.one.example")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 2, "-subj", "/CN=clients",
                "-keyout", self.files / "ca.key", "-out", self.files / "ca.pem")
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.files / "token.key")
        (self.files / "token.pem").write_bytes(openssl("pkey", "-in", self.files / "token.key", "-pubout"))
        (self.files / "login").write_text("twinspool:knows\n")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Introspection)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.shutdown)
        options = [f"tls-certificate={self.files}/default.pem", f"tls-key={self.files}/default.key",
                   f"tls-more-certificates={self.files}/one.pem:{self.files}/one.key", f"tls-client-ca={self.files}/ca.pem",
                   "master-users=master", f"proxy-from={PROXY}", f"oauth-keys={self.files}/token.pem", "oauth-issuer=https://id.example",
                   "oauth-audience=mail", f"oauth-introspection-url=http://127.0.0.1:{self.server.server_port}/look",
                   f"oauth-introspection-login={self.files}/login", "connections-per-user-max=30"]
        base = harness.free_base_port()
        self.tls_ports = {"a": base, "b": base + 1}
        self.pop3_port = base + 2
        options += [f"{node}:imaps-listen=127.0.0.1:{port}" for node, port in self.tls_ports.items()]
        options += [f"a:pop3-listen=127.0.0.1:{self.pop3_port}"]
        self.up_arguments = [word for option in options for word in ("--set", option)]
        super().setUp()

    def certificate(self, name, dns_name, common_name=None):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 2,
                "-subj", f"/CN={common_name or name}", "-addext", f"subjectAltName=DNS:{dns_name}",
                "-keyout", self.files / f"{name}.key", "-out", self.files / f"{name}.pem")

    def client_certificate(self, name, extension):
        (self.files / "extension").write_text(extension)
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", self.files / f"{name}.key", "-out", self.files / f"{name}.csr")
        openssl("x509", "-req", "-in", self.files / f"{name}.csr", "-CA", self.files / "ca.pem", "-CAkey", self.files / "ca.key",
                "-days", 2, "-extfile", self.files / "extension", "-out", self.files / f"{name}.pem")

    def token(self, **claims):
        claims = {"iss": "https://id.example", "aud": "mail", "exp": int(time.time()) + 600, **claims}
        text = b64url(b'{"alg":"RS256"}') + "." + b64url(json.dumps(claims).encode())
        return text + "." + b64url(openssl("dgst", "-sha256", "-sign", self.files / "token.key", input=text.encode()))

    def client(self, node="a"):
        client = imaplib.IMAP4("127.0.0.1", self.pair.port(node))
        self.addCleanup(self.end, client)
        return client

    def end(self, client):
        try:
            client.shutdown()
        except OSError:
            pass

    def log_in(self, mechanism, answer, node="a"):
        """Whether it succeeded; the connection is closed again."""
        client = self.client(node)
        try:
            return client.authenticate(mechanism, answer)[0] == "OK"
        except imaplib.IMAP4.error as error:
            self.refusal = str(error)
            return False
        finally:
            self.end(client)

    def curl(self, *arguments):
        return subprocess.run(["curl", "-sS", "-k", "--max-time", "30", *arguments], capture_output=True, text=True, check=False, timeout=60)

    def tls(self, name=None, certificate=None, port=None):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if certificate:
            context.load_cert_chain(self.files / f"{certificate}.pem", self.files / f"{certificate}.key")
        raw = socket.create_connection(("127.0.0.1", port or self.tls_ports["a"]), timeout=30)
        secure = context.wrap_socket(raw, server_hostname=name)
        self.addCleanup(secure.close)
        return secure

    def shown(self, name):
        """Common name of the certificate that a client of this name is shown."""
        arguments = ["s_client", "-connect", f"127.0.0.1:{self.tls_ports['a']}", *(["-servername", name] if name else ["-noservername"])]
        text = openssl(*arguments, input=b"a LOGOUT\r\n").decode(errors="replace")
        return re.search(r"subject=CN = (.*)", text).group(1)

    def test_logins(self):
        self.pair.ctl("a", "user", "add", "master", "--password", "of the master")
        self.pair.ctl("a", "user", "add", "tokens@example.org", "--no-password")
        self.pair.ctl("a", "user", "add", "user3", "--password", "pass")
        self.mechanisms()
        self.decoys()
        self.tokens()
        self.app_passwords()
        self.masters()
        self.certificates()
        self.names_and_reloading()
        self.proxies()
        self.limits()
        self.last_logins()
        self.pair.verify_equal()

    def mechanisms(self):
        self.assertTrue(self.log_in("SCRAM-SHA-256", Scram("user1", "pass")))
        self.assertFalse(self.log_in("SCRAM-SHA-256", Scram("user1", "wrong")))
        self.assertIn("AUTHENTICATIONFAILED", self.refusal)
        answers = iter([b"user1", b"pass"])
        self.assertTrue(self.log_in("LOGIN", lambda _: next(answers)))
        for mechanism in ("PLAIN", "LOGIN"):
            done = self.curl(f"imaps://127.0.0.1:{self.tls_ports['a']}/INBOX", "--user", "user1:pass", "--login-options", f"AUTH={mechanism}",
                             "--request", "NOOP")
            self.assertEqual(done.returncode, 0, done.stderr)
        done = self.curl(f"pop3://127.0.0.1:{self.pop3_port}/", "--user", "user1:pass", "--login-options", "AUTH=LOGIN", "--list-only")
        self.assertEqual(done.returncode, 0, done.stderr)
        greeting = self.tls().recv(4096).decode()
        self.assertIn("AUTH=SCRAM-SHA-256-PLUS", greeting)
        self.assertNotIn("EXTERNAL", greeting)
        self.assertNotIn("-PLUS", str(self.client().capabilities))

    def salts(self, node):
        said = []
        for user in ("nobody", "Nobody", "nobody@example.org"):
            scram = Scram(user, "x")
            self.log_in("SCRAM-SHA-256", scram, node)
            said.append((scram.salt, scram.rounds))
        return said

    def decoys(self):
        before = self.salts("a")
        self.assertEqual(before[0], before[1])
        self.assertNotEqual(before[0], before[2])
        self.pair.ctl("a", "switchover")
        self.pair.wait("b", "serving")
        self.assertEqual(self.salts("b"), before, "on the other node a stranger's salt is the same")
        self.pair.wait("a", "eligible")
        self.pair.ctl("b", "switchover")
        self.pair.wait("a", "serving")
        self.pair.wait("b", "eligible")

    def bearer(self, token, user=""):
        return lambda challenge: f"n,{'a=' + user if user else ''},\1auth=Bearer {token}\1\1".encode() if not challenge else b"\1"

    def tokens(self):
        good = self.token(email="tokens@example.org")
        self.assertTrue(self.log_in("OAUTHBEARER", self.bearer(good)))
        self.assertTrue(self.log_in("XOAUTH2", lambda _: f"user=tokens@example.org\1auth=Bearer {good}\1\1".encode()))
        self.assertFalse(self.log_in("OAUTHBEARER", self.bearer(good, "user1")))
        self.assertIn("AUTHORIZATIONFAILED", self.refusal)
        for bad in (good[:-4] + "AAAA", self.token(email="tokens@example.org", exp=int(time.time()) - 600),
                    self.token(email="tokens@example.org", aud="other"), self.token(email="nobody"), self.token()):
            self.assertFalse(self.log_in("OAUTHBEARER", self.bearer(bad)))
            self.assertIn("AUTHENTICATIONFAILED", self.refusal)
        done = self.curl(f"imaps://127.0.0.1:{self.tls_ports['a']}/INBOX", "--user", "tokens@example.org", "--oauth2-bearer", good, "--request", "NOOP")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = self.curl(f"pop3://127.0.0.1:{self.pop3_port}/", "--user", "tokens@example.org", "--oauth2-bearer", good, "--list-only")
        self.assertEqual(done.returncode, 0, done.stderr)
        for _ in range(3):
            self.assertTrue(self.log_in("OAUTHBEARER", self.bearer("opaque & good", "user1")))
        self.assertFalse(self.log_in("OAUTHBEARER", self.bearer("opaque and bad")))
        basic = "Basic " + base64.b64encode(b"twinspool:knows").decode()
        self.assertEqual(Introspection.asked, [("opaque & good", basic), ("opaque and bad", basic)], "a good answer is remembered")
        self.assertNotIn("opaque", (pathlib.Path(self.pair.dir) / "a" / "log").read_text(), "tokens are secrets")

    def app_passwords(self):
        secret = self.pair.ctl("a", "user", "app-password", "add", "user2", "--label", "phone").stdout.strip()
        self.assertRegex(secret, r"^([a-z2-9]{4}-){5}[a-z2-9]{4}$")
        self.pair.expect(2, "a", "user", "app-password", "add", "user2", "--label", "phone")
        other = self.pair.json("a", "user", "app-password", "add", "user2", "--label", "laptop")["password"]
        listed = [json.loads(line)["label"] for line in
                  self.pair.ctl("a", "user", "app-password", "list", "user2", "--json").stdout.splitlines()]
        self.assertEqual(listed, ["phone", "laptop"])
        mail.login(self.pair.port("a"), "user2", secret).logout()
        mail.login(self.pair.port("a"), "user2", secret.replace("-", "").upper()).logout()
        self.pair.ctl("a", "user", "app-password", "remove", "user2", "--label", "phone")
        with self.assertRaisesRegex(Exception, "AUTHENTICATIONFAILED"):
            mail.login(self.pair.port("a"), "user2", secret)
        for password in (other, "pass"):
            mail.login(self.pair.port("a"), "user2", password).logout()
        self.pair.expect(2, "a", "user", "app-password", "remove", "user2", "--label", "phone")
        self.pair.expect(2, "a", "user", "app-password", "add", "user2")

    def masters(self):
        client = mail.login(self.pair.port("a"), '"user3*master"', "of the master")
        self.assertEqual(harness.append(client, "by the master"), "OK")
        client.logout()
        self.assertEqual(harness.subjects(self.pair, "a", user="user3"), ["by the master"])
        self.assertTrue(self.log_in("PLAIN", lambda _: b"user3\0master\0of the master"))
        self.assertFalse(self.log_in("PLAIN", lambda _: b"user3\0user1\0pass"))
        self.assertIn("AUTHORIZATIONFAILED", self.refusal)
        with self.assertRaisesRegex(Exception, "AUTHENTICATIONFAILED"):
            mail.login(self.pair.port("a"), '"user3*user1"', "pass")
        log = (pathlib.Path(self.pair.dir) / "a" / "log").read_text()
        self.assertIn("master_login master=master user=user3 client=127.0.0.1", log)

    def say(self, secure, line):
        secure.sendall(line.encode() + b"\r\n")
        return secure.recv(65536).decode()

    def certificates(self):
        self.client_certificate("laptop", "subjectAltName=email:tokens@example.org")
        self.client_certificate("user1", "basicConstraints=CA:FALSE")
        for certificate, user in (("laptop", "tokens@example.org"), ("user1", "user1")):
            for response in ("=", base64.b64encode(user.encode()).decode()):
                secure = self.tls(certificate=certificate)
                self.assertIn("AUTH=EXTERNAL", secure.recv(4096).decode())
                self.assertIn("a OK", self.say(secure, f"a AUTHENTICATE EXTERNAL {response}"))
                secure.close()
        secure = self.tls(certificate="user1")
        secure.recv(4096)
        self.assertIn("AUTHORIZATIONFAILED", self.say(secure, "a AUTHENTICATE EXTERNAL " + base64.b64encode(b"user2").decode()))
        with self.assertRaises(OSError, msg="of another authority"):
            self.tls(certificate="one").recv(4096)

    def names_and_reloading(self):
        self.assertEqual([self.shown(name) for name in (None, "unknown.example", "mail.one.example")], ["default", "default", "one"])
        session = self.tls("mail.one.example")
        session.recv(4096)
        self.assertIn("a OK", self.say(session, "a LOGIN user1 pass"))
        good = {name: (self.files / name).read_bytes() for name in ("one.pem", "one.key")}
        (self.files / "one.pem").write_text("broken\n")
        text = self.pair.expect(2, "a", "reload")
        self.assertIn("one.pem", text)
        self.assertEqual(self.shown("mail.one.example"), "one", "what was good stays")
        (self.files / "one.pem").write_bytes(good["one.pem"])
        self.certificate("one", "mail.one.example", "one renewed")
        os.kill(self.pair.pid("a"), signal.SIGHUP)
        harness.eventually(lambda: self.shown("mail.one.example") == "one renewed", what="SIGHUP takes the new one")
        self.assertIn("b OK", self.say(session, "b NOOP"), "the session goes on")
        self.certificate("default", "mail.example", "default renewed")
        self.pair.ctl("a", "reload")
        self.assertEqual(self.shown(None), "default renewed")
        self.assertIn("c OK", self.say(session, "c NOOP"))

    def proxied(self, address, rest=b""):
        raw = socket.create_connection(("127.0.0.1", self.pair.port("a")), timeout=30, source_address=(PROXY, 0))
        self.addCleanup(raw.close)
        block = socket.inet_aton(address) + socket.inet_aton("127.0.0.1") + struct.pack(">HH", 1234, 143) + b"\4\0\1x"
        raw.sendall(b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H", len(block)) + block + rest)
        return raw

    def proxies(self):
        self.assertIn(b"* OK", self.proxied("192.0.2.9").recv(4096))
        without = socket.create_connection(("127.0.0.1", self.pair.port("a")), timeout=30, source_address=(PROXY, 0))
        without.sendall(b"a NOOP\r\n")
        self.assertEqual(without.recv(4096), b"", "a proxy without its header")
        stranger = socket.create_connection(("127.0.0.1", self.pair.port("a")), timeout=30)
        stranger.recv(4096)
        stranger.sendall(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\0\r\n")
        self.assertIn(b"BAD", stranger.recv(4096), "from anybody else it is nonsense")

    def limits(self):
        sessions = [mail.login(self.pair.port("a"), "user2") for _ in range(30)]
        with self.assertRaisesRegex(Exception, r"\[LIMIT\]"):
            mail.login(self.pair.port("a"), "user2")
        mail.login(self.pair.port("a"), "user3").logout()
        sessions.pop().logout()
        mail.login(self.pair.port("a"), "user2").logout()  # a place that was given back is had
        for session in sessions:
            session.logout()

    def last_logins(self):
        users = {}
        def written():
            users.update({user["name"]: user for user in
                          map(json.loads, self.pair.ctl("a", "user", "list", "--json").stdout.splitlines())})
            return users["user1"]["last_imap_login"] and users["user1"]["last_pop3_login"]
        harness.eventually(written, what="last logins are written down")
        self.assertLess(abs(users["user1"]["last_imap_login"] - time.time()), 300)
        self.assertEqual(users["tokens@example.org"]["has_password"], False)
        self.assertEqual(users["user2"]["app_passwords"], 1)


harness.main()
