"""SentenceTransformer, CrossEncoder and Embedder in asyncio, threads and several processes, and under Ctrl-C."""

import asyncio
import multiprocessing
import os
import pathlib
import pickle
import signal
import subprocess
import sys
import threading
import time

import face_models
import numpy as np
import pytest
from face_models import TEXTS
from reference import needs

import thimble
from thimble import CrossEncoder, SentenceTransformer

PACKAGE = str(pathlib.Path(thimble.__file__).resolve().parents[1])

linux = pytest.mark.skipif(not os.path.exists("/proc/self/smaps_rollup"), reason="no /proc/PID/smaps_rollup")
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")


def test_many_calls_of_asyncio_run_at_once():
    embedder = thimble.Embedder(face_models.model())
    texts = [[f"text {i}", "word " * i] for i in range(40)]
    expected = [embedder.encode(pair) for pair in texts]

    async def all_of_them():
        beats = 0

        async def beat():
            nonlocal beats
            while True:
                beats += 1
                await asyncio.sleep(0.001)

        beating = asyncio.ensure_future(beat())
        found = await asyncio.gather(*(embedder.aencode(pair) for pair in texts))
        beating.cancel()
        return found, beats

    found, beats = asyncio.run(all_of_them())
    assert all(np.array_equal(one, other) for one, other in zip(found, expected))
    assert beats > 1  # The loop went on meanwhile.


def test_a_cancelled_task_ends():
    embedder = thimble.Embedder(face_models.real_model(), threads=1)

    async def cancelled():
        task = asyncio.ensure_future(embedder.aencode(["a long text " * 100] * 2000))
        await asyncio.sleep(0.2)
        start = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.monotonic() - start

    assert asyncio.run(cancelled()) < 1
    assert embedder.encode("a text").shape == (384,)


def test_threads_share_a_model():
    model, scorer = SentenceTransformer(face_models.model()), CrossEncoder(face_models.reranker())
    expected, scores = model.encode(TEXTS), scorer.predict([("a", text) for text in TEXTS])
    failures = []

    def work():
        for _ in range(10):
            if not np.array_equal(model.encode(TEXTS), expected):
                failures.append("vectors")
            if not np.array_equal(scorer.predict([("a", text) for text in TEXTS]), scores):
                failures.append("scores")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def _encode(model, texts):
    return model.encode(texts)


@pytest.mark.parametrize("method", ["spawn", pytest.param("fork", marks=forks)])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Of fork in a process with threads.
def test_processes_take_a_model_as_argument(method):
    model = SentenceTransformer(face_models.model())
    expected = model.encode(TEXTS)  # Threads run before the fork.
    with multiprocessing.get_context(method).Pool(2) as pool:
        found = pool.starmap(_encode, [(model, TEXTS)] * 4)
    assert all(np.array_equal(one, expected) for one in found)


@forks
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_of_fork_uses_the_model_of_its_parent():
    model = SentenceTransformer(face_models.model())
    expected = model.encode(TEXTS)
    process = multiprocessing.get_context("fork").Process(
        target=lambda: os._exit(0 if np.array_equal(model.encode(TEXTS), expected) else 1)
    )
    process.start()
    process.join(60)
    assert process.exitcode == 0


def test_errors_are_pickled():
    with pytest.raises(thimble.NotFound) as found:
        SentenceTransformer("no/such-model", local_files_only=True)
    copy = pickle.loads(pickle.dumps(found.value))
    assert type(copy) is thimble.NotFound and str(copy) == str(found.value) and copy.code == found.value.code


def _memory(pid, name):
    """Bytes of the model file's pages that count for the process: a share of those that several have."""
    total, counts = 0, False
    with open(f"/proc/{pid}/smaps") as lines:
        for line in lines:
            if "-" in line.split(" ", 1)[0]:
                counts = line.rstrip().endswith(name)
            elif counts and line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


def _hold(path, ready, done):
    model = SentenceTransformer(path, threads=1)
    model.encode(["a text"] * 4)
    ready.release()
    done.wait(60)
    del model


@linux
@pytest.mark.parametrize("method", ["spawn", pytest.param("fork", marks=forks)])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_processes_share_the_weights(method):
    path = face_models.real_model()
    context = multiprocessing.get_context(method)
    ready, done = context.Semaphore(0), context.Event()
    processes = [context.Process(target=_hold, args=(path, ready, done)) for _ in range(4)]
    for process in processes:
        process.start()
    try:
        for _ in processes:
            assert ready.acquire(timeout=60)
        shares = [_memory(process.pid, os.path.basename(path)) for process in processes]
    finally:
        done.set()
        for process in processes:
            process.join(60)
    # One copy between all, some of which may be shared with other processes of the machine.
    assert 0 < sum(shares) <= os.path.getsize(path) * 1.02, shares
    assert max(shares) < os.path.getsize(path) / 2


_INTERRUPTED = """
import sys, time
import numpy  # Whose import makes an ImportError of Ctrl-C.
import thimble
kind, path = sys.argv[1:]
if kind == "predict":
    model = thimble.CrossEncoder(path, threads=1)
    work = lambda: model.predict([("a question " * 20, "a long text " * 100)] * 400000)
else:
    model = thimble.SentenceTransformer(path, threads=1)
    texts = ["a long text " * 100] * 20000
    work = lambda: model.encode(texts, show_progress_bar=kind == "progress")
print("ready", flush=True)
try:
    work()
    print("finished", flush=True)
except KeyboardInterrupt:
    print("interrupted", time.time(), flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process")
@pytest.mark.parametrize("kind", ["encode", "progress", "predict"])
def test_ctrl_c_ends_a_call_within_100_ms(kind):
    path = face_models.reranker() if kind == "predict" else face_models.real_model()
    environment = {**os.environ, "PYTHONPATH": PACKAGE}
    waits = []
    # The best of three: other programs may have the processor when the signal comes.
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", _INTERRUPTED, kind, path],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        time.sleep(0.5)
        sent = time.time()
        process.send_signal(signal.SIGINT)
        word, _, moment = process.stdout.readline().strip().partition(" ")
        assert word == "interrupted"
        waits.append(float(moment) - sent)
        assert process.wait(10) == 0
        process.stdout.close()
        if waits[-1] <= 0.1:
            break
    assert min(waits) <= 0.1, waits


def _modules_after(code):
    environment = {**os.environ, "PYTHONPATH": PACKAGE}
    script = f"{code}\nimport sys; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    return subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, env=environment
    ).stdout.split()


@needs("torch")
def test_torch_is_imported_only_when_it_is_asked_for():
    code = f"""
from thimble import SentenceTransformer, util
model = SentenceTransformer({face_models.model()!r})
vectors = model.encode(["a", "b"], normalize_embeddings=True, precision="ubinary")
util.semantic_search(model.encode("a"), model.encode(["a", "b"]))
"""
    assert "torch" not in _modules_after(code)
    assert "torch" in _modules_after(code + 'model.encode("a", convert_to_tensor=True)')
