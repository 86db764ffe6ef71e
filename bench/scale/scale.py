"""What a fleet needs for many texts, worked out from figures of this machine: scale.py measure RESULT.json MODEL [--data FOLDER]
and scale.py table RESULT.json [--texts N] [--cores N]... [--core-hour PRICE] [--storage-month PRICE] [--transfer PRICE]

`measure` needs thimble's Python package. Prices are per core and hour, per GB and month, and per GB; what has no price has no
column. FOLDER is that of make bench-python; without it, texts are made up.
"""

import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE.parent / "python"))
import reports  # noqa: E402

WORDS = "the river of small memory and a window in winter to answer is letter for garden with blue music on quiet".split()
# Bytes of a component by precision.
PRECISIONS = {"float32": 4, "float16": 2, "int8": 1, "binary": 1 / 8}
BATCH = 256


def private():
    lines = pathlib.Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Anonymous:"))


def work(model, texts, seconds):
    """In a process of its own: how many texts a second one thread embeds, beginning when told to."""
    import numpy  # noqa: F401  So that its memory counts as that of a worker without thimble.

    bare = private()
    import thimble

    found = thimble.Embedder(model, threads=1)
    found.encode(texts[:BATCH])
    print("ready", flush=True)
    sys.stdin.readline()
    count, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        at = count % len(texts)
        count += len(found.encode(texts[at:at + BATCH]))
    passed = time.perf_counter() - begin
    print(json.dumps({"texts_per_s": count / passed, "private": private() - bare, "dimensions": found.dimensions}))


def at_once(command, workers):
    """What so many workers at the same time say."""
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(workers)]
    for process in running:
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("a worker failed, see above")
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    return [json.loads(process.communicate()[0]) for process in running]


def measure(options):
    if options.data:
        import texts as corpus

        texts, name = corpus.mixed(options.data, 10_000), "those of make bench-python"
    else:
        chance = random.Random(1)
        texts, name = [" ".join(chance.choices(WORDS, k=chance.randint(5, 60))) for _ in range(10_000)], "made up"
    path = options.result.with_suffix(".texts.json")
    path.write_text(json.dumps(texts), encoding="utf-8")
    command = [sys.executable, __file__, "work", str(path), str(options.model), "--seconds", str(options.seconds)]
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    alone, together = [], []
    for _ in range(options.rounds):
        alone += at_once(command, 1)
        together += at_once(command, cores)
    path.unlink()
    import thimble

    tokens = sum(thimble.Embedder(options.model).count_tokens(texts)) / len(texts)
    every = alone + together
    options.result.write_text(json.dumps({
        "processor": next((line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                           if line.startswith("model name")), "unknown"),
        "cores": cores, "load": load, "texts": name, "tokens_per_text": float(tokens),
        "bytes_per_text": sum(len(text.encode()) for text in texts) / len(texts),
        "alone_texts_per_s": statistics.median(row["texts_per_s"] for row in alone),
        "texts_per_s": statistics.median(row["texts_per_s"] for row in together),
        "private": max(row["private"] for row in every), "dimensions": every[0]["dimensions"],
        "model": os.stat(options.model).st_size}, indent=1))


def duration(hours):
    return f"{hours:,.1f} h" if hours < 48 else f"{hours / 24:,.1f} days"


def tables(found, options):
    texts = options.texts
    core_hours = texts / found["texts_per_s"] / 3600 / options.efficiency
    lines = [f"{found['processor']}, {found['cores']} CPUs, load average {found['load']:.1f} before the run. "
             f"Texts: {found['texts']}, {found['bytes_per_text']:.0f} bytes and {found['tokens_per_text']:.1f} tokens each on "
             "average.\n"]
    inputs = [["texts/s of a core, all cores busy", f"{found['texts_per_s']:,.0f}", "measured"],
              ["texts/s of a core, the others idle", f"{found['alone_texts_per_s']:,.0f}", "measured"],
              ["private memory of a worker above bare python and numpy, MB", reports.megabytes(found["private"]), "measured"],
              ["model file, once a node, MB", reports.megabytes(found["model"]), "measured"],
              ["dimensions", f"{found['dimensions']}", "of the model"],
              ["texts", f"{texts:,}", "parameter"],
              ["efficiency of the fleet", f"{options.efficiency:.2f}", "parameter; bench/scale/simulate.py"]]
    for name, unit in (("core_hour", "a core and hour"), ("storage_month", "a GB and month"), ("transfer", "a GB")):
        if getattr(options, name) is not None:
            inputs.append([f"price of {unit}", f"{getattr(options, name):g}", "parameter"])
    lines.append(reports.markdown(["input", "value", "from"], inputs))

    head, rows = ["cores", "time"], []
    if options.core_hour is not None:
        head.append("cost of computing")
    head += ["memory of all workers, GB", "text read, MB/s", "float32 written, MB/s"]
    for cores in options.cores:
        hours = core_hours / cores
        per_s = texts / hours / 3600
        rows.append([f"{cores:,}", duration(hours)] +
                    ([f"{core_hours * options.core_hour:,.2f}"] if options.core_hour is not None else []) +
                    [f"{cores * found['private'] / 1e9:,.2f}", f"{per_s * found['bytes_per_text'] / 1e6:,.1f}",
                     f"{per_s * found['dimensions'] * 4 / 1e6:,.1f}"])
    lines.append(f"{core_hours:,.0f} core hours:\n\n" + reports.markdown(head, rows))

    head = ["precision", "bytes a vector", "vectors, GB"]
    head += ["storage of a month"] if options.storage_month is not None else []
    head += ["transfer once"] if options.transfer is not None else []
    rows = []
    for name, size in PRECISIONS.items():
        gigabytes = texts * found["dimensions"] * size / 1e9
        rows.append([name, f"{found['dimensions'] * size:,.0f}", f"{gigabytes:,.0f}"] +
                    ([f"{gigabytes * options.storage_month:,.2f}"] if options.storage_month is not None else []) +
                    ([f"{gigabytes * options.transfer:,.2f}"] if options.transfer is not None else []))
    lines.append(f"Texts: {texts * found['bytes_per_text'] / 1e9:,.0f} GB. Vectors, without compression:\n\n"
                 + reports.markdown(head, rows))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    one = kinds.add_parser("work")
    one.add_argument("texts", type=pathlib.Path)
    one.add_argument("model")
    one.add_argument("--seconds", type=float, required=True)
    one = kinds.add_parser("measure")
    one.add_argument("result", type=pathlib.Path)
    one.add_argument("model", type=pathlib.Path)
    one.add_argument("--data", type=pathlib.Path)
    one.add_argument("--seconds", type=float, default=20)
    one.add_argument("--rounds", type=int, default=3)
    one = kinds.add_parser("table")
    one.add_argument("result", type=pathlib.Path)
    one.add_argument("--texts", type=int, default=1_000_000_000)
    one.add_argument("--cores", type=int, nargs="+", default=[16, 256, 4096])
    one.add_argument("--efficiency", type=float, default=0.8)
    for name in ("core-hour", "storage-month", "transfer"):
        one.add_argument(f"--{name}", type=float)
    one.add_argument("--write", type=pathlib.Path, help="document to put the tables into, between its lines scale")
    options = parser.parse_args()
    if options.kind == "work":
        work(options.model, json.loads(options.texts.read_text()), options.seconds)
    elif options.kind == "measure":
        measure(options)
    else:
        text = tables(json.loads(options.result.read_text()), options)
        if options.write:
            options.write.write_text(reports.replaced(options.write, "scale", text))
        else:
            print(text, end="")


if __name__ == "__main__":
    main()
