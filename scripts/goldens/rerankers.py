#!/usr/bin/env python3
"""Writes tests/fixtures/rerankers.json: scores by the CrossEncoder of sentence-transformers of the folders of
tests/folders/rerankers.py. Needs sentence-transformers, transformers 5 and torch (tests/folders/run.sh has them in
build/folders/base)."""

import json
import os
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/folders"))
os.environ["HF_HUB_OFFLINE"] = "1"

import rerankers  # noqa: E402
import sentence_transformers  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402


def scores(kind):
    with tempfile.TemporaryDirectory() as folder:
        rerankers.write(folder, kind)
        model = sentence_transformers.CrossEncoder(folder, device="cpu")
        torch.set_num_threads(1)
        arguments = {"batch_size": 1, "show_progress_bar": False}
        raw = model.predict(rerankers.PAIRS, activation_fn=torch.nn.Identity(), **arguments)
        return {"raw": [float(f"{value:.8g}") for value in raw],
                "scores": [float(f"{value:.8g}") for value in model.predict(rerankers.PAIRS, **arguments)]}


def main():
    cases = {name: scores(kind) for name, kind in rerankers.kinds().items() if not kind.refused}
    reference = f"sentence-transformers {sentence_transformers.__version__}, transformers {transformers.__version__}"
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(case)}" for name, case in cases.items())
    path = ROOT / "tests/fixtures/rerankers.json"
    path.write_text(f'{{"reference": {json.dumps(reference)}, "cases": {{\n{lines}\n}}}}\n', encoding="ascii")


if __name__ == "__main__":
    main()
