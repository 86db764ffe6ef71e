"""Spark: a pandas UDF, and functions for mapInPandas.

    frame.withColumn("embedding", thimble.spark.embed("all-MiniLM-L6-v2")("text"))

A Python worker process keeps its embedder from task to task, and all workers of a node share the model's weights, because the
model file is mapped. Needs pyspark, pandas and pyarrow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Iterator, List

from . import fleet

if TYPE_CHECKING:
    import pandas

Frames = Iterator["pandas.DataFrame"]


def embed(model: str, **options: Any) -> Any:
    """A pandas UDF from a column of texts to one of vectors, array<float>. Options are those of fleet.embedder()."""
    import pandas
    from pyspark.sql.pandas.functions import pandas_udf

    def embed_texts(texts: pandas.Series) -> pandas.Series:
        return fleet.vectors(texts, model, **options)

    # Spark reads the annotations, which must be classes and not their names.
    embed_texts.__annotations__ = {"texts": pandas.Series, "return": pandas.Series}
    return pandas_udf(embed_texts, "array<float>")


def embed_frames(model: str, *, text: str = "text", output: str = "embedding", **options: Any) -> Callable[[Frames], Frames]:
    """For DataFrame.mapInPandas: each frame gets a column `output`, which the schema has as array<float>."""

    def embed_all(frames: Frames) -> Frames:
        for frame in frames:
            yield frame.assign(**{output: fleet.vectors(frame[text], model, **options)})

    return embed_all


def embed_partitions(model: str, **options: Any) -> Callable[[Frames], Frames]:
    """For DataFrame.mapInPandas over rows of fleet.partitions(): "source string, target string, rows long".

    For jobs that may be interrupted and run again: see fleet.embed_partition(), whose options these are.
    """

    def embed_files(frames: Frames) -> Frames:
        for frame in frames:
            rows: List[int] = [fleet.embed_partition(fleet.Partition(*pair), model, **options)
                               for pair in zip(frame["source"], frame["target"])]
            yield frame.assign(rows=rows)

    return embed_files
