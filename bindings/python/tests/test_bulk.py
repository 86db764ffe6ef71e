"""Jobs over Parquet and Arrow files: what they give, and what they give after a kill."""

import hashlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest

numpy = pytest.importorskip("numpy")
pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

import thimble
from thimble.bulk import _Job, embed_corpus

MODEL = "mock-hashed"


def write_input(path, rows, group=1000):
    words = random.Random(1)
    texts = [" ".join(words.choice("red green blue tree house river".split()) for _ in range(4)) for _ in range(rows)]
    table = pyarrow.table({"id": list(range(rows)), "body": texts, "other": [0.5] * rows})
    if str(path).endswith(".parquet"):
        parquet.write_table(table, path, row_group_size=group)
    else:
        with pyarrow.ipc.new_file(str(path), table.schema) as writer:
            writer.write_table(table, max_chunksize=group)
    return texts


def read_vectors(path):
    table = parquet.read_table(path) if str(path).endswith(".parquet") else pyarrow.ipc.open_file(str(path)).read_all()
    column = table.column("embedding").combine_chunks()
    width = column.type.list_size
    return table, numpy.asarray(column.values).reshape(-1, width)


@pytest.mark.parametrize("source", ["in.parquet", "in.arrow"])
def test_texts_can_be_their_own_ids(tmp_path, source):
    texts = write_input(tmp_path / source, 30)
    embed_corpus(tmp_path / source, tmp_path / "out.arrow", MODEL, field="body", id_field="body")
    assert read_vectors(tmp_path / "out.arrow")[0].column("body").to_pylist() == texts


@pytest.mark.parametrize("source", ["in.parquet", "in.arrow"])
@pytest.mark.parametrize("target", ["out.parquet", "out.arrow", "out.npy"])
@pytest.mark.parametrize("precision", ["float32", "float16", "ubinary"])
def test_vectors_are_those_of_encode(tmp_path, source, target, precision):
    texts = write_input(tmp_path / source, 2500)
    report = embed_corpus(tmp_path / source, tmp_path / target, MODEL, field="body", id_field="id", precision=precision)
    with thimble.Embedder(MODEL) as embedder:
        expected = embedder.encode(texts, precision="float32" if precision == "float16" else precision)
    if precision == "float16":
        expected = expected.astype(numpy.float16)
    if target.endswith(".npy"):
        vectors = numpy.load(tmp_path / target)
    else:
        table, vectors = read_vectors(tmp_path / target)
        assert table.column("id").to_pylist() == list(range(2500))
    assert vectors.dtype == expected.dtype and numpy.array_equal(vectors, expected)
    manifest = json.loads((tmp_path / f"{target}.manifest.json").read_text())
    assert {"complete": True, **manifest} == report
    assert manifest["output"]["sha256"] == hashlib.sha256((tmp_path / target).read_bytes()).hexdigest()
    assert manifest["shape"] == list(expected.shape)
    assert sorted(os.listdir(tmp_path)) == sorted([source, target, f"{target}.manifest.json"])


def test_stops_and_resumes(tmp_path):
    write_input(tmp_path / "in.parquet", 30000)
    whole, out = tmp_path / "whole.parquet", tmp_path / "out.parquet"
    embed_corpus(tmp_path / "in.parquet", whole, MODEL, field="body")
    stopped = embed_corpus(tmp_path / "in.parquet", out, MODEL, field="body", progress=lambda state: state["texts"] < 9000)
    assert not stopped["complete"] and not out.exists()
    with pytest.raises(thimble.InvalidArgument, match="unfinished job"):
        embed_corpus(tmp_path / "in.parquet", out, MODEL, field="body")
    with pytest.raises(thimble.InvalidArgument, match="precision"):
        embed_corpus(tmp_path / "in.parquet", out, MODEL, field="body", precision="float16", resume=True)
    seen = []
    embed_corpus(tmp_path / "in.parquet", out, MODEL, field="body", resume=True,
                 progress=lambda state: seen.append(state["resumed_texts"]) is None)
    assert seen[0] == stopped["texts"] > 0
    assert out.read_bytes() == whole.read_bytes()


def test_an_embedder_resumes_only_with_the_same_settings(model, tmp_path):
    write_input(tmp_path / "in.parquet", 9000)
    corpus, out = tmp_path / "in.parquet", tmp_path / "out.npy"
    stop = {"progress": lambda state: False, "field": "body"}
    embed_corpus(corpus, out, thimble.Embedder(model, dimensions=16), **stop)
    with thimble.ModelPool(max_tokens=8) as pool:
        for other in (thimble.Embedder(model), thimble.Embedder(model, dimensions=16, normalize=False),
                      thimble.Embedder(model, dimensions=16, pool=pool)):
            with pytest.raises(thimble.InvalidArgument, match="cannot resume"):
                embed_corpus(corpus, out, other, resume=True, **stop)
    # The same, told otherwise.
    embed_corpus(corpus, out, pathlib.Path(model), dimensions=16, threads=1, dtype="q8", resume=True, **stop)
    with pytest.raises(TypeError, match="dimension"):
        embed_corpus(corpus, tmp_path / "new.npy", thimble.Embedder(model), dimension=16, **stop)


def test_damaged_parts_are_refused(tmp_path):
    out = tmp_path / "out.npy"
    stopped_job(tmp_path, out)
    part = pathlib.Path(f"{out}.part")
    data = part.read_bytes()
    for broken in (data[:-1], b"\1" + data[1:]):
        part.write_bytes(broken)
        with pytest.raises(thimble.Corrupt, match="not those that were written"):
            embed_corpus(tmp_path / "in.parquet", out, MODEL, field="body", resume=True)
    part.write_bytes(data + b"more")
    embed_corpus(tmp_path / "in.parquet", out, MODEL, field="body", resume=True)
    assert numpy.load(out).shape[0] == 9000


def test_errors_say_what_is_wrong(tmp_path, monkeypatch):
    write_input(tmp_path / "in.parquet", 10)
    with pytest.raises(thimble.InvalidArgument, match="'body'"):
        embed_corpus(tmp_path / "in.parquet", tmp_path / "o.npy", MODEL)
    with pytest.raises(thimble.InvalidArgument, match="also read"):
        embed_corpus(tmp_path / "in.parquet", tmp_path / "in.parquet", MODEL, field="body")
    with pytest.raises(thimble.Unsupported, match="thimble embed"):
        embed_corpus(tmp_path / "in.csv", tmp_path / "o.npy", MODEL)
    parquet.write_table(pyarrow.table({"text": ["a", None]}), tmp_path / "null.parquet")
    with pytest.raises(thimble.Corrupt, match="row 2"):
        embed_corpus(tmp_path / "null.parquet", tmp_path / "o.npy", MODEL)
    assert not [name for name in os.listdir(tmp_path) if name.startswith("o.npy")]
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no PAR1")
    with pytest.raises(thimble.Corrupt, match="bad.parquet"):
        embed_corpus(tmp_path / "bad.parquet", tmp_path / "p.npy", MODEL)
    parquet.write_table(pyarrow.table([["a"], ["b"]], names=["text", "text"]), tmp_path / "twice.parquet")
    with pytest.raises(thimble.InvalidArgument, match="2 columns are called 'text'"):
        embed_corpus(tmp_path / "twice.parquet", tmp_path / "p.npy", MODEL)
    parquet.write_table(pyarrow.table({"embedding": ["a"], "text": ["b"]}), tmp_path / "id.parquet")
    with pytest.raises(thimble.InvalidArgument, match="id_field.*as the column 'embedding'"):
        embed_corpus(tmp_path / "id.parquet", tmp_path / "p.parquet", MODEL, id_field="embedding")
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(thimble.InvalidArgument, match="is a folder"):
        embed_corpus(tmp_path / "in.parquet", tmp_path / "folder.npy", MODEL, field="body")
    with monkeypatch.context() as windows, pytest.raises(thimble.Unsupported, match="embed_corpus.*Windows"):
        windows.setattr(sys, "platform", "win32")
        embed_corpus(tmp_path / "in.parquet", tmp_path / "p.npy", MODEL)


def test_ids_that_change_while_they_are_read_again_are_no_output(tmp_path, monkeypatch):
    write_input(tmp_path / "in.parquet", 10)
    write = _Job._write_table

    def changed(job, *arguments):
        write(job, *arguments)
        os.utime(tmp_path / "in.parquet", ns=(1, 1))

    monkeypatch.setattr(_Job, "_write_table", changed)
    with pytest.raises(thimble.IoError, match="was written to while it was read"):
        embed_corpus(tmp_path / "in.parquet", tmp_path / "o.parquet", MODEL, field="body", id_field="id")
    assert not (tmp_path / "o.parquet").exists()


def stopped_job(tmp_path, out, **options):
    """A job of 9000 texts that ended early; how many it has."""
    write_input(tmp_path / "in.parquet", 9000)
    return embed_corpus(tmp_path / "in.parquet", out, MODEL, field="body", progress=lambda state: False, **options)["texts"]


def resumed_texts(tmp_path, out, model=MODEL, **options):
    seen = []
    embed_corpus(tmp_path / "in.parquet", out, model, field="body", resume=True,
                 progress=lambda state: seen.append(state["resumed_texts"]) is None, **options)
    return seen[0]


def test_a_long_journal_is_read_from_its_end(tmp_path):
    out = tmp_path / "out.npy"
    done = stopped_job(tmp_path, out)
    journal = pathlib.Path(f"{out}.journal")
    lines = journal.read_bytes()
    with open(journal, "wb") as file:  # Of a day.
        file.seek(100 << 20)
        file.write(lines)
    assert resumed_texts(tmp_path, out) == done > 0


def test_a_lost_part_is_named(tmp_path):
    out = tmp_path / "out.npy"
    stopped_job(tmp_path, out)
    os.remove(f"{out}.part")
    with pytest.raises(thimble.Corrupt, match="out.npy.part: the vectors .* are missing"):
        resumed_texts(tmp_path, out)


def test_options_of_an_embedder_count(tmp_path):
    out = tmp_path / "out.npy"
    stopped_job(tmp_path, out)
    with thimble.Embedder(MODEL, dimensions=64) as embedder:
        with pytest.raises(thimble.InvalidArgument, match="cannot resume: .* options"):
            resumed_texts(tmp_path, out, embedder)
        with pytest.raises(TypeError, match="chunk_overlap"):
            embed_corpus(tmp_path / "in.parquet", tmp_path / "o.npy", embedder, field="body", chunk_overlap=2)
    assert not (tmp_path / "o.npy.part").exists()


def test_an_empty_table_has_the_width_of_its_vectors(tmp_path):
    parquet.write_table(pyarrow.table({"text": pyarrow.array([], pyarrow.string())}), tmp_path / "in.parquet")
    report = embed_corpus(tmp_path / "in.parquet", tmp_path / "o.npy", MODEL, precision="ubinary", dimensions=64)
    assert report["shape"] == [0, 8] and numpy.load(tmp_path / "o.npy").shape == (0, 8)


def test_a_lock_on_a_removed_journal_is_no_lock(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    out = tmp_path / "out.npy"
    lock, removed = fcntl.flock, []

    def flock(file, how):
        if not removed:  # As if the last holder had just ended.
            removed.append(os.remove(f"{out}.journal"))
        lock(file, how)

    write_input(tmp_path / "in.parquet", 10)
    monkeypatch.setattr(fcntl, "flock", flock)
    embed_corpus(tmp_path / "in.parquet", out, MODEL, field="body",
                 progress=lambda state: os.path.exists(f"{out}.journal"))
    assert removed and out.exists() and not os.path.exists(f"{out}.journal")


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_process_loses_and_doubles_nothing(tmp_path):
    write_input(tmp_path / "in.parquet", 60000)
    whole, out = tmp_path / "whole.parquet", tmp_path / "out.parquet"
    embed_corpus(tmp_path / "in.parquet", whole, MODEL, field="body", id_field="id")
    program = ("import sys, time; from thimble.bulk import embed_corpus; import thimble.bulk\n"
               "thimble.bulk._CHECKPOINT_SECONDS = 0\n"
               f"embed_corpus(sys.argv[1], sys.argv[2], {MODEL!r}, field='body', id_field='id', resume=True,\n"
               "             progress=lambda state: time.sleep(0.05) is None)")
    moments = random.Random(2)
    kills = 0
    for _ in range(5):
        child = subprocess.Popen([sys.executable, "-c", program, tmp_path / "in.parquet", out])
        try:
            child.wait(moments.uniform(0.5, 1.5))
            break
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
            kills += 1
    embed_corpus(tmp_path / "in.parquet", out, MODEL, field="body", id_field="id", resume=True)
    assert kills > 0
    assert out.read_bytes() == whole.read_bytes()


def test_text_that_is_not_utf8_is_named_by_row(tmp_path):
    broken = pyarrow.StringArray.from_buffers(2, pyarrow.array([0, 1, 3], pyarrow.int32()).buffers()[1], pyarrow.py_buffer(b"ab\xe9"))
    parquet.write_table(pyarrow.table({"text": broken}), tmp_path / "latin.parquet")
    with pytest.raises(thimble.Corrupt, match="column 'text': row 2: expected UTF-8, found the byte 0xE9 at byte 1 of the text"):
        embed_corpus(tmp_path / "latin.parquet", tmp_path / "o.npy", MODEL)
    assert [path.name for path in tmp_path.iterdir()] == ["latin.parquet"]


def test_places_without_files_are_named(tmp_path):
    write_input(tmp_path / "in.parquet", 10)
    with pytest.raises(thimble.NotFound, match="none/o.npy: its folder does not exist; make it"):
        embed_corpus(tmp_path / "in.parquet", tmp_path / "none/o.npy", MODEL, field="body")
    for source, target in (("s3://bucket/in.parquet", tmp_path / "o.npy"), (tmp_path / "in.parquet", "s3://bucket/o.npy")):
        with pytest.raises(thimble.Unsupported, match="s3://.*thimble.fleet"):
            embed_corpus(source, target, MODEL, field="body")
