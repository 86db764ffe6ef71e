"""Damaged model files, and files that change while the command line or the server has them open.

THIMBLE_CLI and THIMBLE_MAKE_TEST_MODEL name the programs.
"""

import http.client
import json
import math
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import tempfile
import time
import unittest

import need
import small_models

CLI = os.environ["THIMBLE_CLI"]
SANITIZED = "-fsanitize" in os.environ.get("THIMBLE_CXX_FLAGS", "")
HAS_SERVER = subprocess.run([CLI, "serve", "--help"], capture_output=True).returncode == 0
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("THIMBLE_") or key == "THIMBLE_ISA"}


def setUpModule():
    global folder
    folder = small_models.make()
    ENVIRONMENT["THIMBLE_HOME"] = str(folder / "cache")


def run(*arguments, **options):
    return subprocess.run([CLI, *map(str, arguments)], capture_output=True, text=True, env=ENVIRONMENT, timeout=120, **options)


def header(data):
    length = struct.unpack("<Q", data[:8])[0]
    return 8 + length, json.loads(data[8:8 + length])


def with_nan(source, tensor, index):
    """The contents of a model file with one element of a tensor that is not a number."""
    data = bytearray(source.read_bytes())
    begin, entries = header(data)
    size, code = (4, "<f") if entries[tensor]["dtype"] == "F32" else (2, "<e")
    at = begin + entries[tensor]["data_offsets"][0] + size * index
    data[at:at + size] = struct.pack(code, math.nan)
    return data


def overwrite(path, contents):
    """As cp does it: the same file gets other bytes."""
    with open(path, "r+b") as file:
        file.write(contents)
        file.truncate()


class Damage(unittest.TestCase):
    def setUp(self):
        self.model = folder / (self.id().split(".")[-1] + ".safetensors")
        shutil.copyfile(folder / "q8.safetensors", self.model)

    def test_nan_in_a_word(self):
        lines = folder / "lines.txt"
        lines.write_text("a dog\nhello world\n")
        for dtype, tensor, index in (("fp32", "embeddings.words.weight", 2 * 64), ("fp16", "embeddings.words.weight", 128),
                                     ("q8", "embeddings.words.scale", 2), ("q4", "embeddings.words.scale", 2)):
            self.model.write_bytes(with_nan(folder / f"{dtype}.safetensors", tensor, index))
            for command in (["embed", "hello"], ["embed", "--no-normalize", "--pooling", "cls", "hello"],
                            ["embed", "--format", "f32", "-o", folder / "out", "-i", lines], ["similar", "hello", lines]):
                with self.subTest(dtype=dtype, command=command):
                    done = run(command[0], "-m", self.model, *command[1:])
                    self.assertEqual(done.returncode, 1)
                    self.assertNotIn("nan", done.stdout)
                    self.assertRegex(done.stderr, rf"texts\[0\]: .*not finite.*thimble verify {self.model}")

    def test_nan_in_a_bias(self):
        self.model.write_bytes(with_nan(folder / "q8.safetensors", "layers.0.qkv.bias", 3))
        for command in (["embed", "-m", self.model, "hello"], ["info", self.model], ["verify", self.model]):
            done = run(*command)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f'{self.model}: tensor "layers.0.qkv.bias": has a value that is not finite', done.stderr)

    def test_verify_reports_vectors_that_are_not_finite(self):
        self.model.write_bytes(with_nan(folder / "q8.safetensors", "embeddings.words.scale", 2))
        done = run("verify", self.model)
        self.assertEqual(done.returncode, 1)
        self.assertIn("do not match the recorded hash", done.stderr)
        self.assertIn("by up to nan", done.stderr)

    def test_every_command_verifies(self):
        data = bytearray(self.model.read_bytes())
        begin, entries = header(data)
        end = begin + entries["receipt.golden_texts"]["data_offsets"][0]
        lines = folder / "lines.txt"
        lines.write_text("a dog\n")
        commands = [["embed", "hello", "-m"], ["similar", "hello", lines, "-m"], ["tokenize", "hello", "-m"], ["info"],
                    ["verify"]]
        if not SANITIZED:
            commands.append(["plan"])
        for command in commands:
            done = run(*command, self.model, "--verify")
            self.assertEqual(done.returncode, 0, done.stderr)
        generator = random.Random(5)
        for flip in range(60):
            damaged = bytearray(data)
            damaged[generator.randrange(begin, end)] ^= 1 << generator.randrange(8)
            self.model.write_bytes(damaged)
            for command in commands if flip < 3 else commands[:1]:
                done = run(*command, self.model, "--verify")
                self.assertEqual(done.returncode, 1, (flip, command))
                self.assertIn(f"{self.model}: ", done.stderr)

    def test_verify_needs_a_recorded_hash(self):
        self.model.write_bytes(self.model.read_bytes().replace(b"weights.sha256", b"weights_sha256"))
        self.assertEqual(run("embed", "-m", self.model, "hello").returncode, 0)
        done = run("embed", "-m", self.model, "--verify", "hello")
        self.assertEqual(done.returncode, 1)
        self.assertIn("records no hash of its weights to verify; convert or pull the model again, or leave out --verify",
                      done.stderr)

    def test_options_of_backends(self):
        self.assertEqual(run("embed", "-m", "mock", "--verify", "--load", "copy", "hello").returncode, 0)
        done = run("embed", "--backend", "ollama:all-minilm", "--verify", "hello")
        self.assertEqual(done.returncode, 1)
        self.assertIn("--load and --verify: only native backends accept them", done.stderr)
        done = run("embed", "-m", self.model, "--load", "mmap", "hello")
        self.assertEqual(done.returncode, 2)
        self.assertIn('unknown --load "mmap", expected map or copy', done.stderr)

    @unittest.skipIf(SANITIZED, "a sanitizer's memory is beyond every plan")
    def test_a_copy_is_planned(self):
        mapped = json.loads(run("plan", "--json", self.model).stdout)
        copied = json.loads(run("plan", "--json", "--load", "copy", self.model).stdout)
        size = self.model.stat().st_size
        self.assertEqual((mapped["mapped_bytes"], copied["mapped_bytes"]), (size, 0))
        self.assertAlmostEqual(copied["peak_bytes"] - mapped["peak_bytes"], size, delta=200_000)
        limit = str(copied["peak_bytes"] + 100_000)
        self.assertEqual(run("embed", "-m", self.model, "--load", "copy", "--max-memory", limit, "hello").returncode, 0)
        done = run("embed", "-m", self.model, "--load", "copy", "--max-memory", str(size), "hello")
        self.assertEqual(done.returncode, 1)
        self.assertIn("--max-memory", done.stderr)

    def embed_twice(self, between, *options):
        """Embeds a line, changes the file, and embeds another."""
        process = subprocess.Popen([CLI, "embed", "-m", self.model, "-i", "-", *options], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
        process.stdin.write("hello\n")
        process.stdin.flush()
        first = process.stdout.readline()
        self.assertIn("embedding", first)
        between()
        second, error = process.communicate("hello\n", timeout=60)
        return process.returncode, first, second, error

    def test_a_file_that_changes_is_named(self):
        good = self.model.read_bytes()
        other = (folder / "fp32.safetensors").read_bytes()
        for what, contents in (("truncated", good[:5000]), ("empty", b""), ("another model", other),
                               ("the same size", good[:-1] + b"x"), ("grown", good + bytes(64))):
            with self.subTest(what):
                overwrite(self.model, good)
                time.sleep(0.02)
                code, _, second, error = self.embed_twice(lambda: overwrite(self.model, contents))
                self.assertEqual((code, second), (1, ""))
                self.assertRegex(error, f"{self.model}: was changed while it was open: .*open it again")

    def test_a_file_renamed_over_it_changes_nothing(self):
        new = folder / "new"
        shutil.copyfile(folder / "fp32.safetensors", new)
        code, first, second, error = self.embed_twice(lambda: os.replace(new, self.model))
        self.assertEqual((code, error), (0, ""))
        self.assertEqual(first, second)

    def test_a_copy_does_not_change(self):
        code, first, second, error = self.embed_twice(lambda: overwrite(self.model, b"x"), "--load", "copy")
        self.assertEqual((code, error), (0, ""))
        self.assertEqual(first, second)

    def test_a_file_that_is_truncated_during_a_call_is_named(self):
        generator = random.Random(3)
        lines = folder / "many.txt"
        lines.write_text("a small vector of cats and dogs in the memory of the world\n" * 20_000)
        good = self.model.read_bytes()
        for _ in range(10):
            self.model.unlink()
            self.model.write_bytes(good)
            process = subprocess.Popen([CLI, "embed", "-m", self.model, "-i", lines], stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
            process.stdout.read(1)  # It computes, until the pipe is full.
            time.sleep(0.01 * generator.random())
            os.truncate(self.model, 4096)
            _, error = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 1, error)
            self.assertIn(f"{self.model}: was changed while it was open: had {len(good)} bytes, has 4096", error)

    def test_pull_verifies(self):
        source = folder / "source"
        made = run("pull", source, "--name", "acme/pulled", "--json")
        self.assertEqual(made.returncode, 0, made.stderr)
        path = pathlib.Path(json.loads(made.stdout)["path"])
        data = bytearray(path.read_bytes())
        data[header(data)[0] + 5000] ^= 1
        path.write_bytes(data)
        done = run("pull", source, "--name", "acme/pulled")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "do not match the recorded hash.*--force")
        self.assertEqual(run("pull", source, "--name", "acme/pulled", "--force").returncode, 0)
        self.assertEqual(run("embed", "-m", "acme/pulled", "--verify", "hello").returncode, 0)


@need.unless(HAS_SERVER, "the command serve in this build")
class ServedDamage(unittest.TestCase):
    def setUp(self):
        self.model = folder / (self.id().split(".")[-1] + ".safetensors")
        shutil.copyfile(folder / "q8.safetensors", self.model)

    def serve(self, *options):
        log = tempfile.NamedTemporaryFile(mode="w+", suffix=".log")
        process = subprocess.Popen([CLI, "serve", "-m", self.model, "--listen", "127.0.0.1:0", *options], stderr=log,
                                   env=ENVIRONMENT)
        self.addCleanup(log.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            found = re.search(r"http://127\.0\.0\.1:(\d+)", pathlib.Path(log.name).read_text())
            if found:
                self.port = int(found[1])
                return
            time.sleep(0.02)
        process.wait(timeout=10)
        self.error = pathlib.Path(log.name).read_text()
        self.port = None

    def post(self, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        reply = connection.getresponse()
        found = reply.status, json.loads(reply.read())
        connection.close()
        return found

    def embed(self):
        status, reply = self.post("/v1/embeddings", {"input": "hello", "model": "test"})
        self.assertEqual(status, 200, reply)
        return reply["data"][0]["embedding"]

    def test_nan(self):
        self.model.write_bytes(with_nan(folder / "q8.safetensors", "embeddings.words.scale", 2))
        self.serve()
        for path, body in (("/v1/embeddings", {"input": "hello"}), ("/v1/embeddings", {"input": "hello", "encoding_format": "base64"}),
                           ("/embed", {"inputs": "hello"}), ("/embed_all", {"inputs": "hello"}),
                           ("/api/embed", {"model": "test", "input": "hello"})):
            status, reply = self.post(path, body)
            self.assertIn(status, (424, 500), (path, reply))
            self.assertIn("not finite", json.dumps(reply))

    def test_verify(self):
        self.serve("--verify")
        self.assertIsNotNone(self.port)
        self.embed()
        data = bytearray(self.model.read_bytes())
        data[header(data)[0] + 5000] ^= 1
        self.model.write_bytes(data)
        status, reply = self.post("/v1/embeddings", {"input": "hello"})
        self.assertEqual(status, 500)
        self.assertIn("do not match the recorded hash", reply["error"]["message"])
        self.serve("--verify")
        self.assertIsNone(self.port)
        self.assertIn("do not match the recorded hash", self.error)

    def test_the_next_request_has_the_new_model(self):
        other = folder / "other"
        subprocess.run([CLI, "convert", folder / "source", other, "--dtype", "q4", "--no-calibration", "--name", "test"],
                       check=True, capture_output=True)
        for load in ("map", "copy"):
            for change in (lambda: overwrite(self.model, other.read_bytes()),
                           lambda: os.replace(shutil.copyfile(other, folder / "new"), self.model)):
                shutil.copyfile(folder / "q8.safetensors", self.model)
                self.serve("--load", load)
                before = self.embed()
                change()
                after = self.embed()
                self.assertNotEqual(before, after)
                self.serve()
                self.assertEqual(after, self.embed())


if __name__ == "__main__":
    unittest.main()
