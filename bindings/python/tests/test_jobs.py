"""Ctrl-C, asyncio, threads, forks and other processes."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, List

import numpy
import pytest

import thimble
from thimble import _native

LONG: List[str] = ["word " * 200] * 20000


def test_control_c_ends_a_call_soon(model: str) -> None:
    embedder = thimble.Embedder(model, threads=1)
    embedder.encode("loaded")
    sent: List[float] = []

    def interrupt() -> None:
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.3, interrupt)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        embedder.encode(LONG)
    late = time.perf_counter() - sent[0]
    assert late < 0.1 + 0.4 * (os.getloadavg()[0] > os.cpu_count()), late  # type: ignore[operator]
    assert embedder.encode("a").shape == (embedder.dimensions,)  # And the next call works.
    deadline = time.monotonic() + 10
    while _native._abandoned and time.monotonic() < deadline:
        _native._reap(100)
    assert not _native._abandoned and not _native._alive


def test_a_process_ends_after_control_c(model: str) -> None:
    code = ("import sys, thimble; e = thimble.Embedder(sys.argv[1], threads=1); print('ready', flush=True); "
            "e.encode(['word ' * 200] * 100000)")
    child = subprocess.Popen([sys.executable, "-c", code, model], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=20)
    assert b"KeyboardInterrupt" in errors and child.returncode in (-signal.SIGINT, 130, 1)


def test_asyncio(model: str) -> None:
    embedder = thimble.Embedder(model)
    expected = embedder.encode(["a", "b", "c"])

    async def many() -> Any:
        return await asyncio.gather(*(embedder.aencode(text) for text in "abc"), embedder.aencode(["a", "b"]))

    a, b, c, both = asyncio.run(many())
    assert (numpy.stack([a, b, c]) == expected).all() and (both == expected[:2]).all()


def test_a_cancelled_task_ends_its_job(model: str) -> None:
    embedder = thimble.Embedder(model, threads=1)

    async def cancelled() -> float:
        task = asyncio.ensure_future(embedder.aencode(LONG))
        await asyncio.sleep(0.3)
        task.cancel()
        begin = time.perf_counter()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.perf_counter() - begin

    begin = time.perf_counter()
    assert asyncio.run(cancelled()) < 1
    assert time.perf_counter() - begin < 10  # The end of the loop waits for the thread.


def test_threads_share_an_embedder(model: str) -> None:
    embedder = thimble.Embedder(model)
    texts = [f"text {i}" for i in range(64)]
    expected = embedder.encode(texts)
    with ThreadPoolExecutor(8) as threads:
        for i, vector in enumerate(threads.map(embedder.encode, texts)):
            assert (vector == expected[i]).all()


def test_the_gil_is_free_meanwhile(model: str) -> None:
    embedder = thimble.Embedder(model, threads=1)
    thread = threading.Thread(target=lambda: embedder.encode(LONG[:3000]))
    thread.start()
    turns = 0
    while thread.is_alive():
        turns += 1
        time.sleep(0.001)
    thread.join()
    assert turns > 10


def test_closing_while_calls_run(model: str) -> None:
    pool = thimble.ModelPool(threads=1)
    embedder = thimble.Embedder(model, pool=pool)
    results: List[Any] = []
    thread = threading.Thread(target=lambda: results.append(embedder.encode(LONG[:2000])))
    thread.start()
    time.sleep(0.1)
    embedder.close()
    pool.close()
    thread.join()
    assert results[0].shape[0] == 2000
    with pytest.raises(thimble.InvalidArgument, match="closed"):
        embedder.encode("a")
    with pytest.raises(thimble.InvalidArgument, match="closed"):
        pool.stats()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_embeds(model: str) -> None:
    embedder = thimble.Embedder(model, threads=2)
    expected = embedder.encode(["a", "b", "c", "d", "e"])
    busy = threading.Thread(target=lambda: embedder.encode(LONG[:2000]))
    busy.start()
    time.sleep(0.05)
    for _ in range(5):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                found = embedder.encode(["a", "b", "c", "d", "e"])
                code = 0 if (found == expected).all() else 2
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
    busy.join()
    assert (embedder.encode(["a", "b", "c", "d", "e"]) == expected).all()


def _vector(embedder: thimble.Embedder) -> Any:
    return embedder.encode("a text")


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_other_processes_get_the_arguments(model: str, method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"there is no {method}")
    embedder = thimble.Embedder(model, dimensions=8, threads=1)
    with multiprocessing.get_context(method).Pool(2) as processes:
        for vector in processes.map(_vector, [embedder] * 4):
            assert (vector == embedder.encode("a text")).all()


def test_pickling(model: str) -> None:
    pool = thimble.ModelPool(threads=1, max_memory=64 << 20)
    embedder = thimble.Embedder(model, pool=pool, prompt_name="query")
    again = pickle.loads(pickle.dumps(embedder))
    assert (again.encode("a") == embedder.encode("a")).all()
    assert again._pool is not pool and again._pool.stats()["max_memory"] == 64 << 20
    assert pickle.loads(pickle.dumps(embedder))._pool is again._pool


def test_embedders_share_their_model(model: str) -> None:
    first, second = thimble.Embedder(model), thimble.Embedder(model)
    assert first._pool is second._pool and first._pool is not None
    assert [found["name"] for found in first._pool.stats()["models"]].count(model) == 1
