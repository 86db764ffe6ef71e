"""examples/fleets on the engines of this machine: killed workers and killed jobs lose and double nothing, vectors are those of the
command line, and workers share the weights. tests/fleets/run.sh runs it."""

import contextlib
import glob
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
import uuid

import numpy
import pyarrow
import pyarrow.parquet
import pyspark
import pytest
import thimble
import thimble.fleet
import thimble.spark
from fake_hub import FakeHub, read_folder

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = os.environ["THIMBLE_MODEL"]
FILES, ROWS = 16, 120
WORDS = "the river of small memory and a window in winter to answer is letter for garden with blue music on quiet".split()
ENGINES = ("ray", "spark", "dask")
# Bytes of a worker above one without thimble.
MOST_PRIVATE = 15_000_000


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """(folder of Parquet files, vectors of the command line in the order of the ids)."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "parquet").mkdir()
    chance = random.Random(1)
    texts = [" ".join(chance.choices(WORDS, k=chance.randint(5, 60))) for _ in range(FILES * ROWS)]
    for i in range(FILES):
        ids = range(i * ROWS, (i + 1) * ROWS)
        pyarrow.parquet.write_table(pyarrow.table({"id": list(ids), "text": [texts[id] for id in ids]}),
                                    folder / f"parquet/part-{i:05}.parquet")
    (folder / "texts.txt").write_text("".join(text + "\n" for text in texts))
    subprocess.run([os.environ["THIMBLE_CLI"], "embed", "-m", MODEL, "-i", folder / "texts.txt", "--format", "npy",
                    "-o", folder / "vectors.npy"], check=True)
    return str(folder / "parquet"), numpy.load(folder / "vectors.npy")


class Job:
    """A program with all processes that it starts, wherever they hang in the tree: a variable marks them."""

    def __init__(self, log, *command):
        self.mark = uuid.uuid4().hex
        self.log = open(log, "w+")
        environment = {
            **os.environ, "THIMBLE_FLEETS_MARK": self.mark, "SPARK_HOME": os.path.dirname(pyspark.__file__),
            "PYSPARK_SUBMIT_ARGS": "--master local-cluster[2,1,1024] --conf spark.ui.enabled=false --conf spark.sql.shuffle.partitions=4 "
                                   "pyspark-shell"}
        self.process = subprocess.Popen([sys.executable, *map(str, command)], stdout=self.log, stderr=subprocess.STDOUT,
                                        env=environment)

    def processes(self):
        for entry in glob.glob("/proc/[0-9]*"):
            with contextlib.suppress(OSError):
                if self.mark.encode() in pathlib.Path(entry, "environ").read_bytes():
                    yield int(entry[6:])

    def workers(self):
        """Those that have mapped the model."""
        for pid in self.processes():
            with contextlib.suppress(OSError):
                if pid != self.process.pid and MODEL in pathlib.Path(f"/proc/{pid}/maps").read_text():
                    yield pid

    def wait(self):
        code = self.process.wait(timeout=600)
        self.log.seek(0)
        text = self.log.read()
        assert code == 0, text[-4000:]
        return text

    def kill(self):
        for _ in range(3):  # What started meanwhile.
            for pid in list(self.processes()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def start(tmp_path):
    jobs = []

    def start(*command):
        jobs.append(Job(tmp_path / f"job-{len(jobs)}.log", *command))
        return jobs[-1]

    yield start
    for job in jobs:
        job.kill()


def await_some(job, target):
    """Until some partitions are there, others not, and workers are at them."""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        workers = list(job.workers())
        if workers and len(list(target.glob("*.parquet"))) >= 2:
            assert len(list(target.glob("*.parquet"))) < FILES - 2, "too late to kill something in the middle"
            return workers
        assert job.process.poll() is None, job.wait()
        time.sleep(0.05)
    raise AssertionError("no partition in 600 s")


def check(target, expected):
    """Each row once, and to the bit the vectors of the command line."""
    table = pyarrow.parquet.read_table(sorted(target.glob("*.parquet"))[0])
    assert table.column_names == ["id", "text", "embedding"]
    tables = [pyarrow.parquet.read_table(path) for path in sorted(target.glob("*.parquet"))]
    ids = numpy.concatenate([table.column("id").to_numpy() for table in tables])
    assert sorted(ids) == list(range(FILES * ROWS))
    vectors = numpy.concatenate([table.column("embedding").combine_chunks().values.to_numpy() for table in tables])
    assert numpy.array_equal(vectors.reshape(len(ids), -1).view(numpy.uint32), expected[ids].view(numpy.uint32))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_worker_and_a_killed_job(engine, corpus, start, tmp_path):
    source, expected = corpus
    target = tmp_path / "target"
    command = [ROOT / f"examples/fleets/{engine}_parquet.py", source, target, MODEL]

    job = start(*command)
    os.kill(await_some(job, target)[0], signal.SIGKILL)
    assert f"{FILES * ROWS} rows in {FILES} partitions" in job.wait()
    check(target, expected)

    # As if the rest had not come about; then all processes are killed at once.
    for path in sorted(target.glob("*.parquet"))[1:]:
        path.unlink()
    job = start(*command)
    await_some(job, target)
    job.kill()
    finished = {path: path.stat().st_ino for path in target.glob("*.parquet")}
    assert 2 <= len(finished) < FILES
    assert f"{FILES * ROWS} rows in {FILES} partitions" in start(*command).wait()
    check(target, expected)
    # What was finished was not done again.
    assert {path: path.stat().st_ino for path in finished} == finished
    for path in thimble.fleet.leftovers(str(target)):
        os.unlink(path)
    assert len(list(target.iterdir())) == FILES


def weights(pid):
    """Bytes of the model file in a process: (Rss, Pss)."""
    found, here = {"Rss:": 0, "Pss:": 0}, False
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        fields = line.split()
        if not fields[0].endswith(":"):
            here = line.endswith(MODEL)
        elif here and fields[0] in found:
            found[fields[0]] += int(fields[1]) * 1024
    return found["Rss:"], found["Pss:"]


def run_workers(start, tmp_path, engine, count, source, model):
    """(rows, greatest sum of the model's Rss over the workers, and of its Pss then). A worker that starts or ends between the looks
    at two of them makes the sum of Pss too great, never too small: the least one counts."""
    result = tmp_path / f"{engine}-{count}-{model == 'bare'}.npz"
    job = start(ROOT / "tests/fleets/workers.py", engine, count, source, model, result)
    most, shared = 0, 0
    while job.process.poll() is None:
        with contextlib.suppress(OSError):
            found = [weights(pid) for pid in job.workers()]
            if len(found) == count:
                rss, pss = (sum(values) for values in zip(*found))
                shared = pss if rss > most else min(shared, pss) if rss == most else shared
                most = max(most, rss)
        time.sleep(0.1)
    job.wait()
    return numpy.load(result), most, shared


def of_workers(rows):
    return [rows["private"][rows["pid"] == pid].max() for pid in numpy.unique(rows["pid"])]


@pytest.mark.parametrize("engine, count", [("ray", 2), ("ray", 4), ("spark", 2)])
def test_memory_of_workers(engine, count, corpus, start, tmp_path):
    source, expected = corpus
    bare = of_workers(run_workers(start, tmp_path, engine, count, source, "bare")[0])
    rows, rss, pss = run_workers(start, tmp_path, engine, count, source, MODEL)
    assert numpy.array_equal(rows["embedding"].view(numpy.uint32), expected[rows["id"]].view(numpy.uint32))
    assert sorted(rows["id"]) == list(range(FILES * ROWS))

    private, file = of_workers(rows), os.stat(MODEL).st_size
    more = max(private) - min(bare)
    print(f"\n{engine}, {count} workers: private {max(private) / 1e6:.1f} MB, bare {min(bare) / 1e6:.1f} MB, "
          f"more {more / 1e6:.1f} MB (at most {MOST_PRIVATE / 1e6:.0f}); weights: file {file / 1e6:.1f} MB, "
          f"Rss of all workers {rss / 1e6:.1f} MB, Pss of all workers {pss / 1e6:.1f} MB")
    assert len(private) == count
    assert more <= MOST_PRIVATE
    assert 0 < pss <= 1.01 * file
    assert rss > 1.5 * pss  # The workers had the weights at the same time.


def test_nulls_and_wrong_use(tmp_path):
    (tmp_path / "source").mkdir()
    path = tmp_path / "source/a.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"text": ["one", None, "two"], "number": [1, 2, 3]}), path)
    [partition] = thimble.fleet.partitions(str(tmp_path / "source"), str(tmp_path / "target"))
    assert thimble.fleet.embed_partition(partition, MODEL) == 3
    column = pyarrow.parquet.read_table(partition.target).column("embedding")
    assert column.is_null().to_pylist() == [False, True, False]
    expected = thimble.fleet.embedder(MODEL).encode(["one", "two"])
    assert numpy.array_equal(numpy.array(column.drop_null().to_pylist(), numpy.float32), expected)

    import pandas

    found = thimble.fleet.vectors(pandas.Series(["one", None], index=[7, 8]), MODEL)
    assert numpy.array_equal(found[7], expected[0]) and found[8] is None
    # Names of rows may repeat, as in a frame that was put together.
    found = thimble.fleet.vectors(pandas.Series(["one", None, "two"], index=[7, 7, 7]), MODEL)
    assert numpy.array_equal(found.iloc[2], expected[1]) and found.iloc[1] is None
    # One folder has one vector space.
    with pytest.raises(ValueError, match="dimensions.*choose another one"):
        thimble.fleet.embed_partition(partition, MODEL, dimensions=128)
    with pytest.raises(ValueError, match="column 'body' not found; there are 'text', 'number'"):
        thimble.fleet.embed_partition(thimble.fleet.Partition(str(path), str(tmp_path / "other.parquet")), MODEL, text="body")
    with pytest.raises(ValueError, match="expected strings, found int64"):
        thimble.fleet.embed_partition(thimble.fleet.Partition(str(path), str(tmp_path / "other.parquet")), MODEL, text="number")
    assert not (tmp_path / "other.parquet").exists()
    (tmp_path / "bad.parquet").write_text("no table")
    with pytest.raises(thimble.Corrupt, match="bad.parquet: "):
        thimble.fleet.embed_partition(thimble.fleet.Partition(str(tmp_path / "bad.parquet"), partition.target + ".new"), MODEL)
    # A source that has changed is embedded again.
    pyarrow.parquet.write_table(pyarrow.table({"text": ["three"], "number": [1]}), path)
    assert thimble.fleet.embed_partition(partition, MODEL) == 1


def test_one_pull_a_machine(tmp_path):
    subprocess.run([os.environ["THIMBLE_MAKE_TEST_MODEL"], tmp_path], check=True, capture_output=True)
    hub = FakeHub({"acme/tiny": read_folder(tmp_path / "source")})
    try:
        code = "import thimble.fleet; print(thimble.fleet.embedder('acme/tiny', pull=True).encode('one').tobytes().hex())"
        running = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={
            **os.environ, "THIMBLE_HOME": str(tmp_path / "home"), "HF_ENDPOINT": hub.url}) for _ in range(4)]
        found = [process.communicate(timeout=120)[0] for process in running]
    finally:
        hub.close()
    assert [process.returncode for process in running] == [0] * 4
    assert len(set(found)) == 1 and len(found[0]) > 100
    # Others are redirections.
    assert len([request for request in hub.of("model.safetensors") if request.status == 200]) == 1


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-s"]))
