"""Measures what shorter vectors and codes cost in quality: codes.py DATA MODEL_FILE

DATA is as for quality.py. Prints a table: for each length and precision, the size of a vector, how far cosines of codes are from
those of the floats, the rank correlation on STS-B, and nDCG@10 on SciFact. Queries and documents are coded alike, and nothing is
scored again with floats.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

import measures
import numpy as np
import texts

DEPTH = 10  # Of nDCG.
DIMENSIONS = (384, 256, 128, 64)
PRECISIONS = ("float32", "int8", "int8, ranges of components", "binary")
PAIRS = 200000  # Of sentences, drawn at random, whose cosines are compared.


def embed(options, lines, name):
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder, "texts.jsonl"), pathlib.Path(folder, "vectors.npy")
        source.write_text("".join(json.dumps(line) + "\n" for line in lines))
        subprocess.run([options.thimble, "embed", "-m", options.model, "-i", source, "--format", "npy", "-o", target, "--threads",
                        str(options.threads), "--max-tokens", str(texts.LIMITS[name])], check=True)
        return np.load(target)


def unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def code_range(options, dimensions):
    command = [options.thimble, "info", options.model, "--json", "--dimensions", str(dimensions), "--precision", "int8"]
    info = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return np.float32(info["code_start"]), np.float32(info["code_end"])


def codes(vectors, precision, start, end):
    """As numbers whose cosines are compared; scripts/goldens/codes.py compares these codes with the library's."""
    if precision == "float32":
        return vectors
    if precision == "binary":
        return np.where(vectors > 0, 1, -1).astype(np.float32)
    steps = (end - start) / np.float32(255)
    steps = np.where(steps == 0, np.float32(1), steps)
    return (np.clip(np.floor((vectors - start) / steps), 0, 255) - 128).astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--thimble", type=pathlib.Path, default=pathlib.Path("build/thimble"))
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    data = texts.read(options.data)
    whole = {name: embed(options, data.sets[name], name) for name in ("sentences", "queries", "documents")}
    chosen = np.random.default_rng(1).integers(0, len(whole["sentences"]), (PAIRS, 2))
    print("| dimensions | precision | bytes | error of cosines | beyond the range | Spearman | nDCG@10 |")
    print("|--:|---|--:|--:|--:|--:|--:|")
    for dimensions in DIMENSIONS:
        vectors = {name: unit(values[:, :dimensions]) for name, values in whole.items()}
        first, second = (vectors["sentences"][chosen[:, i]] for i in (0, 1))
        true = np.sum(first * second, axis=1)
        for precision in PRECISIONS:
            start, end = code_range(options, dimensions)
            if precision.endswith("components"):  # What quantize_embeddings measures if it is given no ranges.
                known = np.vstack((vectors["sentences"], vectors["documents"]))
                start, end = known.min(axis=0), known.max(axis=0)
            found = {name: unit(codes(values, precision, start, end)) for name, values in vectors.items()}
            cosines = np.sum(found["sentences"][chosen[:, 0]] * found["sentences"][chosen[:, 1]], axis=1)
            beyond = np.mean((vectors["documents"] < start) | (vectors["documents"] > end))
            spearman = measures.spearman([float(found["sentences"][a] @ found["sentences"][b]) for a, b, _ in data.pairs],
                                         [score for _, _, score in data.pairs])
            order = np.argsort(-(found["queries"] @ found["documents"].T), axis=1, kind="stable")[:, :DEPTH]
            gains = [measures.ndcg(ranked.tolist(), relevance, DEPTH) for ranked, relevance in zip(order, data.relevance)]
            size = dimensions * 4 if precision == "float32" else dimensions // 8 if precision == "binary" else dimensions
            error = np.sqrt(np.mean((cosines - true) ** 2))
            print(f"| {dimensions} | {precision} | {size} | {error:.4f} | "
                  f"{f'{100 * beyond:.4f} %' if precision.startswith('int8') else '-'} | "
                  f"{100 * spearman:.2f} | {sum(gains) / len(gains):.4f} |", flush=True)


if __name__ == "__main__":
    main()
