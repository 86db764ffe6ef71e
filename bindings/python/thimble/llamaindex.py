"""LlamaIndex: an embedding model, and a reranker as a node postprocessor."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.callbacks import CBEventType, EventPayload
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle
from pydantic import ConfigDict, Field, PrivateAttr

from ._adapter import Texts
from .reranker import Reranker

__all__ = ["ThimbleEmbedding", "ThimbleRerank"]


def _with_options(state: Dict[str, Any]) -> Dict[str, Any]:
    """What LlamaIndex makes a component of, which would leave out the options."""
    return {**state, "__dict__": {**state["__dict__"], **(state.get("__pydantic_extra__") or {})}}


class ThimbleEmbedding(BaseEmbedding):
    """Arguments are those of BaseEmbedding and of thimble.Embedder.

    Queries and documents get the model's prompts for them, unless `prompt_name` selects one for all.
    """

    model_config = ConfigDict(extra="allow")

    model_name: str = Field(default="", description="The name of the model, or its path.")
    embed_batch_size: int = Field(default=256, gt=0, le=2048, description="The batch size for embedding calls.")
    _texts: Texts = PrivateAttr()

    def model_post_init(self, context: Any) -> None:
        super().model_post_init(context)
        self._texts = Texts(self.model_name or None, self.model_extra or {})

    def __setstate__(self, state: Dict[str, Any]) -> None:
        super().__setstate__(_with_options(state))

    @classmethod
    def class_name(cls) -> str:
        return "ThimbleEmbedding"

    def _get_query_embedding(self, query: str) -> List[float]:
        vector: List[float] = self._texts.queries([query])[0].tolist()
        return vector

    async def _aget_query_embedding(self, query: str) -> List[float]:
        vector: List[float] = (await self._texts.aqueries([query]))[0].tolist()
        return vector

    def _get_text_embedding(self, text: str) -> List[float]:
        return self._get_text_embeddings([text])[0]

    async def _aget_text_embedding(self, text: str) -> List[float]:
        return (await self._aget_text_embeddings([text]))[0]

    def _get_text_embeddings(self, texts: List[str]) -> List[List[float]]:
        vectors: List[List[float]] = self._texts.documents(texts).tolist()
        return vectors

    async def _aget_text_embeddings(self, texts: List[str]) -> List[List[float]]:
        vectors: List[List[float]] = (await self._texts.adocuments(texts)).tolist()
        return vectors


class ThimbleRerank(BaseNodePostprocessor):
    """The best `top_n` nodes, all by default, best first, with their new scores.

    Further arguments are those of thimble.Reranker.
    """

    model_config = ConfigDict(extra="allow")

    model: str = Field(description="The name of the model, or its path.")
    top_n: Optional[int] = Field(default=None, description="Number of nodes to return.")
    _reranker: Reranker = PrivateAttr()

    def model_post_init(self, context: Any) -> None:
        super().model_post_init(context)
        self._reranker = Reranker(self.model, **(self.model_extra or {}))

    def __setstate__(self, state: Dict[str, Any]) -> None:
        super().__setstate__(_with_options(state))

    @classmethod
    def class_name(cls) -> str:
        return "ThimbleRerank"

    def _postprocess_nodes(
        self, nodes: List[NodeWithScore], query_bundle: Optional[QueryBundle] = None
    ) -> List[NodeWithScore]:
        if query_bundle is None:
            raise ValueError("ThimbleRerank needs the query")
        texts = [node.node.get_content(metadata_mode=MetadataMode.EMBED) for node in nodes]
        payload: Dict[str, Any] = {
            EventPayload.NODES: nodes,
            EventPayload.MODEL_NAME: self.model,
            EventPayload.QUERY_STR: query_bundle.query_str,
            EventPayload.TOP_K: self.top_n,
        }
        with self.callback_manager.event(CBEventType.RERANKING, payload=payload) as event:
            ranked = self._reranker.rank(query_bundle.query_str, texts, top_n=self.top_n)
            found = [NodeWithScore(node=nodes[index].node, score=score) for index, score in ranked]
            event.on_end(payload={EventPayload.NODES: found})
        return found
