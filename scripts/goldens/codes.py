#!/usr/bin/env python3
"""Writes tests/fixtures/codes.json: codes of vectors by sentence-transformers, whose package it needs, with numpy.

    scripts/goldens/codes.py                  writes the fixture
    scripts/goldens/codes.py THIMBLE MODEL    compares the codes of 1,000 texts with those of quantize_embeddings
"""

import json
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy as np
from sentence_transformers.util import quantize_embeddings

FIXTURE = pathlib.Path(__file__).resolve().parents[2] / "tests/fixtures/codes.json"
PRECISIONS = ["int8", "uint8", "binary", "ubinary"]
DIMENSIONS = 13  # The last byte of bits is not full.
WORDS = "memory small vector good thing runs in water above 42 stone night and the".split()


def codes(vectors, start, end, precision):
    ranges = np.array([[start] * vectors.shape[1], [end] * vectors.shape[1]], np.float32)
    return quantize_embeddings(vectors, precision, ranges=ranges if precision.endswith("int8") else None)


def write():
    random_numbers = np.random.default_rng(1)
    vectors = random_numbers.normal(0, 0.2, (40, DIMENSIONS)).astype(np.float32)
    # Halves of steps, signed zeros, and values beyond the range.
    vectors[0] = [0, -0.0, 1e-30, -1e-30, 0.5, -0.5, 0.25, -0.25, 2, -2, 1.265, -1.285, 0.005]
    cases = []
    for start, end in [(-1.285, 1.265), (-0.25, 0.75), (-0.31, 0.17)]:
        start, end = float(np.float32(start)), float(np.float32(end))
        cases.append({"start": start, "end": end,
                      **{precision: codes(vectors, start, end, precision).tolist() for precision in PRECISIONS}})
    FIXTURE.write_text(json.dumps({"dimensions": DIMENSIONS, "vectors": vectors.astype(float).tolist(), "cases": cases}) + "\n")


def compare(thimble, model):
    chosen = random.Random(1)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "texts.txt").write_text("".join(" ".join(chosen.choices(WORDS, k=chosen.randrange(1, 40))) + "\n"
                                                  for _ in range(1000)))

        def embed(*flags):
            subprocess.run([thimble, "embed", "-m", model, "-i", folder / "texts.txt", "--format", "npy", "-o",
                            folder / "vectors.npy", *flags], check=True)
            return np.load(folder / "vectors.npy")

        whole = embed("--no-normalize")
        for dimensions in (whole.shape[1], 256, 100, 64, 1):
            if dimensions > whole.shape[1]:
                continue
            vectors = embed("--dimensions", str(dimensions))
            cut = whole[:, :dimensions].astype(np.float64)
            cut /= np.linalg.norm(cut, axis=1, keepdims=True)
            print(f"{dimensions} dimensions: largest difference to truncate_dim and normalise "
                  f"{np.abs(vectors - cut).max():.2g}")
            for precision in PRECISIONS:
                found = embed("--dimensions", str(dimensions), "--precision", precision)
                command = [thimble, "info", model, "--json", "--dimensions", str(dimensions), "--precision", precision]
                info = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
                expected = codes(vectors, info.get("code_start"), info.get("code_end"), precision)
                different = int((found != expected).sum())
                print(f"  {precision}: {found.dtype} {found.shape}, {different} codes differ")
                if different or found.dtype != expected.dtype:
                    sys.exit(1)


if len(sys.argv) == 3:
    compare(*sys.argv[1:])
else:
    write()
