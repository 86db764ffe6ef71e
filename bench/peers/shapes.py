"""Measures thimble beside its peers on models of random weights, and writes the table of docs/peers.md:
shapes.py FOLDER --tokenizer FILE --python PYTHON [--rounds N] [--only SHAPE]

FOLDER is what prepare_shapes.py made. One thread, from text. Rounds go over the lengths, and in each of them over the
peers. --only prints without writing.
"""

import argparse
import pathlib
import statistics
import sys
import time
import types

import compare
import corpus
import prepare_shapes

sys.path.append(str(compare.ROOT / "bench"))
import reports

LENGTHS = ("16", "64", "256", "8x32", "32x16")
OWN = ("thimble q8", "thimble fp32")
PEERS = ("OpenVINO int8", "OpenVINO fp32", "onnxruntime int8", "onnxruntime fp32", "sentence-transformers fp32")


def commands(folder, options):
    result = [compare.Entry(name, [options.program, folder / f"thimble/{name.split()[1]}.safetensors", "{threads}"])
              for name in OWN]
    return result + [compare.Entry(name, [options.python, compare.ROOT / "bench/peers/serve.py", name, "{threads}", folder])
                     for name in PEERS]


def measure(folder, options, vocabulary):
    """{peer: {length: median ms}}, and the versions of the peers."""
    peers, times, versions = [], {}, {}
    for entry in commands(folder, options):
        print(f"[{time.strftime('%T')}] loading {entry.name}", file=sys.stderr, flush=True)
        peer = compare.Peer(entry, 1, types.SimpleNamespace(work=folder))
        peers.append(peer)
        times[entry.name] = {length: [] for length in LENGTHS}
        versions[entry.name] = peer.facts["version"]
    try:
        for _ in range(options.rounds):
            for length in LENGTHS:
                texts, _ids = vocabulary.batch(*compare.SHAPES[length])
                for peer in peers:
                    time.sleep(compare.PAUSE)
                    answer = peer.ask(do="time", texts=texts, seconds=0.1, least=1, warm=1)
                    times[peer.name][length].append(min(answer["ms"]))
    finally:
        for peer in peers:
            peer.close()
    medians = {name: {length: statistics.median(found) for length, found in row.items()} for name, row in times.items()}
    return medians, versions


def table(medians):
    """Milliseconds, and beside a peer how many times as long as thimble of the same kind it takes."""
    rows = []
    for name, row in medians.items():
        own = medians["thimble q8" if "int8" in name else "thimble fp32"]
        cells = []
        for length in LENGTHS:
            text = f"{row[length]:.1f}" if row[length] < 100 else f"{row[length]:.0f}"
            cells.append(text if name in OWN else f"{text} ({row[length] / own[length]:.2f})")
        rows.append((name, *cells))
    return reports.markdown(("ms, and the ratio to thimble", *LENGTHS), rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--program", default=compare.ROOT / "build/bench_peer")
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=prepare_shapes.SHAPES)
    options = parser.parse_args()
    vocabulary = corpus.Vocabulary(options.tokenizer)
    parts, versions = [], {}
    for name, shape in prepare_shapes.SHAPES.items():
        if options.only not in (None, name):
            continue
        medians, versions = measure(options.folder / name, options, vocabulary)
        parts.append(f"{name} ({shape.about}):\n\n{table(medians)}")
    about = ", ".join(dict.fromkeys(versions[name] for name in PEERS)) + f", rounds: {options.rounds}."
    text = "\n".join([about, "", *parts])
    print(text, end="")
    if not options.only:
        document = compare.ROOT / "docs/peers.md"
        document.write_text(reports.replaced(document, "shapes", text))


if __name__ == "__main__":
    main()
