"""Embeds a folder of Parquet files into another one with Dask: dask_parquet.py SOURCE TARGET MODEL [--workers N] [--pull]

A file is a partition. Whatever dies, run it again: finished partitions are kept, and none is ever there in part.
"""

import argparse

import thimble.fleet
from distributed import Client


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("source", "target", "model"):
        parser.add_argument(name)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--pull", action="store_true", help="download the model where a machine lacks it")
    options = parser.parse_args()

    partitions = thimble.fleet.partitions(options.source, options.target)
    with Client(n_workers=options.workers, threads_per_worker=1, dashboard_address=None) as client:
        tasks = client.map(thimble.fleet.embed_partition, partitions, model=options.model, pull=options.pull, pure=False)
        print(f"{sum(client.gather(tasks))} rows in {len(partitions)} partitions")


if __name__ == "__main__":
    main()
