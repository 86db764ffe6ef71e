"""BERTopic: an embedding backend."""

from __future__ import annotations

from bertopic.backend import BaseEmbedder

from ._adapter import Backend

__all__ = ["ThimbleBackend"]


class ThimbleBackend(Backend, BaseEmbedder):
    """`options` are those of thimble.Embedder."""
