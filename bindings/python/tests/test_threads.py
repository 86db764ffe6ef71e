"""Many threads at once: the same bits as one after the other, errors where they belong, one pool, and nothing freed twice.
In a free-threaded Python these threads run at the same time."""

from __future__ import annotations

import asyncio
import gc
import os
import pathlib
import subprocess
import sys
import sysconfig
import threading
import time
from typing import Any, Callable, List

import pytest

import thimble
from thimble import _native, pool as pool_module

THREADS = 8
TEXTS = [f"text {i} " + "word " * (i % 40) for i in range(60)]


def together(*works: Callable[[], Any], times: int = 1) -> List[Any]:
    """What each of the calls gives or raises, each on its own thread, all begun at the same moment."""
    barrier = threading.Barrier(len(works))
    found: List[Any] = [None] * len(works)

    def work(i: int) -> None:
        barrier.wait(60)
        try:
            for _ in range(times):
                found[i] = works[i]()
        except Exception as error:
            found[i] = error

    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "a thread waits for ever"
    return found


def bits(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [bits(item) for item in value]
    return value.tobytes() if hasattr(value, "tobytes") else value


def calls_of(embedder: thimble.Embedder, reranker: thimble.Reranker) -> List[Callable[[], Any]]:
    return [
        lambda: embedder.encode(TEXTS),
        lambda: embedder.encode(TEXTS[::-1], dimensions=12, precision="ubinary"),
        lambda: embedder.encode_buffer(TEXTS, precision="float16"),
        lambda: list(embedder.encode_stream(iter(TEXTS), batch_texts=7)),
        lambda: embedder.encode_with_reports(TEXTS, prompt_name="query"),
        lambda: embedder.encode_tokens(TEXTS[3]),
        lambda: embedder.count_tokens(TEXTS),
        lambda: embedder.tokenize_batch(TEXTS, truncate=False),
        lambda: asyncio.run(embedder.aencode(TEXTS[:9])),
        lambda: reranker.score("a text", TEXTS),
        lambda: reranker.rank("a text", TEXTS, top_n=5),
        lambda: (sorted(embedder.info.items()), embedder.prompts, embedder.fingerprint),
    ]


@pytest.mark.parametrize("cached", [False, True])
def test_calls_of_all_kinds_give_the_bits_of_one_after_the_other(models: pathlib.Path, tmp_path: pathlib.Path,
                                                                 cached: bool) -> None:
    with thimble.ModelPool(threads=2, cache=tmp_path / "cache" if cached else None) as pool:
        embedder = pool.embedder(models / "q8.safetensors")
        reranker = pool.reranker(str(models / "reranker-q8.safetensors"))
        expected = [bits(call()) for call in calls_of(thimble.Embedder(models / "q8.safetensors", threads=2), reranker)]
        found = together(*calls_of(embedder, reranker) * 2, times=3)
        assert [bits(value) for value in found] == expected * 2
        if cached:
            assert pool.stats()["cache"]["hits"] > 0


def test_an_error_comes_where_it_belongs(model: str) -> None:
    embedder = thimble.Embedder(model)

    def wrong(i: int) -> Callable[[], Any]:
        return lambda: embedder.encode(["short"] * i + ["word " * 400], long_texts="error")

    def right() -> Any:
        return embedder.encode("a text")

    expected = right().tobytes()
    found = together(*(call for i in range(THREADS) for call in (wrong(i), right)))
    for i, (error, vector) in enumerate(zip(found[::2], found[1::2])):
        assert isinstance(error, thimble.InvalidArgument) and f"texts[{i}]" in str(error)
        assert vector.tobytes() == expected


def test_those_who_come_at_once_share_one_pool(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A pool takes a while to make; one with these arguments is not there yet.
    monkeypatch.setattr(pool_module, "_threads_of_environment", lambda: time.sleep(0.05))
    made = together(*[lambda: thimble.Embedder(model, max_memory=123_456_789)] * THREADS)
    assert len({id(embedder._pool) for embedder in made}) == 1
    made[0]._pool.close()  # One that was closed is replaced, once.
    again = together(*[lambda: thimble.Embedder(model, max_memory=123_456_789)] * THREADS)
    assert len({id(embedder._pool) for embedder in again}) == 1 and again[0]._pool is not made[0]._pool


def test_closing_lets_calls_end_and_refuses_later_ones(model: str) -> None:
    expected = thimble.Embedder(model).encode(TEXTS).tobytes()
    for _ in range(5):
        pool = thimble.ModelPool(threads=1)
        embedder = thimble.Embedder(model, pool=pool)

        def call() -> Any:
            return embedder.encode(TEXTS).tobytes()

        def close() -> None:
            time.sleep(0.01)
            embedder.close()
            pool.close()

        for found in together(*[call] * 4, close, close, times=3):
            assert found in (None, expected) or (isinstance(found, thimble.InvalidArgument) and "closed" in str(found))
        assert pool._handle._users == 0


def test_finalizers_run_beside_calls(model: str) -> None:
    expected = thimble.Embedder(model).encode(TEXTS[:5]).tobytes()

    def make_and_drop() -> bytes:
        pool = thimble.ModelPool(threads=1)
        embedder = thimble.Embedder(model, pool=pool)
        cycle: List[Any] = [pool, embedder]
        cycle.append(cycle)  # Only the garbage collector frees it.
        return embedder.encode(TEXTS[:5]).tobytes()

    def collect() -> bytes:
        gc.collect()
        return expected

    assert together(*[make_and_drop] * 6, collect, collect, times=5) == [expected] * 8
    gc.collect()


def test_a_finalizer_that_runs_while_its_thread_holds_the_lock() -> None:
    def collected_meanwhile() -> str:
        pools: List[Any] = [thimble.ModelPool()]
        with _native.lock:
            pools.clear()
        return "ended"

    assert together(collected_meanwhile) == ["ended"]


class _SlowLibrary:
    """Of one job, which has ended. A thread is in each wait for a while."""

    def __init__(self) -> None:
        self.freed = 0
        self.after_its_end = 0

    def thimble_job_wait(self, job: int, milliseconds: int) -> int:
        time.sleep(0.02 * (threading.get_ident() % 7 + 1))
        self.after_its_end += self.freed
        return 1

    def thimble_job_free(self, job: int) -> None:
        self.freed += 1


def test_a_job_that_was_left_is_freed_once_and_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    library = _SlowLibrary()
    monkeypatch.setattr(_native, "library", lambda: library)
    key = object()
    _native._abandoned[key] = (1, os.getpid())
    together(*[_native._reap] * THREADS)
    assert (library.freed, library.after_its_end) == (1, 0) and key not in _native._abandoned


def test_a_call_that_is_refused_keeps_no_texts(model: str) -> None:
    pool = thimble.ModelPool()
    embedder = thimble.Embedder(model, pool=pool)
    pool.close()
    before = len(_native._alive)
    with pytest.raises(thimble.InvalidArgument, match="closed"):
        embedder.encode("a text")
    assert len(_native._alive) == before


def test_closing_a_remote_one_lets_its_call_end(provider: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import fake_provider  # type: ignore[import-not-found]

    def late(vectors: Any, indices: Any) -> Any:
        time.sleep(0.6)
        return vectors, indices

    monkeypatch.setitem(fake_provider.FAULTS, "late", fake_provider.shaped(late))
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    expected = thimble.Embedder(backend=f"openai:fake-model@{provider.url}/v1").encode(TEXTS[:3])
    embedder = thimble.Embedder(backend=f"openai:fake-model@{provider.url}/fault/late/v1")

    def close() -> None:
        time.sleep(0.3)
        embedder.close()

    found, _ = together(lambda: embedder.encode(TEXTS[:3]), close)
    assert bits(found) == bits(expected)
    with pytest.raises(thimble.InvalidArgument, match="closed"):
        embedder.encode("a")


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python has the GIL")
def test_nothing_switches_the_gil_on(model: str) -> None:
    code = """
import sys
import thimble, thimble.bulk, thimble.fleet
from thimble import CrossEncoder, Reranker, SentenceTransformer, quantization, util
util.cos_sim(*[SentenceTransformer(sys.argv[1]).encode(["a", "b"])] * 2)
assert not sys._is_gil_enabled()
"""
    # PYTHON_GIL=0 would keep it off whatever is imported.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHON_GIL"}
    subprocess.run([sys.executable, "-W", "error", "-c", code, model], check=True, env={
        **environment, "PYTHONPATH": str(pathlib.Path(thimble.__file__).parents[1])})
