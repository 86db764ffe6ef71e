"""Models for the tests of SentenceTransformer and CrossEncoder."""

import base64
import functools
import json
import os
import pathlib
import shutil
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


def write_folder(path, rows, entry, files):
    """A model folder whose tokenizer is a folder of classes.json, with as many embeddings."""
    shutil.copytree(folder() / "source", path)
    weights = (path / "model.safetensors").read_bytes()
    size = int.from_bytes(weights[:8], "little")
    header, data = json.loads(weights[8 : 8 + size]), weights[8 + size :]
    tensors = {name: data[slice(*value["data_offsets"])] for name, value in header.items() if name != "__metadata__"}
    words = next(name for name in tensors if name.endswith("word_embeddings.weight"))
    width = len(tensors[words]) // header[words]["shape"][0]
    tensors[words] = (tensors[words] * rows)[: rows * width]
    header[words]["shape"][0] = rows
    end = 0
    for name, content in tensors.items():
        header[name]["data_offsets"] = [end, end + len(content)]
        end += len(content)
    kept = json.dumps(header).encode()
    (path / "model.safetensors").write_bytes(len(kept).to_bytes(8, "little") + kept + b"".join(tensors.values()))
    _add(path / "config.json", vocab_size=rows)
    (path / "tokenizer.json").unlink()
    for file, of in entry["files"].items():
        content = files[of["of"]]
        if isinstance(content, dict):
            (path / file).write_bytes(base64.b64decode(content["base64"]))
        elif "patch" in of:
            (path / file).write_text(json.dumps(_patched(json.loads(content), of["patch"])))
        else:
            (path / file).write_text(content)
    (path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": entry["class"], **(entry["config"] or {})}))


def _patched(value, patch):
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    made = dict(value) if isinstance(value, dict) else {}
    for name, item in patch.items():
        if item is None:
            made.pop(name, None)
        else:
            made[name] = _patched(made.get(name), item)
    return made
