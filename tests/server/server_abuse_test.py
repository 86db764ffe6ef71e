"""Mixed abuse of thimble serve for THIMBLE_ABUSE_SECONDS (20 if not set): it still serves, has the same memory, and no
descriptor is left.
"""

import base64
import http.client
import json
import os
import random
import resource
import socket
import threading
import time
import unittest

from server_test import Server, command_line, raw_post, setUpModule  # noqa: F401

SECONDS = float(os.environ.get("THIMBLE_ABUSE_SECONDS", "20"))
CONNECTIONS = 2000 if SECONDS > 60 else 300
SANITIZED = "sanitize" in os.environ.get("THIMBLE_CXX_FLAGS", "")


def broken_json(random_):
    whole = json.dumps({"model": "test", "input": ["text"] * random_.randrange(1, 50), "encoding_format": "base64"})
    return random_.choice((
        lambda: whole[:random_.randrange(len(whole))],
        lambda: "[" * random_.randrange(1, 50000),
        lambda: '{"input":' * random_.randrange(1, 2000),
        lambda: '{"input":[' + "1," * 20000 + "1]}",
        lambda: '{"input":"' + "\\ud800" * 50 + '"}',
        lambda: json.dumps({"input": "x" * 500000, "model": "test"}),
        lambda: "".join(chr(random_.randrange(32, 127)) for _ in range(500)),
        lambda: json.dumps({name: random_.choice((None, 1, -1, 1e300, "x", [], {}, True)) for name in (
            "input", "inputs", "model", "texts", "dimensions", "truncate", "normalize", "keep_alive", "options", "task",
            "prompt", "ids", "encoding_format", "embedding_types", "input_type", "prompt_name")})))()


PATHS = ("/v1/embeddings", "/embed", "/embed_all", "/api/embed", "/api/embeddings", "/v2/embed", "/similarity",
         "/tokenize", "/decode", "/api/show", "/rerank", "/", "/nothing", "/v1/models/x", "/metrics")


class Abuse(unittest.TestCase):
    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.server.port), timeout=10)
        return connection

    def send(self, data, read=True):
        with self.connect() as connection:
            try:
                connection.sendall(data)
                if read:
                    connection.recv(65536)
            except OSError:
                pass  # The server may end a connection that makes no sense.

    # One act each.
    def malformed_http(self, random_):
        line = raw_post(random_.choice(PATHS), "{}")
        data = bytearray(line)
        for _ in range(random_.randrange(1, 6)):
            data[random_.randrange(len(data))] = random_.randrange(256)
        self.send(random_.choice((bytes(data), os.urandom(300), b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 5000,
                                  b"POST /embed HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n\r\n",
                                  b"POST /embed HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n")))

    def malformed_json(self, random_):
        self.send(raw_post(random_.choice(PATHS), broken_json(random_), "connection: close\r\n"))

    def huge_body(self, random_):
        with self.connect() as connection:
            try:
                connection.sendall(f"POST /embed HTTP/1.1\r\ncontent-length: {random_.choice((1 << 23, 1 << 40))}\r\n\r\n"
                                   .encode())
                for _ in range(random_.randrange(60)):
                    connection.sendall(b"x" * 65536)
            except OSError:
                pass

    def aborted_upload(self, random_):
        body = json.dumps({"inputs": ["some words of a text"] * 500})
        data = raw_post("/embed", body)
        self.send(data[:random_.randrange(len(data))], read=False)

    def abandoned_reply(self, _):
        self.send(raw_post("/embed", json.dumps({"inputs": ["some words of a text"] * 300})), read=False)

    def slow_loris(self, random_):
        with self.connect() as connection:
            try:
                for byte in raw_post("/embed", '{"inputs":"x"}')[:random_.randrange(40)]:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.05)
            except OSError:
                pass

    def proper_request(self, _):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            connection.request("POST", "/v1/embeddings", json.dumps(
                {"model": "test", "input": "hello", "encoding_format": "base64"}))
            reply = connection.getresponse()
            body = json.loads(reply.read())
            if reply.status == 200:
                self.served += 1
                if body["data"][0]["embedding"] != self.expected:
                    self.faults.append("other vectors")
            elif reply.status not in (429, 503):
                self.faults.append(f"{reply.status}: {body}")
        except OSError:
            pass  # Made way for others, at the limit of connections.
        finally:
            connection.close()

    def work(self, number):
        random_ = random.Random(number)
        acts = (self.malformed_http, self.malformed_json, self.huge_body, self.aborted_upload, self.abandoned_reply,
                self.slow_loris, self.proper_request, self.proper_request)
        while time.monotonic() < self.end:
            try:
                random_.choice(acts)(random_)
            except OSError:
                time.sleep(0.01)  # No port or no answer for now.

    def settle(self):
        """Private bytes and descriptors when nothing is going on."""
        self.server.wait_for(lambda: "thimble_connections 1\n" in self.server.request("GET", "/metrics").text.decode())
        time.sleep(2.5)  # Idle scratch memory goes after a second.
        return self.server.memory(), self.server.descriptors()

    def test_nothing_is_left_of_it(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.server = Server("--header-timeout", "2", "--transfer-timeout", "3", "--idle-timeout", "5",
                             "--max-connections", str(CONNECTIONS), "--max-memory", "64MB")
        self.addCleanup(self.server.stop)
        self.faults, self.served = [], 0
        self.expected = base64.b64encode(command_line(["hello"])).decode()

        # What the heap takes for a first use, and for so many connections, is not what is looked for.
        memory, descriptors = self.abuse(SECONDS / 4)
        memory_after, descriptors_after = self.abuse(SECONDS * 3 / 4)

        self.assertEqual(self.faults, [])
        self.assertGreater(self.served, 20)
        self.assertEqual(descriptors_after, descriptors)
        if not SANITIZED:
            self.assertLess(memory, 20_000_000)
            self.assertLess(memory_after, memory + 1_000_000)
        self.server.wait_for(lambda: 'account="queue"} 0\n' in self.server.request("GET", "/metrics").text.decode())
        self.assertNotIn("Traceback", self.server.text())
        print(f"{self.served} proper requests served; {memory} bytes before, {memory_after} after", flush=True)

    def abuse(self, seconds):
        idle = [self.connect() for _ in range(CONNECTIONS + 50)]
        self.end = time.monotonic() + seconds
        threads = [threading.Thread(target=self.work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for connection in idle:
            connection.close()
        return self.settle()


if __name__ == "__main__":
    unittest.main()
