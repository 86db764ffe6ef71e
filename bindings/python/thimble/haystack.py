"""Haystack: embedders of texts and documents, and a ranker.

Options that pipelines are saved with are text, numbers and None.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, ClassVar, Dict, List, Optional, Tuple, Type, TypeVar

from haystack import Document, component, default_from_dict, default_to_dict

from ._adapter import Texts
from .reranker import Reranker

__all__ = ["ThimbleDocumentEmbedder", "ThimbleRanker", "ThimbleTextEmbedder"]

_T = TypeVar("_T", bound="_Component")


class _Component:
    """Saved with a pipeline as its attributes `saved` and its options."""

    saved: ClassVar[Tuple[str, ...]] = ("model",)
    options: Dict[str, Any]

    def to_dict(self) -> Dict[str, Any]:
        return default_to_dict(self, **{name: getattr(self, name) for name in self.saved}, **self.options)

    @classmethod
    def from_dict(cls: Type[_T], data: Dict[str, Any]) -> _T:
        return default_from_dict(cls, data)


class _Embedder(_Component):
    model: Optional[str]
    _texts: Optional[Texts] = None

    def warm_up(self) -> Texts:
        if self._texts is None:
            self._texts = Texts(self.model, self.options)
        return self._texts


@component
class ThimbleTextEmbedder(_Embedder):
    """Embeds a query, with the model's prompt for queries unless `prompt_name` selects one.

    `options` are those of thimble.Embedder.
    """

    def __init__(self, model: Optional[str] = None, **options: Any) -> None:
        self.model = model
        self.options = options

    @component.output_types(embedding=List[float])
    def run(self, text: str) -> Dict[str, Any]:
        return {"embedding": self.warm_up().queries([_text(text)])[0].tolist()}

    @component.output_types(embedding=List[float])
    async def run_async(self, text: str) -> Dict[str, Any]:
        return {"embedding": (await self.warm_up().aqueries([_text(text)]))[0].tolist()}


@component
class ThimbleDocumentEmbedder(_Embedder):
    """Embeds documents, with the model's prompt for them unless `prompt_name` selects one.

    The text of a document is its fields `meta_fields_to_embed` and its content, joined by `embedding_separator`.
    `options` are those of thimble.Embedder.
    """

    saved = ("model", "meta_fields_to_embed", "embedding_separator")

    def __init__(
        self,
        model: Optional[str] = None,
        *,
        meta_fields_to_embed: Optional[List[str]] = None,
        embedding_separator: str = "\n",
        **options: Any,
    ) -> None:
        self.model = model
        self.options = options
        self.meta_fields_to_embed = meta_fields_to_embed or []
        self.embedding_separator = embedding_separator

    @component.output_types(documents=List[Document])
    def run(self, documents: List[Document]) -> Dict[str, Any]:
        return _embedded(documents, self.warm_up().documents(self._contents(documents)))

    @component.output_types(documents=List[Document])
    async def run_async(self, documents: List[Document]) -> Dict[str, Any]:
        return _embedded(documents, await self.warm_up().adocuments(self._contents(documents)))

    def _contents(self, documents: List[Document]) -> List[str]:
        return _contents(documents, self.meta_fields_to_embed, self.embedding_separator)


@component
class ThimbleRanker(_Component):
    """The best `top_k` documents, all by default, best first, with their scores.

    The text of a document is its fields `meta_fields_to_embed` and its content, joined by `embedding_separator`.
    `options` are those of thimble.Reranker.
    """

    saved = ("model", "top_k", "meta_fields_to_embed", "embedding_separator")

    def __init__(
        self,
        model: str,
        *,
        top_k: Optional[int] = None,
        meta_fields_to_embed: Optional[List[str]] = None,
        embedding_separator: str = "\n",
        **options: Any,
    ) -> None:
        self.model = model
        self.top_k = top_k
        self.meta_fields_to_embed = meta_fields_to_embed or []
        self.embedding_separator = embedding_separator
        self.options = options
        self._reranker: Optional[Reranker] = None

    def warm_up(self) -> Reranker:
        if self._reranker is None:
            self._reranker = Reranker(self.model, **self.options)
        return self._reranker

    @component.output_types(documents=List[Document])
    def run(self, query: str, documents: List[Document], top_k: Optional[int] = None) -> Dict[str, Any]:
        texts = _contents(documents, self.meta_fields_to_embed, self.embedding_separator)
        ranked = self.warm_up().rank(query, texts, top_n=self.top_k if top_k is None else top_k)
        return {"documents": [replace(documents[index], score=score) for index, score in ranked]}

    @component.output_types(documents=List[Document])
    async def run_async(self, query: str, documents: List[Document], top_k: Optional[int] = None) -> Dict[str, Any]:
        found: Dict[str, Any] = await asyncio.get_running_loop().run_in_executor(None, self.run, query, documents, top_k)
        return found


def _text(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError(f"text: expected a str, found {type(text).__name__}; ThimbleDocumentEmbedder takes documents")
    return text


def _contents(documents: Any, fields: List[str], separator: str) -> List[str]:
    if not isinstance(documents, list) or not all(isinstance(document, Document) for document in documents):
        raise TypeError("documents: expected a list of Document; ThimbleTextEmbedder takes a text")
    return [
        separator.join(
            [str(document.meta[field]) for field in fields if document.meta.get(field) is not None]
            + [document.content or ""]
        )
        for document in documents
    ]


def _embedded(documents: List[Document], vectors: Any) -> Dict[str, Any]:
    return {"documents": [replace(one, embedding=vector.tolist()) for one, vector in zip(documents, vectors)]}
