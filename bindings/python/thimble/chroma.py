"""Chroma: an embedding function, known to Chroma by the name "thimble" once this module is imported."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from chromadb.api.types import Documents, EmbeddingFunction, Embeddings, Space
from chromadb.utils.embedding_functions import register_embedding_function

from ._adapter import Texts

__all__ = ["ThimbleEmbeddingFunction"]


@register_embedding_function
class ThimbleEmbeddingFunction(EmbeddingFunction[Documents]):
    """`options` are those of thimble.Embedder. Chroma stores them as JSON with the collection.

    Queries and documents get the model's prompts for them, unless `prompt_name` selects one for all.
    """

    def __init__(self, model: Optional[str] = None, **options: Any) -> None:
        for name, value in options.items():
            if not isinstance(value, (str, int, float, type(None))):
                raise ValueError(f"{name}: expected text, a number or None, which Chroma can store, found {value!r}")
        self._config = {"model": model, **options}
        self._texts = Texts(model, options)

    def __call__(self, input: Documents) -> Embeddings:
        return list(self._texts.documents(input))

    def embed_query(self, input: Documents) -> Embeddings:
        return list(self._texts.queries(input))

    @staticmethod
    def name() -> str:
        return "thimble"

    def default_space(self) -> Space:
        return "cosine"

    def supported_spaces(self) -> List[Space]:
        return ["cosine", "l2", "ip"]

    @staticmethod
    def build_from_config(config: Dict[str, Any]) -> EmbeddingFunction[Documents]:
        return ThimbleEmbeddingFunction(**config)

    def get_config(self) -> Dict[str, Any]:
        return dict(self._config)
