import asyncio
import pickle

import pytest
from conftest import DOCUMENTS, MODEL, QUERY, RERANKER, TEXTS, check_bits, embed, ranked
from llama_index.core import VectorStoreIndex
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from thimble.llamaindex import ThimbleEmbedding, ThimbleRerank


def test_queries_and_documents_have_their_prompts():
    embedding = ThimbleEmbedding(model_name=MODEL)
    check_bits(embedding.get_text_embedding_batch(TEXTS), embed(TEXTS, "passage"))
    check_bits(embedding.get_text_embedding(TEXTS[1]), embed(TEXTS[1:2], "passage")[0])
    check_bits(embedding.get_query_embedding(TEXTS[0]), embed(TEXTS[:1], "query")[0])


def test_async():
    embedding = ThimbleEmbedding(model_name=MODEL, embed_batch_size=2)

    async def both():
        return await asyncio.gather(embedding.aget_text_embedding_batch(TEXTS), embedding.aget_query_embedding(TEXTS[0]))

    documents, query = asyncio.run(both())
    check_bits(documents, embed(TEXTS, "passage"))
    check_bits(query, embed(TEXTS[:1], "query")[0])


def test_options_survive_json_and_pickle():
    embedding = ThimbleEmbedding(model_name=MODEL, dimensions=16)
    expected = embed(TEXTS, "passage", "--dimensions", "16")
    for one in (embedding, pickle.loads(pickle.dumps(embedding)), ThimbleEmbedding.from_json(embedding.to_json())):
        check_bits(one.get_text_embedding_batch(TEXTS), expected)
    with pytest.raises(TypeError, match="dimension"):
        ThimbleEmbedding(model_name=MODEL, dimension=16)


def test_index_and_reranker():
    debug = LlamaDebugHandler(print_trace_on_end=False)
    nodes = [TextNode(text=text, id_=str(i)) for i, text in enumerate(DOCUMENTS[:3])]
    index = VectorStoreIndex(nodes, embed_model=ThimbleEmbedding(model_name=MODEL))
    found = index.as_retriever(similarity_top_k=3).retrieve(QUERY)
    scores = embed(DOCUMENTS[:3], "passage") @ embed([QUERY], "query")[0]
    assert [one.node.node_id for one in found] == [str(i) for i in (-scores).argsort()]

    rerank = ThimbleRerank(model=RERANKER, callback_manager=CallbackManager([debug]))
    expected = [(str(i), score) for i, score in ranked(documents=DOCUMENTS[:3])]
    again = rerank.postprocess_nodes(found, query_str=QUERY)
    assert [(one.node.node_id, one.score) for one in again] == expected
    assert len(debug.get_event_pairs(CBEventType.RERANKING)) == 1
    first = ThimbleRerank(model=RERANKER, top_n=1)
    for one in (first, pickle.loads(pickle.dumps(first)), ThimbleRerank.from_json(first.to_json())):
        nodes = asyncio.run(one.apostprocess_nodes(found, QueryBundle(QUERY)))
        assert [(one.node.node_id, one.score) for one in nodes] == expected[:1]
    assert first.postprocess_nodes([], query_str=QUERY) == []
    with pytest.raises(ValueError, match="needs the query"):
        first.postprocess_nodes([NodeWithScore(node=TextNode(text="a"))])
