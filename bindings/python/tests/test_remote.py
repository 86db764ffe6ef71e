"""Remote backends, with the provider on loopback of the project's tests."""

from __future__ import annotations

import asyncio
import os
import pickle
import time
from typing import Any

import numpy
import pytest

import thimble


@pytest.fixture
def embedder(provider: Any, monkeypatch: pytest.MonkeyPatch) -> thimble.Embedder:
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    return thimble.Embedder(backend=f"openai:fake-model@{provider.url}/v1")


def expected(text: str) -> Any:
    import hashlib

    digest = hashlib.sha256(text.encode()).digest()
    return numpy.array([(digest[i] - 128) / 128 for i in range(8)], dtype=numpy.float32)


def test_vectors(embedder: thimble.Embedder) -> None:
    vectors = embedder.encode(["a", "b", "a"])
    assert vectors.shape == (3, 8) and (vectors[0] == vectors[2]).all()
    assert embedder.encode("b").shape == (8,) and (embedder.encode("b") == vectors[1]).all()
    assert numpy.allclose(vectors[0] / numpy.linalg.norm(vectors[0]),
                          expected("a") / numpy.linalg.norm(expected("a")), atol=1e-6)
    assert (asyncio.run(embedder.aencode(["a"])) == vectors[:1]).all()
    assert embedder.dimensions == 8 and embedder.encode([]).shape == (0, 8)
    assert (pickle.loads(pickle.dumps(embedder)).encode("a") == vectors[0]).all()


def test_codes(embedder: thimble.Embedder) -> None:
    vectors = embedder.encode(["a", "b"])
    codes = embedder.encode(["a", "b"], precision="ubinary")
    assert codes.dtype == numpy.uint8 and (codes == numpy.packbits(vectors > 0, axis=-1)).all()
    signed = embedder.encode(["a", "b"], precision="binary")
    assert signed.dtype == numpy.int8 and (signed.astype(int) + 128 == codes).all()
    with pytest.raises(thimble.Unsupported, match="int8"):
        embedder.encode("a", precision="int8")


@pytest.mark.parametrize("precision", ["float32", "binary", "ubinary"])
def test_buffers(embedder: thimble.Embedder, precision: str) -> None:
    for texts in ("a", ["a", "b"], []):
        vectors, view = embedder.encode(texts, precision=precision), embedder.encode_buffer(texts, precision=precision)
        assert view.shape == vectors.shape and view.tobytes() == vectors.tobytes()
        assert numpy.asarray(view).dtype == vectors.dtype


def test_what_a_remote_backend_lacks_is_refused(embedder: thimble.Embedder, provider: Any) -> None:
    name = f"openai:fake-model@{provider.url}/v1"
    for arguments in ({"pooling": "mean"}, {"threads": 2}, {"max_tokens": 5}, {"chunk_overlap": 2}):
        with pytest.raises(thimble.Unsupported, match=next(iter(arguments))):
            thimble.Embedder(backend=name, **arguments)  # type: ignore[arg-type]
    with pytest.raises(thimble.Unsupported, match="tokenize"):
        embedder.tokenize("a")
    with pytest.raises(thimble.Unsupported, match="base_url"):
        thimble.Embedder("mock", base_url="http://localhost")
    with pytest.raises(thimble.InvalidArgument):
        thimble.Embedder(backend="nonsense:x")


def test_the_environment_chooses(provider: Any, monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    monkeypatch.setenv("THIMBLE_BACKEND", f"openai:fake-model@{provider.url}/v1")
    assert thimble.Embedder().encode("a").shape == (8,)
    monkeypatch.setenv("THIMBLE_BACKEND", "mock")
    assert thimble.Embedder(model).dimensions == 384


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_opens_it_again(embedder: thimble.Embedder) -> None:
    vector = embedder.encode("a")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if (embedder.encode("a") == vector).all() else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


def test_a_closed_one_says_so(embedder: thimble.Embedder) -> None:
    embedder.close()
    with pytest.raises(thimble.InvalidArgument, match="closed"):
        embedder.encode("a")


def test_a_provider_that_hangs_is_left(provider: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    hanging = thimble.Embedder(backend=f"openai:fake-model@{provider.url}/fault/hang/v1")

    async def cancelled() -> None:
        await asyncio.wait_for(hanging.aencode("a"), 0.3)

    begin = time.monotonic()
    with pytest.raises((asyncio.TimeoutError, TimeoutError)):
        asyncio.run(cancelled())
    assert time.monotonic() - begin < 5
