"""Vectors, and what an embedder says of itself."""

from __future__ import annotations

import io
import json
import math
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Iterator, List

import numpy
import pytest

import thimble
from thimble import _native

TEXTS = ["a short text", "", "Ein l\u00e4ngerer Satz mit \u00dcmlauten \U0001f600", "x " * 300, "zero\0inside"]


@pytest.mark.parametrize("dtype", ["fp32", "q8", "q4"])
def test_vectors_equal_the_command_line_to_the_bit(models: Path, command_line: Callable[..., str], tmp_path: Path,
                                                   dtype: str) -> None:
    path = str(models / f"{dtype}.safetensors")
    texts = [text for text in TEXTS if text and "\0" not in text]
    (tmp_path / "texts.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    command_line("embed", "-m", path, "-i", str(tmp_path / "texts.txt"), "--format", "npy", "-o",
                 str(tmp_path / "vectors.npy"))
    expected = numpy.load(tmp_path / "vectors.npy")
    found = thimble.Embedder(path).encode(texts)
    assert found.dtype == expected.dtype and found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("precision", ["float16", "int8", "uint8", "binary", "ubinary"])
def test_codes_equal_the_command_line(models: Path, command_line: Callable[..., str], tmp_path: Path,
                                      precision: str) -> None:
    path = str(models / "q8.safetensors")
    arguments = ["--dimensions", "12", "--precision", precision]
    command_line("embed", "-m", path, *arguments, "--format", "npy", "-o", str(tmp_path / "codes.npy"), "a", "b")
    expected = numpy.load(tmp_path / "codes.npy")
    found = thimble.Embedder(path).encode(["a", "b"], dimensions=12, precision=precision)
    assert found.dtype == expected.dtype and found.shape == expected.shape and found.tobytes() == expected.tobytes()


def test_shapes(model: str) -> None:
    embedder = thimble.Embedder(model)
    d = embedder.dimensions
    assert embedder.encode("one").shape == (d,)
    assert embedder.encode(["one"]).shape == (1, d)
    assert embedder.encode([]).shape == (0, d)
    assert embedder.encode(("a", "b")).shape == (2, d)
    assert embedder.encode(text for text in "abc").shape == (3, d)
    assert embedder.encode(numpy.array(["a", "b"])).shape == (2, d)
    assert embedder.encode(["a"], dimensions=8).shape == (1, 8)
    assert embedder.encode([], dimensions=9, precision="ubinary").shape == (0, 2)
    assert embedder.encode(TEXTS).flags.c_contiguous


def test_a_vector_does_not_depend_on_its_batch_or_threads(model: str) -> None:
    texts = [f"text {i} " + "word " * (i % 40) for i in range(500)]
    vectors = thimble.Embedder(model, threads=1).encode(texts)
    assert (thimble.Embedder(model, threads=4).encode(texts) == vectors).all()
    assert (thimble.Embedder(model).encode(texts[::-1])[::-1] == vectors).all()
    assert (thimble.Embedder(model).encode(texts[321]) == vectors[321]).all()


def test_a_mock_has_its_formula() -> None:
    vector = thimble.Embedder("mock").encode("ab")
    h = ord("a") + ord("b")
    assert vector.shape == (384,)
    assert numpy.allclose(vector, [math.sin(h + i) / 10 for i in range(384)], atol=1e-7)


def test_surrogates_are_the_replacement_character(model: str) -> None:
    embedder = thimble.Embedder(model)
    for text, same in (("a\ud800b", "a\ufffdb"), ("\udcff", "\ufffd"), ("\ud83d\ude00", "\U0001f600")):
        assert (embedder.encode(text) == embedder.encode(same)).all()


def test_prompts_and_options(models: Path) -> None:
    embedder = thimble.Embedder(models / "q8.safetensors")
    assert embedder.prompts == {"query": "query: ", "passage": "passage: "}
    query = embedder.encode("a text", prompt_name="query")
    assert (query == embedder.encode("query: a text")).all()
    assert (query == thimble.Embedder(models / "q8.safetensors", prompt_name="query").encode("a text")).all()
    assert (embedder.encode("a text", prompt_name="") == embedder.encode("a text")).all()
    raw = embedder.encode("a text", normalize=False)
    assert not numpy.isclose(numpy.linalg.norm(raw), 1, atol=1e-3)
    assert numpy.isclose(numpy.linalg.norm(embedder.encode("a text", normalize=True)), 1, atol=1e-5)
    long_text = "word " * 400
    assert not (embedder.encode(long_text, long_texts="chunk") == embedder.encode(long_text)).all()
    with pytest.raises(thimble.InvalidArgument, match=r"texts\[1\]"):
        embedder.encode(["short", long_text], long_texts="error")


def test_reports(model: str) -> None:
    vectors, reports = thimble.Embedder(model).encode_with_reports(["short", "word " * 400])
    assert vectors.shape[0] == 2 and reports.dtype == numpy.uint64
    assert reports[0].tolist()[1:] == [0, 1] and reports[1].tolist()[1:] == [1, 1]
    assert reports[1][0] == thimble.Embedder(model).max_tokens


def test_tokens(model: str, command_line: Callable[..., str]) -> None:
    embedder = thimble.Embedder(model)
    said = json.loads(command_line("tokenize", "-m", model, "a short text"))
    ids = embedder.tokenize("a short text")
    assert ids == (said["ids"] if isinstance(said, dict) else said)
    assert embedder.count_tokens("a short text") == len(ids)
    assert embedder.count_tokens(["a short text", ""]) == [len(ids), 2]
    assert embedder.tokenize("a short text", special_tokens=False) == ids[1:-1]
    long_text = "word " * 400
    assert len(embedder.tokenize(long_text)) == embedder.max_tokens
    assert len(embedder.tokenize(long_text, truncate=False)) == embedder.count_tokens(long_text) > embedder.max_tokens
    assert embedder.tokenize_batch([]) == []
    tokens = embedder.encode_tokens("a short text")
    assert tokens.shape == (len(ids), embedder.info["heads"] and tokens.shape[1])


def test_info_is_that_of_the_command_line(model: str, command_line: Callable[..., str]) -> None:
    embedder = thimble.Embedder(model)
    said = json.loads(command_line("info", "--json", model))
    info = embedder.info
    assert info.pop("effective_max_tokens") == said["max_tokens"] and info.pop("num_scores") == 0
    assert info == said
    assert embedder.fingerprint == said["fingerprint"] and len(embedder.fingerprint) == 32
    assert thimble.Embedder(model, max_tokens=16).max_tokens == 16
    assert thimble.Embedder(model, dimensions=8).fingerprint != embedder.fingerprint


def test_a_stream_does_not_read_ahead(model: str) -> None:
    taken: List[int] = []

    def texts() -> Iterator[str]:
        for i in range(10):
            taken.append(i)
            yield f"text {i}"

    embedder = thimble.Embedder(model)
    stream = embedder.encode_stream(texts(), batch_texts=4)
    assert taken == []
    assert next(stream).shape[0] == 4 and len(taken) == 4
    rest = list(stream)
    assert [part.shape[0] for part in rest] == [4, 2]
    for wrong in ("a string", None, {"a": 1}, b"bytes", numpy.array([["a", "b"]])):
        with pytest.raises(TypeError, match="texts: expected an? "):
            embedder.encode_stream(wrong)
    wrong_size: Any = 2.5
    with pytest.raises(TypeError, match="batch_texts: expected a whole number, found float"):
        embedder.encode_stream(["a"], batch_texts=wrong_size)
    with pytest.raises(TypeError, match=r"texts\[5\]: expected a string, found NoneType"):
        list(embedder.encode_stream(["a"] * 5 + [None], batch_texts=4))  # type: ignore[list-item]


@pytest.mark.parametrize("texts", [None, 1, b"bytes", [b"bytes"], ["a", None], {"a": 1}.items(), {"a": 1},
                                   numpy.array("a"), numpy.array([["a", "b"]])])
def test_what_is_no_text_is_refused(model: str, texts: Any) -> None:
    with pytest.raises(TypeError, match="expected a string"):
        thimble.Embedder(model).encode(texts)


@pytest.mark.parametrize("arguments", [
    {"pooling": "median"}, {"dimensions": 0}, {"dimensions": 100000}, {"prompt_name": "none"}, {"truncation": "never"},
    {"threads": 65}, {"threads": -1}, {"long_texts": "drop"}, {"max_tokens": 1 << 20}, {"model_with": "zero"},
])
def test_wrong_options_are_refused_by_name(model: str, arguments: Any) -> None:
    if "model_with" in arguments:
        with pytest.raises(thimble.InvalidArgument, match="zeros"):
            thimble.Embedder("a\0b")
        return
    with pytest.raises(thimble.InvalidArgument):
        thimble.Embedder(model, **arguments).encode(["a"])


@pytest.mark.parametrize("arguments", [
    {"prompt_name": 3}, {"pooling": 1}, {"long_texts": 1}, {"truncation": 1}, {"dtype": 8}, {"model": 1}, {"backend": 1},
    {"threads": "2"}, {"threads": [1]}, {"max_memory": 3e6}, {"dimensions": "12"}, {"dimensions": 1.5},
    {"normalize": "no"}, {"pool": 3},
])
def test_options_of_a_wrong_type_are_refused(model: str, arguments: Any) -> None:
    with pytest.raises(TypeError, match=f"{next(iter(arguments))}.*expected .*, found"):
        thimble.Embedder(**{"model": model, **arguments}).encode(["a"])


@pytest.mark.parametrize("name", ["prompt_name", "long_texts", "normalize", "dimensions"])
def test_options_of_a_call_of_a_wrong_type_are_refused(model: str, name: str) -> None:
    wrong: Any = {name: [1]}
    with pytest.raises(TypeError, match=f"{name}: expected .*, found"):
        thimble.Embedder(model).encode(["a"], **wrong)


def test_numbers_of_numpy_are_numbers(model: str) -> None:
    assert thimble.Embedder(model, threads=numpy.int64(1)).encode("a", dimensions=numpy.int64(8)).shape == (8,)


@pytest.mark.parametrize("dimensions", [65, 10**12, 10**30])  # Of which there is no memory for the second.
def test_more_dimensions_than_the_model_has_are_refused(model: str, dimensions: int) -> None:
    with pytest.raises(thimble.InvalidArgument, match="dimensions.* (found 65|found 1000000000000|is too large)"):
        thimble.Embedder(model).encode(["a"], dimensions=dimensions)
    assert thimble.Embedder(model, dimensions=8).encode(["a"], dimensions=16).shape == (1, 16)


def test_a_number_that_does_not_fit_is_refused(model: str) -> None:
    with pytest.raises(thimble.InvalidArgument, match="^max_memory: .*, found"):
        thimble.Embedder(model, max_memory=1 << 64)


@pytest.mark.parametrize(("size", "expected"), [
    ("16MB", 16_000_000), ("1.5MiB", 3 << 19), ("2 kB", 2000), ("4000000", 4_000_000), ("1g", 10**9), ("10B", 10),
])
def test_sizes_are_those_of_the_command_line(size: str, expected: int) -> None:
    assert _native.size(size, "max_memory") == expected


@pytest.mark.parametrize("size", ["", "0", "-1", "MB", "8XB", "1.5", "1.MB", ".5MB", "1,5MB", "0x10", "0MB", "8MBB", "0.0001kB",
                                  "99999999999999999999", "\u0661MB", -1])
def test_what_is_no_size_is_refused_by_the_name_that_the_caller_wrote(model: str, size: Any) -> None:
    for make in (thimble.Embedder, thimble.plan):
        with pytest.raises(thimble.InvalidArgument, match="^max_memory: expected .*, found"):
            make(model, max_memory=size)
    with pytest.raises(thimble.InvalidArgument, match="^call_max_memory: expected .*, found"):
        thimble.ModelPool(call_max_memory=size)


def test_a_size_limits_a_call(model: str) -> None:
    assert (thimble.Embedder(model, max_memory="16MB").encode("a") == thimble.Embedder(model).encode("a")).all()
    for make in (thimble.Embedder, thimble.plan):
        with pytest.raises(thimble.OutOfMemory, match="raise `max_memory`"):
            make(model, max_memory="1kB")
    with thimble.ModelPool(call_max_memory="1kB") as pool, pytest.raises(thimble.OutOfMemory, match="raise `call_max_memory`"):
        pool.embedder(model)
    with thimble.ModelPool(max_memory="1kB") as pool, pytest.raises(thimble.OutOfMemory, match="raise `max_memory`"):
        pool.embedder(model)


def test_a_percentile_is_that_of_the_command_line(model: str, command_line: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("a text\nword word\n", encoding="utf-8")
    embedder = thimble.Embedder(model)
    for line in command_line("similar", "-m", model, "a text", str(tmp_path / "texts.txt"), "--json").splitlines():
        found = json.loads(line)
        assert embedder.percentile(found["cosine"]) == found["percentile"]
    assert embedder.percentile(-1) == 0 and 99 < (embedder.percentile(numpy.float32(1)) or 0) < 100
    assert math.isnan(embedder.percentile(math.nan) or 0)
    for unknown in (thimble.Embedder("mock"), thimble.Embedder(model, dimensions=8), thimble.Embedder(model, pooling="cls")):
        assert unknown.percentile(0.5) is None
    wrong: Any = "0.5"
    with pytest.raises(TypeError, match="cosine: expected a number, found str"):
        embedder.percentile(wrong)


def test_options_that_do_not_exist_are_refused(model: str) -> None:
    embedder: Any = thimble.Embedder(model)
    for method in (embedder.encode, embedder.encode_stream, embedder.encode_with_reports):
        with pytest.raises(TypeError, match="dimension"):
            method(["a"], dimension=8)


def test_one_text_is_not_several(model: str) -> None:
    with pytest.raises(TypeError, match="tokenize takes one"):
        thimble.Embedder(model).tokenize_batch("a string")


@pytest.mark.parametrize("precision", ["int4", None, ["int8"]])
def test_precision_is_one_of_six(model: str, precision: Any) -> None:
    with pytest.raises(thimble.InvalidArgument, match="precision: expected one of float32, .*, found"):
        thimble.Embedder(model).encode("a", precision=precision)


def test_errors_are_builtin_kinds_too(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        thimble.Embedder(tmp_path / "none.safetensors")
    assert isinstance(raised.value, (thimble.NotFound, LookupError)) and raised.value.code == "not_found"
    assert "none.safetensors" in str(raised.value)
    (tmp_path / "bad.safetensors").write_bytes(b"not a model file")
    with pytest.raises(thimble.Corrupt):
        thimble.Embedder(tmp_path / "bad.safetensors")
    with pytest.raises(thimble.NotFound, match="thimble pull"):
        thimble.Embedder("acme/not-here")
    assert issubclass(thimble.InvalidArgument, ValueError) and issubclass(thimble.IoError, OSError)
    assert issubclass(thimble.OutOfMemory, MemoryError)
    again = pickle.loads(pickle.dumps(raised.value))
    assert type(again) is thimble.NotFound and (again.code, again.message) == (raised.value.code, raised.value.message)


def test_a_folder_is_converted_at_first_use(models: Path, tmp_path: Path) -> None:
    embedder = thimble.Embedder(models / "source", dtype="q4")
    assert embedder.info["dtype"] == "q4" and embedder.encode("a").shape == (embedder.dimensions,)


def test_a_file_has_its_own_dtype(model: str) -> None:
    assert thimble.Embedder(model).info["dtype"] == thimble.Embedder(model, dtype="q8").info["dtype"] == "q8"
    with pytest.raises(thimble.InvalidArgument, match="expected q8, which the file has, or none, found q4"):
        thimble.Embedder(model, dtype="q4")


def test_an_overlap_below_0_is_refused(model: str) -> None:
    with pytest.raises(thimble.InvalidArgument, match="chunk_overlap: expected at least 0, found -1"):
        thimble.Embedder(model, chunk_overlap=-1)


def test_a_max_memory_that_is_too_small_says_what_is_needed(model: str) -> None:
    with pytest.raises(thimble.OutOfMemory, match="needs"):
        thimble.Embedder(model, max_memory=1000).encode("a")


def test_names_are_seen_before_they_are_imported() -> None:
    code = "import thimble; print(set(thimble.__all__) - set(dir(thimble)), thimble.util.cos_sim.__name__)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True,
                          text=True).stdout == "set() cos_sim\n"
