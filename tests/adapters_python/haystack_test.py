import asyncio

import pytest
from conftest import DOCUMENTS, MODEL, QUERY, RERANKER, TEXTS, check_bits, embed, ranked
from haystack import Document, Pipeline
from haystack.components.retrievers.in_memory import InMemoryEmbeddingRetriever
from haystack.document_stores.in_memory import InMemoryDocumentStore
from thimble.haystack import ThimbleDocumentEmbedder, ThimbleRanker, ThimbleTextEmbedder


def vectors_of(result):
    return [document.embedding for document in result["documents"]]


def test_queries_and_documents_have_their_prompts():
    check_bits(ThimbleTextEmbedder(MODEL).run(TEXTS[0])["embedding"], embed(TEXTS[:1], "query")[0])
    documents = [Document(content=text) for text in TEXTS]
    result = ThimbleDocumentEmbedder(MODEL).run(documents)
    check_bits(vectors_of(result), embed(TEXTS, "passage"))
    assert [document.id for document in result["documents"]] == [document.id for document in documents]
    assert documents[0].embedding is None
    assert ThimbleDocumentEmbedder(MODEL).run([]) == {"documents": []}


def test_async():
    async def both():
        return await asyncio.gather(
            ThimbleTextEmbedder(MODEL).run_async(TEXTS[0]),
            ThimbleDocumentEmbedder(MODEL).run_async([Document(content=text) for text in TEXTS]),
            ThimbleRanker(RERANKER).run_async(QUERY, [Document(content=text) for text in DOCUMENTS]),
        )

    query, documents, best = asyncio.run(both())
    check_bits(query["embedding"], embed(TEXTS[:1], "query")[0])
    check_bits(vectors_of(documents), embed(TEXTS, "passage"))
    assert [document.score for document in best["documents"]] == [score for _, score in ranked()]


def test_meta_fields():
    documents = [Document(content="text", meta={"title": "a word", "year": 1999, "none": None})]
    fields = ["title", "year", "none", "absent"]
    embedder = ThimbleDocumentEmbedder(MODEL, meta_fields_to_embed=fields, embedding_separator=" | ")
    check_bits(vectors_of(embedder.run(documents)), embed(["a word | 1999 | text"], "passage"))


def test_wrong_input():
    with pytest.raises(TypeError, match="ThimbleDocumentEmbedder takes documents"):
        ThimbleTextEmbedder(MODEL).run(TEXTS)
    with pytest.raises(TypeError, match="ThimbleTextEmbedder takes a text"):
        ThimbleDocumentEmbedder(MODEL).run("text")


def test_pipeline_survives_yaml():
    store = InMemoryDocumentStore(embedding_similarity_function="cosine")
    store.write_documents(ThimbleDocumentEmbedder(MODEL).run([Document(content=text) for text in DOCUMENTS])["documents"])
    pipeline = Pipeline()
    pipeline.add_component("embedder", ThimbleTextEmbedder(MODEL))
    pipeline.add_component("retriever", InMemoryEmbeddingRetriever(store, top_k=4))
    pipeline.add_component("ranker", ThimbleRanker(RERANKER, top_k=3))
    pipeline.connect("embedder.embedding", "retriever.query_embedding")
    pipeline.connect("retriever.documents", "ranker.documents")
    expected = [(DOCUMENTS[i], score) for i, score in ranked()]
    found = pipeline.run({"embedder": {"text": QUERY}, "ranker": {"query": QUERY}})["ranker"]["documents"]
    assert [(one.content, one.score) for one in found] == expected[:3]

    simple = Pipeline()
    simple.add_component("embedder", ThimbleDocumentEmbedder(MODEL, dimensions=16))
    simple.add_component("ranker", ThimbleRanker(RERANKER))
    simple.connect("embedder.documents", "ranker.documents")
    again = Pipeline.loads(simple.dumps(), allowed_modules=["thimble.haystack"])
    given = {"embedder": {"documents": [Document(content=text) for text in DOCUMENTS]}, "ranker": {"query": QUERY, "top_k": 1}}
    best = again.run(given)["ranker"]["documents"]
    assert [(one.content, one.score) for one in best] == expected[:1]
    check_bits(vectors_of({"documents": best}), embed([best[0].content], "passage", "--dimensions", "16"))


def test_dicts():
    for one in (
        ThimbleTextEmbedder(MODEL, dimensions=16),
        ThimbleDocumentEmbedder(MODEL, dtype="q4", meta_fields_to_embed=["title"], embedding_separator=" "),
        ThimbleRanker(RERANKER, top_k=2, meta_fields_to_embed=["title"]),
    ):
        again = type(one).from_dict(one.to_dict())
        assert again.to_dict() == one.to_dict()
    assert ThimbleTextEmbedder(MODEL, dimensions=16).to_dict() == {
        "type": "thimble.haystack.ThimbleTextEmbedder",
        "init_parameters": {"model": MODEL, "dimensions": 16},
    }
