#!/usr/bin/env python3
"""Exports tiny models to ONNX with optimum and sentence-transformers, with the vectors of the model they were made of.

    python3 tests/folders/make_exports.py OUT

Writes OUT/NAME/model and OUT/NAME/expected.json as make_folders.py does; the vectors are those of the model in torch, in
fp32. Needs what make_folders.py needs, and optimum with optimum-onnx.
"""

import argparse
import os
import shutil
import sys
import warnings

warnings.filterwarnings("ignore")
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import make_folders as folders  # noqa: E402
import tiny  # noqa: E402

import torch  # noqa: E402
import transformers  # noqa: E402
from optimum.exporters.onnx import main_export  # noqa: E402
from sentence_transformers import SentenceTransformer  # noqa: E402

HIDDEN = tiny.HIDDEN
ACTIVATIONS = ["gelu", "gelu_new", "gelu_fast", "quick_gelu", "relu", "silu"]


def heads():
    """What may stand behind the encoder, all of which sentence_embedding of the graph carries."""
    for mode in folders.POOLINGS:
        yield mode, {"modes": mode}
    yield "normalized", {"normalize": True}
    yield "several", {"modes": folders.POOLINGS}
    yield "dense", {"after": [folders.dense(HIDDEN, 24, torch.nn.Tanh)]}
    yield "dense-square", {"after": [folders.dense(HIDDEN, HIDDEN)]}
    yield "dense-no-bias", {"after": [folders.dense(HIDDEN, 24, torch.nn.ReLU, bias=False)]}
    yield "two-dense", {"modes": "cls", "normalize": True,
                        "after": [folders.dense(HIDDEN, 24, torch.nn.GELU), folders.dense(24, 40, seed=4)]}
    yield "dense-norm", {"modes": ["mean", "max"], "normalize": True,
                         "after": [folders.dense(2 * HIDDEN, 24, torch.nn.SiLU), folders.layer_norm(24)]}


def export(source, folder, task, library, **settings):
    main_export(source, output=folder, task=task, library_name=library, do_validation=False, **settings)


def kinds():
    """(name, settings of the model, export(source, folder), more of expected.json)."""
    for name, settings in heads():
        yield (f"optimum-{name}", settings,
               lambda source, folder: export(source, folder, "sentence-similarity", "sentence_transformers"), {})
    for level in ("O1", "O2", "O3"):
        # O3 computes GELU by its approximation, which is another activation by name.
        approximated = {"config": {"hidden_act": "gelu_new"}} if level == "O3" else {}
        yield (f"optimum-dense-{level}", {"after": [folders.dense(HIDDEN, 24, torch.nn.Tanh)]},
               lambda source, folder, level=level: export(source, folder, "sentence-similarity", "sentence_transformers",
                                                          optimize=level), {"computed_as": approximated})
    for activation in ACTIVATIONS:
        for level in (None, "O2"):
            yield (f"optimum-plain-{activation}{'-' + level if level else ''}", {"config": {"hidden_act": activation}},
                   lambda source, folder, level=level: export(source, folder, "feature-extraction", "transformers",
                                                              optimize=level), {"pooling": "mean"})
    for family in list(folders.CLASSES)[1:]:
        for level in (None, "O1", "O2"):
            yield (f"optimum-{family}{'-' + level if level else ''}", {"family": family},
                   lambda source, folder, level=level: export(source, folder, "feature-extraction", "transformers",
                                                              optimize=level), {"pooling": "mean"})
        for opset in (14, 18):
            yield (f"optimum-{family}-opset-{opset}", {"family": family},
                   lambda source, folder, opset=opset: export(source, folder, "feature-extraction", "transformers", opset=opset),
                   {"pooling": "mean"})
        yield (f"optimum-{family}-sentence", {"family": family, "normalize": True},
               lambda source, folder: export(source, folder, "sentence-similarity", "sentence_transformers"), {})
    yield "optimum-plain-no-pooling", {}, lambda source, folder: export(source, folder, "feature-extraction",
                                                                        "transformers"), {"refused": "--pooling"}
    for name in ("cls", "normalized", "dense-norm"):
        yield f"backend-onnx-{name}", dict(heads())[name], save_by_backend, {}


def save_by_backend(source, folder):
    """As SentenceTransformer(..., backend="onnx") saves: modules.json and onnx/model.onnx, without other weights."""
    SentenceTransformer(source, backend="onnx", model_kwargs={"export": True}).save_pretrained(folder)
    for name in ("model.safetensors", "pytorch_model.bin"):
        if os.path.exists(os.path.join(folder, name)):
            os.remove(os.path.join(folder, name))


def make(name, settings, write, more, out):
    computed_as = more.pop("computed_as", None)  # What the export changes on purpose, as settings of the model.
    folder = os.path.join(out, name)
    texts = folders.PADDED_TEXTS if "family" in settings else tiny.TEXTS
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    source, model = os.path.join(folder, "source"), os.path.join(folder, "model")
    folders.save(source, **settings)
    reference = source
    if computed_as:
        reference = os.path.join(folder, "reference")
        folders.save(reference, **settings, **computed_as)
    expected = {"reference": folders.reference(), "prompt_name": None, **more, "texts": texts, "vectors": None}
    if "refused" not in more:
        found, expected["library_error"] = folders.embed(reference, texts, None)
        expected["vectors"] = folders.digits(found)
    if computed_as:
        shutil.rmtree(reference)
    write(source, model)
    shutil.rmtree(source)
    tiny.write_json(os.path.join(folder, "expected.json"), expected)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    failed = []
    for name, settings, write, more in kinds():
        try:
            make(name, settings, write, more, options.out)
        except Exception as error:  # Said, and a failure of the run: every kind can be exported.
            shutil.rmtree(os.path.join(options.out, name), ignore_errors=True)
            failed.append(name)
            print(f"{name}: not made: {type(error).__name__}: {str(error).splitlines()[0][:200]}", flush=True)
    print(f"{len(os.listdir(options.out))} exports, {len(failed)} not made")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
