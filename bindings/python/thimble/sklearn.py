"""scikit-learn: a transformer of texts to vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple, Union

from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags

from .embedder import Embedder

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["ThimbleTransformer"]


class ThimbleTransformer(TransformerMixin, BaseEstimator):
    """Texts, of shape (n,), to vectors of float32, of shape (n, dimensions).

    The parameters are those of thimble.Embedder. Nothing is fitted: transform() needs no fit().
    """

    def __init__(
        self,
        model: Optional[str] = None,
        *,
        dtype: Optional[str] = None,
        revision: Optional[str] = None,
        backend: Optional[str] = None,
        base_url: Optional[str] = None,
        threads: Optional[int] = None,
        max_memory: Union[int, str] = 0,
        max_tokens: int = 0,
        truncation: str = "sentence-transformers",
        pooling: Optional[str] = None,
        normalize: Optional[bool] = None,
        dimensions: Optional[int] = None,
        prompt_name: Optional[str] = None,
        long_texts: str = "truncate",
        chunk_overlap: Optional[int] = None,
        cache: Optional[str] = None,
    ) -> None:
        self.model = model
        self.dtype = dtype
        self.revision = revision
        self.backend = backend
        self.base_url = base_url
        self.threads = threads
        self.max_memory = max_memory
        self.max_tokens = max_tokens
        self.truncation = truncation
        self.pooling = pooling
        self.normalize = normalize
        self.dimensions = dimensions
        self.prompt_name = prompt_name
        self.long_texts = long_texts
        self.chunk_overlap = chunk_overlap
        self.cache = cache

    def fit(self, X: Any, y: Any = None) -> ThimbleTransformer:
        """Checks X and the parameters."""
        _texts(X)
        self._embedder()
        return self

    def transform(self, X: Any) -> npt.NDArray[np.float32]:
        return self._embedder().encode(_texts(X))

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """thimbletransformer0 and so on; scikit-learn's set_output needs them."""
        import numpy as np

        prefix = type(self).__name__.lower()
        return np.asarray([f"{prefix}{i}" for i in range(self._embedder().dimensions)], dtype=object)

    def _embedder(self) -> Embedder:
        """One for the parameters as they are now."""
        parameters = self.get_params()
        made: Optional[Tuple[Dict[str, Any], Embedder]] = self.__dict__.get("_made")
        if made is None or made[0] != parameters:
            made = self._made = (parameters, Embedder(**parameters))
        return made[1]

    def __getstate__(self) -> Dict[str, Any]:
        state: Any = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_made"}

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = []
        return tags


def _texts(X: Any) -> Any:
    """A list of str, of any sequence of them."""
    if isinstance(X, str) or not hasattr(X, "__len__"):
        raise ValueError(f"X: expected a sequence of texts, found {type(X).__name__}")
    if getattr(X, "ndim", 1) != 1:
        raise ValueError(f"X: expected texts of shape (n,), found shape {X.shape}")
    texts = list(X)
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"X[{index}]: expected a str, found {type(text).__name__}")
    return texts
