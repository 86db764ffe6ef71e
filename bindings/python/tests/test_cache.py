"""The exact cache: vectors that another process computed."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Tuple

import pytest

import thimble

TEXTS = [f"text {i} " + "word " * (i % 30) for i in range(40)]
MIB = 1 << 20


def another_process(code: str, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    environment = {**os.environ, "PYTHONPATH": str(Path(thimble.__file__).resolve().parents[1])}
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, check=True, env=environment)


def encoded(model: str, cache: Path) -> Tuple[bytes, Dict[str, Any]]:
    """The vectors of TEXTS from a process with that cache, and what it counted."""
    code = """
import json, sys
import thimble
with thimble.ModelPool(threads=2, cache=sys.argv[2], cache_bytes=1 << 20) as pool:
    vectors = pool.embedder(sys.argv[1]).encode_buffer(json.loads(sys.argv[3]))
    counts = pool.stats()["cache"]
sys.stdout.buffer.write(vectors)
sys.stderr.write(json.dumps(counts))
"""
    done = another_process(code, model, str(cache), json.dumps(TEXTS))
    return done.stdout, json.loads(done.stderr)


def test_a_second_process_finds_the_vectors_of_the_first(model: str, tmp_path: Path) -> None:
    expected = thimble.Embedder(model).encode_buffer(TEXTS).tobytes()
    vectors, counts = encoded(model, tmp_path / "vectors.cache")
    assert vectors == expected
    assert counts == {"hits": 0, "misses": len(TEXTS), "writes": len(TEXTS)}
    assert 0 < (tmp_path / "vectors.cache").stat().st_size <= MIB
    vectors, counts = encoded(model, tmp_path / "vectors.cache")
    assert vectors == expected
    assert counts == {"hits": len(TEXTS), "misses": 0, "writes": 0}


def test_all_options_find_one_record(model: str, tmp_path: Path) -> None:
    plain = thimble.Embedder(model)
    with thimble.ModelPool(threads=1, cache=tmp_path / "vectors.cache", cache_bytes=MIB) as pool:
        embedder = pool.embedder(model)
        for options in ({}, {"dimensions": 8}, {"normalize": False}, {"precision": "int8"}):
            found = embedder.encode(TEXTS, **options)  # type: ignore[arg-type]
            assert found.tobytes() == plain.encode(TEXTS, **options).tobytes()  # type: ignore[arg-type]
        assert pool.stats()["cache"] == {"hits": 3 * len(TEXTS), "misses": len(TEXTS), "writes": len(TEXTS)}
        embedder.encode(TEXTS[0], prompt_name="query")
        assert pool.stats()["cache"]["misses"] == len(TEXTS) + 1


def test_an_embedder_has_a_cache_of_its_own(model: str, tmp_path: Path) -> None:
    path = tmp_path / "vectors.cache"
    expected = thimble.Embedder(model).encode(TEXTS)
    embedder = thimble.Embedder(model, cache=path)
    assert path.exists() and (embedder.encode(TEXTS) == expected).all()
    with thimble.ModelPool(threads=1, cache=path) as pool:  # The file's own size counts.
        assert (pool.embedder(model).encode(TEXTS) == expected).all()
        assert pool.stats()["cache"]["hits"] == len(TEXTS)
    code = """
import pickle, sys
sys.stdout.buffer.write(pickle.loads(bytes.fromhex(sys.argv[1])).encode_buffer(["text 0 "]))
"""
    assert another_process(code, pickle.dumps(embedder).hex()).stdout == expected[0].tobytes()


def test_a_pool_without_a_cache_counts_none(model: str) -> None:
    with thimble.ModelPool(threads=1) as pool:
        assert "cache" not in pool.stats()


def test_what_is_no_cache_is_refused_and_stays(model: str, tmp_path: Path) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("mine " * 2000)
    with pytest.raises(thimble.InvalidArgument, match="notes.txt: not a cache"):
        thimble.ModelPool(cache=other)
    with pytest.raises(thimble.InvalidArgument, match="notes.txt: not a cache"):
        thimble.Embedder(model, cache=other)
    assert other.read_text() == "mine " * 2000
    with pytest.raises(thimble.ThimbleError, match="nowhere") as raised:
        thimble.Embedder(model, cache=tmp_path / "nowhere" / "vectors.cache")
    assert isinstance(raised.value, OSError)
    with pytest.raises(thimble.ThimbleError, match=tmp_path.name):
        thimble.ModelPool(cache=tmp_path)
    with pytest.raises(thimble.InvalidArgument, match="`cache_bytes`: expected at least"):
        thimble.ModelPool(cache=tmp_path / "small.cache", cache_bytes=1000)
    thimble.ModelPool(cache=tmp_path / "a.cache", cache_bytes=MIB).close()
    with pytest.raises(thimble.InvalidArgument, match="a.cache was made for.*leave `cache_bytes` out"):
        thimble.ModelPool(cache=tmp_path / "a.cache", cache_bytes=2 * MIB)
    with pytest.raises(thimble.InvalidArgument, match="cache_bytes: there is no cache"):
        thimble.ModelPool(cache_bytes=MIB)
    with pytest.raises(thimble.InvalidArgument, match="cache"), thimble.ModelPool() as pool:
        thimble.Embedder(model, pool=pool, cache=tmp_path / "vectors.cache")
    with pytest.raises(thimble.Unsupported, match="cache"):
        thimble.Embedder(backend="openai:text-embedding-3-small", cache=tmp_path / "vectors.cache")
