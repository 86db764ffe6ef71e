"""Fault injection over whole commands: the n-th system call of a kind fails with an errno, for every n and errno.

    faults.py [--most CALLS] [--only COMMAND] [--jobs N]

Each run must end in time: with exit code 0 and the right output, or with another exit code, a message, the old output
whole, no new file and the inputs unchanged. `--most` limits the calls of a kind that fail in turn, evenly spread.
strace injects the faults, from the end of the dynamic loader on.
"""

import argparse
import collections
import concurrent.futures
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from common import CLI, REPOSITORY, Findings, Material, clean_environment, snapshot, write_results
from fake_hub import FakeHub, read_folder

LIMIT_SECONDS = 60
OLD = b"old output\n"
THREADS = {}  # Their numbers.

# The calls that fail, and with what. Those that only release something (munmap, unlink) are left out: their failure
# leaves behind what no program can remove. brk is left out because it has no errno of its own: what strace can return
# for it is success to the C library.
ERRORS = {
    "openat": ["EIO", "EMFILE", "ENOMEM", "EINTR"],
    "newfstatat": ["EIO", "ENOMEM"],
    "statx": ["EIO"],
    "read": ["EIO", "EINTR", "EAGAIN"],
    "pread64": ["EIO", "EINTR"],
    "readv": ["EIO"],
    "write": ["EIO", "ENOSPC", "EINTR", "EAGAIN", "EDQUOT"],
    "pwrite64": ["EIO", "ENOSPC", "EINTR", "EDQUOT"],
    "fsync": ["EIO", "ENOSPC", "EDQUOT"],
    "fdatasync": ["EIO", "ENOSPC", "EDQUOT"],
    "ftruncate": ["EIO", "ENOSPC", "EINTR"],
    "fallocate": ["EIO", "ENOSPC", "EINTR", "EOPNOTSUPP"],
    "rename": ["EIO", "ENOSPC", "EDQUOT"],
    "renameat": ["EIO", "ENOSPC"],
    "renameat2": ["EIO", "ENOSPC"],
    "link": ["EIO", "ENOSPC", "EDQUOT"],
    "linkat": ["EIO", "ENOSPC", "EDQUOT", "ENOENT"],
    "mkdir": ["EIO", "ENOSPC"],
    "close": ["EIO", "EINTR"],
    "flock": ["EINTR", "ENOLCK"],
    "fcntl": ["EMFILE", "ENOLCK"],
    "getdents64": ["EIO"],
    "mmap": ["ENOMEM", "EAGAIN"],
    "mremap": ["ENOMEM"],
    "mprotect": ["ENOMEM"],
    "madvise": ["EAGAIN", "ENOMEM"],
    "clone": ["EAGAIN", "ENOMEM"],
    "clone3": ["EAGAIN", "ENOMEM"],
    "getrandom": ["EINTR"],
    "socket": ["EMFILE", "ENOMEM"],
    "connect": ["ECONNREFUSED", "ETIMEDOUT"],
    "sendto": ["ECONNRESET", "EINTR"],
    "recvfrom": ["ECONNRESET", "EINTR"],
    "sendmsg": ["ECONNRESET", "EINTR", "EAGAIN"],
    "recvmsg": ["ECONNRESET", "EINTR"],
    "accept4": ["EMFILE", "ECONNABORTED", "EINTR"],
    "accept": ["EMFILE", "ECONNABORTED", "EINTR"],
    "listen": ["EADDRINUSE"],
    "bind": ["EADDRINUSE", "EACCES"],
    "poll": ["EINTR"],
    "epoll_create1": ["EMFILE"],
    "epoll_ctl": ["ENOMEM", "ENOSPC"],
    "epoll_wait": ["EINTR"],
    "eventfd2": ["EMFILE"],
    "timerfd_create": ["EMFILE"],
    "pipe2": ["EMFILE"],
}


class Command:
    """A command line to break. `outputs` are files that it writes, over OLD where `replaces`."""

    def __init__(self, name, arguments, outputs=(), replaces=True, stdin=None, environment=None):
        self.name = name
        self.arguments = arguments
        self.outputs = outputs
        self.replaces = replaces
        self.stdin = stdin
        self.environment = environment or {}
        self.expected_stdout = b""
        self.expected_files = {}

    def prepare(self, folder):
        if self.replaces:
            for output in self.outputs:
                (folder / output).write_bytes(OLD)

    def run(self, folder, prefix=()):
        """(exit code or None where it took too long, stdout, stderr)."""
        arguments = [str(part).replace("{}", str(folder)) for part in self.arguments]
        environment = {key: value.replace("{}", str(folder)) for key, value in self.environment.items()}
        process = subprocess.Popen([*prefix, CLI, *arguments], cwd=folder, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
                                   env=clean_environment(HOME=str(folder), **environment))
        try:
            out, error = process.communicate(self.stdin or b"", timeout=LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return None, b"", b""
        return process.returncode, out.replace(str(folder).encode(), b"{}"), error

    def stdout_fits(self, out):
        return out == self.expected_stdout

    def baseline(self, folder):
        self.prepare(folder)
        code, out, error = self.run(folder)
        if code != 0:
            raise RuntimeError(f"{self.name} fails without a fault: {error.decode()}")
        self.expected_stdout = out
        self.expected_files = snapshot(folder)

    def problems(self, folder, before, code, out, error, stderr_broken):
        """What is wrong after a run."""
        if code is None:
            return [f"did not end within {LIMIT_SECONDS} s"]
        now = snapshot(folder)
        if code == 0:
            wrong = [] if self.stdout_fits(out) else ["exit code 0 with another output"]
            return wrong + [f"exit code 0 and {name} is wrong" for name in sorted(now.keys() | self.expected_files.keys())
                            if now.get(name) != self.expected_files.get(name)]
        if code < 0 or code > 128:
            return [f"killed by signal {-code if code < 0 else code - 128}"]
        wrong = [] if error.strip() or stderr_broken else [f"exit code {code} without a message"]
        # A fault after the rename may be reported with the new file in place.
        return wrong + self.left(folder, before, now)

    def left(self, folder, before, now):
        del folder
        return [f"{name} is neither old nor new" for name in before
                if now.get(name) not in (before[name], self.expected_files.get(name))] + \
               [f"{name} is left behind" for name in now if name not in before and name not in self.outputs]


class Remove(Command):
    """rm: one of two models goes."""

    def __init__(self, material):
        super().__init__("rm", ["rm", "one"], environment={"THIMBLE_HOME": "{}/models"})
        self.model = material.model

    def prepare(self, folder):
        (folder / "models").mkdir()
        for name in ("one-q8", "two-q8"):
            shutil.copy(self.model, folder / "models" / f"{name}.safetensors")

    def left(self, folder, before, now):
        return [f"{name} is changed" for name in before if now.get(name, before[name]) != before[name]] + \
               ([] if "models/two-q8.safetensors" in now else ["another model was removed"])


class List(Remove):
    def __init__(self, material):
        super().__init__(material)
        self.name, self.arguments = "list", ["list"]


class Pull(Command):
    """What came before a failure may stay for the next pull, after which nothing else may be there."""

    def __init__(self, hub):
        super().__init__("pull", ["pull", REPOSITORY],
                         environment={"THIMBLE_HOME": "{}/models", "HF_ENDPOINT": hub.url})

    def problems(self, folder, before, code, out, error, stderr_broken):
        if code != 0:
            return super().problems(folder, before, code, out, error, stderr_broken)
        # What it downloaded it may have failed to remove.
        model = next(iter(self.expected_files))
        right = self.stdout_fits(out) and snapshot(folder).get(model) == self.expected_files[model]
        return ([] if right else ["exit code 0 with another output"]) + self.left(folder, before, {})

    def left(self, folder, before, now):
        code, _, error = self.run(folder)
        if code != 0:
            return [f"the next pull fails: {error.decode(errors='replace')}"]
        now = snapshot(folder)
        return [f"after the next pull {name} is wrong or left behind" for name in now.keys() | self.expected_files.keys()
                if now.get(name) != self.expected_files.get(name)]


class Serve(Command):
    """Starts, answers one request, and stops."""

    def __init__(self, material):
        super().__init__("serve", ["serve", "-m", material.model, "--listen", "unix:{}/socket"])
        self.vector = None

    def run(self, folder, prefix=()):
        arguments = [str(part).replace("{}", str(folder)) for part in self.arguments]
        # -D makes strace the child, so that signals go to the server.
        prefix = [prefix[0], "-D", *prefix[1:]] if prefix else []
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen([*prefix, CLI, *arguments], cwd=folder, stdout=log, stderr=log,
                                       stdin=subprocess.DEVNULL, start_new_session=True,
                                       env=clean_environment(HOME=str(folder), THIMBLE_HOME=str(folder / "none")))
            deadline = time.monotonic() + LIMIT_SECONDS / 2
            socket = folder / "socket"
            # Before it says that it listens, a signal ends it. Where that line is what fails, it is long there after 5 s.
            begin = time.monotonic()
            while process.poll() is None and time.monotonic() < deadline:
                if b'"listening"' in os.pread(log.fileno(), 1 << 16, 0):
                    break
                if socket.exists() and time.monotonic() > begin + 5:
                    break
                time.sleep(0.005)
            answers = self.ask(socket) if socket.exists() else b""
            for waited in (LIMIT_SECONDS / 3, 5):
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                try:
                    process.wait(waited)
                    break
                except subprocess.TimeoutExpired:
                    pass
            else:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return None, b"", b""
            log.seek(0)
            return process.returncode, answers, log.read()

    def ask(self, path):
        """The vector that a text gets; b"" where the connection is lost or an error is the answer."""
        import socket
        connection = http.client.HTTPConnection("localhost", timeout=10)
        try:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(10)
            connection.sock.connect(str(path))
            connection.request("POST", "/embed", json.dumps({"inputs": "hello"}))
            reply = connection.getresponse()
            body = reply.read()
            return body if reply.status == 200 else b""
        except (OSError, http.client.HTTPException):
            return b""
        finally:
            connection.close()

    def stdout_fits(self, out):
        return out in (b"", self.expected_stdout)

    def left(self, folder, before, now):
        return []  # The socket of a server that failed is replaced by the next.


def commands(material, hub):
    model, source, texts = material.model, material.source, material.texts
    def embed(name, *more, **rest):
        return Command(name, ["embed", "-m", model, "--threads", "2", *more], **rest)
    few = b"first line\nsecond line\nthird\n"
    return [
        Command("convert", ["convert", source, "{}/out.safetensors", "--no-calibration"],
                outputs=["out.safetensors"]),
        embed("embed -o", "-i", texts, "-o", "{}/out.npy", "--format", "npy", outputs=["out.npy"]),
        embed("embed -i", "-i", texts),
        embed("embed stdin", "-i", "-", stdin=few),
        Command("similar", ["similar", "-m", model, "a query", texts]),
        Command("tokenize", ["tokenize", "-m", model, "hello world"]),
        Command("info", ["info", model]),
        Command("verify", ["verify", model]),
        List(material),
        Remove(material),
        Pull(hub),
        Serve(material),
    ]


def count_calls(command, folder):
    """{call: (of the dynamic loader, the most that one thread makes of it)}; strace counts by thread."""
    log = folder.parent / (folder.name + ".count")
    command.run(folder, ["strace", "-f", "-qq", "-o", str(log), "-e", "trace=munmap," + ",".join(ERRORS)])
    counts = collections.Counter()
    loader = None
    time.sleep(0.1)
    for line in log.read_text(errors="replace").splitlines():
        match = re.match(r"(\d+) +(\w+)\(", line)
        if match and match[2] == "munmap" and loader is None:
            loader = {call: number for (_, call), number in counts.items()}  # It unmaps ld.so.cache at its end.
        elif match and match[2] in ERRORS:
            counts[match[1], match[2]] += 1
    log.unlink()
    calls = {}
    for (_, call), number in counts.items():
        calls[call] = (loader.get(call, 0), max(calls.get(call, (0, 0))[1], number))
    return {call: (first, last) for call, (first, last) in calls.items() if last > first}


def spread(first, last, most):
    """At most `most` of first to last, both among them."""
    if last - first < most:
        return range(first, last + 1)
    return sorted({first + round(index * (last - first) / (most - 1)) for index in range(most)})


def inject(command, material, call, error, number, findings, lock):
    """Whether the fault happened."""
    with lock:
        number_of_thread = THREADS.setdefault(threading.get_ident(), len(THREADS))
    # As long as that of the baseline: tables are as wide as the paths in them.
    folder = material.new_folder(f"run{number_of_thread:02}")
    log = material.folder / f"log{number_of_thread:02}"
    command.prepare(folder)
    before = snapshot(folder)
    prefix = ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={call}", "-e",
              f"inject={call}:error={error}:when={number}"]
    code, out, stderr = command.run(folder, prefix)
    trace = ""
    for _ in range(50):  # With -D strace may write after its child has ended.
        trace = log.read_text(errors="replace") if log.exists() else ""
        if "INJECTED" in trace:
            break
        time.sleep(0.02 if isinstance(command, Serve) else 0)
    injected = [line for line in trace.splitlines() if "INJECTED" in line]
    # Without standard error there is no message.
    stderr_broken = any(re.search(r"(write|close|fcntl)\(2\b", line) for line in injected)
    wrong = command.problems(folder, before, code, out, stderr, stderr_broken)
    if wrong:
        with lock:
            findings.add(f"{command.name}: {call} {number} fails with {error}: {'; '.join(wrong)}",
                         command=" ".join([*prefix[:3], *prefix[5:], CLI, *map(str, command.arguments)]),
                         exit_code=code, injected="\n".join(injected), stderr=stderr.decode(errors="replace"),
                         stdout=out[:2000].decode(errors="replace"))
    if log.exists():
        log.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    return bool(injected), not wrong, code == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--most", type=int, default=40)
    parser.add_argument("--only", action="append")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--errors", type=int, default=99, help="of each call")
    options = parser.parse_args()

    begin = time.monotonic()
    findings = Findings("faults")
    lock = threading.Lock()
    material = Material(lines=60)
    hub = FakeHub({REPOSITORY: read_folder(material.source)})
    results = {"most": options.most, "errors": min(options.errors, max(map(len, ERRORS.values()))), "commands": {}}
    try:
        for command in commands(material, hub):
            if options.only and command.name not in options.only:
                continue
            if command.name == "serve" and subprocess.run([CLI, "serve", "--help"], capture_output=True).returncode != 0:
                continue
            command.baseline(material.new_folder("first"))
            folder = material.new_folder("count")
            command.prepare(folder)
            calls = count_calls(command, folder)
            jobs = [(call, error, number) for call, (loader, last) in sorted(calls.items())
                    for error in ERRORS[call][:options.errors] for number in spread(loader + 1, last, options.most)]
            with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
                done = list(pool.map(lambda job: inject(command, material, *job, findings, lock), jobs))
            faults = sum(happened for happened, _, _ in done)
            fine = sum(happened and survived for happened, survived, _ in done)
            complete = sum(happened and survived and zero for happened, survived, zero in done)
            results["commands"][command.name] = {"faults": faults, "survived": fine, "completed": complete,
                                                 "calls": len(calls)}
            print(f"faults: {command.name}: {faults} injected, {fine} survived, {complete} of these with the right output",
                  flush=True)
            if changed := material.changed():
                findings.add(f"{command.name}: inputs changed: {changed}")
                material.before = snapshot(material.inputs)
            # After each command, so that a run that is ended keeps what it has.
            results["seconds"] = round(time.monotonic() - begin)
            write_results("faults", results, findings)
    finally:
        hub.close()
        material.close()
    return write_results("faults", results, findings)


if __name__ == "__main__":
    sys.exit(main())
