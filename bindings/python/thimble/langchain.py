"""LangChain: embeddings, and a reranker as a document compressor."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.embeddings import Embeddings
from pydantic import ConfigDict, PrivateAttr

from ._adapter import Texts
from .reranker import Reranker

__all__ = ["ThimbleEmbeddings", "ThimbleRerank"]


class ThimbleEmbeddings(Embeddings):
    """`options` are those of thimble.Embedder.

    Queries and documents get the model's prompts for them, unless `prompt_name` selects one for all.
    """

    def __init__(self, model: Optional[str] = None, **options: Any) -> None:
        self._texts = Texts(model, options)

    def embed_documents(self, texts: List[str]) -> List[List[float]]:
        vectors: List[List[float]] = self._texts.documents(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> List[float]:
        vector: List[float] = self._texts.queries([text])[0].tolist()
        return vector

    async def aembed_documents(self, texts: List[str]) -> List[List[float]]:
        vectors: List[List[float]] = (await self._texts.adocuments(texts)).tolist()
        return vectors

    async def aembed_query(self, text: str) -> List[float]:
        vector: List[float] = (await self._texts.aqueries([text]))[0].tolist()
        return vector


class ThimbleRerank(BaseDocumentCompressor):
    """The best `top_n` documents, all by default, best first, with metadata["relevance_score"].

    Further arguments are those of thimble.Reranker.
    """

    model_config = ConfigDict(extra="allow")

    model: str
    top_n: Optional[int] = None
    _reranker: Reranker = PrivateAttr()

    def model_post_init(self, context: Any) -> None:
        self._reranker = Reranker(self.model, **(self.model_extra or {}))

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Optional[Callbacks] = None
    ) -> Sequence[Document]:
        ranked = self._reranker.rank(query, [document.page_content for document in documents], top_n=self.top_n)
        return [
            documents[index].model_copy(update={"metadata": {**documents[index].metadata, "relevance_score": score}})
            for index, score in ranked
        ]
