"""Vectors without numpy, and what a first vector imports."""

from __future__ import annotations

import array
import json
import os
import sqlite3
import struct
import subprocess
import sys
from pathlib import Path
from typing import List, Union

import numpy
import pytest

import thimble
from thimble import _native

TEXTS = ["a short text", "", "another one " * 100, "zero\0inside"]
# Neither the package nor what it imports may bring these before they are asked for: each takes milliseconds of a start.
LATE = ["asyncio", "collections", "enum", "functools", "json", "logging", "numpy", "re", "threading", "torch", "typing"]


def run(code: str, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(Path(thimble.__file__).resolve().parents[1])}
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True,
                          env=environment).stdout


@pytest.mark.parametrize("texts", [TEXTS, TEXTS[:1], TEXTS[0], []])
@pytest.mark.parametrize("precision, form", [("float32", "f"), ("float16", "H"), ("int8", "b"), ("uint8", "B"),
                                             ("binary", "b"), ("ubinary", "B")])
def test_a_buffer_has_the_bits_of_encode(model: str, texts: Union[str, List[str]], precision: str, form: str) -> None:
    embedder = thimble.Embedder(model)
    for options in ({}, {"dimensions": 12}, {"prompt_name": "query", "normalize": True, "long_texts": "chunk"}):
        vectors = embedder.encode(texts, precision=precision, **options)  # type: ignore[arg-type]
        view = embedder.encode_buffer(texts, precision=precision, **options)  # type: ignore[arg-type]
        assert view.format == form and view.shape == vectors.shape and view.tobytes() == vectors.tobytes()
        seen = numpy.asarray(view)
        assert (seen.view(numpy.float16) if precision == "float16" else seen).dtype == vectors.dtype


def test_numpy_and_others_take_a_buffer_as_it_is(model: str) -> None:
    embedder = thimble.Embedder(model)
    d = embedder.dimensions
    vectors, view = embedder.encode(TEXTS), embedder.encode_buffer(TEXTS)
    seen = numpy.asarray(view)
    assert seen.flags.writeable and (seen == vectors).all()
    seen[0, 0] = 7
    assert view.tolist()[0][0] == 7
    seen[0, 0] = vectors[0, 0]
    assert view.tolist() == vectors.tolist()
    assert struct.unpack(f"{d}f", view[1:2]) == tuple(vectors[1])
    assert array.array("f", embedder.encode_buffer(TEXTS[0])).tolist() == vectors[0].tolist()
    with sqlite3.connect(":memory:") as store:
        assert store.execute("select ?", (view[2:3],)).fetchone()[0] == vectors[2].tobytes()
    store.close()


def test_a_buffer_needs_what_encode_needs(model: str) -> None:
    embedder = thimble.Embedder(model)
    with pytest.raises(thimble.InvalidArgument, match="int4"):
        embedder.encode_buffer("a", precision="int4")
    with pytest.raises(TypeError, match="expected a string"):
        embedder.encode_buffer([1])  # type: ignore[list-item]
    with pytest.raises(thimble.InvalidArgument, match=r"texts\[1\]"):
        embedder.encode_buffer(["short", "word " * 400], long_texts="error")


def test_a_first_vector_imports_little(model: str) -> None:
    code = f"""
import sys
import ctypes
before = set(sys.modules)
import thimble
vector = thimble.Embedder(sys.argv[1]).encode_buffer("a short text")
print(len(vector), *(name for name in {LATE} if name in set(sys.modules) - before))
"""
    assert run(code, model).split() == [str(thimble.Embedder(model).dimensions)]


def test_where_numpy_is_not_installed(model: str) -> None:
    code = """
import sys
sys.modules["numpy"] = None  # An import of it fails.
import thimble
embedder = thimble.Embedder(sys.argv[1])
print(embedder.encode_buffer(["a", "b"]).tobytes().hex())
print(embedder.count_tokens("a"), embedder.info["dimensions"], thimble.plan(sys.argv[1])["threads"])
for call in (lambda: embedder.encode("a"), lambda: next(embedder.encode_stream(["a"])), lambda: thimble.quantize([], "int8")):
    try:
        call()
    except ImportError as error:
        print(error)
"""
    vectors, said, *errors = run(code, model).splitlines()
    assert bytes.fromhex(vectors) == thimble.Embedder(model).encode(["a", "b"]).tobytes()
    assert said == f"3 {thimble.Embedder(model).dimensions} 1"
    assert len(errors) == 3 and all("install it" in error and "encode_buffer" in error for error in errors)


def test_documents_are_ranked_without_numpy(models: Path) -> None:
    code = """
import sys
sys.modules["numpy"] = None
import thimble
print(thimble.Reranker(sys.argv[1]).rank("a", ["b", "c"]) == thimble.Reranker(sys.argv[1]).rank("a", ["b", "c"], top_n=2))
"""
    assert run(code, str(models / "reranker-q8.safetensors")) == "True\n"


def test_a_number_is_found_in_json_whatever_the_strings_say() -> None:
    text = json.dumps({"name": '"dimensions":7,', "my_dimensions": 8, "dimensions": 384}, separators=(",", ":"))
    assert _native.number_in(text, "dimensions") == 384
    assert _native.number_in('{"dimensions":12,"layers":3}', "dimensions") == 12
    assert _native.number_in('{"dimensions":12,"layers":3}', "layers") == 3


def test_modules_are_attributes() -> None:
    code = """
import sys
import thimble
assert not {"thimble.util", "thimble.quantization"} & set(sys.modules)
print(thimble.util.SimilarityFunction.COSINE.value, thimble.quantization.PRECISIONS[0])
import thimble.util, thimble.quantization
assert thimble.util is sys.modules["thimble.util"] and thimble.quantization is sys.modules["thimble.quantization"]
from thimble import quantization, util
assert set(thimble.__all__) <= set(vars(thimble)) | set(thimble._LAZY) and {"util", "quantization"} <= set(thimble.__all__)
"""
    assert run(code).split() == ["cosine", "float32"]
