"""Rows of Parquet through workers that say how much memory they have: workers.py ENGINE COUNT[,COUNT] SOURCE MODEL FOLDER

ENGINE is ray or spark. FOLDER gets a file COUNT.npz for each number of workers, and before them bare.npz, of workers whose vectors
are zeros, and everything else is the same. A file has id, embedding, pid and private (bytes without a file behind them, after the
batch) of each row.
"""

import os
import pathlib
import sys

import numpy
import pyarrow
import pyarrow.parquet


def private():
    lines = pathlib.Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Anonymous:"))


class Measured:
    """For map_batches."""

    def __init__(self, model):
        import thimble.ray

        self.embed = thimble.ray.Embed(model) if model != "bare" else lambda table: table.append_column(
            "embedding", pyarrow.FixedSizeListArray.from_arrays(numpy.zeros(384 * table.num_rows, numpy.float32), 384))

    def __call__(self, table):
        table = self.embed(table)
        for name, value in (("pid", os.getpid()), ("private", private())):
            table = table.append_column(name, pyarrow.array(numpy.full(table.num_rows, value, numpy.int64)))
        return table


def with_ray(count, source, model):
    import ray

    if not ray.is_initialized():
        ray.init(num_cpus=4, include_dashboard=False, object_store_memory=200_000_000)
    ray.data.DataContext.get_current().wait_for_min_actors_s = 600  # Else the first one may do all.
    # A block for each file: small ones that Ray reads itself would all be one, for one actor.
    blocks = ray.data.from_arrow([pyarrow.parquet.read_table(path) for path in sorted(pathlib.Path(source).iterdir())])
    rows = blocks.map_batches(
        Measured, fn_constructor_args=[model], batch_format="pyarrow", batch_size=64, num_cpus=0.5,
        compute=ray.data.ActorPoolStrategy(size=count))
    return rows.to_pandas()


def with_spark(count, source, model):
    import thimble.spark
    from pyspark.sql import SparkSession

    embed = thimble.spark.embed_frames(model) if model != "bare" else lambda frames: (
        frame.assign(embedding=list(numpy.zeros((len(frame), 384), numpy.float32))) for frame in frames)

    def measured(frames):
        for frame in embed(frames):
            yield frame.assign(pid=os.getpid(), private=private())

    spark = SparkSession.builder.config("spark.sql.execution.arrow.maxRecordsPerBatch", 64).getOrCreate()
    frame = spark.read.parquet(source).repartition(8)
    rows = frame.mapInPandas(measured, "id long, text string, embedding array<float>, pid long, private long").toPandas()
    if model != "bare":
        # The other face gives the same.
        found = frame.limit(100).withColumn("embedding", thimble.spark.embed(model)("text")).toPandas()
        known = rows.set_index("id").loc[found["id"]]
        assert numpy.array_equal(numpy.stack(found["embedding"]), numpy.stack(known["embedding"]))
    return rows


def main():
    engine, counts, source, model, folder = sys.argv[1:]
    counts = [int(count) for count in counts.split(",")]
    for name, count, chosen in [("bare", counts[0], "bare")] + [(str(count), count, model) for count in counts]:
        rows = (with_ray if engine == "ray" else with_spark)(count, source, chosen)
        numpy.savez(f"{folder}/{name}.npz", embedding=numpy.stack(rows["embedding"]).astype(numpy.float32),
                    **{name: rows[name].to_numpy(numpy.int64) for name in ("id", "pid", "private")})


if __name__ == "__main__":
    sys.modules["workers"] = sys.modules["__main__"]
    import workers  # Pickled by name, as code of an installed package is.

    main()
