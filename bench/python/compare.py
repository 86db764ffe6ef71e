"""thimble beside other Python libraries: compare.py RESULT.json --folder FOLDER --model FILE --data FOLDER [--texts N]

FOLDER is what prepare.py made; run it with the python that has the libraries. Each library has a process on the same processors.
The texts are embedded in blocks, one library after the other, so that a ratio compares what ran within seconds. Memory and
starts are those above a python that only reads the same texts.
"""

import argparse
import contextlib
import importlib.metadata
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import texts as corpus  # noqa: E402
from libraries import BARE, OWN, PACKAGES, REFERENCE, STARTS  # noqa: E402


def private(pid):
    """Bytes of memory without a file behind it."""
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/{pid}/smaps_rollup: expected a line Anonymous")


def command(name, options, texts, *more):
    return [sys.executable, str(HERE / "worker.py"), *more, name, str(options.folder), str(options.model),
            str(options.threads), str(texts)]


class Library:
    def __init__(self, name, options, texts):
        self.name, self.seconds, self.peak = name, [], 0
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command(name, options, texts), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, text=True, bufsize=1)
        self.sampled(lambda: self.expect("ready"))

    def sampled(self, work):
        """Calls `work` and watches the memory meanwhile, which would slow down what is timed."""
        ended = threading.Event()

        def sample():
            while not ended.wait(0.02) and self.process.poll() is None:
                with contextlib.suppress(OSError):
                    self.peak = max(self.peak, private(self.process.pid))

        thread = threading.Thread(target=sample)
        thread.start()
        try:
            work()
        finally:
            ended.set()
            thread.join()

    def expect(self, what=None):
        line = self.process.stdout.readline().strip()
        if not line or what and line != what:
            self.log.seek(0)
            raise RuntimeError(f"{self.name}: expected {what or 'seconds'}, found {line!r}\n{self.log.read()[-2000:]}")
        return line

    def embed(self, *line):
        self.process.stdin.write(" ".join(map(str, line)) + "\n")
        return float(self.expect())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def starts(options, texts, count):
    """{name: milliseconds of each start}, one library after the other."""
    found = {name: [] for name in STARTS}
    for turn in range(count + 1):
        for name in STARTS:
            before = time.perf_counter()
            subprocess.run(command(name, options, texts, "--start"), check=True, capture_output=True)
            if turn:  # The first one reads files that the page cache may not have.
                found[name].append((time.perf_counter() - before) * 1e3)
    return found


def cosines(folder, libraries, end):
    import numpy

    vectors = {}
    for library in libraries:
        path = folder / "vectors.npy"
        library.embed("save", path, 0, end)
        found = numpy.load(path).astype(numpy.float32)
        vectors[library.name] = found / numpy.linalg.norm(found, axis=1, keepdims=True)
    return {name: float((found * vectors[REFERENCE]).sum(axis=1).mean()) for name, found in vectors.items()}


def version(name):
    package = PACKAGES[name]
    if not package:
        return "thimble " + (HERE.parent.parent / "VERSION").read_text().strip()
    first = f"sentence-transformers {importlib.metadata.version('sentence-transformers')}, " if "sentence" in name else ""
    return f"{first}{package} {importlib.metadata.version(package)}"


def processor():
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("result", type=pathlib.Path)
    for name in ("folder", "model", "data"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    parser.add_argument("--texts", type=int, default=10_000)
    parser.add_argument("--block", type=int, default=500)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--starts", type=int, default=11)
    options = parser.parse_args()
    load = os.getloadavg()[0]

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        texts = corpus.mixed(options.data, options.texts)
        path = folder / "texts.json"
        path.write_text(json.dumps(texts), encoding="utf-8")
        print("starts", file=sys.stderr)
        begun = starts(options, path, options.starts)
        libraries = [Library(name, options, path) for name in STARTS]
        bare, *compared = libraries
        for begin in range(0, len(texts), options.block):
            end = min(begin + options.block, len(texts))
            print(f"texts {begin} to {end} of {len(texts)}", file=sys.stderr)
            for library in compared:
                library.seconds.append(library.embed(begin, end))
        for library in libraries:
            library.sampled(lambda: library.embed(0, min(options.block, len(texts))))
        near = cosines(folder, compared, min(200, len(texts)))
        for library in libraries:
            library.close()

    own = next(library for library in compared if library.name == OWN)
    at_rest = statistics.median(begun[BARE])
    rows = [{"name": library.name, "version": version(library.name), "texts_per_s": len(texts) / sum(library.seconds),
             "ratio": statistics.median(theirs / ours for theirs, ours in zip(library.seconds, own.seconds)),
             "private": library.peak - bare.peak, "start_ms": statistics.median(begun[library.name]) - at_rest,
             "cosine": near[library.name]} for library in compared]
    result = {"processor": processor(), "cpus": os.cpu_count(), "load": load, "threads": options.threads, "texts": len(texts),
              "blocks": len(own.seconds), "starts": options.starts,
              "bare": {"private": bare.peak, "start_ms": at_rest}, "rows": rows}
    options.result.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
