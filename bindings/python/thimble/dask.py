"""Dask: a function for DataFrame.map_partitions.

    frame.map_partitions(thimble.dask.embed, "all-MiniLM-L6-v2", meta=thimble.dask.meta(frame))

For jobs that may be interrupted and run again, map fleet.embed_partition() over fleet.partitions() with Client.map.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .fleet import vectors

if TYPE_CHECKING:
    import pandas


def embed(frame: pandas.DataFrame, model: str, *, text: str = "text", output: str = "embedding",
          **options: Any) -> pandas.DataFrame:
    """The frame with a column of vectors, arrays of float32, or None where the text is null."""
    with_vectors: pandas.DataFrame = frame.assign(**{output: vectors(frame[text], model, **options)})
    return with_vectors


def meta(frame: Any, output: str = "embedding") -> pandas.DataFrame:
    """What embed() makes of a Dask DataFrame, without rows, for `meta`."""
    empty: pandas.DataFrame = frame._meta.assign(**{output: None})
    typed: pandas.DataFrame = empty.astype({output: object})
    return typed
