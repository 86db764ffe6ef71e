"""txtai: a vectors method, `Embeddings(method="thimble.txtai.ThimbleVectors", path=MODEL, vectors=OPTIONS)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Optional

from txtai.vectors import Vectors

from ._adapter import Texts

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["ThimbleVectors"]


class ThimbleVectors(Vectors):
    """`path` is the model, and `vectors` in the configuration has the options of thimble.Embedder.

    Queries and documents get the model's prompts for them, unless `prompt_name` selects one for all, or txtai's
    `instructions` are set.
    """

    def loadmodel(self, path: Optional[str]) -> Texts:
        options = dict(self.config.get("vectors") or {})
        if self.config.get("instructions"):
            options.setdefault("prompt_name", "")
        return Texts(path, options)

    def encode(self, data: List[str], category: Optional[str] = None) -> npt.NDArray[np.float32]:
        model: Texts = self.model
        return model.queries(data) if category == "query" else model.documents(data)
