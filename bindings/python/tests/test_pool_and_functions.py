"""Pools, models on this machine, memory, and the command line in this process."""

from __future__ import annotations

import ctypes.util
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable

import numpy
import pytest

import thimble
from thimble import _native


def test_stats(model: str) -> None:
    with thimble.ModelPool(threads=1, max_memory=32 << 20) as pool:
        assert pool.stats()["models"] == []
        embedder = pool.embedder(model)
        embedder.encode(["a", "b"])
        stats = pool.stats()
        assert stats["max_memory"] == 32 << 20 and 0 < stats["used_memory"] <= stats["peak_memory"]
        assert [(found["name"], found["pinned"], found["leases"]) for found in stats["models"]] == [(model, False, 0)]
        pool.pin(model)
        assert pool.stats()["models"][0]["pinned"]
        pool.unpin(model)
        pool.unload(model)
        assert pool.stats()["models"] == [] and pool.stats()["unloads"] == 1
        assert embedder.encode("a").shape == (embedder.dimensions,)  # Loaded again.


def test_an_idle_model_is_unloaded(model: str) -> None:
    with thimble.ModelPool(threads=1, unload_after=0.05) as pool:
        pool.embedder(model).encode("a")
        deadline = time.monotonic() + 10
        while pool.stats()["models"] and time.monotonic() < deadline:
            time.sleep(0.05)
        assert pool.stats()["models"] == []


def test_a_pools_folder_has_named_models(models: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny-q8.safetensors").write_bytes((models / "q8.safetensors").read_bytes())
    with thimble.ModelPool(tmp_path) as pool:
        assert pool.embedder("tiny").encode("a").shape[0] > 0
    assert [found["name"] for found in thimble.models(tmp_path)] == ["tiny"]
    assert [found["name"] for found in thimble.remove("tiny", folder=tmp_path)] == ["tiny"]
    assert thimble.models(tmp_path) == []
    with pytest.raises(thimble.NotFound):
        thimble.remove("tiny", folder=tmp_path)


def test_pool_options_are_not_set_twice(model: str) -> None:
    with thimble.ModelPool() as pool:
        for make in (thimble.Embedder, thimble.Reranker):
            with pytest.raises(thimble.InvalidArgument, match="^threads, max_tokens: .*pool"):
                make(model, pool=pool, threads=2, max_tokens=8)


@pytest.mark.parametrize("arguments", [{"load": "read"}, {"threads": 100}, {"max_memory": -1}, {"truncation": "x"}])
def test_wrong_pool_options(arguments: dict) -> None:  # type: ignore[type-arg]
    with pytest.raises(thimble.InvalidArgument):
        thimble.ModelPool(**arguments)


@pytest.mark.parametrize("arguments", [{"load": 1}, {"folder": 1}, {"truncation": 1}, {"max_memory": 16e6},
                                       {"unload_after": "a"}, {"max_wait": None}, {"verify": "no"}, {"max_models": 2.5}])
def test_pool_options_of_a_wrong_type(arguments: dict) -> None:  # type: ignore[type-arg]
    with pytest.raises(TypeError, match=f"{next(iter(arguments))}: expected .*, found"):
        thimble.ModelPool(**arguments)


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 1e300])
@pytest.mark.parametrize("name", ["unload_after", "max_wait"])
def test_seconds_are_a_number_from_0_on(name: str, seconds: float) -> None:
    arguments: Any = {name: seconds}
    with pytest.raises(thimble.InvalidArgument, match=f"{name}: expected a number of seconds, 0 or more, found"):
        thimble.ModelPool(**arguments)
    arguments = {name: numpy.float32(0.5)}
    thimble.ModelPool(**arguments).close()


@pytest.mark.parametrize("name", ["force", "local_files_only", "unstated_pooling", "normalize"])
def test_what_is_yes_or_no_is_no_text(name: str) -> None:
    arguments: Any = {name: "no"}
    with pytest.raises(TypeError, match=f"{name}: expected True.* found 'no'"):
        thimble.pull("no/such-model", **arguments)


@pytest.mark.parametrize("pid", [2**40, -1])
def test_a_process_has_a_number(pid: int) -> None:
    with pytest.raises(thimble.InvalidArgument, match="pid: expected .*, found"):
        thimble.memory(pid)
    wrong: Any = "self"
    with pytest.raises(TypeError, match="pid: expected .*, found"):
        thimble.memory(wrong)


def test_a_pool_shows_what_it_was_given() -> None:
    with thimble.ModelPool(max_memory=1 << 24, threads=1) as pool:
        assert "max_memory=16777216" in repr(pool) and "threads=1" in repr(pool)
    with pytest.raises(thimble.InvalidArgument, match="the pool was closed"):
        pool.stats()


@pytest.mark.parametrize("path", ["/no/such/library.so", ctypes.util.find_library("c")])
def test_a_library_that_is_none_of_thimble(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THIMBLE_LIBRARY", path)
    monkeypatch.setattr(_native, "_library", None)
    with pytest.raises(ImportError, match="thimble: cannot load .* set THIMBLE_LIBRARY"):
        _native.library()


def test_plan_and_memory(model: str) -> None:
    plan = thimble.plan(model, threads=2)
    assert plan["threads"] == 2
    assert plan["peak_bytes"] == plan["fixed_bytes"] + 2 * plan["scratch_bytes_per_thread"]
    assert plan["peak_bytes"] > thimble.plan(model)["peak_bytes"]
    memory = thimble.memory()
    assert 0 < memory["private_bytes"] <= memory["rss_bytes"] <= memory["peak_rss_bytes"]


def test_convert_verify_and_pull(models: Path, tmp_path: Path) -> None:
    told = []
    notes = thimble.convert(models / "source", tmp_path / "made.safetensors", dtype="q6", calibrate=False,
                            progress=told.append)
    assert isinstance(notes, list)
    found = thimble.verify(tmp_path / "made.safetensors")
    assert found["ok"] and found["goldens"] > 0 and found["differences"] == []
    pulled = thimble.pull(models / "source", dtype="q8", folder=tmp_path / "store")
    assert Path(pulled["path"]).exists() and pulled["dtype"] == "q8" and not pulled["downloaded"]
    with pytest.raises(thimble.NotFound):
        thimble.convert(tmp_path / "nothing", tmp_path / "x.safetensors")
    with pytest.raises(thimble.InvalidArgument, match="q5"):
        thimble.convert(models / "source", tmp_path / "x.safetensors", dtype="q5")


def test_what_progress_raises_ends_the_call(models: Path, tmp_path: Path) -> None:
    def stop(state: object) -> None:
        raise RuntimeError("enough")

    try:
        thimble.convert(models / "source", tmp_path / "made.safetensors", progress=stop)
    except RuntimeError:
        time.sleep(0.5)
        assert not (tmp_path / "made.safetensors").exists()


def test_a_changed_file_is_told(models: Path, tmp_path: Path) -> None:
    data = bytearray((models / "q8.safetensors").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "changed.safetensors").write_bytes(data)
    assert not thimble.verify(tmp_path / "changed.safetensors")["weights_match"]


def test_known_models() -> None:
    models = {model["repository"]: model for model in thimble.known_models()}
    assert models["sentence-transformers/all-MiniLM-L6-v2"]["dimensions"] == 384


def test_the_command_line_is_in_the_package(model: str) -> None:
    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([sys.executable, "-m", "thimble", *arguments], capture_output=True, text=True)

    assert run("--version").stdout == f"thimble {thimble.__version__}\n"
    said = json.loads(run("embed", "-m", "mock", "a").stdout)["embedding"]
    assert numpy.float32(said[0]) == thimble.Embedder("mock").encode("a")[0]
    wrong = run("nonsense")
    assert wrong.returncode == 2 and "unknown command" in wrong.stderr
    closed = subprocess.run(f"{sys.executable} -m thimble nonsense 2>/dev/null; echo $?", shell=True, capture_output=True)
    assert closed.stdout == b"2\n"


def test_memory_starts_this_program_again(models: Path, tmp_path: Path) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("thimble memory is for Linux")
    (tmp_path / "tiny-q8.safetensors").write_bytes((models / "q8.safetensors").read_bytes())
    done = subprocess.run([sys.executable, "-m", "thimble", "memory", "--folder", str(tmp_path), "--name", "tiny",
                           "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "cold_start_ms" in done.stdout


def test_the_environment_limits_a_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THIMBLE_MAX_MEMORY", "20MB")
    with thimble.ModelPool(threads=1) as pool, thimble.ModelPool(max_memory="30MB", threads=1) as other:
        assert pool.stats()["max_memory"] == 20_000_000 and other.stats()["max_memory"] == 30_000_000
    monkeypatch.setenv("THIMBLE_MAX_MEMORY", "much")
    with pytest.raises(thimble.InvalidArgument, match="^THIMBLE_MAX_MEMORY: expected"):
        thimble.ModelPool()


@pytest.mark.parametrize(("precision", "columns"), [("int8", 16), ("uint8", 16), ("binary", 2), ("float32", 16)])
def test_codes_of_no_vectors(precision: str, columns: int) -> None:
    assert thimble.quantize(numpy.empty((0, 16)), precision).shape == (0, columns)


def test_codes_are_of_vectors() -> None:
    with pytest.raises(thimble.InvalidArgument, match=r"texts.*\(16,\)"):
        thimble.quantize(numpy.zeros(16), "int8")
