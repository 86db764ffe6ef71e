import uuid

import chromadb
import numpy as np
import pytest
from chromadb.utils.embedding_functions import config_to_embedding_function
from conftest import DOCUMENTS, MODEL, QUERY, TEXTS, check_bits, embed
from thimble.chroma import ThimbleEmbeddingFunction


def test_queries_and_documents_have_their_prompts():
    function = ThimbleEmbeddingFunction(MODEL)
    check_bits(function(TEXTS), embed(TEXTS, "passage"))
    check_bits(function.embed_query(TEXTS), embed(TEXTS, "query"))


def test_collection():
    collection = chromadb.EphemeralClient().create_collection(str(uuid.uuid4()), embedding_function=ThimbleEmbeddingFunction(MODEL))
    collection.add(ids=[str(i) for i in range(len(DOCUMENTS))], documents=DOCUMENTS)
    stored = collection.get(include=["embeddings"])
    # Chroma normalises them again.
    np.testing.assert_allclose(stored["embeddings"], embed(DOCUMENTS, "passage"), atol=1e-6)
    distances = 1 - embed(DOCUMENTS, "passage") @ embed([QUERY], "query")[0]
    found = collection.query(query_texts=[QUERY], n_results=4)
    assert found["ids"] == [[str(i) for i in distances.argsort()]]
    np.testing.assert_allclose(found["distances"], [np.sort(distances)], atol=1e-5)


def test_a_stored_collection_has_its_function(tmp_path):
    function = ThimbleEmbeddingFunction(MODEL, dimensions=16)
    chromadb.PersistentClient(tmp_path).create_collection("texts", embedding_function=function)
    chromadb.api.client.SharedSystemClient.clear_system_cache()
    collection = chromadb.PersistentClient(tmp_path).get_collection("texts")
    collection.add(ids=["0"], documents=DOCUMENTS[:1])
    stored = collection.get(include=["embeddings"])["embeddings"]
    np.testing.assert_allclose(stored, embed(DOCUMENTS[:1], "passage", "--dimensions", "16"), atol=1e-6)


def test_config():
    function = ThimbleEmbeddingFunction(MODEL, dimensions=16)
    assert function.get_config() == {"model": MODEL, "dimensions": 16}
    again = config_to_embedding_function({"name": "thimble", "type": "known", "config": function.get_config()})
    check_bits(again(TEXTS), embed(TEXTS, "passage", "--dimensions", "16"))
    assert not function.is_legacy()
    with pytest.raises(ValueError, match="pool: expected text, a number or None"):
        ThimbleEmbeddingFunction(MODEL, pool=object())
