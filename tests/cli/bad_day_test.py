"""What a user's files survive: outputs that are inputs, closed descriptors, signals, kill -9, folders without rights."""

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import resource
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import unittest

import need
import small_models

CLI = os.environ["THIMBLE_CLI"]
SANITIZED = "-fsanitize" in os.environ.get("THIMBLE_CXX_FLAGS", "")
NOBODY = 65534

# As a file system or a kernel that makes no files without a name.
NO_UNNAMED_FILES = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>
static int Open(const char* path, int flags, int mode) {
  if ((flags & O_TMPFILE) == O_TMPFILE) {
    errno = EOPNOTSUPP;
    return -1;
  }
  return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}
#define DEFINE(name)                                 \
  int name(const char* path, int flags, ...) {       \
    va_list arguments;                               \
    va_start(arguments, flags);                      \
    int mode = flags & O_CREAT ? va_arg(arguments, int) : 0; \
    va_end(arguments);                               \
    return Open(path, flags, mode);                  \
  }
DEFINE(open)
DEFINE(open64)
"""


def setUpModule():
    global folder, model, shim
    folder = small_models.make()
    folder.chmod(0o755)  # For the tests without root's rights.
    model = folder / "q8.safetensors"
    shim = None
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler and not SANITIZED:
        (folder / "shim.c").write_text(NO_UNNAMED_FILES)
        shim = str(folder / "shim.so")
        subprocess.run([compiler, "-shared", "-fPIC", "-w", "-o", shim, folder / "shim.c"], check=True)


def run(*arguments, **options):
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([CLI, *map(str, arguments)], stdout=options.pop("stdout", subprocess.PIPE),
                          stderr=subprocess.PIPE, timeout=120, **options)


def run_traced(*options, arguments):
    """thimble embed with injected faults."""
    if SANITIZED:
        raise unittest.SkipTest("a sanitizer traces too")
    need.here(shutil.which("strace"), "strace")
    if subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode != 0:
        raise unittest.SkipTest("may not trace")
    child = subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", *map(str, options), CLI, "embed",
                              *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             start_new_session=True)
    try:
        stdout, stderr = child.communicate(timeout=60)
        return subprocess.CompletedProcess(child.args, child.returncode, stdout, stderr)
    finally:
        try:
            os.killpg(child.pid, signal.SIGKILL)  # Otherwise the traced command would keep running.
        except ProcessLookupError:
            pass


def hashes(where):
    return {str(path.relative_to(where)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(where.rglob("*")) if path.is_file()}


def unprivileged():
    """For preexec_fn: root may write anywhere."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


class BadDay(unittest.TestCase):
    def setUp(self):
        where = tempfile.TemporaryDirectory()
        self.addCleanup(where.cleanup)
        self.where = pathlib.Path(where.name)
        self.where.chmod(0o755)
        self.source = self.where / "source"
        shutil.copytree(folder / "source", self.source)
        self.model = self.where / "model.safetensors"
        shutil.copy(model, self.model)
        self.lines = self.where / "lines.txt"
        self.lines.write_text("a line\n" * 100)

    def check_refused(self, *arguments, names=(), **options):
        before = hashes(self.where)
        result = run(*arguments, **options)
        self.assertEqual((result.returncode, result.stdout or b""), (2, b""), (arguments, result.stderr))
        for name in names:
            self.assertIn(str(name).encode(), result.stderr)
        self.assertEqual(hashes(self.where), before, arguments)

    def links_to(self, path):
        symbolic, hard = self.where / "symbolic.safetensors", self.where / "hard.safetensors"
        for link in (symbolic, hard):
            link.unlink(missing_ok=True)
        symbolic.symlink_to(path)
        os.link(path, hard)
        return path, symbolic, hard


class OutputIsInput(BadDay):
    def test_convert(self):
        for name in ("model.safetensors", "tokenizer.json", "config.json", "1_Pooling/config.json"):
            for path in self.links_to(self.source / name):
                self.check_refused("convert", self.source, path, "--no-calibration",
                                   names=(path, self.source / name))
        texts = self.where / "texts.txt"
        texts.write_text("a text\n" * 10)
        for path in self.links_to(texts):
            self.check_refused("convert", self.source, path, "--calibrate", texts, names=(path, texts))
        relative = run("convert", "source", "./source/../source/model.safetensors", cwd=self.where)
        self.assertEqual(relative.returncode, 2, relative.stderr)

    def test_convert_to_a_file_that_the_next_conversion_would_read(self):
        self.check_refused("convert", self.source, self.source / "added_tokens.json", names=["added_tokens.json"])
        self.assertEqual(run("convert", self.source, self.source / "q8.safetensors", "--no-calibration").returncode, 0)
        self.assertEqual(run("convert", self.source, self.where / "again", "--no-calibration").returncode, 0)

    def test_embed(self):
        for path in self.links_to(self.model):
            self.check_refused("embed", "-m", self.model, "a", "-o", path, names=(path, self.model))
            self.check_refused("embed", "-m", path, "a", "-o", self.model, names=(path, self.model))
        for path in self.links_to(self.lines):
            self.check_refused("embed", "-m", self.model, "-i", self.lines, "-o", path, names=(path, self.lines))
            with open(self.lines) as stdin:
                self.check_refused("embed", "-m", self.model, "-i", "-", "-o", path, names=[path], stdin=stdin)

    def test_a_model_by_its_name(self):
        home = self.where / "home"
        home.mkdir()
        named = home / "tiny-q8.safetensors"
        shutil.copy(model, named)
        environment = {**os.environ, "THIMBLE_HOME": str(home)}
        self.check_refused("embed", "-m", "tiny", "a", "-o", named, names=[named], env=environment)
        self.assertEqual(run("embed", "-m", "tiny", "a", "-o", home / "out", env=environment).returncode, 0)

    def test_appending_to_what_is_read(self):
        for path, arguments in ((self.lines, ("embed", "-m", self.model, "-i", self.lines)),
                                (self.lines, ("tokenize", "-m", self.model, "-i", self.lines)),
                                (self.lines, ("similar", "-m", self.model, "a", self.lines)),
                                (self.model, ("embed", "-m", self.model, "a")),
                                (self.model, ("tokenize", "-m", self.model, "a")),
                                (self.model, ("info", self.model)), (self.model, ("plan", self.model)),
                                (self.model, ("verify", self.model))):
            if SANITIZED and arguments[0] == "plan":
                continue  # A sanitizer's memory is beyond every plan.
            with open(path, "ab") as stdout:
                self.check_refused(*arguments, stdout=stdout, preexec_fn=self.bound_output, names=[path])
        with open(self.lines) as stdin, open(self.lines, "ab") as stdout:
            self.check_refused("embed", "-m", self.model, "-i", "-", stdin=stdin, stdout=stdout,
                               preexec_fn=self.bound_output)

    @staticmethod
    def bound_output():
        resource.setrlimit(resource.RLIMIT_FSIZE, (10 << 20, 10 << 20))  # What grows without end.

    def test_pull(self):
        """A source that lies where models do, with a shard that has the name of a model."""
        home = self.where / "home"
        shutil.copytree(self.source, home / "acme")
        weights = home / "acme/tiny-q8.safetensors"
        (home / "acme/model.safetensors").rename(weights)
        header = weights.read_bytes()[8:8 + int.from_bytes(weights.read_bytes()[:8], "little")]
        names = [name for name in json.loads(header) if name != "__metadata__"]
        (home / "acme/model.safetensors.index.json").write_text(
            json.dumps({"weight_map": {name: weights.name for name in names}}))
        before = hashes(self.where)
        result = run("pull", home / "acme", "--name", "acme/tiny", "--force",
                     env={**os.environ, "THIMBLE_HOME": str(home)})
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn(str(weights).encode(), result.stderr)
        self.assertEqual({name: hash_ for name, hash_ in hashes(self.where).items() if name in before}, before)

    def test_names_of_folders_and_no_names(self):
        empty = self.where / "empty"
        empty.mkdir()
        self.check_refused("convert", self.source, empty, names=[empty])
        self.check_refused("convert", self.source, "")
        self.check_refused("embed", "-m", self.model, "a", "-o", "", names=["--output"])
        self.assertEqual(run("embed", "-m", self.model, "a", "-o", empty).returncode, 1)
        fifo = self.where / "fifo"
        os.mkfifo(fifo)
        self.assertEqual(run("convert", self.source, fifo, "--no-calibration").returncode, 2)
        self.assertTrue(stat.S_ISFIFO(fifo.stat().st_mode))

    def test_other_outputs_work(self):
        for path in (self.where / "new", self.source / "new"):
            self.assertEqual(run("embed", "-m", self.model, "-i", self.lines, "-o", path).returncode, 0)
            self.assertEqual(path.read_bytes().count(b"\n"), 100)
        for device in ("/dev/null", "/dev/stdout"):
            self.assertEqual(run("embed", "-m", self.model, "-i", self.lines, "-o", device).returncode, 0)


class Descriptors(BadDay):
    @staticmethod
    def closing(*files):
        return lambda: [os.close(file) for file in files]

    def test_closed_input_is_not_the_model(self):
        for command in (("embed", "-m", self.model, "-i", "-"), ("tokenize", "-m", self.model, "-i", "-"),
                        ("similar", "-m", self.model, "a", "-")):
            result = run(*command, stdin=None, preexec_fn=self.closing(0))
            self.assertEqual((result.returncode, result.stdout), (1, b""), command)
            self.assertIn(b"cannot read standard input: Bad file descriptor", result.stderr)

    def test_closed_output_is_an_error(self):
        for command in (("embed", "-m", self.model, "a"), ("info", self.model), ("--version",), ("--help",),
                        ("embed", "--help")):
            result = run(*command, stdout=None, preexec_fn=self.closing(1))
            self.assertEqual(result.returncode, 1, command)
            self.assertIn(b"standard output", result.stderr)

    def test_files_are_written_with_all_closed(self):
        expected, out = self.where / "expected", self.where / "out"
        self.assertEqual(run("embed", "-m", self.model, "-i", self.lines, "-o", expected).returncode, 0)
        command = [CLI, "embed", "-m", str(self.model), "-i", str(self.lines), "-o", str(out)]
        closed = subprocess.Popen(command, preexec_fn=self.closing(0, 1, 2))
        self.assertEqual(closed.wait(60), 0)
        self.assertEqual(out.read_bytes(), expected.read_bytes())

    def test_waits_for_pipes_that_do_not_block(self):
        texts = b"a line of text\n" * 3000
        expected = run("embed", "-m", self.model, "-i", "-", "--format", "f32", input=texts, stdin=None).stdout
        self.assertEqual(len(expected), 3000 * 64 * 4)
        (in_read, in_write), (out_read, out_write) = os.pipe(), os.pipe()
        for file in (in_read, out_write):
            os.set_blocking(file, False)
        with subprocess.Popen([CLI, "embed", "-m", self.model, "-i", "-", "--format", "f32"], stdin=in_read,
                              stdout=out_write, stderr=subprocess.PIPE) as child:
            os.close(in_read)
            os.close(out_write)
            with open(in_write, "wb", buffering=0) as stdin:
                for begin in range(0, len(texts), len(texts) // 10):
                    stdin.write(texts[begin:begin + len(texts) // 10])
                    time.sleep(0.02)
            time.sleep(0.2)  # Until the pipe is full.
            with open(out_read, "rb") as stdout:
                found = stdout.read()
            self.assertEqual((child.stderr.read(), child.wait(60)), (b"", 0))
        self.assertEqual(found, expected)

    def test_a_write_of_no_bytes_is_an_error(self):
        out = self.where / "fifo"
        os.mkfifo(out)
        reader = os.open(out, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        result = run_traced("-P", out, "-e", "inject=write:retval=0", arguments=("-m", self.model, "a", "-o", out))
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn(b"wrote 0 of", result.stderr)

    def test_a_size_limit_is_an_error_that_leaves_the_old_file(self):
        out = self.where / "out"
        out.write_text("old")
        before = hashes(self.where)
        for command in (("embed", "-m", self.model, "-i", self.lines, "-o", out),
                        ("convert", self.source, out, "--no-calibration")):
            limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))
            result = run(*command, preexec_fn=limit)
            self.assertEqual(result.returncode, 1, (command, result.stderr))
            self.assertIn(b"File too large", result.stderr)
            self.assertEqual(hashes(self.where), before)

    def test_a_descriptor_by_its_path_is_written_where_it_is(self):
        out = self.where / "log"
        out.write_text("before\n")
        for path in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
            with open(out, "ab") as stdout:
                self.assertEqual(run("embed", "-m", self.model, "a", "-o", path, stdout=stdout).returncode, 0)
        lines = out.read_text().splitlines()
        self.assertEqual((lines[0], len(lines)), ("before", 4))


class Leftovers(BadDay):
    """Of commands that are ended while they have a temporary file open."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def setUp(self):
        super().setUp()
        self.home = self.where / "home"
        self.home.mkdir()
        self.out = self.where / "out"
        self.out.write_text("old")
        self.environment = {**os.environ, "THIMBLE_HOME": str(self.home)}
        for name in ("HF_HUB_CACHE", "HF_HOME"):
            self.environment[name] = str(self.where / "none")

    def start(self, *arguments, **options):
        child = subprocess.Popen([CLI, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE, env=self.environment, cwd=self.where, **options)
        self.addCleanup(child.stdin.close)
        self.addCleanup(child.stderr.close)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    def start_embed(self):
        child = self.start("embed", "-m", self.model, "-i", "-", "-o", self.out)
        child.stdin.write(b"a line\n" * 1000)
        child.stdin.flush()
        self.wait_for_file(child)
        return child

    def wait_for_file(self, child, where=None):
        """Until it has a file open for writing, with or without a name."""
        for _ in range(5000):
            for link in pathlib.Path(f"/proc/{child.pid}/fd").iterdir():
                try:
                    path = str(link.readlink())
                    if path.startswith(str(where or self.where)) and not path.endswith(".lock"):
                        flags = pathlib.Path(f"/proc/{child.pid}/fdinfo/{link.name}").read_text()
                        if int(flags.split("flags:")[1].split()[0], 8) & os.O_ACCMODE == os.O_RDWR:
                            return
                except OSError:
                    continue
            if child.poll() is not None:
                return
            time.sleep(0.001)
        self.fail("no file was opened")

    def paths(self):
        return sorted(str(path.relative_to(self.where)) for path in self.where.rglob("*"))

    def commands(self):
        yield self.start_embed
        for command in (("convert", self.source, self.out), ("pull", self.source, "--name", "acme/tiny")):
            def start(command=command):
                child = self.start(*command)
                self.wait_for_file(child)
                return child
            yield start

    def check_signals(self):
        before, ended = self.paths(), 0
        for start in self.commands():
            for number in self.SIGNALS:
                child = start()
                child.send_signal(number)
                code = child.wait(60)
                self.assertIn(code, (-number, 0), child.stderr.read())
                if code == 0:  # It was faster.
                    shutil.rmtree(self.home)
                    self.home.mkdir()
                    self.out.write_text("old")
                    continue
                ended += 1
                self.assertEqual(self.out.read_text(), "old")
                self.assertEqual(self.paths(), before)
        self.assertGreater(ended, len(self.SIGNALS))

    def test_signals(self):
        self.check_signals()

    def without_unnamed_files(self):
        if SANITIZED:
            self.skipTest("a sanitizer must be loaded first")
        need.here(shim, "a C compiler")
        self.environment["LD_PRELOAD"] = shim

    def test_signals_where_files_need_names(self):
        self.without_unnamed_files()
        self.check_signals()

    def test_ignored_signals_stay_ignored(self):
        child = self.start("embed", "-m", self.model, "-i", "-", "-o", self.out,
                           preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        child.stdin.write(b"a line\n" * 10)
        child.stdin.flush()
        self.wait_for_file(child)
        child.send_signal(signal.SIGHUP)
        child.stdin.close()
        self.assertEqual(child.wait(60), 0)
        self.assertEqual(self.out.read_bytes().count(b"\n"), 10)

    def kill_at_random(self, start, where=None):
        for round_ in range(10):
            child = start()
            self.wait_for_file(child, where)
            time.sleep(0.003 * round_)
            child.kill()
            child.wait(60)
            yield

    def test_killed(self):
        """On the file system of the temporary folder and in memory."""
        places = [self.where] + ([pathlib.Path("/dev/shm")] if os.access("/dev/shm", os.W_OK) else [])
        for place in places:
            with tempfile.TemporaryDirectory(dir=place) as name:
                out = pathlib.Path(name) / "out"
                out.write_text("old")
                try:
                    os.close(os.open(name, os.O_TMPFILE | os.O_WRONLY))
                except OSError:
                    continue
                for _ in self.kill_at_random(lambda: self.start("convert", self.source, out), name):
                    names = os.listdir(name)
                    self.assertIn("out", names)
                    # Between two system calls the file has a name of its own; the next run removes it.
                    self.assertLessEqual(len(names), 2)
                self.assertEqual(run("convert", self.source, out).returncode, 0)
                self.assertEqual(os.listdir(name), ["out"])

    def test_killed_where_files_need_names(self):
        self.without_unnamed_files()
        before = self.paths()
        child = self.start_embed()
        living = [name for name in self.paths() if name not in before]
        self.assertEqual(len(living), 1)
        self.assertRegex(living[0], r"^out\.thimble-[a-z0-9]{8}\.tmp$")
        # Another process at work on the same file leaves it alone, and so does one on another file.
        for path in (self.out, self.where / "out2"):
            self.assertEqual(run("embed", "-m", self.model, "a", "-o", path, env=self.environment).returncode, 0)
            self.assertTrue((self.where / living[0]).exists())
        (self.where / "out2").unlink()
        (self.where / "out.thimble-mine.tmp").write_text("mine")  # Not a name of ours.
        child.kill()
        child.wait(60)
        self.assertTrue((self.where / living[0]).exists())
        self.assertEqual(run("embed", "-m", self.model, "a", "-o", self.out, env=self.environment).returncode, 0)
        (self.where / "out.thimble-mine.tmp").unlink()
        self.assertEqual(self.paths(), before)

    def test_killed_pulls(self):
        for _ in self.kill_at_random(lambda: self.start("pull", self.source, "--name", "acme/tiny", "--force")):
            pass
        # A pull of something else removes what they left beside models and records.
        other = self.where / "other"
        shutil.copytree(self.source, other)
        result = run("pull", other, "--name", "acme/other", env=self.environment, cwd=self.where)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertFalse((self.home / ".pull").exists(), self.paths())
        result = run("pull", self.source, "--name", "acme/tiny", env=self.environment, cwd=self.where)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual([name for name in self.paths() if "tmp" in name or ".new" in name], [])

    def test_two_processes_at_once(self):
        for preload in (None, shim):
            if preload:
                self.environment["LD_PRELOAD"] = preload
            children = [self.start("embed", "-m", self.model, "-i", self.lines, "-o", self.out) for _ in range(8)]
            ends = [(child.wait(60), child.stderr.read()) for child in children]
            self.assertIn((0, b""), ends)
            for code, said in ends:
                self.assertTrue((code, said) == (0, b"") or (code == 1 and b"another process" in said), said)
            self.assertEqual(self.out.read_bytes().count(b"\n"), 100)
            self.assertEqual([name for name in self.paths() if name.startswith("out")], ["out", "out.manifest.json"])


class Replacing(BadDay):
    def embed_to(self, path, **options):
        result = run("embed", "-m", self.model, "a", "-o", path, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stderr.decode()

    def test_keeps_mode_and_owner(self):
        out = self.where / "out"
        for preload in (None, shim):
            environment = {**os.environ, **({"LD_PRELOAD": preload} if preload else {})}
            for mode in (0o600, 0o640, 0o666, 0o444, 0o755):
                out.write_text("old")
                out.chmod(mode)
                if os.geteuid() == 0:
                    os.chown(out, 1234, 2345)
                    out.chmod(mode | stat.S_ISUID | stat.S_ISGID)
                before = out.stat()
                self.assertEqual(self.embed_to(out, env=environment), "")
                after = out.stat()
                self.assertEqual((after.st_uid, after.st_gid), (before.st_uid, before.st_gid))
                self.assertEqual(oct(stat.S_IMODE(after.st_mode)), oct(mode))  # Without the bits for programs.
                self.assertNotEqual(after.st_ino, before.st_ino)
                out.unlink()
        self.embed_to(out, umask=0o077)
        self.assertEqual(stat.S_IMODE(out.stat().st_mode), 0o600)

    @unittest.skipUnless(os.geteuid() == 0, "needs root to give files away")
    def test_is_not_opened_to_another_group(self):
        self.where.chmod(0o777)
        out = self.where / "out"
        out.write_text("old")
        os.chown(out, 0, 0)
        for mode, expected in ((0o660, 0o600), (0o664, 0o644), (0o666, 0o666)):
            out.chmod(mode)
            os.chown(out, 0, 0)
            self.embed_to(out, preexec_fn=unprivileged)
            self.assertEqual(out.stat().st_uid, NOBODY)
            self.assertEqual(oct(stat.S_IMODE(out.stat().st_mode)), oct(expected))

    def test_makes_the_file_behind_a_link(self):
        (self.where / "there").mkdir()
        link, second = self.where / "link", self.where / "second"
        link.symlink_to("there/file")
        second.symlink_to(link)
        for _ in range(2):  # First there is none.
            self.embed_to(second)
            self.assertTrue(link.is_symlink() and second.is_symlink())
            self.assertFalse((self.where / "there/file").is_symlink())
        (self.where / "loop").symlink_to("loop")
        self.assertEqual(run("embed", "-m", self.model, "a", "-o", self.where / "loop").returncode, 1)
        self.assertTrue((self.where / "loop").is_symlink())

    def test_writes_in_place_where_no_file_can_be_made(self):
        closed, sticky = self.where / "closed", self.where / "sticky"
        for place, mode in ((closed, 0o555), (sticky, 0o1777)):
            if mode == 0o1777 and os.geteuid() != 0:
                continue
            place.mkdir()
            out = place / "out"
            for command in (("embed", "-m", self.model, "-i", self.lines, "--format", "f32", "-o", out),
                            ("convert", self.source, out, "--no-calibration")):
                expected = self.where / "expected"
                self.assertEqual(run(*[expected if part is out else part for part in command]).returncode, 0)
                for old in (b"old", b"x" * 3000000):
                    out.write_bytes(old)
                    out.chmod(0o666)
                    place.chmod(mode)
                    inode = out.stat().st_ino
                    result = run(*command, preexec_fn=unprivileged)
                    place.chmod(0o755)
                    self.assertEqual(result.returncode, 0, result.stderr)
                    self.assertEqual(out.read_bytes(), expected.read_bytes())
                    self.assertEqual(out.stat().st_ino, inode)
                    self.assertIn(b"overwritten in place", result.stderr)
                    self.assertEqual(result.stderr.count(b"\n"), 1)
                    with contextlib.suppress(FileNotFoundError):
                        (place / "out.manifest.json").unlink()
                    self.assertEqual(os.listdir(place), ["out"])
        out = closed / "out"
        out.chmod(0o444)
        closed.chmod(0o555)
        before = hashes(self.where)
        result = run("embed", "-m", self.model, "a", "-o", out, preexec_fn=unprivileged)
        closed.chmod(0o755)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"Permission denied", result.stderr)
        self.assertEqual(hashes(self.where), before)

    def test_is_copied_where_a_file_without_a_name_cannot_get_one(self):
        out, expected = self.where / "out", self.where / "expected"
        self.embed_to(expected)
        for _ in range(2):  # A new name, and one that is taken.
            result = run_traced("-e", "inject=linkat:error=EPERM", arguments=("-m", self.model, "a", "-o", out))
            self.assertEqual((result.returncode, result.stderr), (0, b""))
            self.assertEqual(out.read_bytes(), expected.read_bytes())
            self.assertEqual([name for name in os.listdir(self.where) if name.startswith("out")], ["out"])
            out.write_text("old")
            out.chmod(0o640)

    def test_full_disk_leaves_the_old_file(self):
        mounted = self.where / "full"
        mounted.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", mounted]
        if subprocess.run(command, capture_output=True).returncode != 0:
            self.skipTest("may not mount")
        self.addCleanup(subprocess.run, ["umount", mounted], check=True)
        out = mounted / "out"
        out.write_text("old")
        out.chmod(0o666)
        for preexec in (None, unprivileged):  # In a temporary file, and in place.
            result = run("embed", "-m", self.model, "-i", self.lines, "-o", out, preexec_fn=preexec)
            self.assertEqual(result.returncode, 1)
            self.assertIn(b"No space left", result.stderr)
            self.assertEqual((out.read_text(), os.listdir(mounted)), ("old", ["out"]))

    def test_a_home_without_rights(self):
        home = self.where / "home"
        home.mkdir()
        home.chmod(0o555)
        environment = {**os.environ, "THIMBLE_HOME": str(home), "HF_HUB_CACHE": str(self.where / "none")}
        result = run("pull", self.source, "--name", "acme/tiny", env=environment, cwd=self.where,
                     preexec_fn=unprivileged)
        home.chmod(0o755)
        self.assertEqual(result.returncode, 1)
        self.assertIn(str(home).encode(), result.stderr)
        self.assertEqual(os.listdir(home), [])

    def test_removing_a_model_in_use(self):
        home = self.where / "home"
        home.mkdir()
        shutil.copy(model, home / "tiny-q8.safetensors")
        environment = {**os.environ, "THIMBLE_HOME": str(home)}
        with subprocess.Popen([CLI, "embed", "-m", "tiny", "-i", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              env=environment) as child:
            child.stdin.write(b"a line\n")
            child.stdin.flush()
            first = child.stdout.readline()
            self.assertEqual(run("rm", "tiny", env=environment).returncode, 0)
            child.stdin.write(b"a line\n")
            child.stdin.close()
            self.assertEqual(json.loads(child.stdout.read()), json.loads(first))
            self.assertEqual(child.wait(60), 0)


if __name__ == "__main__":
    unittest.main()
