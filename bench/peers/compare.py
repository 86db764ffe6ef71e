"""Measures thimble beside its peers in one run, and writes JSON for bench/peers/report.py: compare.py OUTPUT [options]

Every peer is a process of its own (the protocol is in serve.py) that loads the model once. Rounds go over the shapes, and
in each of them over the peers, so that what the machine does meanwhile meets all of them. Exit code 1 when thimble itself
could not be measured; a peer that cannot run, or that --isa does not hold, is named with the reason.
"""

import argparse
import array
import dataclasses
import json
import math
import os
import pathlib
import select
import statistics
import subprocess
import sys
import tempfile
import time

import corpus
import held

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "bench/quality"))
import measures

OWN = "thimble q8"
# The first of these that runs is what the others' vectors are compared with.
REFERENCES = ("sentence-transformers fp32", "onnxruntime fp32", "thimble fp32")
SHAPES = {"8": (1, 8), "16": (1, 16), "32": (1, 32), "64": (1, 64), "128": (1, 128), "256": (1, 256), "8x16": (8, 16),
          "8x32": (8, 32), "32x16": (32, 16), "32x128": (32, 128)}
BATCHES = (1, 8, 32, 128)
# Texts of the corpus on which the best batch size is looked for, upwards until one takes LOST times the least so far.
SAMPLE, LOST = 192, 1.25
# How long a peer may take to load, or to answer, in seconds.
PATIENCE = 600
# A pause before each measurement, in which the threads of the peer before go to sleep.
PAUSE = 0.03
# A visit of a peer lasts this long at least, in seconds; calls of more than SLOW milliseconds are not warmed up again.
VISIT, SLOW = 0.03, 100
# Seconds of a request in which a peer is watched, if it is held to an instruction set.
WATCHED = 0.3


@dataclasses.dataclass
class Entry:
    name: str
    command: list  # With {threads}.
    needs: tuple = ()  # Steps of prepare.py.
    missing: str = ""  # Why it cannot be tried.
    environment: dict = dataclasses.field(default_factory=dict)


class PeerError(Exception):
    pass


def environment(threads, work):
    """Exactly so many threads in every library, and no network."""
    number = str(threads)
    result = {name: value for name, value in os.environ.items()
              if name not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}  # They slow a current numpy.
    for library in ("OMP", "MKL", "OPENBLAS", "RAYON"):
        result[f"{library}_NUM_THREADS"] = number
    result |= {"TOKENIZERS_PARALLELISM": "false" if threads == 1 else "true", "HF_HUB_OFFLINE": "1",
               "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HOME": str(work / "hub"),
               "PYTHONDONTWRITEBYTECODE": "1"}
    return result


class Peer:
    """A running peer."""

    def __init__(self, entry, threads, options):
        self.name = entry.name
        if entry.missing:
            raise PeerError(entry.missing)
        cpus = sorted(os.sched_getaffinity(0))[:threads]
        if len(cpus) < threads:
            raise PeerError(f"{threads} threads on {len(cpus)} CPUs")
        log = options.work / "logs" / f"{entry.name.replace(' ', '-')}-{threads}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [str(part).format(threads=threads) for part in entry.command]
        with open(log, "w") as file:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file,
                env=environment(threads, options.work) | entry.environment, preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        self.rest = b""
        try:
            self.facts = self.read()
        except PeerError:
            self.close()
            raise
        self.slow = {}  # (shape, kind) -> the least ms of its last visit.

    def read(self, meanwhile=None):
        """The next answer. MEANWHILE is called again and again until it comes, after as many seconds as it returned."""
        until = time.monotonic() + PATIENCE
        while b"\n" not in self.rest:
            left = until - time.monotonic()
            if left <= 0:
                raise PeerError(f"no answer within {PATIENCE} s")
            if not select.select([self.process.stdout], [], [], meanwhile() if meanwhile else left)[0]:
                continue
            part = os.read(self.process.stdout.fileno(), 1 << 16)
            if not part:
                raise PeerError(f"its process ended with code {self.process.wait()}")
            self.rest += part
        line, _, self.rest = self.rest.partition(b"\n")
        answer = json.loads(line)
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer

    def ask(self, meanwhile=None, **request):
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            raise PeerError(f"its process ended with code {self.process.wait()}") from None
        return self.read(meanwhile)

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def entries(options):
    """All that is measured, in the order of the tables."""
    result = []
    for dtype in ("q8", "q6", "q4", "fp32"):
        model = options.models / f"all-MiniLM-L6-v2-{dtype}.safetensors"
        result.append(Entry(f"thimble {dtype}", [options.thimble, model, "{threads}"]))
    no_python = "" if options.python else "its Python packages could not be installed"
    for name, needs in (("OpenVINO int8, compiled ahead", ("openvino",)), ("OpenVINO int8", ("openvino",)),
                        ("OpenVINO bf16, its default", ("onnx",)), ("OpenVINO fp32", ("onnx",)),
                        ("onnxruntime int8", ("onnx",)), ("onnxruntime fp32", ("onnx",)),
                        ("CTranslate2 int8", ("ctranslate2",)), ("fastembed int8", ("fastembed",)),
                        ("sentence-transformers bf16", ("model",)), ("sentence-transformers fp32", ("model",)),
                        ("embed_anything fp32 (candle)", ("hub",))):
        command = [options.python, ROOT / "bench/peers/serve.py", name, "{threads}", options.work]
        result.append(Entry(name, command, needs, no_python))
    no_node = "" if options.node else "npm is not installed"
    for title, name, dtype in (("transformers.js q8", "transformers.js", "q8"),
                               ("transformers.js fp32", "transformers.js", "fp32"),
                               ("onnxruntime-node int8", "onnxruntime-node", "q8"),
                               ("onnxruntime-node fp32", "onnxruntime-node", "fp32")):
        result.append(Entry(title, ["node", f"{options.node}/serve.mjs", name, dtype, "{threads}"], (), no_node))
    no_llama = no_python or ("" if options.llama else "npm brought no node-llama-cpp with a binary for this machine")
    for kind in ("Q8_0", "Q4_0"):
        command = ["node", f"{options.llama}/serve.mjs", "llama.cpp", options.work / f"gguf/{kind}.gguf", "{threads}"]
        result.append(Entry(f"llama.cpp {kind}", command, ("gguf",), no_llama))
    prepared = options.work / "prepared.json"
    failed = json.loads(prepared.read_text()) if prepared.exists() else {}
    for entry in result:
        for step in entry.needs:
            if step in failed and not entry.missing:
                entry.missing = f"its files could not be made: {failed[step]}"
        entry.environment, free = held.how(entry.name, options.isa)
        entry.missing = free or entry.missing
    return [entry for entry in result if not options.only or any(part in entry.name for part in [OWN, *options.only])]


def cosines(path, reference, count):
    """Of COUNT vectors in a file to the reference's, an array of the same form."""
    vectors = array.array("f", path.read_bytes())
    width, result = len(reference) // count, []
    if len(vectors) != len(reference):
        raise PeerError(f"{len(vectors)} numbers where the reference gave {len(reference)}")
    for i in range(0, len(vectors), width):
        a, b = vectors[i:i + width], reference[i:i + width]
        product, squares = sum(map(float.__mul__, a, b)), sum(x * x for x in a) * sum(x * x for x in b)
        if not (math.isfinite(product) and squares > 0 and math.isfinite(squares)):
            raise PeerError(f"the vector of text {i // width} is not finite, or zero")
        result.append(product / math.sqrt(squares))
    return measures.summary(result)


class Run:
    """All figures with one number of threads."""

    def __init__(self, threads, options, vocabulary, texts):
        self.threads, self.options, self.texts = threads, options, texts
        self.batches = {shape: vocabulary.batch(*SHAPES[shape]) for shape in options.shapes}
        self.rows, self.peers = [], []
        for entry in entries(options):
            row = {"name": entry.name, "version": "", "error": "", "text": {}, "ids": {}, "corpus": {}, "cosine": None}
            self.rows.append(row)
            self.say(f"loading {entry.name}")
            try:
                peer = Peer(entry, threads, options)
            except (PeerError, OSError) as error:
                self.fail(row, error)
                continue
            row["version"] = peer.facts["version"]
            self.peers.append((peer, row))
            if options.isa:
                row["seen"] = self.attempt(row, lambda: self.check_isa(peer))

    def say(self, what):
        print(f"[{time.strftime('%T')}] {self.threads} thread{'s' * (self.threads > 1)}: {what}", file=sys.stderr,
              flush=True)

    def fail(self, row, error):
        row["error"] = " ".join(str(error).split())
        print(f"  {row['name']} is not measured: {row['error']}", file=sys.stderr, flush=True)

    def each(self, first=0):
        """The peers that still run, beginning with number `first` of them."""
        running = [(peer, row) for peer, row in self.peers if not row["error"]]
        first %= max(1, len(running))
        return running[first:] + running[:first]

    def attempt(self, row, task):
        try:
            return task()
        except PeerError as error:
            self.fail(row, error)
            return None

    def check_isa(self, peer):
        """How many instructions a peer was seen at, all of them of the set that it is held to."""
        watch = held.Watch(peer.process.pid, self.options.isa)
        until = time.monotonic() + PATIENCE
        try:
            while watch.seen < held.ENOUGH and time.monotonic() < until:
                for texts, _ in self.batches.values():
                    peer.ask(watch.look, do="time", texts=texts, seconds=WATCHED, least=1, warm=0)
        except OSError as error:
            raise PeerError(f"whether it keeps to {self.options.isa} cannot be seen: {error}") from None
        if watch.verdict():
            raise PeerError(watch.verdict())
        return watch.seen

    def shapes(self):
        rounds = self.options.rounds
        for number in range(rounds):
            for shape, (texts, ids) in self.batches.items():
                self.say(f"round {number + 1} of {rounds}, {shape} tokens")
                for peer, row in self.each(number):
                    self.attempt(row, lambda: self.visit(peer, row, "text", shape, texts=texts))
                    if peer.facts["ids"] and not row["error"]:
                        self.attempt(row, lambda: self.visit(peer, row, "ids", shape, ids=ids))

    def visit(self, peer, row, kind, shape, **inputs):
        time.sleep(PAUSE)
        known = peer.slow.get((kind, shape))
        warm = 2 if known is None else 0 if known > SLOW else 1
        least = 1 if known and known > SLOW else 3
        answer = peer.ask(do="time", seconds=VISIT, least=least, warm=warm, **inputs)
        times = answer["ms"]
        peer.slow[kind, shape] = min(times)
        figures = row[kind].setdefault(shape, {"rounds": [], "min": math.inf})
        figures["rounds"].append(statistics.median(times))
        figures["min"] = min(figures["min"], *times)
        if answer.get("floor_ms"):
            figures.setdefault("floor", []).append(statistics.median(answer["floor_ms"]))
            figures.setdefault("floor_ratio", []).append(
                statistics.median(time / floor for time, floor in zip(times, answer["floor_ms"])))

    def corpus(self):
        """Throughput at the best batch size, in the order of the corpus and sorted by length, and the cosines."""
        orders = {"mixed": self.texts, "sorted": sorted(self.texts, key=len)}
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            for peer, row in self.each():
                self.say(f"batch size of {peer.name}")
                self.attempt(row, lambda: self.best_batches(peer, row, folder))
            for number in range(self.options.corpus_rounds):
                for order, texts in orders.items():
                    for peer, row in self.each(number):
                        if order in row["corpus"]:
                            self.say(f"corpus {order}, {peer.name}")
                            self.attempt(row, lambda: self.pass_over(peer, row, order, texts, folder))
            self.cosines(folder)

    def best_batches(self, peer, row, folder):
        if peer.name == "OpenVINO int8, compiled ahead":
            return  # The shapes of a corpus are not known ahead.
        sample = self.texts[:SAMPLE]
        for order, texts in (("mixed", sample), ("sorted", sorted(sample, key=len))):
            seconds = {}
            for batch in self.options.batches if peer.facts["batches"] else BATCHES[:1]:
                seconds[batch] = peer.ask(do="embed", texts=texts, batch=batch, file=str(folder / "sample"))["seconds"]
                if seconds[batch] > LOST * min(seconds.values()):
                    break
            row["corpus"][order] = {"batch": min(seconds, key=seconds.get), "texts_per_s": []}

    def pass_over(self, peer, row, order, texts, folder):
        time.sleep(PAUSE)
        figures = row["corpus"][order]
        file = folder / f"{peer.name}-{order}"
        seconds = peer.ask(do="embed", texts=texts, batch=figures["batch"], file=str(file))["seconds"]
        figures["texts_per_s"].append(len(texts) / seconds)

    def cosines(self, folder):
        files = {row["name"]: folder / f"{row['name']}-mixed" for row in self.rows}
        found = [name for name in REFERENCES if name in files and files[name].exists()]
        self.reference = found[0] if found else ""
        if not found:
            return
        reference = array.array("f", files[self.reference].read_bytes())
        for row in self.rows:
            if row["name"] != self.reference and files[row["name"]].exists():
                row["cosine"] = self.attempt(row, lambda: cosines(files[row["name"]], reference, len(self.texts)))

    def tokenizer(self):
        """What the tokenizer takes, in parts of the forward pass of the same text at the same time."""
        for peer, row in self.peers:
            if row["name"] == OWN and not row["error"]:
                return self.attempt(row, lambda: self.tokenizer_of(peer, row)) or {}
        return {}

    def tokenizer_of(self, peer, row):
        def milliseconds(**request):
            return statistics.median(peer.ask(seconds=VISIT, least=3, warm=1, **request)["ms"])

        def share(texts, forward):
            return statistics.median(milliseconds(do="tokenize", texts=texts) / forward() for _ in range(3))

        shares = {shape: share(texts, lambda: milliseconds(do="time", ids=ids))
                  for shape, (texts, ids) in self.batches.items()}
        batch = row["corpus"]["mixed"]["batch"]

        def whole():
            return peer.ask(do="embed", texts=self.texts, batch=batch, file=os.devnull)["seconds"] * 1e3

        of_all = share(self.texts, whole)  # Of what includes the tokenizer itself.
        return shares | {"corpus": of_all / (1 - of_all)}

    def result(self):
        self.shapes()
        self.corpus()
        tokenizer = self.tokenizer() if self.threads == 1 else {}
        for peer, _ in self.peers:
            peer.close()
        return {"threads": self.threads, "reference": self.reference, "tokenizer": tokenizer, "rows": self.rows}


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return os.uname().machine


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--thimble", type=pathlib.Path, default=ROOT / "build/bench_peer")
    parser.add_argument("--models", type=pathlib.Path, default=ROOT / "build/models")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/bench-peers", help="what prepare.py made")
    parser.add_argument("--tokenizer", type=pathlib.Path, required=True, help="the model's tokenizer.json")
    parser.add_argument("--data", type=pathlib.Path, help="folder with stsb and ir/scifact")
    parser.add_argument("--python", type=pathlib.Path, help="the interpreter that has the peers in Python")
    parser.add_argument("--node", type=pathlib.Path, help="folder that bench/peers/fetch.sh made")
    parser.add_argument("--llama", type=pathlib.Path, help="folder that bench/peers/llama.sh made")
    parser.add_argument("--isa", choices=held.HELD, help="hold every peer to this instruction set; leave out the others")
    parser.add_argument("--threads", type=int, nargs="+", help="1 and, where there are two CPUs and no --isa, 2")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--corpus-rounds", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="2 rounds of 3 shapes and 40 texts: to see that it works")
    parser.add_argument("--only", action="append", metavar="TEXT", help="only thimble q8 and what has TEXT in its name")
    options = parser.parse_args()
    vocabulary = corpus.Vocabulary(options.tokenizer)
    try:
        name, texts = corpus.mixed(vocabulary, options.data)
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"bench-peers: {options.data}: {error}")
    options.threads = options.threads or [1, 2][:1 if options.isa else len(os.sched_getaffinity(0))]
    options.shapes, options.batches = list(SHAPES), BATCHES
    if options.quick:
        options.rounds, options.corpus_rounds = 2, 1
        options.shapes, options.batches, texts = ["8", "64", "8x16"], BATCHES[:2], texts[:40]
    load = os.getloadavg()[0]
    begin = time.time()
    runs = [Run(threads, options, vocabulary, texts).result() for threads in options.threads]
    result = {"processor": processor(), "cpus": os.cpu_count(), "load": load, "isa": options.isa, "quick": options.quick,
              "only": options.only or [], "rounds": options.rounds, "seconds": time.time() - begin,
              "corpus": {"name": name, "texts": len(texts)}, "runs": runs}
    options.output.write_text(json.dumps(result, indent=1) + "\n")
    failed = [row for run in runs for row in run["rows"] if row["name"].startswith("thimble") and row["error"]]
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
