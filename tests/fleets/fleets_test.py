"""examples/fleets on the engines of this machine: killed workers and killed jobs lose and double nothing, vectors are those of the
command line, and workers share the weights. tests/fleets/run.sh runs it."""

import contextlib
import glob
import logging
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
import pyarrow.fs
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


def await_some(job, target, count):
    """Until so many partitions are there, others not, and workers are at them."""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        workers = list(job.workers())
        if workers and len(list(target.glob("*.parquet"))) >= count:
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
    await_some(job, target, 2)
    job.kill()
    finished = {path: path.stat().st_ino for path in target.glob("*.parquet")}
    assert 2 <= len(finished) < FILES
    job = start(*command)
    os.kill(await_some(job, target, len(finished) + 1)[0], signal.SIGKILL)
    assert f"{FILES * ROWS} rows in {FILES} partitions" in job.wait()
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


def run_workers(start, tmp_path, engine, counts, source):
    """For each count of workers the greatest sum of the model's Rss over them, and of its Pss then. A worker that starts or ends
    between the looks at two of them makes the sum of Pss too great, never too small: the least one counts."""
    job = start(ROOT / "tests/fleets/workers.py", engine, ",".join(map(str, counts)), source, MODEL, tmp_path)
    most, shared = dict.fromkeys(counts, 0), dict.fromkeys(counts, 0)
    while job.process.poll() is None:
        with contextlib.suppress(OSError):
            found = [weights(pid) for pid in job.workers()]
            if len(found) in counts:
                rss, pss = (sum(values) for values in zip(*found))
                n = len(found)
                shared[n] = pss if rss > most[n] else min(shared[n], pss) if rss == most[n] else shared[n]
                most[n] = max(most[n], rss)
        time.sleep(0.1)
    job.wait()
    return most, shared


def of_workers(rows):
    return [rows["private"][rows["pid"] == pid].max() for pid in numpy.unique(rows["pid"])]


@pytest.mark.parametrize("engine, counts", [("ray", (2, 4)), ("spark", (2,))])
def test_memory_of_workers(engine, counts, corpus, start, tmp_path):
    source, expected = corpus
    most, shared = run_workers(start, tmp_path, engine, counts, source)
    bare, file = of_workers(numpy.load(tmp_path / "bare.npz")), os.stat(MODEL).st_size
    for count in counts:
        rows = numpy.load(tmp_path / f"{count}.npz")
        assert numpy.array_equal(rows["embedding"].view(numpy.uint32), expected[rows["id"]].view(numpy.uint32))
        assert sorted(rows["id"]) == list(range(FILES * ROWS))

        private, rss, pss = of_workers(rows), most[count], shared[count]
        more = max(private) - min(bare)
        print(f"\n{engine}, {count} workers: private {max(private) / 1e6:.1f} MB, bare {min(bare) / 1e6:.1f} MB, "
              f"more {more / 1e6:.1f} MB (at most {MOST_PRIVATE / 1e6:.0f}); weights: file {file / 1e6:.1f} MB, "
              f"Rss of all workers {rss / 1e6:.1f} MB, Pss of all workers {pss / 1e6:.1f} MB")
        assert len(private) == count
        assert more <= MOST_PRIVATE
        assert 0 < pss <= 1.01 * file
        assert rss > 1.5 * pss  # The workers had the weights at the same time.


BUCKET = "s3://corpora"


@pytest.fixture
def bucket(monkeypatch):
    """Of a server on this machine, for this process and those that it starts."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in (("AWS_ENDPOINT_URL", f"http://{host}:{port}"), ("AWS_ACCESS_KEY_ID", "key"),
                        ("AWS_SECRET_ACCESS_KEY", "secret"), ("AWS_REGION", "us-east-1"), ("AWS_DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(name, value)
    try:
        files, _ = pyarrow.fs.FileSystem.from_uri(f"{BUCKET}?allow_bucket_creation=true")
        files.create_dir("corpora")
        yield files
    finally:
        server.stop()


def test_a_bucket(bucket, start, tmp_path):
    texts = {"a": ["one", "two"], "b": ["three", None], "c": ["four"]}
    for name, values in texts.items():
        pyarrow.parquet.write_table(pyarrow.table({"text": values}), f"corpora/source/{name}.parquet", filesystem=bucket)
    command = [ROOT / "examples/fleets/dask_parquet.py", f"{BUCKET}/source", f"{BUCKET}/target/", MODEL]
    assert "5 rows in 3 partitions" in start(*command).wait()

    def listed():
        return {entry.base_name: entry.mtime_ns for entry in bucket.get_file_info(pyarrow.fs.FileSelector("corpora/target"))}

    finished = listed()
    assert sorted(finished) == ["a.parquet", "b.parquet", "c.parquet"]
    for name, values in texts.items():
        column = pyarrow.parquet.read_table(f"corpora/target/{name}.parquet", filesystem=bucket).column("embedding")
        known = [value for value in values if value is not None]
        expected = thimble.fleet.embedder(MODEL).encode(known)
        assert numpy.array_equal(numpy.array(column.drop_null().to_pylist(), numpy.float32), expected)
    # Again, from a URI that says where the server is: finished partitions stay.
    options = "?endpoint_override=" + os.environ["AWS_ENDPOINT_URL"].replace("http://", "") + "&scheme=http"
    partitions = thimble.fleet.partitions(f"{BUCKET}/source{options}", f"{BUCKET}/target{options}")
    assert [thimble.fleet.embed_partition(partition, MODEL) for partition in partitions] == [2, 2, 1]
    assert listed() == finished
    # What a failure leaves is nothing, and what a killed worker leaves is listed.
    broken = pyarrow.table({"text": ["x", "y"], "pieces": pyarrow.StringArray.from_buffers(
        2, pyarrow.array([0, 1, 2], pyarrow.int32()).buffers()[1], pyarrow.py_buffer(b"a\xe9"))})
    pyarrow.parquet.write_table(broken, "corpora/source/d.parquet", filesystem=bucket)
    partition = thimble.fleet.partitions(f"{BUCKET}/source", f"{BUCKET}/other")[-1]
    with pytest.raises(thimble.Corrupt, match="row 2: expected UTF-8, found the byte 0xE9"):
        thimble.fleet.embed_partition(partition, MODEL, text="pieces")
    assert not [entry for entry in bucket.get_file_info(pyarrow.fs.FileSelector("corpora/other")) if entry.is_file]
    with bucket.open_output_stream("corpora/target/.a.parquet.0.part") as file:
        file.write(b"half")
    assert list(thimble.fleet.leftovers(f"{BUCKET}/target")) == [f"{BUCKET}/target/.a.parquet.0.part"]


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
    (tmp_path / "empty").mkdir()
    for source, target, error, says in (
            (tmp_path / "source", tmp_path / "source", thimble.InvalidArgument, "is the source, too"),
            (tmp_path / "empty", tmp_path / "new", thimble.NotFound, "no .parquet files"),
            ("ftp://host/a", tmp_path / "new", thimble.Unsupported, "pyarrow.fs knows")):
        with pytest.raises(error, match=says):
            thimble.fleet.partitions(str(source), str(target))
    assert not (tmp_path / "new").exists()
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
