"""Embeds a folder of Parquet files into another one with Ray: ray_parquet.py SOURCE TARGET MODEL [--actors N] [--pull]

A file is a partition. Whatever dies, run it again: finished partitions are kept, and none is ever there in part.
"""

import argparse

import ray
import thimble.fleet
import thimble.ray


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("source", "target", "model"):
        parser.add_argument(name)
    parser.add_argument("--actors", type=int, default=2)
    parser.add_argument("--pull", action="store_true", help="download the model where a machine lacks it")
    options = parser.parse_args()

    partitions = thimble.fleet.partitions(options.source, options.target)
    work = ray.data.from_items([partition._asdict() for partition in partitions], override_num_blocks=len(partitions))
    done = work.map_batches(
        thimble.ray.EmbedPartitions, fn_constructor_args=[options.model], fn_constructor_kwargs={"pull": options.pull},
        batch_size=1, compute=ray.data.ActorPoolStrategy(size=options.actors), num_cpus=1)
    print(f"{sum(row['rows'] for row in done.iter_rows())} rows in {len(partitions)} partitions")


if __name__ == "__main__":
    main()
