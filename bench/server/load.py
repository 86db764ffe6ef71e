"""Measures thimble serve beside its peers in one run, and writes JSON for bench/server/report.py: load.py OUTPUT [options]

One text a request, over OpenAI's /v1/embeddings with base64, as OpenAI's own clients ask. Each round starts each server, one
at a time, so that what the machine does meanwhile meets all of them. In a round, and for each kind of texts: wrk with each
number of connections, then open_loop.py at half of the most that wrk got. Before thimble, `thimble embed` takes the same
texts on as many threads. Last, thimble alone with a queue that is too small. Exit code 1 when thimble could not be measured;
a peer that cannot run is named with the reason.
"""

import argparse
import array
import base64
import dataclasses
import json
import math
import os
import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(ROOT / "bench/peers"))
import corpus

OWN = "thimble q8"
MODEL = "all-MiniLM-L6-v2"
CONNECTIONS = (1, 4, 16, 64, 256)
# Words of a text, which are its tokens less the special ones and the punctuation.
KINDS = {"short": range(4, 29), "mixed": range(4, 201)}
TEXTS = 256
# Thimble's budget.
MAX_MEMORY = "16MB"
# Of the server that is to refuse some: less than what the requests of 256 connections take.
SMALL_QUEUE = "128KB"
# How long a server may take to start, and a reply when it is busy, in seconds.
PATIENCE, REPLY = 180, 60
SAMPLED = 0.05
# Texts whose vectors are compared with thimble's, and how close they must be for the work to be the same.
COMPARED, CLOSE = 16, 0.9


class ServerError(Exception):
    pass


@dataclasses.dataclass
class Entry:
    name: str
    command: list  # With {port}.
    missing: str = ""  # Why it cannot be tried.
    folder: pathlib.Path = ROOT  # Where it runs.


def made_up(vocabulary, kind):
    """Texts whose lengths are spread evenly over the range, in an order that has all lengths everywhere."""
    lengths = KINDS[kind]
    chance = random.Random(kind)
    texts = []
    for i in range(TEXTS):
        # Multiples of the golden ratio fill the range without clusters.
        words = chance.choices(vocabulary.words, k=lengths[int((i * 0.6180339887 % 1) * len(lengths))])
        texts.append(" ".join(words).capitalize() + ".")
    return texts


def environment(work):
    """Exactly so many threads as CPUs in every library, and no network."""
    result = {name: value for name, value in os.environ.items()
              if name not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}  # They slow a current numpy.
    for library in ("OMP", "MKL", "OPENBLAS", "RAYON"):
        result[f"{library}_NUM_THREADS"] = str(os.cpu_count())
    return result | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HOME": str(work / "hub"), "DO_NOT_TRACK": "1",
                     "PYTHONDONTWRITEBYTECODE": "1"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Sampler(threading.Thread):
    """The most memory of a process so far, in bytes."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.path = pathlib.Path(f"/proc/{pid}/smaps_rollup")
        self.most = {"Anonymous": 0, "Rss": 0}
        self.stopped = threading.Event()

    def run(self):
        while not self.stopped.wait(SAMPLED):
            try:
                fields = dict(line.split()[:2] for line in self.path.read_text().splitlines()[1:])
            except OSError:
                return
            for name in self.most:
                self.most[name] = max(self.most[name], int(fields[f"{name}:"]) * 1024)

    def stop(self):
        self.stopped.set()
        self.join()
        return {"private": self.most["Anonymous"], "rss": self.most["Rss"]}


class Server:
    def __init__(self, entry, work, bodies):
        if entry.missing:
            raise ServerError(entry.missing)
        self.port = free_port()
        log = work / "logs" / f"{entry.name.replace(' ', '-').replace('/', '-')}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "w") as file:
            self.process = subprocess.Popen([str(part).format(port=self.port) for part in entry.command],
                                            stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=entry.folder,
                                            env=environment(work))
        self.sampler = Sampler(self.process.pid)
        self.sampler.start()
        try:
            self.wait_until_up(bodies[0], log)
        except ServerError:
            self.stop()
            raise

    def wait_until_up(self, body, log):
        until = time.monotonic() + PATIENCE
        while True:
            if self.process.poll() is not None:
                raise ServerError(f"its process ended with code {self.process.returncode}; see {log}")
            try:
                return self.post(body)
            except (OSError, ValueError, KeyError) as error:
                if time.monotonic() > until:
                    raise ServerError(f"no reply within {PATIENCE} s ({error}); see {log}") from None
            time.sleep(0.1)

    def post(self, body):
        """The vector of a reply."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/v1/embeddings", body.encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=REPLY) as reply:
            return array.array("f", base64.b64decode(json.load(reply)["data"][0]["embedding"]))

    def settle(self):
        """Returns when it no longer works at requests whose client has gone."""
        def used():
            fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
            return int(fields[11]) + int(fields[12])  # In hundredths of a second.
        until, last = time.monotonic() + REPLY, used()
        while time.monotonic() < until:
            time.sleep(0.3)
            last, before = used(), last
            if last - before <= 1:
                return

    def stop(self):
        """Its memory."""
        memory = self.sampler.stop()
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        return memory


def run_json(command):
    run = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if run.returncode != 0:
        raise ServerError(f"{command[0]} failed: {run.stderr.strip()[-300:]}")
    return json.loads(run.stdout.strip().splitlines()[-1])


def saturate(server, file, connections, seconds):
    """What wrk says; the rate is of replies with vectors."""
    result = run_json(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", f"{REPLY}s", "-s",
                       HERE / "requests.lua", f"http://127.0.0.1:{server.port}/v1/embeddings", "--", file])
    server.settle()
    return result | {"per_second": result["ok"] / result["seconds"]}


def engine(options, texts, seconds):
    """Texts a second of `thimble embed`."""
    def timed(repeats):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("\n".join(texts * repeats) + "\n")
            file.flush()
            start = time.perf_counter()
            subprocess.run([options.thimble, "embed", "-m", options.model, "--threads", str(os.cpu_count()), "-i", file.name,
                            "--format", "f32"], stdout=subprocess.DEVNULL, check=True)
            return repeats * len(texts) / (time.perf_counter() - start)
    return timed(max(1, round(seconds * timed(1) / len(texts))))


def engine_vectors(options, texts):
    run = subprocess.run([options.thimble, "embed", "-m", options.model, "--format", "f32", *texts], capture_output=True,
                         check=True)
    values = array.array("f", run.stdout)
    width = len(values) // len(texts)
    return [values[i * width:(i + 1) * width] for i in range(len(texts))]


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / (math.hypot(*a) * math.hypot(*b))


def measure(entry, options, inputs):
    """One round of one server: memory, and figures by kind of texts."""
    kinds = {}
    if entry.name == OWN:
        for kind, one in inputs.items():
            kinds[kind] = {"engine": engine(options, one["texts"], options.seconds)}
    server = Server(entry, options.work, inputs["mixed"]["bodies"])
    try:
        closeness = min(cosine(server.post(body), vector)
                        for body, vector in zip(inputs["mixed"]["bodies"], inputs["mixed"]["vectors"]))
        if closeness < CLOSE:
            raise ServerError(f"its vectors are others: the cosine to thimble's is {closeness:.3f}")
        for kind, one in inputs.items():
            saturate(server, one["file"], 16, 1)  # Not counted: whatever it does only once.
            points = {str(connections): saturate(server, one["file"], connections, options.seconds)
                      for connections in CONNECTIONS}
            most = max(point["per_second"] for point in points.values())
            if most == 0:
                raise ServerError(f"it answered nothing within {options.seconds} s")
            half = run_json([sys.executable, HERE / "open_loop.py", server.port, one["file"], most / 2, 2 * options.seconds])
            kinds[kind] = kinds.get(kind, {}) | {"connections": points, "half": half}
    finally:
        memory = server.stop()
    if entry.name == OWN and server.process.returncode != 0:
        raise ServerError(f"told to end, it did so with code {server.process.returncode}")
    return {"cosine": closeness, "memory": memory, "kinds": kinds}


def overload(entry, options, inputs):
    """What 256 connections get of a server with a small queue."""
    server = Server(dataclasses.replace(entry, command=[*entry.command, "--max-queue", SMALL_QUEUE]), options.work,
                    inputs["mixed"]["bodies"])
    try:
        result = saturate(server, inputs["mixed"]["file"], CONNECTIONS[-1], options.seconds)
    finally:
        memory = server.stop()
    return result | {"queue": SMALL_QUEUE, "memory": memory}


def entries(options):
    """All that is measured, in the order of the tables."""
    threads = str(os.cpu_count())
    own = [options.thimble, "serve", "-m", options.model, "--listen", "127.0.0.1:{port}", "--max-memory", MAX_MEMORY]

    def node(name, folder, peer, dtype):
        missing = "" if folder else "its packages could not be installed"
        return Entry(name, ["node", f"{folder}/peer_server.mjs", peer, dtype, threads, "{port}"], missing)

    def prepared(path, package):
        return "" if path.exists() else f"there is no {path}: the package {package} could not be installed, or made none"

    gguf = (options.work / "gguf/Q8_0.gguf")
    llama = node("llama.cpp Q8_0", options.llama, "llama.cpp", gguf)
    llama.missing = llama.missing or prepared(gguf, "gguf")
    # Its ONNX engine finds the model's file in a folder only where it runs.
    folder = options.work / "infinity"
    infinity = Entry("infinity-emb int8", [
        options.python and options.python.absolute().parent / "infinity_emb", "v2", "--model-id", ".", "--served-model-name",
        MODEL, "--engine", "optimum", "--device", "cpu", "--batch-size", "8", "--host", "127.0.0.1", "--port", "{port}",
        "--url-prefix", "/v1", "--pooling-method", "mean", "--no-model-warmup", "--log-level", "warning"],
        prepared(folder, "infinity-emb") if options.python else "its packages could not be installed", folder)
    return [Entry(OWN, own), llama, node("transformers.js int8", options.node, "transformers.js", "q8"), infinity]


def write_inputs(options):
    vocabulary = corpus.Vocabulary(options.tokenizer)
    inputs = {}
    for kind in KINDS:
        texts = made_up(vocabulary, kind)
        bodies = [json.dumps({"model": MODEL, "input": text, "encoding_format": "base64"}) for text in texts]
        file = options.work / f"{kind}.txt"
        file.write_text("\n".join(bodies) + "\n")
        inputs[kind] = {"texts": texts, "bodies": bodies, "file": file,
                        "vectors": engine_vectors(options, texts[:COMPARED])}
    return inputs


def processor():
    with open("/proc/cpuinfo") as file:
        return next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "unknown processor")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--thimble", type=pathlib.Path, default=ROOT / "build/thimble")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / f"build/models/{MODEL}-q8.safetensors")
    parser.add_argument("--tokenizer", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="what prepare.py made; logs go there")
    parser.add_argument("--node", help="the folder of transformers.js")
    parser.add_argument("--llama", help="the folder of node-llama-cpp")
    parser.add_argument("--python", type=pathlib.Path, help="the interpreter that has infinity-emb")
    parser.add_argument("--seconds", type=int, default=5, help="of each number of connections")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", help="peers whose names have this in them")
    options = parser.parse_args()
    for name in ("thimble", "model", "work"):
        setattr(options, name, getattr(options, name).resolve())
    options.work.mkdir(parents=True, exist_ok=True)

    inputs = write_inputs(options)
    own, *peers = entries(options)
    chosen = [own] + [entry for entry in peers if not options.only or any(part in entry.name for part in options.only)]
    rows = {entry.name: {"name": entry.name, "error": "", "rounds": []} for entry in chosen}
    load = os.getloadavg()[0]
    for number in range(options.rounds):
        for entry in chosen:
            row = rows[entry.name]
            if row["error"]:
                continue
            print(f"round {number + 1} of {options.rounds}: {entry.name}", file=sys.stderr)
            try:
                row["rounds"].append(measure(entry, options, inputs))
            except (ServerError, OSError, subprocess.SubprocessError) as error:
                row["error"] = str(error)
                print(f"  {error}", file=sys.stderr)
    result = {"processor": processor(), "cpus": os.cpu_count(), "load": load, "seconds": options.seconds,
              "rounds": options.rounds, "max_memory": MAX_MEMORY, "rows": list(rows.values())}
    if not rows[OWN]["error"]:
        result["overload"] = overload(own, options, inputs)
    options.output.write_text(json.dumps(result, indent=1) + "\n")
    sys.exit(1 if rows[OWN]["error"] else 0)


if __name__ == "__main__":
    main()
