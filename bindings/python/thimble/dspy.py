"""DSPy: an embedder."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, List, Optional, Union

import dspy

from .embedder import Embedder

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["ThimbleEmbedder"]


class ThimbleEmbedder(dspy.Embedder):
    """`options` are those of thimble.Embedder.

    As dspy.Embedder of Embedder.encode, but without DSPy's cache, which confuses the functions of two models, and
    without holding up the event loop in acall().
    """

    def __init__(self, model: Optional[str] = None, *, batch_size: int = 200, **options: Any) -> None:
        super().__init__(Embedder(model, **options).encode, batch_size=batch_size, caching=False)

    def __call__(
        self,
        inputs: Union[str, List[str]],
        batch_size: Optional[int] = None,
        caching: Optional[bool] = None,
        **kwargs: Any,
    ) -> npt.NDArray[np.float32]:
        """`kwargs` are those of Embedder.encode."""
        if caching:
            raise ValueError("caching: DSPy's cache confuses the functions of two models; use the option cache instead")
        vectors: npt.NDArray[np.float32] = super().__call__(inputs, batch_size=batch_size, **kwargs)
        return vectors

    async def acall(
        self,
        inputs: Union[str, List[str]],
        batch_size: Optional[int] = None,
        caching: Optional[bool] = None,
        **kwargs: Any,
    ) -> npt.NDArray[np.float32]:
        """As a call, on a thread."""

        def call() -> npt.NDArray[np.float32]:
            return self(inputs, batch_size=batch_size, caching=caching, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(None, call)
