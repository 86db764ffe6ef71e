"""Ray Data: classes for map_batches with actors.

    dataset.map_batches(thimble.ray.Embed, fn_constructor_args=["all-MiniLM-L6-v2"], batch_format="pyarrow",
                        compute=ray.data.ActorPoolStrategy(size=4), num_cpus=1)

All actors of a node share the model's weights, because the model file is mapped. This module does not import Ray.
"""

from __future__ import annotations

from typing import Any

from . import fleet
from ._tables import check_column


class Embed:
    """Adds to each batch the column `output`, the vectors (float32) of the column `text`.

    Batches are tables (batch_format="pyarrow"), in which a null text has a null vector, or dicts of arrays ("numpy"). `pull`
    and the other options are those of fleet.embedder().
    """

    def __init__(self, model: str, *, text: str = "text", output: str = "embedding", **options: Any) -> None:
        self.embedder = fleet.embedder(model, **options)
        self.text, self.output = text, output

    def __call__(self, batch: Any) -> Any:
        if not isinstance(batch, dict):
            return fleet.with_vectors(self.embedder, batch, self.text, self.output)
        check_column("the batch", list(batch), self.text)
        return {**batch, self.output: self.embedder.encode(list(batch[self.text]))}


class EmbedPartitions:
    """Embeds whole Parquet files: a batch has the columns `source` and `target` of fleet.partitions(); gets `rows`.

    For jobs that may be interrupted and run again: see fleet.embed_partition(), whose options these are.
    """

    def __init__(self, model: str, **options: Any) -> None:
        self.model, self.options = model, options
        fleet.embedder(model, **{k: v for k, v in options.items() if k not in ("text", "output")})

    def __call__(self, batch: Any) -> Any:
        import numpy

        rows = [fleet.embed_partition(fleet.Partition(str(source), str(target)), self.model, **self.options)
                for source, target in zip(batch["source"], batch["target"])]
        return {**batch, "rows": numpy.array(rows, numpy.int64)}
