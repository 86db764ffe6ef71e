"""Jobs over Parquet and Arrow files, which can be resumed; needs pyarrow. Text files are for ``thimble embed -i -o``.

    from thimble.bulk import embed_corpus
    report = embed_corpus("corpus.parquet", "vectors.parquet", "all-MiniLM-L6-v2", id_field="id", resume=True)
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Optional, Union

from ._tables import FREE_OPTIONS, check_column, reading, strings, vector_column
from .errors import Corrupt, InvalidArgument, IoError, NotFound, Overloaded, Unsupported

if TYPE_CHECKING:
    from .embedder import Embedder

Path = Union[str, "os.PathLike[str]"]
Progress = Callable[[Dict[str, int]], bool]

_TABLES = (".parquet", ".arrow", ".feather")
_VECTORS = "embedding"  # The column of the output.
_BATCH_ROWS = 4096  # Rows in memory at a time, and of a row group or record batch of the output.
_CHECKPOINT_SECONDS = 1.0
_FOOTER_BYTES = 64 << 10  # Of the input: where Parquet and Arrow files say what is where.
_PIECE = 1 << 20
_TAIL = 1 << 20  # Of the journal, whose lines have a few KiB.


def embed_corpus(input: Path, output: Path, model: "Union[Path, Embedder]", *, field: str = "text",
                 id_field: Optional[str] = None, precision: str = "float32", resume: bool = False,
                 progress: Optional[Progress] = None, **options: Any) -> Dict[str, Any]:
    """Embeds a column of a .parquet, .arrow or .feather file, a few thousand rows at a time.

    ``output`` ends in .parquet, .arrow or .feather, which get the column ``id_field`` as it is and a column
    ``embedding``, a list of fixed size; or in .npy, .f32 or .raw. It gets its name when it is complete, and beside it is
    then OUTPUT.manifest.json, whose contents are returned. Until then OUTPUT.part has the vectors so far, and a process
    that is killed loses about a second; ``resume=True`` continues it, or starts a new job if there is none.
    ``progress`` is called with texts, resumed_texts and total_texts; its False ends the job, which returns with
    ``"complete": False``. ``options`` are those of `Embedder` where ``model`` is a name, else those of `Embedder.encode`.

    InvalidArgument for an unfinished job without ``resume``, or one with another model, input or options, by name;
    Overloaded while another process writes the output; Corrupt for a text that is missing; IoError when the input changes
    meanwhile; Unsupported on Windows.
    """
    if sys.platform == "win32":  # Which removes no file that is open, and has other locks.
        raise Unsupported("unsupported", "embed_corpus: not available on Windows; use it on Linux or macOS")
    source, target = os.fspath(input), os.path.realpath(os.fspath(output))
    kind = os.path.splitext(target)[1]
    if not source.endswith(_TABLES):
        raise Unsupported("unsupported", f"{source}: expected a .parquet, .arrow or .feather file; for others use thimble "
                          "embed -i -o")
    if kind not in (*_TABLES, ".npy", ".f32", ".raw"):
        raise Unsupported("unsupported", f"{target}: expected .parquet, .arrow, .feather, .npy, .f32 or .raw")
    if kind == ".f32" and precision != "float32":
        raise InvalidArgument("invalid_argument", f"{target}: .f32 is only for float32, found precision {precision}")
    for path in (source, os.fspath(output)):
        if "://" in path:
            raise Unsupported("unsupported", f"{path}: expected a path; thimble.fleet reads and writes folders of URIs")
    if not os.path.exists(source):
        raise NotFound("not_found", f"{source}: no such file")
    if os.path.isdir(target):
        raise InvalidArgument("invalid_argument", f"{target}: is a folder; choose another output")
    if id_field == _VECTORS and kind in _TABLES:
        raise InvalidArgument("invalid_argument", f"id_field: {target} gets its vectors as the column {_VECTORS!r}; rename that "
                              "of the input")
    if os.path.exists(target) and os.path.samefile(source, target):
        raise InvalidArgument("invalid_argument", f"{target}: cannot write to a file that is also read; choose another output")
    from .embedder import Embedder

    if not isinstance(model, Embedder):
        with Embedder(model, **options) as embedder:
            return _Job(source, target, kind, embedder, {}, field, id_field, precision).run(resume, progress)
    return _Job(source, target, kind, model, options, field, id_field, precision).run(resume, progress)


class _Table:
    """The rows of a file, in batches from any row on."""

    def __init__(self, path: str, columns: List[str]) -> None:
        self._path, self._columns = path, columns
        try:
            import pyarrow.ipc
            import pyarrow.parquet
        except ImportError:
            raise Unsupported("unsupported", f"{path}: Parquet and Arrow need pyarrow; pip install pyarrow") from None
        with reading(path):
            if path.endswith(".parquet"):
                self._parquet: Any = pyarrow.parquet.ParquetFile(path)
                self.rows: int = self._parquet.metadata.num_rows
                self.schema: Any = self._parquet.schema_arrow
            else:
                self._parquet = None
                self._arrow = pyarrow.ipc.open_file(pyarrow.memory_map(path))
                self.schema = self._arrow.schema
                self.rows = sum(self._arrow.get_batch(i).num_rows for i in range(self._arrow.num_record_batches))
        for name in columns:
            check_column(path, self.schema.names, name)

    def batches(self, first: int) -> Iterator[Any]:
        """Record batches of at most _BATCH_ROWS from row ``first`` on."""
        skip = first
        with reading(self._path):
            for batch in self._all(first):
                if skip >= batch.num_rows:
                    skip -= batch.num_rows
                    continue
                for begin in range(skip, batch.num_rows, _BATCH_ROWS):
                    yield batch.slice(begin, _BATCH_ROWS)
                skip = 0

    def _all(self, first: int) -> Iterator[Any]:
        if self._parquet is None:
            for i in range(self._arrow.num_record_batches):
                yield self._arrow.get_batch(i).select(self._columns)
            return
        for group in range(self._parquet.num_row_groups):
            rows = self._parquet.metadata.row_group(group).num_rows
            if first >= rows:  # Not decoded; an empty slice of as many rows.
                yield _Skipped(rows)
            else:
                yield from self._parquet.iter_batches(_BATCH_ROWS, row_groups=[group], columns=self._columns)
            first = max(0, first - rows)


class _Skipped:
    def __init__(self, num_rows: int) -> None:
        self.num_rows = num_rows


class _Job:
    def __init__(self, source: str, target: str, kind: str, embedder: "Embedder", options: Dict[str, Any], field: str,
                 id_field: Optional[str], precision: str) -> None:
        self.source, self.target, self.kind, self.embedder = source, target, kind, embedder
        self.field, self.id_field, self.precision = field, id_field, precision
        self.encode_options = {name: value for name, value in options.items() if value is not None}
        self.table = _Table(source, list(dict.fromkeys([field, *([id_field] if id_field else [])])))
        self.part, self.journal = target + ".part", target + ".journal"
        self.stamp = os.stat(source)
        chosen = {**embedder._arguments, "max_tokens": embedder.max_tokens, **self.encode_options}
        text = {name: str(value) for name, value in sorted(chosen.items())
                if value is not None and name not in (*FREE_OPTIONS, "model", "revision")}
        self.job: Dict[str, Any] = {
            "journal": 1, "fingerprint": embedder.fingerprint, "model": embedder.info.get("name"), "field": field,
            "id_field": id_field, "format": kind[1:], "precision": precision, "options": text,
            "input_bytes": self.stamp.st_size, "input_modified": self.stamp.st_mtime_ns, "input_end": self._footer()}
        self.counts = {"texts": 0, "tokens": 0, "truncated": 0, "empty": 0}
        self.resumed = self.checkpoints = 0
        self.hash = hashlib.sha256()
        self.width = 0

    def _footer(self) -> str:
        with open(self.source, "rb") as file:
            file.seek(max(0, self.stamp.st_size - _FOOTER_BYTES))
            return hashlib.sha256(file.read()).hexdigest()

    def run(self, resume: bool, progress: Optional[Progress]) -> Dict[str, Any]:
        with self._lock() as journal:
            state = self._read(journal)
            if state is not None and not resume:
                raise InvalidArgument("invalid_argument", f"{self.target}: an unfinished job has {state['texts']} vectors for "
                                      f"it; set resume to go on, or remove {self.journal} to begin anew")
            try:
                with self._open_part(state is not None) as part:
                    if state is not None:
                        self._resume(state, part)
                    complete = self._embed(journal, part, progress)
                    self._checkpoint(journal, part)
                    if not complete:
                        return {"complete": False, **self.counts}
                    report = self._finish(part)
            except BaseException:
                if state is None and not self.checkpoints:  # Nothing worth keeping.
                    self._forget(journal)
                raise
            self._forget(journal)
            return report

    def _open_part(self, there: bool) -> IO[bytes]:
        try:
            return open(self.part, "r+b" if there else "w+b")
        except FileNotFoundError:
            raise Corrupt("corrupt", f"{self.part}: the vectors of the unfinished job are missing; remove {self.journal} to "
                          "begin anew") from None

    def _forget(self, journal: IO[bytes]) -> None:
        """Removes the files of the job, of which the part is closed, under the lock. A kill meanwhile leaves no state."""
        journal.truncate(0)
        with suppress(OSError):
            os.remove(self.part)
        os.remove(self.journal)

    def _open_journal(self) -> IO[bytes]:
        try:
            return open(self.journal, "a+b")
        except FileNotFoundError:
            raise NotFound("not_found", f"{self.target}: its folder does not exist; make it, or choose another output") from None
        except OSError as error:
            raise IoError("io", f"{self.target}: no file can be made beside it: {error}") from None

    @contextmanager
    def _lock(self) -> Iterator[IO[bytes]]:
        import fcntl  # Which Windows lacks.

        while True:
            with self._open_journal() as journal:
                try:
                    fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError:
                    raise Overloaded("overloaded", f"{self.journal}: another process is writing this output; wait for it, or "
                                     "choose another output") from None
                with suppress(FileNotFoundError):
                    if os.path.samestat(os.stat(self.journal), os.fstat(journal.fileno())):
                        yield journal
                        return
            # Its last holder has removed it.

    def _read(self, journal: IO[bytes]) -> Optional[Dict[str, Any]]:
        """The last line that is whole: lines are only appended, each with its hash."""
        journal.seek(max(0, journal.seek(0, os.SEEK_END) - _TAIL))
        best = None
        for line in journal.read().split(b"\n"):
            text, _, check = line.rpartition(b" ")
            if hashlib.sha256(text).hexdigest().encode() == check:
                best = text
        if best is None:
            return None
        state: Dict[str, Any] = json.loads(best)
        return state if state["texts"] > 0 else None

    def _resume(self, state: Dict[str, Any], part: IO[bytes]) -> None:
        for name, value in self.job.items():
            if state["job"].get(name) != value:
                raise InvalidArgument("invalid_argument", f"cannot resume: the job of {self.journal} had {name} "
                                      f"{state['job'].get(name)!r}, and this one has {value!r}; go on with the same options, "
                                      "model and input, or remove it to begin anew")
        for piece in _pieces(part, state["bytes"]):
            self.hash.update(piece)
        if part.tell() != state["bytes"] or self.hash.hexdigest() != state["sha256"]:
            raise Corrupt("corrupt", f"{self.part}: its first {state['bytes']} bytes are not those that were written; remove "
                          f"it and {self.journal} to begin anew")
        part.truncate(state["bytes"])
        self.counts = {name: state[name] for name in self.counts}
        self.resumed = state["texts"]
        self.width = state["width"]

    def _checkpoint(self, journal: IO[bytes], part: IO[bytes]) -> None:
        part.flush()
        os.fsync(part.fileno())
        self._check_source()
        state = {**self.counts, "bytes": part.tell(), "sha256": self.hash.hexdigest(), "width": self.width, "job": self.job}
        text = json.dumps(state).encode()
        journal.write(b"\n" + text + b" " + hashlib.sha256(text).hexdigest().encode() + b"\n")
        journal.flush()
        os.fsync(journal.fileno())
        self.checkpoints += 1

    def _check_source(self) -> None:
        now = os.stat(self.source)
        if (now.st_size, now.st_mtime_ns) != (self.stamp.st_size, self.stamp.st_mtime_ns):
            raise IoError("io", f"{self.source}: was written to while it was read")

    def _embed(self, journal: IO[bytes], part: IO[bytes], progress: Optional[Progress]) -> bool:
        import numpy

        last = time.monotonic()
        for batch in self.table.batches(self.counts["texts"]):
            texts = strings(f"{self.source}: column {self.field!r}", batch.column(0), self.counts["texts"])
            for i, text in enumerate(texts):
                if not isinstance(text, str):
                    raise Corrupt("corrupt", f"{self.source}: row {self.counts['texts'] + i + 1}: column {self.field!r}: "
                                  f"expected a text, found {type(text).__name__}")
            vectors, reports = self.embedder.encode_with_reports(texts, precision=self.precision, **self.encode_options)
            data = vectors.tobytes()
            part.write(data)
            self.hash.update(data)
            self.width = int(vectors.shape[1])
            self.counts["texts"] += len(texts)
            self.counts["tokens"] += int(reports[:, 0].sum())
            self.counts["truncated"] += int(reports[:, 1].sum())
            self.counts["empty"] += texts.count("")
            if time.monotonic() - last >= _CHECKPOINT_SECONDS:
                self._checkpoint(journal, part)
                last = time.monotonic()
            if progress is not None and progress({"texts": self.counts["texts"], "resumed_texts": self.resumed,
                                                  "total_texts": self.table.rows}) is False:
                return False
        return True

    def _finish(self, part: IO[bytes]) -> Dict[str, Any]:
        """The output from the vectors, and for tables from the ids of the input, which is read once more for them."""
        import numpy

        dtype = numpy.dtype({"float32": "<f4", "float16": "<f2", "int8": "i1", "binary": "i1"}.get(self.precision, "u1"))
        width = self.width or self.embedder.encode([], precision=self.precision, **self.encode_options).shape[1]
        new = self.target + ".new"
        part.seek(0)
        if self.kind in _TABLES:
            self._write_table(new, part, dtype, width)
        else:
            with open(new, "wb") as file:
                if self.kind == ".npy":
                    from numpy.lib import format as npy

                    npy.write_array_header_1_0(file, {"descr": npy.dtype_to_descr(dtype), "fortran_order": False,
                                                      "shape": (self.counts["texts"], width)})
                for piece in _pieces(part):
                    file.write(piece)
        with open(new, "r+b") as file:
            os.fsync(file.fileno())
        manifest = {"thimble": _version(), "fingerprint": self.job["fingerprint"],
                    "shape": [self.counts["texts"], width], **self.counts,
                    "input": _describe(self.source, self.source), "output": _describe(new, os.path.basename(self.target)),
                    "job": self.job}
        self._check_source()  # Whose ids were read once more.
        os.replace(new, self.target)
        with open(self.target + ".manifest.json.new", "w") as text:
            text.write("{\n" + ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in manifest.items()) + "\n}\n")
            text.flush()
            os.fsync(text.fileno())
        os.replace(self.target + ".manifest.json.new", self.target + ".manifest.json")
        return {"complete": True, **manifest}

    def _write_table(self, path: str, part: IO[bytes], dtype: Any, width: int) -> None:
        import numpy
        import pyarrow

        value = pyarrow.from_numpy_dtype(dtype)
        fields = [] if self.id_field is None else [self.table.schema.field(self.id_field)]
        schema = pyarrow.schema([*fields, pyarrow.field(_VECTORS, pyarrow.list_(value, width))])
        if self.kind == ".parquet":
            import pyarrow.parquet

            writer: Any = pyarrow.parquet.ParquetWriter(path, schema)
        else:
            writer = pyarrow.ipc.new_file(path, schema)
        with writer:
            for batch in self.table.batches(0):
                flat = numpy.frombuffer(part.read(batch.num_rows * width * dtype.itemsize), dtype=dtype)
                vectors = vector_column(flat.reshape(-1, width))
                columns = [] if self.id_field is None else [batch.column(self.id_field)]
                writer.write_batch(pyarrow.record_batch([*columns, vectors], schema=schema))


def _pieces(file: IO[bytes], size: Optional[int] = None) -> Iterator[bytes]:
    """The next `size` bytes, or all, as far as there are any."""
    left = sys.maxsize if size is None else size
    while left > 0:
        piece = file.read(min(left, _PIECE))
        if not piece:
            return
        left -= len(piece)
        yield piece


def _describe(path: str, name: str) -> Dict[str, Any]:
    hash_ = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in _pieces(file):
            hash_.update(piece)
        return {"path": name, "bytes": file.tell(), "sha256": hash_.hexdigest()}


def _version() -> str:
    import thimble

    return str(thimble.__version__)
