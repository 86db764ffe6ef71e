"""The memory of processes that embed, against its bounds: by plan, by limit, and shared.

THIMBLE_CLI, THIMBLE_MAKE_TEST_MODEL and THIMBLE_BUILD name the programs; THIMBLE_REAL_MODEL the folder of the real model's
files, without which only what needs no real model is tested."""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

import memory_texts
import need

CLI = os.environ["THIMBLE_CLI"]
BARE = os.environ["THIMBLE_BUILD"] + "/bench_memory"
REAL = os.environ.get("THIMBLE_REAL_MODEL")
SANITIZED = "sanitize" in os.environ.get("THIMBLE_CXX_FLAGS", "")
MB = 1_000_000


def figures(pid):
    """Bytes of a process: its private memory, and that with its part of what it shares."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    values = {line.split()[0]: int(line.split()[1]) * 1024 for line in text.splitlines()[1:]}
    return values["Anonymous:"], values["Pss:"]


def peaks(*command, text=True):
    """Runs a command; the most of both figures, sampled about once a millisecond, and its output, if that is text."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE if text else subprocess.DEVNULL, stderr=subprocess.PIPE,
                               text=True)
    most = (0, 0)
    while process.poll() is None:
        try:
            most = tuple(map(max, most, figures(process.pid)))
        except (FileNotFoundError, ProcessLookupError, KeyError):
            pass  # It has just ended.
        time.sleep(0.001)
    output, errors = process.communicate()
    if process.returncode != 0:
        raise AssertionError(f"{command}: exit code {process.returncode}: {errors}")
    return *most, output


@unittest.skipIf(SANITIZED, "the sanitizers' own memory counts")
class Memory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.texts = cls.folder / "texts"
        memory_texts.write(cls.texts)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def small_model(self):
        model = self.folder / "q8.safetensors"
        if not model.exists():
            subprocess.run([os.environ["THIMBLE_MAKE_TEST_MODEL"], self.folder], check=True)
        return model

    def real_model(self, dtype):
        need.here(REAL, "THIMBLE_REAL_MODEL, the folder that scripts/models/model.sh fills")
        return f"{REAL}/all-MiniLM-L6-v2-{dtype}.safetensors"

    def embed(self, model, *options):
        """thimble embed of the texts: private peak, Pss peak, hash of the vectors."""
        out = self.folder / "out"
        private, pss, _ = peaks(CLI, "embed", "-m", model, "-i", self.texts, "-o", out, "--format", "f32", *options)
        return private, pss, hashlib.sha256(out.read_bytes()).hexdigest()

    def plan(self, model, *options):
        output = subprocess.run([CLI, "plan", model, "--json", *options], check=True, stdout=subprocess.PIPE).stdout
        return json.loads(output)

    def check_plan(self, model, *options):
        plan = self.plan(model, *options)
        private, _, bits = self.embed(model, *options)
        self.assertLessEqual(private, plan["peak_bytes"], options)
        # It has room for the stacks of reader and writer, and for three lines of 64 KiB, which these texts are not.
        room = (2 * 128 + 3 * 64) << 10
        self.assertGreaterEqual(private, 0.8 * (plan["peak_bytes"] - room), options)
        return bits

    def test_plan_of_the_real_model_holds_and_is_filled(self):
        for dtype in ("q8", "q4"):
            model = self.real_model(dtype)
            bits = {self.check_plan(model, *options)
                    for options in ([], ["--max-memory", "2MB"], ["--threads", "2"], ["--threads", "4"])}
            self.assertEqual(len(bits), 1, "the vectors depend on the memory or the threads")

    def test_plan_of_a_small_model_holds(self):
        model = self.small_model()
        private, _, _ = self.embed(model)
        self.assertLessEqual(private, self.plan(model)["peak_bytes"])
        least = subprocess.run([CLI, "plan", model, "--max-memory", "100kB"], stderr=subprocess.PIPE, text=True)
        self.assertEqual(least.returncode, 1)
        self.assertRegex(least.stderr, r"needs \d+ bytes, but only \d+ are allowed; raise --max-memory, or lower --max-tokens")

    def test_cache_takes_what_the_plan_says(self):
        model, cache = self.small_model(), self.folder / "vectors.cache"
        without, _, bits = self.embed(model)
        plan = self.plan(model)["peak_bytes"]
        for _ in range(2):  # Filled, and then read.
            private, _, cached = self.embed(model, "--cache", cache, "--cache-size", "200MB")
            self.assertEqual(cached, bits)
            self.assertLessEqual(private, plan)
            self.assertLessEqual(private, without + 100_000)

    def test_sync_does_not_grow_with_the_document(self):
        model, folder = self.small_model(), self.folder / "documents"
        most = []
        for size in (500_000, 5_000_000):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            sentence = "The {} of {} is a sentence of some words, and it has a number. "
            with open(folder / "long.txt", "w") as file:  # A chunk has few sentences; each is another one.
                for i in range(size // 80):
                    file.write(sentence.format(i, hashlib.sha256(str(i).encode()).hexdigest()[:12]))
            (folder / "headings.md").write_text("#\na\n" * (size // 100))
            private, _, _ = peaks(CLI, "sync", "-m", model, "--dry-run", folder, self.folder / "docs.store")
            most.append(private)
        self.assertLessEqual(most[1], most[0] + 1 * MB)

    def test_command_line_stays_within_its_bounds(self):
        for dtype, most_pss in (("q8", 27 * MB), ("q4", 18 * MB)):
            model = self.real_model(dtype)
            private, pss, bits = self.embed(model)
            self.assertLessEqual(private, 2.1 * MB, dtype)
            self.assertLessEqual(pss, most_pss, dtype)
            private, _, limited = self.embed(model, "--max-memory", "2MB")
            self.assertLessEqual(private, 2 * MB, dtype)
            self.assertEqual(limited, bits, dtype)

    def test_texts_of_512_tokens_take_less_than_3_mb(self):
        # With the width of multilingual-e5-small, whose 250,000 words and six more layers add 0.06 MB.
        for dtype in ("q8", "q4"):
            model = self.real_model(dtype)
            most = self.embed(model, "--max-tokens", "512")[0]
            piped = peaks(CLI, "embed", "-m", model, "-i", self.texts, "--format", "f32", "--max-tokens", "512", text=False)[0]
            self.assertLessEqual(max(most, piped), 2.93 * MB, dtype)

    def test_bare_program_stays_within_its_bounds(self):
        for dtype, most_pss in (("q8", 27 * MB), ("q4", 18 * MB)):
            model = self.real_model(dtype)
            private, pss, output = peaks(BARE, model, self.texts)
            self.assertLessEqual(private, 1.7 * MB, dtype)
            self.assertLessEqual(pss, most_pss, dtype)
            free = json.loads(output)
            private, _, output = peaks(BARE, model, self.texts, str(2 * MB))
            self.assertLessEqual(private, 2 * MB, dtype)
            limited = json.loads(output)
            self.assertEqual(limited["bits"], free["bits"], dtype)
            self.assertLessEqual(limited["unloaded"], limited["start"] + 2 * MB)

    def test_scratch_goes_back_while_a_pipe_is_silent(self):
        model = self.small_model()
        scratch = self.plan(model)["scratch_bytes_per_thread"]
        process = subprocess.Popen([CLI, "embed", "-m", model, "-i", "-"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        try:
            for _ in range(2):  # It goes on after the silence.
                process.stdin.write(b"some words that fill a tile " * 100 + b"\n")
                process.stdin.flush()
                self.assertIn(b"embedding", process.stdout.readline())
                busy, _ = figures(process.pid)
                deadline = time.monotonic() + 20
                while figures(process.pid)[0] > busy - scratch // 3 and time.monotonic() < deadline:
                    time.sleep(0.05)
                self.assertLessEqual(figures(process.pid)[0], busy - scratch // 3)
        finally:
            process.kill()
            process.communicate()

    def test_four_processes_have_one_copy_of_the_weights(self):
        model = self.real_model("q8") if REAL else self.small_model()
        scratch = self.plan(model)["scratch_bytes_per_thread"]
        processes = []
        try:
            for _ in range(4):
                processes.append(subprocess.Popen([CLI, "memory", "--stages", model, "--texts", self.texts],
                                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
            for stage in ("start", "loaded", "embedded"):
                for process in processes:
                    self.assertEqual(process.stdout.readline().strip(), f"stage {stage}")
                    if stage != "embedded":
                        process.stdin.write("\n")
                        process.stdin.flush()
            shares = []
            for process in processes:
                private, _ = figures(process.pid)
                self.assertLessEqual(private, scratch + 0.5 * MB)
                shares.append(self.mapping(process.pid, model))
            size = os.path.getsize(model)
            self.assertLessEqual(sum(pss for _, pss in shares), size + 4 * 4096)
            # All have most of it in memory nevertheless; the word table is touched where words are.
            self.assertGreater(min(rss for rss, _ in shares), 0.3 * size)
        finally:
            for process in processes:
                process.kill()
                process.communicate()

    @staticmethod
    def mapping(pid, path):
        """Rss and Pss of a process's mapping of a file."""
        rss = pss = 0
        inside = False
        for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
            words = line.split()
            if not words[0].endswith(":"):
                inside = line.endswith(os.path.realpath(path))
            elif inside and words[0] == "Rss:":
                rss += int(words[1]) * 1024
            elif inside and words[0] == "Pss:":
                pss += int(words[1]) * 1024
        return rss, pss


if __name__ == "__main__":
    unittest.main()
