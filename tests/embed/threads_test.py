"""The command line and the server where the system grants no threads (ulimit -u), which it does to no one but root."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import resource
import subprocess
import time
import unittest

import small_models

CLI = os.environ["THIMBLE_CLI"]
SANITIZED = "-fsanitize" in os.environ.get("THIMBLE_CXX_FLAGS", "")
# A user without processes, so that a limit counts only those of a test.
USER = 54321


def setUpModule():
    global folder, model
    folder = small_models.make()
    folder.chmod(0o777)
    model = str(folder / "q8.safetensors")


def limited(threads):
    """For preexec_fn: a process of the user above that may have `threads` threads in all."""
    def limit():
        os.setgid(USER)
        os.setuid(USER)
        resource.setrlimit(resource.RLIMIT_NPROC, (threads, threads))
    return limit


def run(*arguments, threads):
    return subprocess.run([CLI, *arguments], capture_output=True, timeout=120, preexec_fn=limited(threads),
                          env={**os.environ, "THIMBLE_HOME": str(folder / "cache")}, stdin=subprocess.DEVNULL)


@unittest.skipUnless(os.geteuid() == 0, "needs root to become a user without processes")
@unittest.skipIf(SANITIZED, "sanitizers start threads of their own")
class Refused(unittest.TestCase):
    def test_embed_works_with_fewer_threads_and_says_so(self):
        (folder / "texts.txt").write_text("some words of a text\n" * 40)
        command = ("embed", "-m", model, "-i", str(folder / "texts.txt"), "--threads")
        expected = run(*command, "1", threads=1)
        self.assertEqual((expected.returncode, expected.stderr), (0, b""))
        for granted in (1, 2):
            result = run(*command, "4", threads=granted)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(result.stdout, expected.stdout)
            self.assertRegex(result.stderr.decode(),
                             rf"^thimble embed: runs with {granted} of 4 threads, because the system refused more .*\n$")
        result = run(*command, "2", threads=2)
        self.assertEqual((result.returncode, result.stderr), (0, b""))

    def test_similar_says_so_too(self):
        (folder / "lines.txt").write_text("some words\nothers\n")
        result = run("similar", "-m", model, "--threads", "2", "words", str(folder / "lines.txt"), threads=1)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(b"thimble similar: runs with 1 of 2 threads", result.stderr)

    @unittest.skipIf(len(os.sched_getaffinity(0)) < 2, "a conversion has as many threads as processors")
    def test_convert_writes_the_same_file(self):
        files = []
        for threads in (1, 100):
            path = folder / f"converted-{threads}.safetensors"
            result = run("convert", str(folder / "source"), str(path), threads=threads)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(b"runs with 1 of " in result.stderr, threads == 1, result.stderr)
            files.append(path.read_bytes())
        self.assertEqual(files[0], files[1])

    def test_the_server_answers_with_an_error(self):
        for threads, status in ((1, 429), (3, 200)):
            with open(folder / f"log-{threads}", "w+") as log:
                process = subprocess.Popen([CLI, "serve", "-m", model, "--listen", "127.0.0.1:0"], stderr=log,
                                           preexec_fn=limited(threads))
                try:
                    found = None
                    deadline = time.monotonic() + 20
                    while not found and process.poll() is None and time.monotonic() < deadline:
                        time.sleep(0.01)
                        found = re.search(r"http://127\.0\.0\.1:(\d+)", pathlib.Path(log.name).read_text())
                    self.assertTrue(found, pathlib.Path(log.name).read_text())
                    for _ in range(3):
                        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=20)) as to:
                            to.request("POST", "/embed", json.dumps({"inputs": "hello"}))
                            reply = to.getresponse()
                            text = reply.read().decode()
                        self.assertEqual(reply.status, status, text)
                        if status != 200:
                            self.assertIn("refused a thread", text)
                    process.terminate()
                    self.assertEqual(process.wait(20), 0)
                finally:
                    process.kill()
                    process.wait()


if __name__ == "__main__":
    unittest.main()
