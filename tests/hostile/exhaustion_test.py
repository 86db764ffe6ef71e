"""Commands under limits of the address space, from what the program can start with to enough: each ends with its result,
or with exit code 1 and "out of memory"; none ends in a signal, and none leaves a file."""

import json
import os
import pathlib
import resource
import shutil
import subprocess
import unittest

import small_models

CLI = os.environ["THIMBLE_CLI"]
SANITIZED = "sanitize" in os.environ.get("THIMBLE_CXX_FLAGS", "")
PIECES = 40_000
MOST = 256 << 20


def limited(command, limit, **options):
    return subprocess.run([CLI, *command], capture_output=True, text=True,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)), **options)


@unittest.skipIf(SANITIZED, "the sanitizers reserve terabytes of addresses")
class Exhaustion(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = small_models.make(cls.addClassCleanup)
        cls.model = str(cls.folder / "q8.safetensors")
        cls.lines = cls.folder / "lines.jsonl"
        cls.lines.write_text('{"text": "a text"}\n' * 300)
        # A source whose tokenizer takes megabytes to read, and which ends in an error that is known.
        cls.large = cls.folder / "large"
        shutil.copytree(cls.folder / "source", cls.large)
        tokenizer = json.loads((cls.large / "tokenizer.json").read_text())
        vocabulary = tokenizer["model"]["vocab"]
        vocabulary.update({f"a piece of some length {i}": i for i in range(len(vocabulary), PIECES)})
        (cls.large / "tokenizer.json").write_text(json.dumps(tokenizer))
        # The least with which the program starts, and 128 KiB: the C++ library takes 72 KiB then, of which it makes
        # exceptions when there is no memory, and starts without them, too.
        cls.least = (128 << 10) + next(limit for limit in range(1 << 20, MOST, 64 << 10)
                                       if limited(["--version"], limit).returncode == 0)

    def sweep(self, command, expected=0, step=128 << 10, error=None, check=lambda: None, **options):
        """Raises the limit until the command gives what it gives without one, and twice more."""
        refused = reached = 0
        limit = self.least
        while reached < 3:
            self.assertLess(limit, MOST)
            before = sorted(self.folder.rglob("*"))
            result = limited(command, limit, **options)
            if result.returncode == expected and (error is None or error in result.stderr):
                reached += 1
                check()
            else:
                refused += 1
                self.assertEqual(result.returncode, 1, f"{limit}: {result.stderr}")
                self.assertRegex(result.stderr, "(?i)out of memory|cannot allocate memory|the system refused", limit)
                self.assertEqual(sorted(self.folder.rglob("*")), before, limit)
            limit += step
        self.assertGreater(refused, 1, "the limits did not reach the code")

    def test_convert(self):
        out = self.folder / "out.safetensors"

        def check():
            self.assertEqual(out.stat().st_size, pathlib.Path(self.model).stat().st_size)
            out.unlink()
        self.sweep(["convert", self.folder / "source", out], check=check)

    def test_convert_with_a_large_tokenizer(self):
        self.sweep(["convert", self.large, self.folder / "out.safetensors"], expected=1, error="vocab", step=64 << 10)

    def test_embed(self):
        self.sweep(["embed", "-m", self.model, "a text"])
        self.sweep(["embed", "-m", self.model, "--threads", "4", "-i", "-"], input="a text\n" * 3000)
        self.sweep(["embed", "-m", self.model, "-i", self.lines])

    def test_info(self):
        # It takes little but the addresses of the file: a larger one, for the least limit not to be enough.
        for arguments in ([], ["--json"]):
            self.sweep(["info", *arguments, self.folder / "fp32.safetensors"], step=32 << 10)

    def test_pull(self):
        home = self.folder / "home"
        environment = {**os.environ, "THIMBLE_HOME": str(home)}
        subprocess.run([CLI, "pull", self.folder / "source"], env=environment, check=True, capture_output=True)
        self.sweep(["pull", str(self.large)], expected=1, error="vocab", env=environment)
        self.sweep(["pull", str(self.folder / "source"), "--force"], env=environment)


if __name__ == "__main__":
    unittest.main()
