"""thimble serve with a certificate: clients, certificates that cannot work, reloading, and clients that are slow."""

import base64
import errno
import http.client
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
import time
import unittest

import need
import server_test
from server_test import CLI, ROOT, Server, command_line, raw_post, read_reply  # noqa: F401


def run(command, **options):
    return subprocess.run(command, capture_output=True, timeout=60, **options)


def documented(word):
    """The commands of docs/server.md that have `word` in them."""
    blocks = "".join(re.findall(r"```sh\n(.*?)```", (ROOT / "docs/server.md").read_text(), re.DOTALL))
    return [line for line in blocks.splitlines() if word in line]


def make_certificate(name):
    """(certificate, key), made as the document says."""
    command, = documented("openssl req")
    made = run(["bash", "-c", command.replace("cert.pem", f"{name}.pem").replace("key.pem", f"{name}-key.pem")],
               cwd=server_test.folder)
    assert made.returncode == 0, made.stderr
    return server_test.folder / f"{name}.pem", server_test.folder / f"{name}-key.pem"


def setUpModule():
    global first, second
    server_test.setUpModule()
    need.here(shutil.which("openssl"), "openssl, to make certificates")
    first, second = make_certificate("cert"), make_certificate("second")


class TlsServer(Server):
    def __init__(self, *options, certificate=None, **arguments):
        self.certificate, self.key = certificate or first
        super().__init__("--tls-cert", str(self.certificate), "--tls-key", str(self.key), *options,
                         **{"models": [server_test.model], **arguments})

    def context(self, version=None):
        context = ssl.create_default_context(cafile=self.certificate)
        if version:
            context.minimum_version = context.maximum_version = version
        return context

    def connect(self, version=None):
        return self.context(version).wrap_socket(self.plain(), server_hostname="127.0.0.1", suppress_ragged_eofs=False)

    def plain(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=self.context())
        try:
            connection.request(method, path, body if isinstance(body, (str, type(None))) else json.dumps(body), headers or {})
            reply = connection.getresponse()
            reply.text = reply.read()
            return reply
        finally:
            connection.close()


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = TlsServer("--max-body", "1MB", "--header-timeout", "2", "--max-connections", "300")

    @classmethod
    def tearDownClass(cls):
        idle = cls.server.connect()
        assert cls.server.stop() == 0, cls.server.text()
        idle.close()

    def test_vectors_are_those_of_the_command_line(self):
        self.assertTrue(self.server.addresses[0].startswith("https://"))
        texts = ["some words here " * 20, "x"] * 300
        body = json.dumps({"model": "test", "input": texts, "encoding_format": "base64"})
        expected = command_line(texts)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.server.connect(version) as connection:
                connection.sendall(raw_post("/v1/embeddings", body) + raw_post("/embed", '{"inputs":"x"}'))  # Pipelined.
                reply = read_reply(connection)
                data = json.loads(reply.split(b"\r\n\r\n", 1)[1])["data"]
                self.assertEqual(b"".join(base64.b64decode(item["embedding"]) for item in data), expected)
                self.assertTrue(read_reply(connection).startswith(b"HTTP/1.1 200 "))

    def test_older_versions_are_refused(self):
        hello = struct.pack(">H32xBHHBB", 0x0302, 0, 2, 0xc014, 1, 0)  # TLS 1.1, one cipher of it, no compression.
        hello = b"\x01" + len(hello).to_bytes(3, "big") + hello
        with self.server.plain() as connection:
            connection.sendall(b"\x16\x03\x01" + len(hello).to_bytes(2, "big") + hello)
            self.assertEqual(connection.recv(7)[-2:], b"\x02\x46")  # Fatal: protocol version.

    def test_documented_commands(self):
        commands = documented("curl -s --cacert")
        self.assertTrue(commands)
        for command in commands if shutil.which("curl") else []:
            command = command.replace("curl -s", "curl -sS --fail --noproxy '*'").replace(":8443", f":{self.server.port}")
            result = run(["bash", "-c", command], cwd=server_test.folder)
            self.assertEqual((result.returncode, result.stderr), (0, b""), command)
            self.assertGreater(len(result.stdout), 5)

    def test_a_refused_body_gets_its_reply(self):
        with self.server.connect() as connection:
            connection.sendall(b"POST /embed HTTP/1.1\r\nhost: x\r\ncontent-length: 2000000\r\n\r\n" + b" " * 200_000)
            self.assertTrue(read_reply(connection).startswith(b"HTTP/1.1 413 "))
            self.assertEqual(connection.recv(10), b"")  # An end that was said, not only a lost connection.

    def test_an_aborted_request_is_dropped(self):
        body = json.dumps({"inputs": ["many words in a text " * 30] * 1000})
        gone = lambda: sum(line.get("status") == 499 for line in self.server.lines())
        before = gone()
        for _ in range(20):
            connection = self.server.connect()
            connection.sendall(raw_post("/embed", body))
            connection.close()
        self.server.wait_for(lambda: gone() > before)

    def test_what_is_no_tls_is_ended(self):
        for data in (b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n", os.urandom(5000), b"\x16\x03\x01\xff\xff" + b"x" * 100):
            with self.server.plain() as connection:
                connection.sendall(data)
                try:
                    connection.shutdown(socket.SHUT_WR)
                    self.assertNotIn(b"HTTP/1.1", connection.recv(1000))
                except OSError as error:  # The server may have ended the connection by now.
                    self.assertIn(error.errno, (errno.ECONNRESET, errno.ENOTCONN))
        connection = self.server.connect()
        plain = socket.socket(fileno=connection.detach())
        plain.settimeout(10)
        plain.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)  # A record that was not made with the keys.
        try:
            while plain.recv(1000):
                pass
        except ConnectionResetError:
            pass
        plain.close()
        self.server.get("/health")

    def test_slow_handshakes_hold_nothing_and_are_ended(self):
        self.server.get("/health")
        time.sleep(0.2)
        descriptors, memory = self.server.descriptors(), self.server.memory()
        slow = [self.server.plain() for _ in range(200)]
        begun = [self.server.plain() for _ in range(20)]
        for connection in begun:
            try:
                connection.sendall(b"\x16\x03\x01\x02\x00\x01")
            except (BrokenPipeError, ConnectionResetError):
                pass  # Ended by now, on a busy machine.
        self.server.get("/health")
        if "sanitize" not in os.environ.get("THIMBLE_CXX_FLAGS", ""):
            self.assertLess(self.server.memory() - memory, 220 * 25_000)
        for connection in slow + begun:
            try:
                connection.recv(100)
            except ConnectionResetError:
                pass
            connection.close()
        self.server.wait_for(lambda: self.server.descriptors() <= descriptors)


class Certificates(unittest.TestCase):
    def test_are_reloaded(self):
        chain = [server_test.folder / "live.pem", server_test.folder / "live-key.pem"]
        place = lambda source: [shutil.copy(one, other) for one, other in zip(source, chain)]
        shown = lambda: ssl.get_server_certificate(("127.0.0.1", server.port)).strip()
        place(first)
        server = TlsServer(certificate=chain)
        self.addCleanup(server.stop)
        before = server.connect()
        self.assertEqual(shown(), first[0].read_text().strip())
        shutil.copy(second[0], chain[0])  # Without its key yet.
        server.process.send_signal(signal.SIGHUP)
        server.wait_for(lambda: server.events("not reloaded"))
        self.assertIn("does not belong", server.events("not reloaded")[0]["text"])
        self.assertEqual(shown(), first[0].read_text().strip())
        place(second)
        server.process.send_signal(signal.SIGHUP)
        server.wait_for(lambda: any("TLS" in event["text"] for event in server.events("reloaded")))
        self.assertEqual(shown(), second[0].read_text().strip())
        before.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        self.assertTrue(read_reply(before).startswith(b"HTTP/1.1 200 "))
        before.close()

    def test_that_cannot_work_are_refused_by_name(self):
        encrypted = server_test.folder / "encrypted.pem"
        made = run(["openssl", "pkey", "-in", str(first[1]), "-aes128", "-passout", "pass:x", "-out", str(encrypted)])
        self.assertEqual(made.returncode, 0, made.stderr)
        nonsense = server_test.folder / "nonsense.pem"
        nonsense.write_text("nonsense\n")
        for certificate, key, code, *says in ((first[0], "/none.pem", 1, "key", "cannot read /none.pem"),
                                              ("/none.pem", first[1], 1, "certificate", "cannot read /none.pem"),
                                              (server_test.folder, first[1], 1, "cannot read"),
                                              (first[0], second[1], 2, "second-key.pem", "does not belong", "cert.pem"),
                                              (first[1], first[1], 2, "cert-key.pem", "expected certificates in PEM"),
                                              (nonsense, first[1], 2, "nonsense.pem", "expected certificates in PEM"),
                                              (first[0], nonsense, 2, "nonsense.pem", "expected a private key"),
                                              (first[0], encrypted, 2, "encrypted.pem", "without a password")):
            result = run([CLI, "serve", "-m", server_test.model, "--tls-cert", str(certificate), "--tls-key", str(key)],
                         stdin=subprocess.DEVNULL)
            self.assertEqual(result.returncode, code, result.stderr)
            for part in says:
                self.assertIn(part, result.stderr.decode())
        result = run([CLI, "serve", "-m", server_test.model, "--tls-cert", str(first[0])])
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"--tls-key", result.stderr)

    def test_the_library_is_needed_with_them_alone(self):
        folder = server_test.folder / "libraries"
        folder.mkdir()
        (folder / "libssl.so.3").touch()  # None that can be loaded.
        without = {"LD_LIBRARY_PATH": str(folder)}
        result = run([CLI, "serve", "-m", server_test.model, "--tls-cert", str(first[0]), "--tls-key", str(first[1])],
                     env={**os.environ, **without})
        self.assertEqual(result.returncode, 1)
        for part in (b"OpenSSL 3", b"libssl3", b"proxy", b"libssl.so.3"):
            self.assertIn(part, result.stderr)
        server = Server(models=[server_test.model], environment=without)
        self.addCleanup(server.stop)
        server.get("/health")
        self.assertNotIn("ssl", pathlib.Path(f"/proc/{server.process.pid}/maps").read_text())


if __name__ == "__main__":
    unittest.main()
