"""Scores how well documents answer a query."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Optional, Tuple, Union

from . import _native, _vectors
from .embedder import _full_name, _restore, check_named, in_thread, open_or_pull
from .errors import InvalidArgument, Unsupported
from .pool import ModelPool, pool_for

if TYPE_CHECKING:
    from ._vectors import Array
    from .pool import Path


class Reranker:
    """A cross-encoder, which reads query and document together. The arguments are those of `Embedder`; the mocks score
    pairs too. Thread-safe, works after ``os.fork``, pickled as its arguments."""

    def __init__(self, model: Path, *, dtype: Optional[str] = None, revision: Optional[str] = None,
                 threads: Optional[int] = None, max_memory: Union[int, str] = 0, max_tokens: int = 0,
                 truncation: str = "sentence-transformers", prompt_name: Optional[str] = None,
                 long_texts: str = "truncate", pool: Optional[ModelPool] = None) -> None:
        max_memory = _native.size(max_memory, "max_memory")
        self._arguments: Dict[str, Any] = {
            "model": _native.path_text(model, "model"), "dtype": dtype, "revision": revision, "threads": threads,
            "max_memory": max_memory, "max_tokens": max_tokens, "truncation": truncation, "prompt_name": prompt_name,
            "long_texts": long_texts, "pool": pool,
        }
        self._name = _full_name(self._arguments["model"], revision)
        check_named(self._name)
        self._pool = pool_for(pool, threads=threads, max_memory=max_memory, max_tokens=max_tokens, truncation=truncation)
        self._closed = False
        self._info = open_or_pull(self._describe, self._name, dtype, self._pool.folder)
        if self._info["num_scores"] == 0:
            raise Unsupported("unsupported", f"{self._name} is an embedding model, which has no scores of pairs; use an "
                              "Embedder, or a reranker here")

    def score(self, query: str, documents: Iterable[str], *, raw_scores: bool = False) -> "Array":
        """The score of each document for the query, in their order: floats [documents], or [documents][labels] of a
        model with several. ``raw_scores`` leaves out the model's activation."""
        return self._array(self._score(query, documents, raw_scores, None))

    async def ascore(self, query: str, documents: Iterable[str], *, raw_scores: bool = False) -> "Array":
        """The same, for asyncio."""
        cancel = _native.Cancel()
        return self._array(await in_thread(lambda: self._score(query, documents, raw_scores, cancel), cancel))

    def rank(self, query: str, documents: Iterable[str], *, top_n: Optional[int] = None,
             raw_scores: bool = False) -> List[Tuple[int, float]]:
        """The documents as (index, score), the best first, those with equal scores in their order; at most ``top_n``.
        Of a model with several scores, the first decides."""
        if top_n is not None and _native.whole_number(top_n, "top_n") < 0:
            raise InvalidArgument("invalid_argument", f"top_n: expected at least 0, found {top_n}")
        floats: Any = memoryview(self._score(query, documents, raw_scores, None)).cast("f")
        scores: List[float] = floats.tolist()[::self.num_scores]
        ranked = sorted(enumerate(scores), key=lambda pair: -pair[1])
        return ranked if top_n is None else ranked[:top_n]

    def _score(self, query: str, documents: Iterable[str], raw_scores: bool, cancel: Optional[_native.Cancel]) -> bytearray:
        """The scores as floats, one behind the other."""
        if isinstance(documents, str):
            raise TypeError("documents: expected an iterable of strings, found a string")
        first, keep_first = _native.pack_one(query, "query")
        packed, keep = _native.pack(_native.sequence(documents, "documents"), "documents")
        count = packed.count * self.num_scores
        scores = bytearray(count * ctypes.sizeof(ctypes.c_float))
        options = _native.options(_native.RankOptions, prompt_name=self._arguments["prompt_name"],
                                  long_texts=self._arguments["long_texts"], raw_scores=_native.flag(raw_scores, "raw_scores"))
        self._native_pool()._run(
            "thimble_pool_rank", self._name, self._arguments["dtype"], ctypes.byref(first), ctypes.byref(packed),
            ctypes.byref(options), _native.writable(scores), count,
            keep=(first, keep_first, packed, keep, options, scores), cancel=cancel)
        return scores

    def _array(self, scores: bytearray) -> "Array":
        each = self.num_scores
        rows = len(scores) // (each * ctypes.sizeof(ctypes.c_float))
        return _vectors.as_array(scores, (rows, each) if each > 1 else (rows,), "float32")

    @property
    def info(self) -> Dict[str, Any]:
        """As `Embedder.info`."""
        return dict(self._info)

    @property
    def model(self) -> str:
        """The model as it was named, with its revision."""
        return self._name

    @property
    def num_scores(self) -> int:
        """Scores of a pair."""
        return int(self._info["num_scores"])

    @property
    def labels(self) -> List[str]:
        """The names of the scores; empty for a mock."""
        labels = str(self._info.get("labels", ""))
        return labels.split(", ") if labels else []

    @property
    def max_tokens(self) -> int:
        """Limit of a pair in tokens."""
        return int(self._info["effective_max_tokens"])

    @property
    def fingerprint(self) -> str:
        """Identity of the model, 32 hexadecimal digits; empty for a mock."""
        return str(self._info["fingerprint"])

    def plan(self) -> Dict[str, int]:
        """The memory of a call: see `thimble.plan`."""
        return self._native_pool().plan(self._name, dtype=self._arguments["dtype"])

    def close(self) -> None:
        """Calls that run end as they would; later ones fail."""
        self._closed = True

    def __enter__(self) -> "Reranker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> Tuple[Any, ...]:
        return _restore, (type(self), self._arguments)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._name!r})"

    def _native_pool(self) -> ModelPool:
        if self._closed:
            raise InvalidArgument("invalid_argument", f"the reranker {self._name} was closed; make another one")
        return self._pool

    def _describe(self, name: str) -> Dict[str, Any]:
        info: Dict[str, Any] = self._native_pool()._run("thimble_pool_describe", name, self._arguments["dtype"], None,
                                                        take=_native.take_json)
        return info
