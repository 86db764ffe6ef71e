"""thimble serve while the system grants it no more memory: it lives, each request gets a reply or the end of its
connection, and afterwards it serves as before."""

import base64
import http.client
import json
import os
import random
import resource
import threading
import time
import unittest

from server_test import Server, command_line, setUpModule  # noqa: F401

SANITIZED = "sanitize" in os.environ.get("THIMBLE_CXX_FLAGS", "")
UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
ALLOWED = (200, 413, 424, 429, 500, 503)


@unittest.skipIf(SANITIZED, "the sanitizers reserve terabytes of addresses")
class Exhaustion(unittest.TestCase):
    def addresses(self):
        with open(f"/proc/{self.server.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * resource.getpagesize()

    def bodies(self, random_):
        words = "some words of a text"
        return random_.choice((
            ("/v1/embeddings", {"model": "test", "input": "hello", "encoding_format": "base64"}),
            ("/v1/embeddings", {"model": "test", "input": [words] * random_.randrange(1, 300)}),
            ("/embed", {"inputs": [words * 10] * random_.randrange(1, 30)}),
            ("/embed", {"inputs": "x" * random_.randrange(1 << 21)}),
            ("/tokenize", {"inputs": words * random_.randrange(1, 10)}),
            ("/api/show", {"model": "test"}),
            ("/nothing", {"a": {"b": ["c"] * 1000}})))

    def work(self, number):
        random_ = random.Random(number)
        while time.monotonic() < self.end:
            path, body = self.bodies(random_)
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
            try:
                connection.request("POST", path, json.dumps(body))
                reply = connection.getresponse()
                json.loads(reply.read())
                self.replies[reply.status] = self.replies.get(reply.status, 0) + 1
                if reply.status not in ALLOWED and path != "/nothing":
                    self.faults.append(f"{path}: {reply.status}")
            except TimeoutError:
                self.faults.append(f"{path}: no reply")
            except (OSError, http.client.HTTPException):
                self.replies["ended"] = self.replies.get("ended", 0) + 1
            except ValueError as error:
                self.faults.append(f"{path}: {error}")
            finally:
                connection.close()

    def test_the_server_lives(self):
        self.server = Server("--max-memory", "64MB")
        self.addCleanup(self.server.stop)
        self.faults, self.replies = [], {}
        expected = base64.b64encode(command_line(["hello"])).decode()
        request = {"model": "test", "input": "hello", "encoding_format": "base64"}
        self.server.post("/v1/embeddings", request)
        for more in (0, 64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20):
            limit = self.addresses() + more
            resource.prlimit(self.server.process.pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
            self.end = time.monotonic() + 1
            threads = [threading.Thread(target=self.work, args=(more + number,)) for number in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            resource.prlimit(self.server.process.pid, resource.RLIMIT_AS, UNLIMITED)
            self.assertIsNone(self.server.process.poll(), self.server.text()[-2000:])
            reply = self.server.post("/v1/embeddings", request)
            self.assertEqual(reply["data"][0]["embedding"], expected)
        self.assertEqual(self.faults, [])
        self.assertGreater(self.replies.get(503, 0) + self.replies.get(424, 0) + self.replies.get("ended", 0), 0, "the limits did not reach the code")
        self.server.wait_for(lambda: 'account="queue"} 0\n' in self.server.request("GET", "/metrics").text.decode())
        self.assertEqual(self.server.stop(), 0)
        print(self.replies, flush=True)


if __name__ == "__main__":
    unittest.main()
