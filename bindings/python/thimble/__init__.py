"""Sentence embeddings on CPUs in little memory.

    import thimble
    embedder = thimble.Embedder("all-MiniLM-L6-v2")
    vectors = embedder.encode(["a short text", "another"])  # numpy, [2][384]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import (Corrupt, InvalidArgument, IoError, NotFound, OutOfMemory, Overloaded, ThimbleError, Unsupported)
from .embedder import Embedder, quantize
from .functions import convert, known_models, memory, models, plan, pull, remove, verify
from .pool import ModelPool
from .reranker import Reranker

if TYPE_CHECKING:
    __version__: str

__all__ = [
    "Corrupt", "Embedder", "InvalidArgument", "IoError", "ModelPool", "NotFound", "OutOfMemory", "Overloaded",
    "Reranker", "ThimbleError", "Unsupported", "convert", "known_models", "memory", "models", "plan", "pull", "quantize",
    "remove", "verify",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from .functions import library_version

        return library_version()
    raise AttributeError(f"module 'thimble' has no attribute {name!r}")
