import asyncio
import copy
import threading

import dspy
import pytest
import thimble
from conftest import DOCUMENTS, MODEL, QUERY, TEXTS, check_bits, embed
from thimble.dspy import ThimbleEmbedder


def test_embedder():
    embedder = ThimbleEmbedder(MODEL, batch_size=2)
    assert isinstance(embedder, dspy.Embedder)
    check_bits(embedder(TEXTS), embed(TEXTS))
    check_bits(embedder(TEXTS[0]), embed(TEXTS[:1])[0])
    check_bits(embedder(TEXTS, prompt_name="query"), embed(TEXTS, "query"))
    check_bits(copy.deepcopy(embedder)(TEXTS), embed(TEXTS))


def test_async_leaves_the_event_loop_free(monkeypatch):
    embedder = ThimbleEmbedder(MODEL)
    threads, encode = [], embedder.model
    embedder.model = lambda texts: (threads.append(threading.get_ident()), encode(texts))[1]
    check_bits(asyncio.run(embedder.acall(TEXTS)), embed(TEXTS))
    assert threads and threading.get_ident() not in threads


def test_retriever():
    search = dspy.retrievers.Embeddings(corpus=DOCUMENTS, embedder=ThimbleEmbedder(MODEL), k=3)
    scores = embed(DOCUMENTS) @ embed([QUERY])[0]
    assert search(QUERY).indices == list((-scores).argsort()[:3])


def test_two_models_are_not_confused():
    """By DSPy's own cache they are, which is why the adapter is without."""
    both = [thimble.Embedder(MODEL), thimble.Embedder(MODEL, dimensions=16)]
    text = "not in the cache of another test"
    assert [len(dspy.Embedder(one.encode)(text)) for one in both] == [64, 64]
    assert [len(dspy.Embedder(one.encode, caching=False)(text)) for one in both] == [64, 16]
    assert [len(ThimbleEmbedder(MODEL, dimensions=d)(text)) for d in (None, 16)] == [64, 16]
    with pytest.raises(ValueError, match="use the option cache"):
        ThimbleEmbedder(MODEL)(text, caching=True)
