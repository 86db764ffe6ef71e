import asyncio
import pickle

import pytest
from conftest import DOCUMENTS, MODEL, QUERY, RERANKER, TEXTS, check_bits, embed, ranked
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore
from thimble.langchain import ThimbleEmbeddings, ThimbleRerank


def test_queries_and_documents_have_their_prompts():
    embeddings = ThimbleEmbeddings(MODEL)
    assert isinstance(embeddings, Embeddings)
    check_bits(embeddings.embed_documents(TEXTS), embed(TEXTS, "passage"))
    check_bits(embeddings.embed_query(TEXTS[0]), embed(TEXTS[:1], "query")[0])
    assert embeddings.embed_documents([]) == []
    with pytest.raises(TypeError, match="expected a list of strings"):
        embeddings.embed_documents("a string")
    assert type(embeddings.embed_query("a")[0]) is float


def test_options_are_those_of_the_embedder():
    check_bits(ThimbleEmbeddings(MODEL, dimensions=16).embed_documents(TEXTS), embed(TEXTS, "passage", "--dimensions", "16"))
    for name in ("", "query"):
        embeddings = ThimbleEmbeddings(MODEL, prompt_name=name)
        check_bits(embeddings.embed_documents(TEXTS), embed(TEXTS, name))
        check_bits(embeddings.embed_query(TEXTS[0]), embed(TEXTS[:1], name)[0])
    with pytest.raises(TypeError, match="dimension"):
        ThimbleEmbeddings(MODEL, dimension=16)


def test_async():
    embeddings = ThimbleEmbeddings(MODEL)

    async def both():
        return await asyncio.gather(embeddings.aembed_documents(TEXTS), embeddings.aembed_query(TEXTS[0]))

    documents, query = asyncio.run(both())
    check_bits(documents, embed(TEXTS, "passage"))
    check_bits(query, embed(TEXTS[:1], "query")[0])


def test_vector_store():
    store = InMemoryVectorStore(ThimbleEmbeddings(MODEL))
    store.add_texts(DOCUMENTS)
    scores = embed(DOCUMENTS, "passage") @ embed([QUERY], "query")[0]
    found = store.similarity_search_with_score(QUERY, k=4)
    assert [document.page_content for document, _ in found] == [DOCUMENTS[i] for i in (-scores).argsort()]
    assert [score for _, score in found] == pytest.approx(sorted(scores, reverse=True), abs=1e-5)


def test_embeddings_can_be_pickled():
    again = pickle.loads(pickle.dumps(ThimbleEmbeddings(MODEL, dimensions=16)))
    check_bits(again.embed_documents(TEXTS), embed(TEXTS, "passage", "--dimensions", "16"))


def test_rerank():
    documents = [Document(text, metadata={"number": i}, id=str(i)) for i, text in enumerate(DOCUMENTS)]
    compressor = ThimbleRerank(model=RERANKER)
    assert isinstance(compressor, BaseDocumentCompressor)
    found = compressor.compress_documents(documents, QUERY)
    assert [(one.metadata["number"], one.metadata["relevance_score"]) for one in found] == ranked()
    assert [one.id for one in found] == [str(i) for i, _ in ranked()]
    assert documents[0].metadata == {"number": 0}
    two = asyncio.run(ThimbleRerank(model=RERANKER, top_n=2).acompress_documents(documents, QUERY))
    assert two == found[:2]
    assert compressor.compress_documents([], QUERY) == []
    with pytest.raises(TypeError, match="top"):
        ThimbleRerank(model=RERANKER, top=2)
    assert pickle.loads(pickle.dumps(compressor)).compress_documents(documents, QUERY) == found
