"""BERTopic: an embedding backend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, List, Optional

from bertopic.backend import BaseEmbedder

from .embedder import Embedder

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["ThimbleBackend"]


class ThimbleBackend(BaseEmbedder):
    """`options` are those of thimble.Embedder."""

    def __init__(self, model: Optional[str] = None, **options: Any) -> None:
        super().__init__(embedding_model=Embedder(model, **options))

    def embed(self, documents: List[str], verbose: bool = False) -> npt.NDArray[np.float32]:
        embedder: Embedder = self.embedding_model
        return embedder.encode(list(documents))
