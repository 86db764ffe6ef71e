"""Bulk embedding on several workers: what thimble.ray, thimble.spark and thimble.dask share.

A partition is one Parquet file. It is embedded into a file of the same name in another folder, which appears there complete or
not at all, and whose bits do not depend on who wrote it. So a partition may be tried as often as needed, also twice at a time.
Unlike a job of thimble.bulk it keeps all columns and is not resumed within, but begun again.
Folders are paths, or URIs that pyarrow.fs knows, such as s3://bucket/folder, with what it takes from the environment
(AWS_ENDPOINT_URL, AWS_REGION, credentials) or behind a ?. Needs pyarrow.
"""

from __future__ import annotations

import json
import os
import threading
import uuid
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from ._tables import FREE_OPTIONS, check_column, reading, strings, vector_column
from .embedder import Embedder
from .errors import InvalidArgument, NotFound, Unsupported

if TYPE_CHECKING:
    import pandas
    import pyarrow
    import pyarrow.fs

_BATCH_ROWS = 1024
_embedders: Dict[str, Embedder] = {}
_lock = threading.Lock()


def embedder(model: str, *, pull: bool = False, **options: Any) -> Embedder:
    """The embedder of this process for these arguments, which are those of Embedder; made at the first call.

    A worker has one thread if `threads` is not given, since engines start a worker for each processor. With `pull` the model
    is downloaded if this machine does not have it; of several workers one does so, and the others wait.
    """
    options.setdefault("threads", 1)
    key = json.dumps([model, pull, os.getpid(), options], sort_keys=True, default=repr)
    with _lock:
        if key not in _embedders:
            if pull:
                from .functions import pull as pull_model

                pull_model(model, dtype=options.get("dtype"), revision=options.get("revision"))
            _embedders[key] = Embedder(model, **options)
        return _embedders[key]


def column(found: Embedder, texts: Any) -> Any:
    """The vectors of an array of texts of pyarrow, a FixedSizeListArray of float32. Where a text is null, so is its vector."""
    import numpy
    import pyarrow

    if not (pyarrow.types.is_string(texts.type) or pyarrow.types.is_large_string(texts.type)):
        raise InvalidArgument("invalid_argument", f"the column of texts: expected strings, found {texts.type}; cast it or name "
                              "another column")
    known = strings("the column of texts", texts)
    vectors = found.encode([text for text in known if text is not None])
    mask = None
    if len(vectors) < len(known):
        present = numpy.array([text is not None for text in known])
        spread = numpy.zeros((len(known), found.dimensions), vectors.dtype)
        spread[present] = vectors
        vectors, mask = spread, pyarrow.array(~present)
    return vector_column(vectors, mask)


def with_vectors(found: Embedder, table: pyarrow.Table, text: str, output: str) -> pyarrow.Table:
    """The table with a column of vectors more, in place of one of that name."""
    check_column("the table", table.column_names, text)
    vectors = column(found, table.column(text))
    at = table.schema.get_field_index(output)
    return table.append_column(output, vectors) if at < 0 else table.set_column(at, output, vectors)


def vectors(texts: pandas.Series, model: str, **options: Any) -> pandas.Series:
    """The vectors (float32) of a series of texts, with its index. Where the text is null, the vector is None."""
    import pandas

    found = embedder(model, **options)
    known = texts.notna()
    left = iter(found.encode(list(texts[known])))
    return pandas.Series([next(left) if one else None for one in known], index=texts.index, dtype=object)


class Partition(NamedTuple):
    source: str
    target: str


def partitions(source: str, target: str) -> List[Partition]:
    """Each Parquet file of a folder, with the file for its vectors in another folder, which is made.

    NotFound where the folder has none; folders in it are not read. InvalidArgument where both folders are the same.
    """
    import pyarrow.fs

    files, folder = _filesystem(source)
    there, into = _filesystem(target)
    if files.equals(there) and folder.rstrip("/") == into.rstrip("/"):
        raise InvalidArgument("invalid_argument", f"{target}: is the source, too; choose another folder")
    names = sorted(entry.base_name for entry in files.get_file_info(pyarrow.fs.FileSelector(folder))
                   if entry.is_file and entry.extension == "parquet" and not entry.base_name.startswith((".", "_")))
    if not names:
        raise NotFound("not_found", f"{source}: has no .parquet files; folders in it are not read")
    there.create_dir(into, recursive=True)
    return [Partition(_join(source, name), _join(target, name)) for name in names]


def embed_partition(partition: Partition, model: str, *, text: str = "text", output: str = "embedding", pull: bool = False,
                    **options: Any) -> int:
    """Embeds one partition; returns its number of rows. Memory does not grow with it beyond a row group.

    A target of the same source, model and options is kept as it is. One of another model or other options is an error,
    because a folder must not mix vector spaces; one of a source that has changed is replaced.
    """
    import pyarrow.parquet

    found = embedder(model, pull=pull, **options)
    files, source = _filesystem(partition.source)
    there, target = _filesystem(partition.target)
    entry = files.get_file_info(source)
    space = json.dumps([found.fingerprint, text, output, {k: v for k, v in options.items() if k not in FREE_OPTIONS}],
                       sort_keys=True, default=repr)
    marks = {"thimble.space": space, "thimble.source": f"{entry.size} bytes, {entry.mtime_ns}"}
    rows = _committed(there, target, marks)
    if rows is not None:
        return rows

    part = f"{target.rpartition('/')[0]}/.{target.rpartition('/')[2]}.{uuid.uuid4().hex}.part"
    try:
        with files.open_input_file(source) as stream, reading(partition.source):
            reader = pyarrow.parquet.ParquetFile(stream)
            check_column(partition.source, reader.schema_arrow.names, text)
            rows = _write(found, reader, there, part, text, output, marks)
        there.move(part, target)
    except BaseException:
        _forget(there, part)
        raise
    return rows


def _write(found: Embedder, reader: Any, there: pyarrow.fs.FileSystem, part: str, text: str, output: str,
           marks: Dict[str, str]) -> int:
    import pyarrow
    import pyarrow.parquet

    first = with_vectors(found, reader.schema_arrow.empty_table(), text, output)
    schema = first.schema.with_metadata({**(first.schema.metadata or {}), **marks})
    rows = 0
    with there.open_output_stream(part) as stream, pyarrow.parquet.ParquetWriter(stream, schema) as writer:
        for batch in reader.iter_batches(batch_size=_BATCH_ROWS):
            table = with_vectors(found, pyarrow.Table.from_batches([batch]), text, output)
            writer.write_table(table.replace_schema_metadata(schema.metadata))
            rows += table.num_rows
    if rows != reader.metadata.num_rows:
        raise InvalidArgument("invalid_argument",
                              f"{part}: expected {reader.metadata.num_rows} rows of the source, found {rows}")
    if there.type_name == "local":  # So that the name never outlives the content when a machine loses power.
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
    return rows


def _committed(there: pyarrow.fs.FileSystem, target: str, marks: Dict[str, str]) -> Optional[int]:
    import pyarrow.parquet

    if not there.get_file_info(target).is_file:
        return None
    with there.open_input_file(target) as stream, reading(target):
        metadata = pyarrow.parquet.read_metadata(stream)
    found = metadata.metadata or {}
    space = found.get(b"thimble.space", b"").decode()
    if space != marks["thimble.space"]:
        raise InvalidArgument("invalid_argument", f"{target}: has vectors of {space or 'something else'}, expected "
                              f"{marks['thimble.space']}; remove the folder or choose another one")
    return int(metadata.num_rows) if found.get(b"thimble.source", b"").decode() == marks["thimble.source"] else None


def _forget(there: pyarrow.fs.FileSystem, part: str) -> None:
    try:
        there.delete_file(part)
    except OSError:
        pass  # The first error is the one to report; files of this kind are no partitions.


def _join(folder: str, name: str) -> str:
    path, mark, options = folder.partition("?") if "://" in folder else (folder, "", "")
    return f"{path.rstrip('/')}/{name}{mark}{options}"


def _filesystem(path: str) -> Tuple[pyarrow.fs.FileSystem, str]:
    import pyarrow
    import pyarrow.fs

    if "://" in path:
        try:
            files, inside = pyarrow.fs.FileSystem.from_uri(path)
        except (pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError) as error:
            raise Unsupported("unsupported", f"{path}: expected a path or a URI that pyarrow.fs knows (s3, gs, abfs, hdfs, "
                              f"file): {error}") from error
        return files, inside
    return pyarrow.fs.LocalFileSystem(), os.path.abspath(path)


def leftovers(target: str) -> Iterator[str]:
    """Unfinished files of workers that were killed, as paths or URIs. Remove them when no job runs; readers of the folder
    skip such names."""
    import pyarrow.fs

    there, folder = _filesystem(target)
    for entry in there.get_file_info(pyarrow.fs.FileSelector(folder)):
        if entry.is_file and entry.base_name.startswith(".") and entry.base_name.endswith(".part"):
            yield _join(target, entry.base_name)
