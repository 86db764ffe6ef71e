"""Compiles and runs the README's program and compares its output; checks the README's commands against the program.

With THIMBLE_REAL_MODEL (a folder with the models of `make demo`) the output is that of the real model, number by
number; without it the program runs on a small random model and must print the same words.
"""

import os
import pathlib
import re
import shlex
import subprocess
import tempfile
import unittest

from fake_hub import FakeHub, read_folder

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
RERANK = (ROOT / "docs/rerank.md").read_text()


class Readme(unittest.TestCase):
    def test_programs_compile_and_print_what_the_readme_says(self):
        programs = re.findall(r"```cpp\n(.*?)```\n```\n(.*?)```", README + RERANK, re.DOTALL)
        self.assertEqual(len(programs), README.count("```cpp") + RERANK.count("```cpp"))
        for source, expected in programs:
            with self.subTest(expected):
                self.check_program(source, expected)

    def check_program(self, source, expected):
        build = os.environ["THIMBLE_BUILD"]
        # No reranker is in a package.
        real = None if "thimble/rerank.h" in source else os.environ.get("THIMBLE_REAL_MODEL")
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "readme.cc").write_text(source)
            subprocess.run([os.environ["THIMBLE_CXX"], "-std=c++20", "-Wall", "-Werror",
                            *shlex.split(os.environ["THIMBLE_CXX_FLAGS"]), "-I", ROOT / "include", "readme.cc",
                            f"{build}/libthimble.a", "-o", "readme", "-pthread"], cwd=folder, check=True)
            models = folder / "build/models"
            models.mkdir(parents=True)
            if real:
                path = pathlib.Path(real).resolve() / "all-MiniLM-L6-v2-q8.safetensors"
            else:
                subprocess.run([os.environ["THIMBLE_MAKE_TEST_MODEL"], folder], check=True)
                path = folder / "q8.safetensors"
                (models / "ms-marco-MiniLM-L6-v2-q8.safetensors").symlink_to(folder / "reranker-q8.safetensors")
            (models / "all-MiniLM-L6-v2-q8.safetensors").symlink_to(path)
            output = subprocess.run(["./readme"], cwd=folder, capture_output=True, text=True, check=True).stdout
        if real:
            # Bytes in use are those of one instruction set; others take up to a tenth more or less.
            used = re.compile(r"^\d+(?= of \d+ bytes used$)", re.MULTILINE)
            for found, stated in zip(used.findall(output), used.findall(expected), strict=True):
                self.assertAlmostEqual(int(found) / int(stated), 1, delta=0.1)
            self.assertEqual(used.sub("N", output), used.sub("N", expected))
        else:
            number = re.compile(r"-?\d+(\.\d+)?")
            self.assertEqual(number.sub("N", output), number.sub("N", expected))

    def test_commands_run(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            subprocess.run([os.environ["THIMBLE_MAKE_TEST_MODEL"], folder], check=True)
            (folder / "source").rename(folder / "all-MiniLM-L6-v2")
            hub = FakeHub({"sentence-transformers/all-MiniLM-L6-v2": read_folder(folder / "all-MiniLM-L6-v2")})
            self.addCleanup(hub.close)
            (folder / "q8.safetensors").rename(folder / "e5-small-v2.safetensors")
            (folder / "lines.txt").write_text("one\ntwo\n")
            (folder / "corpus.csv").write_text("id,text\n1,one\n")
            (folder / "articles.jsonl").write_text('{"text": "one"}\n')
            (folder / "reranker-q8.safetensors").rename(folder / "ms-marco-MiniLM-L6-v2-q8.safetensors")
            (folder / "reranker.safetensors").symlink_to("ms-marco-MiniLM-L6-v2-q8.safetensors")
            (folder / "docs").mkdir()
            (folder / "docs/a.md").write_text("# One\n\nTwo.\n")
            blocks = "".join(re.findall(r"```sh\n(.*?)```", README + RERANK, re.DOTALL))
            # server_test.py runs those of the server.
            commands = [line for line in blocks.splitlines()
                        if line.startswith(("thimble ", "printf ")) and not line.startswith("thimble serve")]
            self.assertGreater(len(commands), 3)
            environment = {**os.environ, "PATH": f"{os.environ['THIMBLE_BUILD']}:{os.environ['PATH']}",
                           "THIMBLE_HOME": name, "HF_ENDPOINT": hub.url, "no_proxy": "*"}
            for command in commands:
                if "--max-memory" in command and "sanitize" in os.environ["THIMBLE_CXX_FLAGS"]:
                    continue  # A process has hundreds of megabytes.
                result = subprocess.run(["bash", "-c", command], cwd=folder, env=environment, capture_output=True)
                self.assertEqual((result.returncode, result.stderr), (0, b""), command)

    def test_make_targets_exist(self):
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        for target in re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE):
            self.assertIn(target, targets)


if __name__ == "__main__":
    unittest.main()
