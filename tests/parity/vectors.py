#!/usr/bin/env python3
"""Compares the vectors of fp32 model files with independent ones.

    tests/parity/vectors.py build/thimble MODELS VECTORS

MODELS is a folder with NAME-fp32.safetensors, VECTORS one with st_all-MiniLM-L6-v2_texts.json and .f32 (sentence-transformers), tei_all-MiniLM-L6-v2.json
(text-embeddings-inference) and langchain4j_components.json. Prints the largest differences; exits 1 above a limit.
Python's standard library only.
"""

import array
import json
import math
import os
import subprocess
import sys
import tempfile

# Agreement with float32 arithmetic in another order. TEI used the tanh form of GELU: its vectors of single tokens follow
# that form within 2e-5 and lie up to 3.1e-3 from the exact one, which sentence-transformers uses.
LIMIT_ST, LIMIT_TEI, LIMIT_TEI_TOKENS, LIMIT_LANGCHAIN = 2e-6, 3e-3, 4e-3, 0.01
DIMENSIONS = 384


def embed(thimble, model, texts, *options):
    with tempfile.TemporaryDirectory() as folder:
        source, output = os.path.join(folder, "texts.jsonl"), os.path.join(folder, "vectors.f32")
        with open(source, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(text) + "\n" for text in texts)
        subprocess.run([thimble, "embed", "-m", model, "-i", source, "-o", output, "--format", "f32", *options], check=True)
        values = array.array("f")
        with open(output, "rb") as file:
            values.frombytes(file.read())
    if sys.byteorder == "big":
        values.byteswap()
    if len(values) != len(texts) * DIMENSIONS:
        sys.exit(f"expected {len(texts)} x {DIMENSIONS} values, found {len(values)}")
    return [values[i : i + DIMENSIONS] for i in range(0, len(values), DIMENSIONS)]


def largest(found, expected):
    if len(found) != len(expected):
        sys.exit(f"expected {len(expected)} values, found {len(found)}")
    return max(abs(a - b) for a, b in zip(found, expected))


def mean(rows):
    return [sum(column) / len(rows) for column in zip(*rows)]


def unit(vector):
    length = math.sqrt(sum(x * x for x in vector))
    return [x / length for x in vector]


def main():
    thimble, models, folder = sys.argv[1:]
    model = os.path.join(models, "all-MiniLM-L6-v2-fp32.safetensors")
    failures = 0

    def report(name, count, value, limit, unit="absolute"):
        nonlocal failures
        good = value < limit
        failures += not good
        print(f"{name}: {count} texts, largest {unit} difference {value:.3g}, limit {limit:g}: {'ok' if good else 'FAILED'}")

    def load(name):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            return json.load(file)

    texts = load("st_all-MiniLM-L6-v2_texts.json")
    expected = array.array("f")
    with open(os.path.join(folder, "st_all-MiniLM-L6-v2.f32"), "rb") as file:
        expected.frombytes(file.read())
    found = embed(thimble, model, texts)
    worst = max(largest(v, expected[i * DIMENSIONS : (i + 1) * DIMENSIONS]) for i, v in enumerate(found))
    report("sentence-transformers", len(texts), worst, LIMIT_ST)

    tei = load("tei_all-MiniLM-L6-v2.json")

    def compare_tei(name, expected, *options, limit=LIMIT_TEI, transform=lambda vector: vector):
        found = embed(thimble, model, list(expected), *options)
        worst = max(largest(transform(v), e) for v, e in zip(found, expected.values()))
        report(f"text-embeddings-inference, {name}", len(expected), worst, limit)

    compare_tei("mean", tei["mean_pooled_not_normalized"], "--no-normalize")
    compare_tei("cls", tei["cls_pooled_not_normalized"], "--no-normalize", "--pooling", "cls")
    tokens = tei["token_embeddings_last_hidden_state"]
    for pooling, pick in {"mean": mean, "cls": lambda rows: rows[0], "last": lambda rows: rows[-1]}.items():
        compare_tei(f"{pooling} of token vectors", {text: pick(rows) for text, rows in tokens.items()}, "--no-normalize",
                    "--pooling", pooling, limit=LIMIT_TEI_TOKENS)
    key = next(key for key in tei if key.startswith("http_embed_dimensions_128"))
    compare_tei("128 dimensions", tei[key], transform=lambda vector: unit(vector[:128]))

    for case in load("langchain4j_components.json")["cases"]:
        path = os.path.join(models, case["model"] + "-fp32.safetensors")
        if not os.path.exists(path):
            print(f"langchain4j, {case['model']}: no model here")
            continue
        vector = embed(thimble, path, [case["text"]])[0]
        worst = max(math.fabs(vector[int(index)] / value - 1) for index, value in case["components"].items())
        report(f"langchain4j, {case['model']}", 1, worst, LIMIT_LANGCHAIN, "relative")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
