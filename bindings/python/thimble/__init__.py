"""Sentence embeddings on CPUs in little memory.

    import thimble
    embedder = thimble.Embedder("all-MiniLM-L6-v2")
    vectors = embedder.encode(["a short text", "another"])  # numpy, [2][384]
"""

from __future__ import annotations

from ._vectors import quantize
from .embedder import Embedder
from .errors import Corrupt, InvalidArgument, IoError, NotFound, OutOfMemory, Overloaded, ThimbleError, Unsupported
from .pool import ModelPool

TYPE_CHECKING = False  # As typing's, which takes longer to import than the rest of the package.
if TYPE_CHECKING:
    from typing import Any, Dict, List

    from . import quantization, util
    from .cross_encoder import CrossEncoder
    from .functions import convert, known_models, memory, models, plan, pull, remove, verify
    from .quantization import quantize_embeddings
    from .reranker import Reranker
    from .sentence_transformer import SentenceTransformer
    from .util import SimilarityFunction

    __version__: str

__all__ = [
    "Corrupt", "CrossEncoder", "Embedder", "InvalidArgument", "IoError", "ModelPool", "NotFound", "OutOfMemory",
    "Overloaded", "Reranker", "SentenceTransformer", "SimilarityFunction", "ThimbleError", "Unsupported", "convert",
    "known_models", "memory", "models", "plan", "pull", "quantization", "quantize", "quantize_embeddings", "remove", "util",
    "verify",
]

# Imported when they are first used, with their modules.
_LAZY: Dict[str, str] = {
    "CrossEncoder": "cross_encoder", "Reranker": "reranker", "SentenceTransformer": "sentence_transformer",
    "SimilarityFunction": "util", "quantization": "quantization", "quantize_embeddings": "quantization", "util": "util",
    **dict.fromkeys(("convert", "known_models", "memory", "models", "plan", "pull", "remove", "verify"), "functions"),
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from .functions import library_version

        return library_version()
    if name in _LAZY:
        from importlib import import_module

        module = import_module(f".{_LAZY[name]}", __name__)
        value = globals()[name] = module if name == _LAZY[name] else getattr(module, name)
        return value
    raise AttributeError(f"module 'thimble' has no attribute {name!r}")


def __dir__() -> List[str]:
    return [*(name for name in globals() if name.startswith("__")), *__all__, "__version__"]
