#!/usr/bin/env python3
"""Writes tests/fixtures/known_models.json: components of vectors of the known models whose weights packages carry.

    scripts/goldens/vectors.py

The models are what scripts/models/fetch.sh known leaves in build/models/known. Where a package has an ONNX graph, onnxruntime runs
it in fp32; paraphrase-MiniLM-L3-v2, which has none, is computed in float64 by NumPy. Token ids come from the Rust tokenizers
library; pooling, limits and prompts are written down here, and not taken from thimble's own table. Needs numpy, onnxruntime,
safetensors, tokenizers.
"""

import json
import os

import numpy as np
import onnxruntime
import safetensors.numpy
import tokenizers
from make_model_goldens import embed, TEXTS

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
SEARCH = "Represent this sentence for searching relevant passages: "
MODELS = {
    "gte-small": {"pooling": "mean", "max_tokens": 512, "prompts": {}},
    "bge-small-en-v1.5": {"pooling": "cls", "max_tokens": 512, "prompts": {"query": SEARCH}},
    "e5-small-v2": {"pooling": "mean", "max_tokens": 512, "prompts": {"query": "query: ", "passage": "passage: "}},
    "paraphrase-MiniLM-L3-v2": {"pooling": "mean", "max_tokens": 128, "prompts": {}},
}
COMPONENTS = 16


def last_hidden_state(folder):
    """A function from token ids to the vectors of the tokens."""
    graph = os.path.join(folder, "onnx", "model.onnx")
    if not os.path.exists(graph):
        tensors = safetensors.numpy.load_file(os.path.join(folder, "model.safetensors"))
        weights = {name: tensor.astype(np.float64) for name, tensor in tensors.items()}
        return lambda ids: embed(ids, weights, layers=3)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    names = [node.name for node in session.get_inputs()]

    def run(ids):
        inputs = {"input_ids": [ids], "attention_mask": [[1] * len(ids)], "token_type_ids": [[0] * len(ids)]}
        return session.run(None, {name: np.array(inputs[name], np.int64) for name in names})[0][0].astype(np.float64)

    return run


def main():
    models = {}
    for name, facts in MODELS.items():
        folder = os.path.join(ROOT, "build", "models", "known", name)
        run = last_hidden_state(folder)
        tokenizer = tokenizers.Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(facts["max_tokens"])
        cases = []
        for prompt, before in {"": "", **facts["prompts"]}.items():
            for text in TEXTS:
                ids = tokenizer.encode(before + text).ids
                rows = run(ids)
                vector = rows.mean(0) if facts["pooling"] == "mean" else rows[0]
                vector /= np.linalg.norm(vector)
                cases.append({"text": text, "prompt": prompt, "tokens": len(ids),
                              "components": [round(float(v), 7) for v in vector[:COMPONENTS]]})
        models[name] = {**facts, "cases": cases}
    with open(os.path.join(ROOT, "tests", "fixtures", "known_models.json"), "w", encoding="ascii") as file:
        json.dump(models, file, indent=0)
        file.write("\n")


if __name__ == "__main__":
    main()
