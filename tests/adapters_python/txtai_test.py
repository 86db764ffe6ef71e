import numpy as np
import pytest
from conftest import DOCUMENTS, MODEL, QUERY, TEXTS, check_bits, embed
from txtai import Embeddings

METHOD = "thimble.txtai.ThimbleVectors"


def check_search(embeddings, queries, documents):
    scores = documents @ queries[0]
    found = embeddings.search(QUERY, 4)
    assert [i for i, _ in found] == list((-scores).argsort())
    np.testing.assert_allclose([score for _, score in found], np.sort(scores)[::-1], atol=1e-5)


def test_queries_and_documents_have_their_prompts(tmp_path):
    embeddings = Embeddings(method=METHOD, path=MODEL, backend="numpy")
    embeddings.index(DOCUMENTS)
    check_search(embeddings, embed([QUERY], "query"), embed(DOCUMENTS, "passage"))
    np.testing.assert_allclose(embeddings.batchtransform(TEXTS), embed(TEXTS, "query"), atol=1e-6)
    embeddings.save(str(tmp_path / "index"))
    again = Embeddings()
    again.load(str(tmp_path / "index"))
    check_search(again, embed([QUERY], "query"), embed(DOCUMENTS, "passage"))


def test_options():
    embeddings = Embeddings(method=METHOD, path=MODEL, backend="numpy", vectors={"dimensions": 16, "prompt_name": ""})
    embeddings.index(DOCUMENTS)
    check_search(embeddings, embed([QUERY], "", "--dimensions", "16"), embed(DOCUMENTS, "", "--dimensions", "16"))


def test_instructions_of_txtai_replace_the_prompts():
    embeddings = Embeddings(method=METHOD, path=MODEL, backend="numpy", instructions={"query": "a ", "data": "the "})
    embeddings.index(DOCUMENTS)
    check_search(embeddings, embed(["a " + QUERY]), embed(["the " + text for text in DOCUMENTS]))


def test_a_function_needs_no_adapter():
    import thimble

    embedder = thimble.Embedder(MODEL)
    embeddings = Embeddings(transform=lambda texts: embedder.encode(texts), backend="numpy")
    embeddings.index(DOCUMENTS)
    check_search(embeddings, embed([QUERY]), embed(DOCUMENTS))
