#!/usr/bin/env python3
"""Writes components of vectors that others' arithmetic gives for real weights.

    scripts/goldens/vectors.py real FOLDER     tests/fixtures/real_model.json, of the folder of all-MiniLM-L6-v2
    scripts/goldens/vectors.py known           tests/fixtures/known_models.json, of the folders of build/models/known

NumPy computes in float64; of known models, onnxruntime runs the ONNX graph in fp32 where the package has one. Token ids come
from the Rust tokenizers library; pooling, limits and prompts are written down here, and not taken from thimble's own table.
Needs numpy, safetensors, tokenizers, and onnxruntime for known models.
"""

import json
import math
import pathlib
import sys

import numpy as np
import safetensors.numpy
import tokenizers

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
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
# Of a vector, the first that are kept.
REAL_COMPONENTS, KNOWN_COMPONENTS = 24, 16
LIMIT = 256  # sentence-transformers' limit for all-MiniLM-L6-v2.
SEARCH = "Represent this sentence for searching relevant passages: "
MODELS = {
    "gte-small": {"pooling": "mean", "max_tokens": 512, "prompts": {}},
    "bge-small-en-v1.5": {"pooling": "cls", "max_tokens": 512, "prompts": {"query": SEARCH}},
    "e5-small-v2": {"pooling": "mean", "max_tokens": 512, "prompts": {"query": "query: ", "passage": "passage: "}},
    "paraphrase-MiniLM-L3-v2": {"pooling": "mean", "max_tokens": 128, "prompts": {}},
}


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


def load_weights(folder):
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    return {name: tensor.astype(np.float64) for name, tensor in tensors.items()}


def load_tokenizer(folder, limit):
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(limit)
    return tokenizer


def first(rows, pooling, count, digits):
    """The first components of the vector of a text."""
    vector = rows.mean(0) if pooling == "mean" else rows[0]
    vector /= np.linalg.norm(vector)
    return [round(float(v), digits) for v in vector[:count]]


def write(name, content):
    (ROOT / "tests/fixtures" / name).write_text(json.dumps(content, indent=0) + "\n", encoding="ascii")


def write_real(folder):
    folder = pathlib.Path(folder)
    weights, tokenizer = load_weights(folder), load_tokenizer(folder, LIMIT)
    cases = []
    for text in TEXTS:
        ids = tokenizer.encode(text).ids
        cases.append({"text": text, "tokens": len(ids), "components": first(embed(ids, weights), "mean", REAL_COMPONENTS, 8)})
    write("real_model.json", {"model": "all-MiniLM-L6-v2", "cases": cases})


def last_hidden_state(folder):
    """A function from token ids to the vectors of the tokens."""
    graph = folder / "onnx/model.onnx"
    if not graph.exists():
        weights = load_weights(folder)
        return lambda ids: embed(ids, weights, layers=3)
    import onnxruntime
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    names = [node.name for node in session.get_inputs()]

    def run(ids):
        inputs = {"input_ids": [ids], "attention_mask": [[1] * len(ids)], "token_type_ids": [[0] * len(ids)]}
        return session.run(None, {name: np.array(inputs[name], np.int64) for name in names})[0][0].astype(np.float64)

    return run


def write_known():
    models = {}
    for name, facts in MODELS.items():
        folder = ROOT / "build/models/known" / name
        run, tokenizer = last_hidden_state(folder), load_tokenizer(folder, facts["max_tokens"])
        cases = []
        for prompt, before in {"": "", **facts["prompts"]}.items():
            for text in TEXTS:
                ids = tokenizer.encode(before + text).ids
                cases.append({"text": text, "prompt": prompt, "tokens": len(ids),
                              "components": first(run(ids), facts["pooling"], KNOWN_COMPONENTS, 7)})
        models[name] = {**facts, "cases": cases}
    write("known_models.json", models)


if __name__ == "__main__":
    commands = {"real": write_real, "known": write_known}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
