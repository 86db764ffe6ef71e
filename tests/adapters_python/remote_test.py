"""Remote backends and the mock from Python, against the provider of tests/support and its faults."""

import asyncio
import os
import pickle
import subprocess
import threading
import time

import _thread
import numpy as np
import pytest
import thimble
from conftest import TEXTS, check_bits
from fake_provider import FakeProvider, vector
from thimble.haystack import ThimbleTextEmbedder
from thimble.langchain import ThimbleEmbeddings
from thimble.sklearn import ThimbleTransformer

KEY = "sk-key-of-the-tests-0123456789"
# By dialect: the path of its base URL, and its input types for queries and documents.
DIALECTS = {"openai": ("/v1", "", ""), "tei": ("", "", ""), "ollama": ("", "", ""), "cohere": ("", "search_query: ", "search_document: "),
            "voyage": ("/v1", "query: ", "document: "), "jina": ("/v1", "retrieval.query: ", "retrieval.passage: ")}
SOME = ["a text", "ein Text ü", "a text"]


@pytest.fixture(scope="module")
def provider():
    one = FakeProvider()
    one.control({"key": KEY})
    yield one
    one.close()


@pytest.fixture(autouse=True)
def keys(provider, monkeypatch):
    provider.control({"clear": True})
    for name in DIALECTS:
        monkeypatch.setenv(f"{name.upper()}_API_KEY", KEY)


def arguments(provider, dialect="openai", fault=""):
    url = provider.url + (f"/fault/{fault}" if fault else "") + DIALECTS[dialect][0]
    return {"backend": f"tei:{url}"} if dialect == "tei" else {"backend": f"{dialect}:fake-model", "base_url": url}


def requests(provider):
    return [record for record in provider.log if record["method"] == "POST"]


def expected(texts, kind="", dimensions=8):
    return np.array([vector(kind + text, dimensions) for text in texts], "<f4")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_vectors(provider, dialect):
    kind = "search_document: " if dialect == "cohere" else ""
    with thimble.Embedder(**arguments(provider, dialect)) as embedder:
        check_bits(embedder.encode(SOME), expected(SOME, kind))
        check_bits(embedder.encode(SOME[0]), expected(SOME[:1], kind)[0])
        check_bits(asyncio.run(embedder.aencode(SOME)), expected(SOME, kind))
        check_bits(np.concatenate(list(embedder.encode_stream(iter(SOME), batch_texts=2))), expected(SOME, kind))
        assert embedder.dimensions == 8
    with thimble.Embedder(**arguments(provider, dialect), dimensions=5) as embedder:
        check_bits(embedder.encode(SOME), expected(SOME, kind, 5))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_adapters_send_the_input_type(provider, dialect):
    _, query, document = DIALECTS[dialect]
    embeddings = ThimbleEmbeddings(**arguments(provider, dialect))
    check_bits(embeddings.embed_query("a text"), expected(["a text"], query)[0])
    check_bits(embeddings.embed_documents(SOME), expected(SOME, document))


def test_adapters_take_a_backend(provider):
    check_bits(ThimbleTransformer(**arguments(provider)).transform(SOME), expected(SOME))
    check_bits(ThimbleTextEmbedder(**arguments(provider)).run("a text")["embedding"], expected(["a text"])[0])


def test_an_embedder_can_be_pickled_and_has_no_key_inside(provider):
    data = pickle.dumps(thimble.Embedder(**arguments(provider)))
    assert KEY.encode() not in data
    check_bits(pickle.loads(data).encode(SOME), expected(SOME))


def test_keys(provider, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(thimble.NotFound, match="OPENAI_API_KEY"):
        thimble.Embedder(backend="openai:fake-model").encode(SOME)
    # Other servers of the dialect may need none.
    with pytest.raises(thimble.IoError, match="401.*set OPENAI_API_KEY"):
        thimble.Embedder(**arguments(provider)).encode(SOME)
    monkeypatch.setenv("OPENAI_API_KEY", "wrong-key")
    with pytest.raises(thimble.IoError, match="401") as caught:
        thimble.Embedder(**arguments(provider)).encode(SOME)
    assert "wrong-key" not in str(caught.value)


@pytest.mark.parametrize("fault", ["storm-ms", "status-503", "reset-within"])
def test_retries(provider, fault):
    embedder = thimble.Embedder(**arguments(provider, fault=f"{fault}:1:retry"))
    check_bits(embedder.encode(SOME), expected(SOME))
    assert [record["status"] for record in requests(provider)][-1] == 200
    assert len(requests(provider)) == 2


@pytest.mark.parametrize(("fault", "error", "builtin", "message"), [
    ("storm-ms", thimble.Overloaded, Exception, "429"), ("status-400", thimble.InvalidArgument, ValueError, "error 400"),
    ("status-422", thimble.InvalidArgument, ValueError, "error 422"), ("truncated-json", thimble.Corrupt, Exception, "JSON"),
    ("missing-item", thimble.Corrupt, Exception, "expected"), ("one-short", thimble.Corrupt, Exception, "expected"),
    ("nan", thimble.Corrupt, Exception, "expected"), ("html", thimble.Corrupt, Exception, "html")])
def test_errors(provider, fault, error, builtin, message):
    embedder = thimble.Embedder(**arguments(provider, fault=fault))
    for encode in (embedder.encode, lambda texts: asyncio.run(embedder.aencode(texts)), lambda texts: list(embedder.encode_stream(texts))):
        with pytest.raises(error, match=message) as caught:
            encode(SOME)
        assert isinstance(caught.value, builtin)
        assert KEY not in str(caught.value)


def test_interrupt(provider):
    embedder = thimble.Embedder(**arguments(provider, fault="hang"))
    begin = time.monotonic()
    timer = threading.Timer(0.5, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        embedder.encode(SOME)
    assert 0.4 < time.monotonic() - begin < 1.5


def test_what_a_backend_has_not_is_refused(provider):
    for options, message in (({"pooling": "cls"}, "pooling"), ({"max_tokens": 5}, "max_tokens"), ({"prompt_name": "query"}, "prompt")):
        with pytest.raises((thimble.Unsupported, thimble.InvalidArgument), match=message):
            thimble.Embedder(**arguments(provider), **options).encode(SOME)
    with pytest.raises(thimble.InvalidArgument, match="none-such"):
        thimble.Embedder(backend="none-such:model").encode(SOME)
    assert requests(provider) == []


@pytest.mark.parametrize("name", ["mock", "mock-hashed"])
def test_mock(name):
    command = [os.environ["THIMBLE_CLI"], "embed", "-m", name, "--format", "f32", "--", *TEXTS]
    out = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    found = thimble.Embedder(name).encode(TEXTS)
    check_bits(found, np.frombuffer(out, "<f4").reshape(len(TEXTS), -1))
    embedder, embeddings = thimble.Embedder(name), ThimbleEmbeddings(name)
    check_bits(embeddings.embed_documents(TEXTS), embedder.encode(TEXTS, prompt_name="document"))
    check_bits(embeddings.embed_query(TEXTS[0]), embedder.encode(TEXTS[0], prompt_name="query"))
