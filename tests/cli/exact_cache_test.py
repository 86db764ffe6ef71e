"""The command line and the server with --cache: the same bytes, several processes at once, killed at any moment."""

import json
import os
import random
import subprocess
import time
import unittest

import small_models

CLI = os.environ["THIMBLE_CLI"]
LEAST = 1 << 20


def setUpModule():
    global folder, model
    folder = small_models.make()
    model = str(folder / "q8.safetensors")


def command(*arguments):
    return [CLI, "embed", "-m", model, "-i", str(folder / "texts.txt"), "--format", "f32", *map(str, arguments)]


def run(*arguments):
    return subprocess.run(command(*arguments), capture_output=True, timeout=120)


def write_texts(count):
    words = "the memory of a small vector is good playing".split()
    source = random.Random(5)
    lines = [" ".join(source.choices(words, k=source.randrange(1, 70))) for _ in range(count)]
    (folder / "texts.txt").write_text("\n".join(lines) + "\n")


class ExactCache(unittest.TestCase):
    def setUp(self):
        self.cache = folder / f"{self.id().rsplit('.', 1)[1]}.cache"

    def expect(self, *arguments):
        """What embedding without a cache writes."""
        result = run(*arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_gives_the_same_bytes_when_it_is_new_and_when_it_is_not(self):
        write_texts(300)
        for more in ((), ("--dimensions", 20), ("--long-texts", "chunk", "--threads", 2), ("--pooling", "cls")):
            expected = self.expect(*more)
            for _ in range(2):
                result = run(*more, "--cache", self.cache, "--cache-size", "1MiB")
                self.assertEqual((result.returncode, result.stderr), (0, b""))
                self.assertEqual(result.stdout, expected)
        self.assertEqual(self.cache.stat().st_size, LEAST)
        similar = [CLI, "similar", "-m", model, "a memory", str(folder / "texts.txt")]
        without = subprocess.run(similar, capture_output=True, timeout=60, check=True).stdout
        self.assertEqual(subprocess.run([*similar, "--cache", self.cache], capture_output=True, timeout=60, check=True).stdout,
                         without)

    def test_survives_several_processes_that_are_killed_at_any_moment(self):
        write_texts(2000)
        expected = self.expect()
        source = random.Random(6)
        size = ("--cache", self.cache, "--cache-size", "1MiB")
        begin = time.monotonic()
        self.assertEqual(run(*size).stdout, expected)
        whole = time.monotonic() - begin
        self.cache.unlink()
        for _ in range(20):
            others = [subprocess.Popen(command(*size), stdout=subprocess.DEVNULL) for _ in range(2)]
            time.sleep(source.uniform(0, whole))
            for other in others:
                other.kill()
                other.wait()
        processes = [subprocess.Popen(command(*size), stdout=subprocess.PIPE) for _ in range(3)]
        for process in processes:
            self.assertEqual(process.communicate(timeout=120)[0], expected)
        self.assertEqual(self.cache.stat().st_size, LEAST)

    def test_says_what_is_wrong(self):
        write_texts(3)
        (folder / "notes.txt").write_text("what the user wrote")
        run("--cache", self.cache, "--cache-size", "2MiB")
        for arguments, code, says in [
            (("--cache", folder / "notes.txt"), 2, "not a cache of thimble"),
            (("--cache", self.cache, "--cache-size", "1MiB"), 2, "--cache-size: "),
            (("--cache", folder / "new", "--cache-size", "1kB"), 2, "--cache-size: expected at least 1048576 bytes"),
            (("--cache", folder / "none" / "new"), 1, "cannot open"),
            (("--cache", folder), 1, "cannot open"),
            (("--cache-size", "1MiB"), 2, "--cache"),
            (("--cache", self.cache, "--backend", "openai:text-embedding-3-small"), 1, "--cache: only native backends"),
        ]:
            result = run(*arguments)
            self.assertEqual(result.returncode, code, (arguments, result.stderr))
            self.assertIn(says.encode(), result.stderr)
        self.assertEqual((folder / "notes.txt").read_text(), "what the user wrote")
        self.assertFalse((folder / "new").exists())

    def test_a_server_has_it_and_counts(self):
        address = f"unix:{folder}/socket"
        server = subprocess.Popen([CLI, "serve", "-m", model, "--listen", address, "--cache", self.cache], stderr=subprocess.PIPE)
        try:
            for _ in range(200):
                if (folder / "socket").exists():
                    break
                time.sleep(0.05)
            body = json.dumps({"model": "test", "input": ["the memory", "a small vector"]})
            answers = [self.ask("/v1/embeddings", body) for _ in range(3)]
            self.assertEqual(answers[0], answers[1])
            self.assertIn("thimble_cache_hits_total 4", self.ask("/metrics"))
            self.assertIn("thimble_cache_writes_total 2", self.ask("/metrics"))
        finally:
            server.terminate()
            server.communicate(timeout=30)

    def ask(self, path, body=None):
        import http.client
        import socket
        connection = http.client.HTTPConnection("localhost", timeout=30)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(folder / "socket"))
        connection.request("GET" if body is None else "POST", path, body, {"content-type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()
        self.assertEqual(answer.status, 200, text)
        connection.close()
        return text


if __name__ == "__main__":
    unittest.main()
