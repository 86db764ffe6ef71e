"""Embedding under limits of the system: RLIMIT_DATA, and a memory control group, as large as the plan.

THIMBLE_CLI and THIMBLE_MAKE_TEST_MODEL name the programs; with THIMBLE_REAL_MODEL, the folder of the real model's files, it
is the real model that is tested."""

import json
import os
import pathlib
import re
import resource
import subprocess
import tempfile
import unittest

import memory_texts

CLI = os.environ["THIMBLE_CLI"]
REAL = os.environ.get("THIMBLE_REAL_MODEL")
SANITIZED = "sanitize" in os.environ.get("THIMBLE_CXX_FLAGS", "")
SHORT_TEXTS = 10_000 - 64


class Group:
    """A memory control group with a limit, below that of this process."""

    def __init__(self, name, limit=None):
        self.folder, self.version = self.place(name)
        self.folder.mkdir()
        if limit is not None:
            self.write("memory.max" if self.version == 2 else "memory.limit_in_bytes", limit)

    @staticmethod
    def place(name):
        lines = [line.split(":", 2) for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines()]
        for _, controllers, path in lines:
            if "memory" in controllers.split(","):
                return pathlib.Path("/sys/fs/cgroup/memory" + path.rstrip("/")) / name, 1
        path = "/sys/fs/cgroup" + lines[0][2].rstrip("/")
        if "memory" not in pathlib.Path(path, "cgroup.subtree_control").read_text().split():
            raise OSError("the memory controller is not enabled below " + path)
        return pathlib.Path(path) / name, 2

    def write(self, name, value):
        (self.folder / name).write_text(str(value))

    def enter(self):
        """For preexec_fn."""
        self.write("cgroup.procs", os.getpid())

    def peak(self):
        name = "memory.peak" if self.version == 2 else "memory.max_usage_in_bytes"
        return int((self.folder / name).read_text())

    def kills(self):
        name = "memory.events" if self.version == 2 else "memory.oom_control"
        return int(re.search(r"oom_kill (\d+)", (self.folder / name).read_text()).group(1))

    def remove(self):
        self.folder.rmdir()


@unittest.skipIf(SANITIZED, "the sanitizers' own memory counts")
class Pressure(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        if REAL:
            cls.model = REAL + "/all-MiniLM-L6-v2-q8.safetensors"
        else:
            subprocess.run([os.environ["THIMBLE_MAKE_TEST_MODEL"], cls.folder], check=True)
            cls.model = str(cls.folder / "q8.safetensors")
        pathlib.Path(cls.model).read_bytes()  # Into the page cache, which other processes than the limited one pay for.
        cls.texts = cls.folder / "texts"
        memory_texts.write(cls.texts, SHORT_TEXTS)
        with cls.texts.open("a") as file:
            file.write("\n" + "word " * 40_000 + "\n")
        cls.expected = cls.embed(cls.folder / "expected").read_bytes()

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    @classmethod
    def embed(cls, out, *options, **limits):
        command = [CLI, "embed", "-m", cls.model, "-i", cls.texts, "-o", out, "--format", "f32", *options]
        subprocess.run(command, check=True, timeout=300, stderr=subprocess.PIPE, **limits)
        return out

    def plan(self, *options, **limits):
        return json.loads(subprocess.check_output([CLI, "plan", self.model, "--json", *options], **limits))

    def least(self):
        """The least --max-memory that works, to a hundredth."""
        refused, works = 1, self.plan()["peak_bytes"]
        while works - refused > works // 100:
            middle = (works + refused) // 2
            command = [CLI, "plan", self.model, "--max-memory", str(middle)]
            if subprocess.run(command, capture_output=True).returncode == 0:
                works = middle
            else:
                refused = middle
        return works

    def group(self, name, limit=None):
        try:
            group = Group(f"thimble-{name}-{os.getpid()}", limit)
        except OSError as error:
            self.skipTest(f"no control group can be made here: {error}")
        self.addCleanup(group.remove)
        return group

    def test_data_limit_of_the_plan_is_enough(self):
        for options in ([], ["--threads", "2"], ["--max-memory", str(self.least())]):
            limit = self.plan(*options)["peak_bytes"]
            out = self.embed(self.folder / "limited", *options,
                             preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)))
            self.assertEqual(out.read_bytes(), self.expected, options)

    def test_less_than_the_plan_is_an_error_and_no_crash(self):
        limit = int(self.plan()["peak_bytes"] * 0.6)
        out = self.folder / "absent"
        with self.assertRaises(subprocess.CalledProcessError) as caught:
            self.embed(out, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)))
        self.assertEqual(caught.exception.returncode, 1)
        self.assertRegex(caught.exception.stderr.decode(), "memory")
        self.assertFalse(out.exists())

    def test_group_of_the_plan_and_an_empty_process_is_enough(self):
        empty = self.group("empty")
        subprocess.run(["/bin/true"], check=True, preexec_fn=empty.enter)
        for options in ([], ["--max-memory", str(self.least())]):
            limit = self.plan(*options)["peak_bytes"] + empty.peak()
            group = self.group(f"plan-{len(options)}", limit)
            out = self.embed(self.folder / "limited", *options, preexec_fn=group.enter)
            self.assertEqual(out.read_bytes(), self.expected, options)
            self.assertEqual(group.kills(), 0)
            self.assertGreater(group.peak(), 0)

    def test_the_group_is_the_default_limit(self):
        limit = (self.least() + self.plan()["peak_bytes"]) // 2
        group = self.group("default", limit)
        self.assertGreater(self.plan()["peak_bytes"], limit)
        self.assertLessEqual(self.plan(preexec_fn=group.enter)["peak_bytes"], limit)


if __name__ == "__main__":
    unittest.main()
