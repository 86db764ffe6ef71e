"""A short form of make trust: some faults, some kills, and a small soak. The corpora run as fuzz_replay."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import need

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "trust"
BUILD = pathlib.Path(os.environ["THIMBLE_BUILD"])
# With a sanitizer everything takes ten times as long, and strace and the sanitizer for leaks exclude each other.
SANITIZED = "-fsanitize" in os.environ.get("THIMBLE_CXX_FLAGS", "")


def can_trace():
    try:
        return subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", "inject=close:error=EIO:when=999", "true"],
                              capture_output=True).returncode == 0
    except OSError:
        return False


@unittest.skipIf(SANITIZED, "a sanitizer changes what is measured")
class TrustTest(unittest.TestCase):
    def run_part(self, *arguments):
        with tempfile.TemporaryDirectory() as results:
            environment = {**os.environ, "THIMBLE_TRUST": results, "THIMBLE_SOAK": str(BUILD / "trust_soak")}
            result = subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True,
                                    cwd=FOLDER, env=environment)
            found = "\n".join(path.read_text() for path in sorted(pathlib.Path(results).glob("found/**/*.txt")))
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr + found)

    @need.unless(shutil.which("strace"), "strace")
    @unittest.skipUnless(can_trace(), "may not trace")
    def test_commands_survive_failing_system_calls(self):
        # Without pull, which waits before it tries again.
        self.run_part("faults.py", "--most", "2", "--errors", "1", "--only", "convert", "--only", "embed -o",
                      "--only", "tokenize", "--only", "list")

    def test_a_killed_command_leaves_the_old_file_or_the_new_one(self):
        self.run_part("kill.py", "--rounds", "5")

    def test_memory_and_descriptors_do_not_grow(self):
        self.run_part("soak.py", "--texts", "60000", "--node", "0")


if __name__ == "__main__":
    unittest.main()
