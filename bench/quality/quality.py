"""Measures what a dtype costs in quality: quality.py DATA --model NAME=FOLDER... (make bench-quality calls it)

DATA is a folder with stsb/stsb-en-test.csv and ir/scifact/{corpus.jsonl,queries.test.jsonl,qrels.test.tsv}; FOLDER is a
Hugging Face folder. Every model is converted to every dtype and compared with its fp32 vectors, and so are the files of
the peers. Writes WORK/quality.json for bench/quality/report.py. Exit code 1 when thimble fails or a dtype is beyond a
limit; a peer that cannot run is named with the reason.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

import engines
import gguf_file
import limits
import measures
import numpy as np
import texts

DTYPES = ["fp32", "fp16", "q8", "q6", "q4", "q4-small"]
DEPTH = 10  # Of nDCG.
# An engine's fp32 file must give our fp32 vectors within this cosine, or what its quantised files give is not trusted.
TRUSTED = 0.9999
BATCHES = {"q8, alone": 1, "q8, batches of 32": 32}  # In which the vectors of transformers.js differ.


def output(command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def spearman(data, vectors):
    cosines = [float(vectors[first] @ vectors[second]) for first, second, _ in data.pairs]
    return 100 * measures.spearman(cosines, [score for _, _, score in data.pairs])


def retrieval(data, queries, documents):
    """Mean nDCG; documents of equal score keep their order."""
    order = np.argsort(-(queries @ documents.T), axis=1, kind="stable")[:, :DEPTH]
    gains = [measures.ndcg(ranked.tolist(), relevance, DEPTH) for ranked, relevance in zip(order, data.relevance)]
    return sum(gains) / len(gains)


class Benchmark:
    def __init__(self, options):
        self.options = options
        self.data = texts.read(options.data)
        self.vectors = engines.Vectors(options.work, options.thimble, self.data)
        self.rows = []
        self.version = output([options.thimble, "--version"]).strip()

    def wanted(self, model, name, dtype):
        return any(part in f"{model} {name} {dtype}" for part in self.options.only or [""])

    def converted(self, model, folder, dtype):
        """The engine of a dtype; a model file newer than the program is kept."""
        thimble = self.options.thimble
        file = self.options.models / f"{model}-{dtype}.safetensors"
        if not file.exists() or file.stat().st_mtime <= thimble.stat().st_mtime:
            engines.run([thimble, "convert", folder, file, "--dtype", dtype, "--name", model])
        return engines.thimble(thimble, model, dtype, file, self.version, self.options.threads)

    def retrieves(self, engine):
        wanted = self.options.retrieval
        return wanted is None or engine.model in wanted

    def all(self, engine, reference):
        names = self.data.sets if self.retrieves(engine) else ("sentences", "long")
        return {name: self.vectors.get(engine, name, reference.file) for name in names}

    def measure(self, engine, reference):
        """The row of an engine, whose reference is the fp32 engine of its model."""
        own, true = self.all(engine, reference), self.all(reference, reference)
        short, long = (measures.summary(np.sum(own[name] * true[name], axis=1).tolist())
                       for name in ("sentences", "long"))
        row = {"short": short, "long": long, "spearman": spearman(self.data, own["sentences"])}
        row["spearman_change"] = row["spearman"] - spearman(self.data, true["sentences"])
        if self.retrieves(engine):
            row["ndcg"] = retrieval(self.data, own["queries"], own["documents"])
            row["ndcg_change"] = row["ndcg"] - retrieval(self.data, true["queries"], true["documents"])
        return row

    def trust(self, engine, reference):
        """The least cosine of an engine's fp32 file to ours. Raises RuntimeError when it is another computation."""
        least = min(float(np.sum(self.vectors.get(engine, name, reference.file)
                                 * self.vectors.get(reference, name, reference.file), axis=1).min())
                    for name in ("sentences", "long"))
        if not least >= TRUSTED:
            raise RuntimeError(f"its fp32 file gives other vectors, least cosine {least:.6f}")
        return least

    def add(self, model, name, dtype, make, reference=None):
        """Adds the row of the engine that MAKE gives, or of the reason why there is none."""
        if not self.wanted(model, name, dtype):
            return
        row = {"model": model, "engine": name, "dtype": dtype, "file_bytes": 0, "version": "", "error": ""}
        try:
            engine, extra = make()
            row |= {"file_bytes": engine.file.stat().st_size, "version": engine.version, **extra}
            row |= self.measure(engine, reference or engine)
        except (RuntimeError, OSError) as error:
            row["error"] = str(error)
        row["beyond"] = limits.beyond(row) if not row["error"] else []
        self.rows.append(row)
        print(line(row), flush=True)

    def own(self, model, folder):
        reference = self.converted(model, folder, "fp32")
        for dtype in DTYPES:
            self.add(model, "thimble", dtype, lambda: (self.converted(model, folder, dtype), {}), reference)
        return reference

    def peers(self, model, folder, reference):
        options = self.options
        information = output([options.thimble, "info", reference.file])
        pooling = next(line.split()[1] for line in information.splitlines() if line.startswith("pooling "))

        def onnx(dtype, batch):
            if options.peers is None:
                raise RuntimeError("npm is not installed")
            files = options.peers / "models/Xenova" / model / "onnx"
            if not (files / "model_quantized.onnx").exists():
                raise RuntimeError("no package carries its quantised file")

            def make(dtype, file, batch):
                return engines.onnxruntime(options.peers, model, dtype, files / file, options.threads, batch, pooling)

            least = self.trust(make("fp32", "model.onnx", 1), reference)
            return make(dtype, "model_quantized.onnx", batch), {"fp32_cosine": least}

        def llama(kind):
            if options.llama is None:
                raise RuntimeError("npm brought no node-llama-cpp with a binary for this machine")

            def make(kind):
                file = options.work / f"{model}-{kind}.gguf"
                gguf_file.write(folder, model, pooling, kind, file)
                return engines.llama(options.llama, model, kind, file)

            least = self.trust(make("F32"), reference)
            return make(kind), {"fp32_cosine": least}

        for dtype, batch in BATCHES.items():
            self.add(model, "transformers.js", dtype, lambda: onnx(dtype, batch), reference)
        for kind in ("Q8_0", "Q4_0"):
            self.add(model, "llama.cpp", kind, lambda: llama(kind), reference)


def line(row):
    title = f"{row['model']} {row['engine']} {row['dtype']}"
    if row["error"]:
        return f"{title}: {row['error']}"
    short = " ".join(f"{row['short'][name]:.6f}" for name in ("mean", "p1", "min"))
    long = " ".join(f"{row['long'][name]:.6f}" for name in ("mean", "min"))
    ndcg = f", nDCG@{DEPTH} {row['ndcg']:.4f} {row['ndcg_change']:+.4f}" if "ndcg" in row else ""
    return (f"{title}: {row['file_bytes']} bytes, short {short}, long {long}, Spearman {row['spearman']:.3f} "
            f"{row['spearman_change']:+.3f}{ndcg}"
            + "".join(f"\n  BEYOND ITS LIMIT: {message}" for message in row["beyond"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--model", action="append", required=True, metavar="NAME=FOLDER")
    parser.add_argument("--thimble", type=pathlib.Path, default=pathlib.Path("build/thimble"))
    parser.add_argument("--models", type=pathlib.Path, default=pathlib.Path("build/models"), help="for model files")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("build/quality"), help="for all else")
    parser.add_argument("--peers", type=pathlib.Path, help="folder that bench/peers/fetch.sh made")
    parser.add_argument("--llama", type=pathlib.Path, help="folder with node-llama-cpp")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--retrieval", nargs="*", metavar="NAME", help="the models for which SciFact is measured, nearly "
                        "all of the time; all of them if not given")
    parser.add_argument("--only", action="append", metavar="TEXT", help="only rows whose name, like "
                        "'all-MiniLM-L6-v2 thimble q8', has TEXT in it; may be repeated")
    options = parser.parse_args()
    try:
        benchmark = Benchmark(options)
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"bench-quality: {options.data}: {error}")
    for entry in options.model:
        model, _, folder = entry.partition("=")
        reference = benchmark.own(model, pathlib.Path(folder))
        benchmark.peers(model, pathlib.Path(folder), reference)
    rows = benchmark.rows
    counts = {name: len(values) for name, values in benchmark.data.sets.items()} | {"pairs": len(benchmark.data.pairs)}
    report = options.work / "quality.json"
    report.write_text(json.dumps({"counts": counts, "only": options.only or [], "rows": rows}, indent=1) + "\n")
    failed = [row for row in rows if row["beyond"] or row["error"] and row["engine"] == "thimble"]
    print(f"{report}: {len(rows)} rows, {len(failed)} of thimble failed or beyond a limit")
    sys.exit(1 if failed or not rows else 0)


if __name__ == "__main__":
    main()
