"""Bodies of requests to thimble serve as clients send them: too large, in chunks, compressed, broken, and what counts as work."""

import gzip
import json
import time
import unittest

from server_test import Server, WithServer, read_reply, setUpModule  # noqa: F401


class Bodies(WithServer):
    options = ("--max-body", "100kB")

    def test_a_large_body_is_refused_before_it_is_read(self):
        with self.server.connect() as connection:
            connection.sendall(b"POST /embed HTTP/1.1\r\nhost: x\r\ncontent-length: 100001\r\n"
                               b"expect: 100-continue\r\n\r\n")
            reply = read_reply(connection)
            self.assertTrue(reply.startswith(b"HTTP/1.1 413 "), reply)
            self.assertEqual(json.loads(reply.split(b"\r\n\r\n")[1])["error_type"], "Validation")
        with self.server.connect() as connection:
            connection.sendall(b"POST /embed HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
            for _ in range(30):
                try:
                    connection.sendall(b"1000\r\n" + b" " * 4096 + b"\r\n")
                except OSError:
                    break
            self.assertTrue(read_reply(connection).startswith(b"HTTP/1.1 413 "))

    def test_expect_and_chunks_are_followed(self):
        with self.server.connect() as connection:
            connection.sendall(b"POST /embed HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n"
                               b"expect: 100-continue\r\n\r\n")
            self.assertEqual(connection.recv(100), b"HTTP/1.1 100 Continue\r\n\r\n")
            connection.sendall(b'4\r\n{"in\r\nc\r\nputs":"text"\r\n1\r\n}\r\n0\r\n\r\n')
            self.assertTrue(read_reply(connection).startswith(b"HTTP/1.1 200 "))

    def test_what_is_no_http_is_refused(self):
        for data, status in ((b"nonsense\r\n\r\n", b"400"), (b"GET / HTTP/1.1\r\nx: " + b"a" * 20000 + b"\r\n\r\n", b"431"),
                             (b"POST /embed HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx", b"400"),
                             (b"POST /embed HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", b"422")):
            with self.server.connect() as connection:
                connection.sendall(data)
                self.assertEqual(read_reply(connection)[9:12], status, data[:60])

    def test_a_chunk_that_is_too_large_is_refused_before_it_comes(self):
        for before in (b"", b"4\r\n{\"in\r\n"):
            with self.server.connect() as connection:
                connection.sendall(b"POST /embed HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + before +
                                   b"186a1\r\n")
                begin = time.monotonic()
                self.assertTrue(read_reply(connection).startswith(b"HTTP/1.1 413 "))
                self.assertLess(time.monotonic() - begin, 5)

    def test_compressed_bodies_are_refused_as_such(self):
        body = gzip.compress(b'{"inputs":"x"}')
        reply = self.server.post("/embed", body, 415, headers={"content-encoding": "gzip"})
        self.assertEqual(reply["error"], "content-encoding: expected a body that is not compressed, found gzip")
        reply = self.server.post("/v1/embeddings", body, 415, headers={"content-encoding": "gzip"})
        self.assertEqual(reply["error"]["code"], "unsupported_encoding")
        self.server.post("/embed", {"inputs": "x"}, headers={"content-encoding": "identity"})


class Work(unittest.TestCase):
    def test_refused_requests_do_not_end_that_of_others(self):
        server = Server("--idle-exit", "1", environment={"THIMBLE_API_KEYS": "key"})
        self.addCleanup(server.stop)
        with server.connect() as connection:
            connection.sendall(b"POST /embed HTTP/1.1\r\nhost: x\r\nauthorization: Bearer key\r\ncontent-length: 14\r\n\r\n{")
            for _ in range(3):
                server.post("/embed", {"inputs": "x"}, 401)
            time.sleep(3)
            self.assertEqual(server.events("stopping"), [])
            connection.sendall(b'"inputs":"x"}')
            self.assertTrue(read_reply(connection).startswith(b"HTTP/1.1 200 "))
        server.wait_for(lambda: server.events("stopping"))


if __name__ == "__main__":
    unittest.main()
