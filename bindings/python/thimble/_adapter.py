"""What the adapters share: an embedder that knows queries from documents, and backends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Mapping, Optional, Sequence, Set, Tuple

from .embedder import Embedder

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

# The prompts of each kind of text, most usual first.
QUERY = ("query",)
DOCUMENT = ("document", "passage", "corpus")


class Texts:
    """Vectors of queries and documents, each with the prompt that the model has for them.

    `options` are those of thimble.Embedder. A `prompt_name` among them is used for every text.
    """

    def __init__(self, model: Optional[str], options: Mapping[str, Any]) -> None:
        self.embedder = Embedder(model, **options)
        self._fixed = options.get("prompt_name") is not None
        self._known: Optional[Set[str]] = None

    def queries(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Shape (n, dimensions)."""
        return self.embedder.encode(_several(texts), prompt_name=self._prompt(QUERY))

    def documents(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Shape (n, dimensions)."""
        return self.embedder.encode(_several(texts), prompt_name=self._prompt(DOCUMENT))

    async def aqueries(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return await self._aencode(texts, QUERY)

    async def adocuments(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return await self._aencode(texts, DOCUMENT)

    async def _aencode(self, texts: Sequence[str], names: Tuple[str, ...]) -> npt.NDArray[np.float32]:
        # The first look at the prompts may load the model, or ask a server.
        prompt = await asyncio.get_running_loop().run_in_executor(None, self._prompt, names)
        return await self.embedder.aencode(_several(texts), prompt_name=prompt)

    def _prompt(self, names: Tuple[str, ...]) -> Optional[str]:
        if self._fixed:
            return None
        if self._known is None:
            info = self.embedder.info
            # Of a remote backend, or of a model.
            self._known = set(info.get("prompt_names", ())) | set(self.embedder.prompts)
        return next((name for name in names if name in self._known), None)


def _several(texts: Sequence[str]) -> Sequence[str]:
    """TypeError for a string, which is a sequence of strings, too."""
    if isinstance(texts, str):
        raise TypeError("texts: expected a list of strings, found a string")
    return texts


class Backend:
    """What BERTopic and KeyBERT, whose base classes are alike, call."""

    def __init__(self, model: Optional[str] = None, **options: Any) -> None:
        self._embedder = Embedder(model, **options)
        super().__init__(embedding_model=self._embedder)  # type: ignore[call-arg]  # Of the framework.

    def embed(self, documents: Sequence[str], verbose: bool = False) -> npt.NDArray[np.float32]:
        return self._embedder.encode(_several(documents))
