"""Measures thimble beside its peers on models of random weights, and writes the tables of docs/peers.md:
shapes.py FOLDER --tokenizer FILE --python PYTHON [--rounds N] [--only SHAPE]

FOLDER is what prepare_shapes.py made. One thread, from text. Rounds go over the lengths, and in each of them over the
peers. A quarter of a pair's tokens is the query. --only prints without writing.
"""

import argparse
import array
import math
import pathlib
import statistics
import sys
import tempfile
import time
import types

import compare
import corpus
import prepare_shapes

sys.path.append(str(compare.ROOT / "bench"))
import reports

LENGTHS = ("16", "64", "256", "8x32", "32x16")
OWN = ("thimble q8", "thimble fp32")
REFERENCE = "sentence-transformers fp32"
PEERS = ("OpenVINO int8", "OpenVINO fp32", "onnxruntime int8", "onnxruntime fp32", REFERENCE)
# How far vectors or scores may be from the reference's, relative to them, so that all surely compute the same.
FAR = {"fp32": 1e-3, "int8": 0.3}


def commands(folder, options):
    result = [compare.Entry(name, [options.program, folder / f"thimble/{name.split()[1]}.safetensors", "{threads}"])
              for name in OWN]
    return result + [compare.Entry(name, [options.python, compare.ROOT / "bench/peers/serve.py", name, "{threads}", folder])
                     for name in PEERS]


def request(vocabulary, length, pairs):
    """The texts, and of pairs the query, of LENGTH tokens in all with three special ones."""
    count, tokens = compare.SHAPES[length]
    if not pairs:
        return {"texts": vocabulary.batch(count, tokens)[0]}
    query = tokens // 4
    return {"query": vocabulary.batch(1, query + 2)[0][0], "texts": vocabulary.batch(count, tokens - query - 1)[0]}


def check(peers, asked):
    """Fails unless all peers find about what the reference finds."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for peer in peers:
            path = pathlib.Path(folder) / "vectors"
            peer.ask(do="embed", batch=len(asked["texts"]), file=str(path), **asked)
            found[peer.name] = array.array("f", path.read_bytes())
    right = found[REFERENCE]
    for name, values in found.items():
        far = math.dist(values, right) / math.hypot(*right)
        print(f"{name}: {far:.2g} from the reference", file=sys.stderr)
        if not far <= FAR["fp32" if "fp32" in name else "int8"]:
            raise SystemExit(f"{name}: computes something else than {REFERENCE}: {far:.2g} from it")


def measure(folder, shape, options, vocabulary):
    """{peer: {length: ms of each round}}, and the versions of the peers."""
    peers, times, versions = [], {}, {}
    try:
        for entry in commands(folder, options):
            print(f"[{time.strftime('%T')}] loading {entry.name}", file=sys.stderr, flush=True)
            peers.append(compare.Peer(entry, 1, types.SimpleNamespace(work=folder)))
            times[entry.name] = {length: [] for length in LENGTHS}
            versions[entry.name] = peers[-1].facts["version"]
        asked = {length: request(vocabulary, length, shape.pairs) for length in LENGTHS}
        check(peers, asked["8x32"])
        check(peers, asked["256"])
        for _ in range(options.rounds):
            for length in LENGTHS:
                for peer in peers:
                    time.sleep(compare.PAUSE)
                    answer = peer.ask(do="time", seconds=0.1, least=1, warm=1, **asked[length])
                    times[peer.name][length].append(min(answer["ms"]))
    finally:
        for peer in peers:
            peer.close()
    return times, versions


def ratio(times, name, length):
    """How many times as long as thimble of the same kind a peer takes, median over the rounds."""
    own = times["thimble q8" if "int8" in name else "thimble fp32"]
    return statistics.median(theirs / ours for theirs, ours in zip(times[name][length], own[length]))


def table(times):
    """Milliseconds, beside a peer the ratio, and the least of all ratios."""
    rows = []
    for name, row in times.items():
        cells = []
        for length in LENGTHS:
            value = statistics.median(row[length])
            text = f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"
            cells.append(text if name in OWN else f"{text} ({ratio(times, name, length):.2f})")
        rows.append((name, *cells))
    least, name, length = min((ratio(times, name, length), name, length) for name in PEERS for length in LENGTHS)
    return f"{reports.markdown(('ms, and the ratio to thimble', *LENGTHS), rows)}\nLeast ratio: {least:.2f}, {name} at {length}.\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--program", default=compare.ROOT / "build/bench_peer")
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=prepare_shapes.SHAPES)
    options = parser.parse_args()
    vocabulary = corpus.Vocabulary(options.tokenizer)
    parts, versions = [], {}
    for name, shape in prepare_shapes.SHAPES.items():
        if options.only not in (None, name):
            continue
        if not (options.folder / name / "thimble").exists():
            raise SystemExit(f"{options.folder / name}: not complete; run bench/peers/shapes.sh prepare")
        times, versions = measure(options.folder / name, shape, options, vocabulary)
        parts.append(f"{name} ({shape.about}):\n\n{table(times)}")
    about = ", ".join(dict.fromkeys(versions[name] for name in PEERS)) + f", rounds: {options.rounds}."
    text = "\n".join([about, "", *parts])
    print(text, end="")
    if not options.only:
        document = compare.ROOT / "docs/peers.md"
        document.write_text(reports.replaced(document, "shapes", text))


if __name__ == "__main__":
    main()
