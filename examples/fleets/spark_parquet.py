"""Embeds a folder of Parquet files into another one with Spark: spark_parquet.py SOURCE TARGET MODEL [--pull]

A file is a partition. Whatever dies, run it again: finished partitions are kept, and none is ever there in part.
"""

import argparse

import thimble.fleet
import thimble.spark
from pyspark.sql import SparkSession


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("source", "target", "model"):
        parser.add_argument(name)
    parser.add_argument("--pull", action="store_true", help="download the model where a machine lacks it")
    options = parser.parse_args()

    spark = SparkSession.builder.getOrCreate()
    partitions = thimble.fleet.partitions(options.source, options.target)
    # One partition a task, so that a task that is tried again does not repeat others.
    work = spark.sparkContext.parallelize(partitions, len(partitions)).toDF("source string, target string")
    done = work.mapInPandas(thimble.spark.embed_partitions(options.model, pull=options.pull),
                            "source string, target string, rows long")
    print(f"{sum(row.rows for row in done.collect())} rows in {len(partitions)} partitions")
    spark.stop()


if __name__ == "__main__":
    main()
