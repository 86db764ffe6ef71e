"""The clients of PyPI against `thimble serve`; tests/clients/run.sh starts it and sets the environment."""

import base64
import json
import os
import pathlib
import subprocess

import chromadb.utils.embedding_functions as chroma
import cohere
import huggingface_hub
import langchain_openai
import numpy
import ollama
import openai
import pytest
import voyageai

URL = os.environ["THIMBLE_URL"]
KEY = os.environ["THIMBLE_KEY"]
WIDTH = 64
# The last one is longer than the model's limit.
TEXTS = ["the cat sleeps", "a dog, \"a bird\" & \u00e9\u732b\U0001f408", "word " * 1000]

NEEDS_KEY = "this server needs an API key"
NO_MODEL = 'The model "none" does not exist; this server has: test'
TOO_WIDE = "`dimensions`: expected at most 64, found 65"
EMPTY = "`input`: cannot be an empty string"


def embed(texts, prompt=""):
    """The vectors of the command line, of float32."""
    command = [os.environ["THIMBLE_CLI"], "embed", "-m", os.environ["THIMBLE_MODEL"], "--format", "f32",
               "--prompt-name", prompt, "--", *texts]
    result = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return numpy.frombuffer(result.stdout, "<f4").reshape(len(texts), WIDTH)


DOCUMENTS = ["a word of text", "the cat sleeps", "a small vector of words", ""]


def ranked(query, *options):
    """[(index, score)] of DOCUMENTS by the command line, best first."""
    reranker = pathlib.Path(os.environ["THIMBLE_MODEL"]).with_name("reranker-q8.safetensors")
    command = [os.environ["THIMBLE_CLI"], "rerank", "-m", reranker, "--json", *options, query]
    result = subprocess.run(command, input="".join(text + "\n" for text in DOCUMENTS), text=True, stdout=subprocess.PIPE,
                            check=True)
    return [(one["index"], one["score"]) for one in json.loads(result.stdout)]


def check_bits(found, expected):
    """Of vectors that came as decimals: the same once they are float32."""
    assert numpy.asarray(found, "<f4").tobytes() == expected.tobytes()


def check_base64(found, expected):
    """Of vectors that came as bytes: the same as doubles too, which decimals of float32 are not."""
    assert numpy.asarray(found, "<f8").tobytes() == expected.astype("<f8").tobytes()


def check_cut(found, expected, dimensions):
    cut = expected[:, :dimensions]
    cut = cut / numpy.linalg.norm(cut, axis=1, keepdims=True)
    assert numpy.shape(found) == cut.shape
    numpy.testing.assert_allclose(found, cut, atol=1e-6)


def check_int8(found, expected):
    """One scale for all components keeps the direction."""
    found = numpy.asarray(found)
    assert found.dtype.kind == "i" and numpy.abs(found).max() <= 128
    cosines = (found * expected).sum(axis=1) / numpy.linalg.norm(found, axis=1)
    assert cosines.min() > 0.99


def packed_bits(expected):
    return numpy.packbits(expected > 0, axis=1)


# OpenAI.


def openai_client(key=KEY):
    return openai.OpenAI(api_key=key, base_url=URL + "/v1", max_retries=0)


def test_openai_embeds():
    client = openai_client()
    reply = client.embeddings.create(model="test", input=TEXTS)
    check_base64([item.embedding for item in reply.data], embed(TEXTS))
    assert [item.index for item in reply.data] == [0, 1, 2]
    assert reply.model == "test"
    assert reply.usage.prompt_tokens == reply.usage.total_tokens > 64
    one = client.embeddings.create(model="test", input=TEXTS[0], encoding_format="float")
    check_bits([one.data[0].embedding], embed(TEXTS[:1]))
    cut = client.embeddings.create(model="test", input=TEXTS, dimensions=16, user="somebody")
    check_cut([item.embedding for item in cut.data], embed(TEXTS), 16)


def test_openai_lists_models():
    client = openai_client()
    assert [model.id for model in client.models.list()] == ["test", "reranker"]
    model = client.models.retrieve("test")
    assert (model.id, model.object) == ("test", "model")
    with pytest.raises(openai.NotFoundError, match=NO_MODEL):
        client.models.retrieve("none")


def test_openai_errors():
    for key in ("wrong", KEY + "x"):
        with pytest.raises(openai.AuthenticationError, match=NEEDS_KEY) as caught:
            openai_client(key).embeddings.create(model="test", input="a")
        assert caught.value.code == "invalid_api_key"
        assert key not in str(caught.value)
    client = openai_client()
    with pytest.raises(openai.NotFoundError, match=NO_MODEL) as caught:
        client.embeddings.create(model="none", input="a")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert caught.value.request_id
    with pytest.raises(openai.BadRequestError, match=TOO_WIDE) as caught:
        client.embeddings.create(model="test", input="a", dimensions=65)
    assert (caught.value.type, caught.value.param) == ("invalid_request_error", "dimensions")
    with pytest.raises(openai.BadRequestError, match=EMPTY):
        client.embeddings.create(model="test", input="")
    with pytest.raises(openai.BadRequestError, match="token ids are not taken"):
        client.embeddings.create(model="test", input=[[1, 2]])
    with pytest.raises(openai.BadRequestError, match=r"`encoding_format`: .*\['float', 'base64'"):
        client.embeddings.create(model="test", input="a", encoding_format="md5")


def langchain(model="test", key=KEY, **options):
    return langchain_openai.OpenAIEmbeddings(
        model=model, api_key=key, base_url=URL + "/v1", check_embedding_ctx_length=False, max_retries=0, **options)


def test_langchain_openai():
    check_base64(langchain().embed_documents(TEXTS), embed(TEXTS))
    check_base64([langchain().embed_query(TEXTS[0])], embed(TEXTS[:1]))
    check_cut(langchain(dimensions=32).embed_documents(TEXTS), embed(TEXTS), 32)
    with pytest.raises(openai.AuthenticationError, match=NEEDS_KEY):
        langchain(key="wrong").embed_query("a")
    with pytest.raises(openai.NotFoundError, match=NO_MODEL):
        langchain("none").embed_documents(["a"])
    with pytest.raises(openai.BadRequestError, match=TOO_WIDE):
        langchain(dimensions=65).embed_documents(["a"])


# Ollama.


def ollama_client(key=KEY):
    return ollama.Client(URL, headers={"Authorization": "Bearer " + key})


def test_ollama_embeds():
    client = ollama_client()
    reply = client.embed("test", TEXTS)
    check_bits(reply.embeddings, embed(TEXTS))
    assert reply.model == "test" and reply.prompt_eval_count > 64 and reply.total_duration > 0
    check_bits(client.embed("test:latest", TEXTS[0], keep_alive="5m").embeddings, embed(TEXTS[:1]))
    check_cut(client.embed("test", TEXTS, dimensions=16).embeddings, embed(TEXTS), 16)
    check_bits(client.embed("test", TEXTS, dimensions=65).embeddings, embed(TEXTS))
    assert client.embed("test", []).embeddings == []
    check_bits([client.embeddings("test", TEXTS[0]).embedding], embed(TEXTS[:1]))


def test_ollama_lists_models():
    client = ollama_client()
    client.embed("test", "a", keep_alive=60)
    assert [model.model for model in client.list().models] == ["test:latest", "reranker:latest"]
    running = client.ps().models
    assert [model.model for model in running] == ["test:latest"] and running[0].expires_at is not None
    shown = client.show("test")
    assert shown.capabilities == ["embedding"]
    assert shown.modelinfo["bert.embedding_length"] == WIDTH


def test_ollama_errors():
    with pytest.raises(ollama.ResponseError, match=NEEDS_KEY) as caught:
        ollama_client("wrong").embed("test", "a")
    assert caught.value.status_code == 401
    client = ollama_client()
    for call in (lambda: client.embed("none", "a"), lambda: client.embeddings("none", "a"), lambda: client.show("none")):
        with pytest.raises(ollama.ResponseError, match='model "none" not found') as caught:
            call()
        assert caught.value.status_code == 404
    with pytest.raises(ollama.ResponseError, match="the input length exceeds the context length") as caught:
        client.embed("test", TEXTS[2], truncate=False)
    assert caught.value.status_code == 400
    with pytest.raises(ollama.ResponseError, match="`keep_alive`: expected seconds or a duration"):
        client.embed("test", "a", keep_alive="-1")


# Cohere.


def cohere_client(key=KEY):
    return cohere.ClientV2(key, base_url=URL)


def test_cohere_embeds():
    client = cohere_client()
    reply = client.embed(model="test", input_type="search_document", texts=TEXTS, embedding_types=["float"])
    check_bits(reply.embeddings.float_, embed(TEXTS, "passage"))
    assert reply.texts == TEXTS
    assert reply.meta.billed_units.input_tokens > 64
    reply = client.embed(model="test", input_type="search_query", texts=TEXTS[:1])
    check_bits(reply.embeddings.float_, embed(TEXTS[:1], "query"))
    reply = client.embed(model="test", input_type="clustering", texts=TEXTS, output_dimension=16)
    check_cut(reply.embeddings.float_, embed(TEXTS), 16)


def test_cohere_types():
    expected = embed(TEXTS)
    reply = cohere_client().embed(model="test", input_type="classification", texts=TEXTS,
                                  embedding_types=["base64", "int8", "uint8", "binary", "ubinary"])
    check_bits([numpy.frombuffer(base64.b64decode(text), "<f4") for text in reply.embeddings.base64],
               expected)
    check_int8(reply.embeddings.int8, expected)
    check_int8(numpy.asarray(reply.embeddings.uint8) - 128, expected)
    assert numpy.array_equal(reply.embeddings.ubinary, packed_bits(expected))
    assert numpy.array_equal(reply.embeddings.binary, packed_bits(expected).astype(int) - 128)


def test_cohere_old():
    client = cohere.Client(KEY, base_url=URL)
    check_bits(client.embed(texts=TEXTS, model="test").embeddings, embed(TEXTS))
    reply = client.embed(texts=TEXTS, model="test", input_type="search_query", embedding_types=["float"])
    check_bits(reply.embeddings.float_, embed(TEXTS, "query"))
    with pytest.raises(cohere.UnauthorizedError, match=NEEDS_KEY):
        cohere.Client("wrong", base_url=URL).embed(texts=["a"], model="test")
    with pytest.raises(cohere.NotFoundError, match="does not exist; this server has: test"):
        client.embed(texts=["a"], model="none")


def test_cohere_errors():
    def embed_one(client=None, model="test", text="a", **options):
        return (client or cohere_client()).embed(model=model, input_type="classification", texts=[text], **options)

    def check(error, message, call):
        with pytest.raises(error) as caught:
            call()
        assert message in caught.value.body["message"]

    check(cohere.UnauthorizedError, NEEDS_KEY, lambda: embed_one(cohere_client("wrong")))
    check(cohere.NotFoundError, NO_MODEL, lambda: embed_one(model="none"))
    check(cohere.BadRequestError, "found 65", lambda: embed_one(output_dimension=65))
    check(cohere.BadRequestError, "`truncate`: only the end", lambda: embed_one(truncate="START"))
    check(cohere.BadRequestError, "tokens", lambda: embed_one(text=TEXTS[2], truncate="NONE"))


def test_cohere_ranks():
    def pairs(reply):
        return [(one.index, one.relevance_score) for one in reply.results]

    client = cohere_client()
    assert pairs(client.rerank(model="reranker", query="a cat", documents=DOCUMENTS)) == ranked("a cat")
    assert pairs(client.rerank(model="reranker", query="a cat", documents=DOCUMENTS, top_n=2)) == ranked("a cat")[:2]
    old = cohere.Client(KEY, base_url=URL)
    reply = old.rerank(model="reranker", query="a cat", documents=DOCUMENTS, return_documents=True)
    assert pairs(reply) == ranked("a cat")
    assert [one.document.text for one in reply.results] == [DOCUMENTS[i] for i, _ in ranked("a cat")]
    with pytest.raises(cohere.NotFoundError, match="does not exist"):
        client.rerank(model="none", query="a", documents=["a"])
    with pytest.raises(cohere.InternalServerError, match="is an embedding model"):
        client.rerank(model="test", query="a", documents=["a"])


# Voyage.


def voyage_client(key=KEY):
    return voyageai.Client(key, base_url=URL + "/v1")


def test_voyage_embeds():
    client = voyage_client()
    reply = client.embed(TEXTS, "test")
    check_base64(reply.embeddings, embed(TEXTS))
    assert reply.total_tokens > 64
    check_base64(client.embed(TEXTS, "test", input_type="query").embeddings, embed(TEXTS, "query"))
    check_base64(client.embed(TEXTS, "test", input_type="document").embeddings, embed(TEXTS, "passage"))
    check_cut(client.embed(TEXTS, "test", output_dimension=16).embeddings, embed(TEXTS), 16)
    expected = embed(TEXTS)
    check_int8(client.embed(TEXTS, "test", output_dtype="int8").embeddings, expected)
    check_int8(numpy.asarray(client.embed(TEXTS, "test", output_dtype="uint8").embeddings) - 128, expected)
    found = client.embed(TEXTS, "test", output_dtype="ubinary").embeddings
    assert numpy.array_equal(found, packed_bits(expected))
    found = client.embed(TEXTS, "test", output_dtype="binary").embeddings
    assert numpy.array_equal(found, packed_bits(expected).astype(int) - 128)


def test_voyage_ranks():
    reply = voyage_client().rerank("a cat", DOCUMENTS, "reranker", top_k=3)
    assert [(one.index, one.relevance_score) for one in reply.results] == ranked("a cat")[:3]
    assert [one.document for one in reply.results] == [DOCUMENTS[one.index] for one in reply.results]
    assert reply.total_tokens > 10


def test_voyage_errors():
    with pytest.raises(voyageai.error.AuthenticationError, match=NEEDS_KEY):
        voyage_client("wrong").embed(["a"], "test")
    client = voyage_client()
    with pytest.raises(voyageai.error.APIError, match="none.* does not exist") as caught:
        client.embed(["a"], "none")
    assert caught.value.http_status == 404
    with pytest.raises(voyageai.error.InvalidRequestError, match=EMPTY):
        client.embed([""], "test")
    with pytest.raises(voyageai.error.InvalidRequestError, match="tokens"):
        client.embed(TEXTS, "test", truncation=False)


# TEI.


def hugging_face(path="/embed", key=KEY):
    return huggingface_hub.InferenceClient(URL + path, token=key)


def test_hugging_face_embeds():
    for path in ("", "/", "/embed"):
        check_bits(hugging_face(path).feature_extraction(TEXTS), embed(TEXTS))
    client = hugging_face()
    check_bits(client.feature_extraction(TEXTS[0]), embed(TEXTS[:1]))
    check_bits(client.feature_extraction(TEXTS, prompt_name="query", normalize=True, truncate=True,
                                         truncation_direction="right"), embed(TEXTS, "query"))
    check_cut(client.feature_extraction(TEXTS, dimensions=16), embed(TEXTS), 16)
    scores = hugging_face("/similarity").sentence_similarity(TEXTS[0], other_sentences=TEXTS[1:])
    expected = embed(TEXTS)
    numpy.testing.assert_allclose(scores, expected[1:] @ expected[0], atol=1e-6)


def test_hugging_face_errors():
    def check(status, message, call):
        with pytest.raises(huggingface_hub.errors.HfHubHTTPError, match=message) as caught:
            call()
        assert caught.value.response.status_code == status

    # Without a body, as the service itself.
    check(401, "401 Unauthorized", lambda: hugging_face(key="wrong").feature_extraction("a"))
    client = hugging_face()
    check(422, "no prompt named \"none\"", lambda: client.feature_extraction("a", prompt_name="none"))
    check(422, "tokens", lambda: client.feature_extraction(TEXTS, truncate=False))
    check(422, "found 65", lambda: client.feature_extraction("a", dimensions=65))
    check(400, "cannot be empty", lambda: client.feature_extraction(""))


# Chroma, whose functions wrap the clients above, and Jina, which has no other client.


def chroma_openai(model="test", key=KEY):
    return chroma.OpenAIEmbeddingFunction(api_key=key, model_name=model, api_base=URL + "/v1")


def test_chroma_openai():
    check_base64(chroma_openai()(TEXTS), embed(TEXTS))
    with pytest.raises(openai.AuthenticationError, match=NEEDS_KEY):
        chroma_openai(key="wrong")(["a"])
    with pytest.raises(openai.NotFoundError, match=NO_MODEL):
        chroma_openai("none")(["a"])


def test_chroma_ollama(monkeypatch):
    # It takes no key, but its client does.
    monkeypatch.setenv("OLLAMA_API_KEY", KEY)
    check_bits(chroma.OllamaEmbeddingFunction(URL, "test")(TEXTS), embed(TEXTS))
    with pytest.raises(ollama.ResponseError, match='model "none" not found'):
        chroma.OllamaEmbeddingFunction(URL, "none")(["a"])


def test_chroma_voyage():
    def function(key=KEY, **options):
        made = chroma.VoyageAIEmbeddingFunction(key, "test", **options)
        made._client = voyage_client(key)
        return made

    check_base64(function(input_type="query")(TEXTS), embed(TEXTS, "query"))
    with pytest.raises(voyageai.error.AuthenticationError, match=NEEDS_KEY):
        function("wrong")(["a"])


def test_chroma_cohere():
    function = chroma.CohereEmbeddingFunction(KEY, "test")
    function.client = cohere.Client(KEY, base_url=URL)
    check_bits(function(TEXTS), embed(TEXTS, "passage"))


def test_chroma_hugging_face():
    check_bits(chroma.HuggingFaceEmbeddingServer(URL + "/embed", api_key=KEY)(TEXTS), embed(TEXTS))


def test_chroma_jina():
    def function(model="test", key=KEY, **options):
        made = chroma.JinaEmbeddingFunction(key, model, **options)
        made._api_url = URL + "/v1/embeddings"
        return made

    check_bits(function()(TEXTS), embed(TEXTS))
    check_bits(function(task="retrieval.passage", truncate=True, normalized=True)(TEXTS), embed(TEXTS, "passage"))
    query = function(query_config={"task": "retrieval.query"})
    check_bits(query.embed_query(TEXTS), embed(TEXTS, "query"))
    check_cut(function(dimensions=16)(TEXTS), embed(TEXTS), 16)
    for bad, message in ((function(key="wrong"), NEEDS_KEY), (function("none"), NO_MODEL),
                         (function(dimensions=65), TOO_WIDE),
                         (function(late_chunking=True), "`late_chunking`: texts are embedded one by one")):
        with pytest.raises(RuntimeError) as caught:
            bad(["a"])
        assert message in str(caught.value)
