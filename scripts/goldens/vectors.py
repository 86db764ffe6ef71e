#!/usr/bin/env python3
"""Writes tests/fixtures/real_model.json: components of vectors of all-MiniLM-L6-v2, computed in float64 by NumPy.

    scripts/goldens/vectors.py FOLDER

FOLDER is the Hugging Face folder. Token ids come from the Rust tokenizers library. Needs numpy, safetensors, tokenizers.
"""

import json
import math
import os
import sys

import numpy as np
import safetensors.numpy
import tokenizers

TEXTS = [
    "",
    "thimble",
    "A small vessel holds a small amount of water.",
    "Die Katze schl\u00e4ft auf der warmen Fensterbank.",
    "\u5c0f\u3055\u306a\u5668\u306b\u6c34\u3092\u6ce8\u3050",
    "E = mc^2; f(x) := x**2 + 1 // comment",
    "Caf\u00e9 na\u00efve r\u00e9sum\u00e9 \u2014 \u00c5ngstr\u00f6m",
    "\U0001f9f5 needle and thread \U0001faa1",
    "What is the capital of the country whose flag has a cedar tree?",
    "no " * 40 + "yes",
    "The quick brown fox jumps over the lazy dog. " * 60,
]
COMPONENTS = 24
LIMIT = 256  # sentence-transformers' limit for this model.


def layer_norm(x, weights, name):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-12) * weights[name + ".weight"] + weights[name + ".bias"]


def embed(ids, weights, layers=6):
    """The vectors of the tokens."""

    def linear(name, x):
        return x @ weights[name + ".weight"].T + weights[name + ".bias"]

    x = weights["embeddings.word_embeddings.weight"][ids]
    x = x + weights["embeddings.position_embeddings.weight"][: len(ids)] + weights["embeddings.token_type_embeddings.weight"][0]
    x = layer_norm(x, weights, "embeddings.LayerNorm")
    for i in range(layers):
        name = f"encoder.layer.{i}."
        q, k, v = (linear(f"{name}attention.self.{part}", x).reshape(-1, 12, 32).transpose(1, 0, 2) for part in ("query", "key", "value"))
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(32)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        context = (scores / scores.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(len(ids), -1)
        x = layer_norm(x + linear(name + "attention.output.dense", context), weights, name + "attention.output.LayerNorm")
        inner = linear(name + "intermediate.dense", x)
        inner = 0.5 * inner * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        x = layer_norm(x + linear(name + "output.dense", inner), weights, name + "output.LayerNorm")
    return x


def main():
    folder = sys.argv[1]
    tensors = safetensors.numpy.load_file(os.path.join(folder, "model.safetensors"))
    weights = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
    tokenizer = tokenizers.Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(LIMIT)
    cases = []
    for text in TEXTS:
        ids = tokenizer.encode(text).ids
        vector = embed(ids, weights).mean(0)
        vector /= np.linalg.norm(vector)
        cases.append({"text": text, "tokens": len(ids), "components": [round(float(v), 8) for v in vector[:COMPONENTS]]})
    path = os.path.join(os.path.dirname(__file__), "..", "tests", "fixtures", "real_model.json")
    with open(path, "w", encoding="ascii") as file:
        json.dump({"model": "all-MiniLM-L6-v2", "cases": cases}, file, indent=0)
        file.write("\n")


if __name__ == "__main__":
    main()
