"""Python clients of other embedding services against thimble serve: clients.py URL KEY EXPECTED.

EXPECTED is JSON: the model's name, texts, their vectors in base64, and those with the prompts query and passage.
"""

import base64
import json
import struct
import sys
import urllib.request

URL, KEY, EXPECTED = sys.argv[1], sys.argv[2], json.load(open(sys.argv[3]))
MODEL, TEXTS = EXPECTED["model"], EXPECTED["texts"]


def same(vectors, name="plain"):
    found = [struct.pack(f"<{len(vector)}f", *vector) for vector in vectors]
    assert found == [base64.b64decode(text) for text in EXPECTED[name]], "other vectors than the command line's"


def raises(kind, call, *says):
    try:
        call()
    except kind as error:
        for part in says:
            assert part in str(error), f"{part} is not in: {error}"
        return
    raise AssertionError(f"no {kind.__name__}")


def openai():
    import openai
    client = openai.OpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0)
    reply = client.embeddings.create(model=MODEL, input=TEXTS)  # Asks for base64.
    same([item.embedding for item in reply.data])
    assert reply.usage.prompt_tokens == reply.usage.total_tokens > 0
    same([item.embedding for item in client.embeddings.create(model=MODEL, input=TEXTS, encoding_format="float").data])
    assert MODEL in [model.id for model in client.models.list()]
    assert client.models.retrieve(MODEL).id == MODEL
    raises(openai.NotFoundError, lambda: client.embeddings.create(model="none", input="x"), "does not exist")
    raises(openai.BadRequestError, lambda: client.embeddings.create(model=MODEL, input="x", dimensions=8), "dimensions")
    wrong = openai.OpenAI(base_url=f"{URL}/v1", api_key="wrong", max_retries=0)
    raises(openai.AuthenticationError, lambda: wrong.embeddings.create(model=MODEL, input="x"), "API key")


def ollama():
    import ollama
    client = ollama.Client(host=URL, headers={"authorization": f"Bearer {KEY}"})
    same(client.embed(model=MODEL, input=TEXTS, keep_alive="5m").embeddings)
    same([client.embeddings(model=MODEL, prompt=text).embedding for text in TEXTS])
    assert client.list().models[0].model == f"{MODEL}:latest"
    assert client.ps().models[0].model == f"{MODEL}:latest"
    assert client.show(MODEL).capabilities == ["embedding"]
    raises(ollama.ResponseError, lambda: client.embed(model="none", input="x"), "not found")


def cohere():
    import cohere
    client = cohere.ClientV2(base_url=URL, api_key=KEY)
    embed = lambda **options: client.embed(model=MODEL, texts=TEXTS, embedding_types=["float", "int8"], **options)
    same(embed(input_type="search_query").embeddings.float_, "query")
    same(embed(input_type="search_document").embeddings.float_, "passage")
    raises(cohere.errors.BadRequestError, lambda: embed(input_type="search_query", truncate="START"), "truncate")
    raises(cohere.errors.NotFoundError, lambda: client.embed(model="none", texts=["x"], input_type="search_query",
                                                             embedding_types=["float"]), "does not exist")


def voyageai():
    import voyageai
    client = voyageai.Client(api_key=KEY, base_url=f"{URL}/v1", max_retries=0)
    same(client.embed(TEXTS, model=MODEL, input_type="query").embeddings, "query")
    bits = client.embed(TEXTS, model=MODEL, output_dtype="ubinary").embeddings
    assert all(0 <= value < 256 for row in bits for value in row)
    raises(voyageai.error.InvalidRequestError, lambda: client.embed(["w " * 5000], model=MODEL, truncation=False), "tokens")
    wrong = voyageai.Client(api_key="wrong", base_url=f"{URL}/v1", max_retries=0)
    raises(voyageai.error.AuthenticationError, lambda: wrong.embed(["x"], model=MODEL), "API key")


def langchain_openai():
    from langchain_openai import OpenAIEmbeddings
    embeddings = OpenAIEmbeddings(model=MODEL, base_url=f"{URL}/v1", api_key=KEY, check_embedding_ctx_length=False)
    same(embeddings.embed_documents(TEXTS))
    same([embeddings.embed_query(text) for text in TEXTS])


def huggingface_hub():
    from huggingface_hub import InferenceClient
    from huggingface_hub.errors import HfHubHTTPError
    client = InferenceClient(model=URL, token=KEY)
    same([client.feature_extraction(text).reshape(-1).tolist() for text in TEXTS])
    same([client.feature_extraction(text, prompt_name="query").reshape(-1).tolist() for text in TEXTS], "query")
    raises(HfHubHTTPError, lambda: client.feature_extraction("x", prompt_name="none"), "422")


def chromadb():
    from chromadb.utils import embedding_functions
    import os
    os.environ["KEY"] = KEY
    by_openai = embedding_functions.OpenAIEmbeddingFunction(model_name=MODEL, api_base=f"{URL}/v1", api_key_env_var="KEY")
    same([list(map(float, vector)) for vector in by_openai(TEXTS)])


def plain():
    """TEI has no client of its own but HTTP."""
    request = urllib.request.Request(f"{URL}/embed", json.dumps({"inputs": TEXTS}).encode(),
                                     {"authorization": f"Bearer {KEY}", "content-type": "application/json"})
    same(json.load(urllib.request.urlopen(request)))


failed = 0
for client in (plain, openai, ollama, cohere, voyageai, langchain_openai, huggingface_hub, chromadb):
    try:
        client()
        print(f"python {client.__name__}: ok", flush=True)
    except Exception as error:  # The others are still of interest.
        failed += 1
        print(f"python {client.__name__}: {type(error).__name__}: {error}", flush=True)
sys.exit(1 if failed else 0)
