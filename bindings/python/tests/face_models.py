"""Models for the tests of SentenceTransformer and CrossEncoder."""

import functools
import json
import os
import pathlib
import subprocess
import tempfile

import pytest

from thimble import _native

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("THIMBLE_BUILD", str(ROOT / "build")))

TEXTS = ["A man is eating food.", "a cheetah runs", "It's so sunny outside!", "", "naïve café 42", "word " * 200]


@functools.lru_cache(maxsize=None)
def folder():
    """source (a folder of transformers), DTYPE.safetensors of it, reranker (likewise) and reranker-q8.safetensors."""
    beside = os.path.join(os.path.dirname(_native.library_path()), "make_test_model")
    make = os.environ.get("THIMBLE_MAKE_TEST_MODEL") or beside
    if not os.path.exists(make):
        pytest.skip(f"{make} is not built")
    made = tempfile.TemporaryDirectory()
    folder.kept = made  # Removed when the process ends.
    subprocess.run([make, made.name], check=True)
    return pathlib.Path(made.name)


def _add(path, **values):
    content = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**content, **values}))


@functools.lru_cache(maxsize=None)
def complete_folder(name):
    """The folder `name` of folder(), with what sentence-transformers wants of it and thimble does not."""
    source = folder() / name
    tokens = {f"{kind}_token": f"[{kind.upper()}]" for kind in ("pad", "unk", "cls", "sep", "mask")}
    limit = 64 if name == "reranker" else 128
    _add(
        source / "tokenizer_config.json",
        tokenizer_class="PreTrainedTokenizerFast",
        model_max_length=limit,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **tokens,
    )
    if (source / "modules.json").exists():
        modules = json.loads((source / "modules.json").read_text())
        named = [{**module, "name": str(index)} for index, module in enumerate(modules)]
        (source / "modules.json").write_text(json.dumps(named))
        _add(source / "1_Pooling" / "config.json", word_embedding_dimension=64)
    return str(source)


def model(dtype="q8"):
    return str(folder() / f"{dtype}.safetensors")


def reranker():
    return str(folder() / "reranker-q8.safetensors")


def real_model():
    """all-MiniLM-L6-v2 in q8."""
    path = BUILD / "models" / "all-MiniLM-L6-v2-q8.safetensors"
    if not path.exists():
        pytest.skip(f"{path} is not there: scripts/models makes it")
    return str(path)
