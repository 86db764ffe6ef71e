"""What the tests of all adapters share; tests/adapters_python/run.sh sets the environment."""

import json
import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

# A shell starts what runs in the background with Ctrl-C ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

MODEL = os.environ["THIMBLE_MODEL"]
RERANKER = str(pathlib.Path(MODEL).with_name("reranker-q8.safetensors"))
WIDTH = 64
TEXTS = ["the cat sleeps", "a dog, \"a bird\" & \u00e9\u732b\U0001f408", "word " * 1000, ""]
DOCUMENTS = ["a word of text", "the cat sleeps", "a small vector of words", ""]
QUERY = "the cat"


def embed(texts, prompt="", *options):
    """The vectors of the command line, shape (n, d)."""
    command = [os.environ["THIMBLE_CLI"], "embed", "-m", MODEL, "--format", "f32", "--prompt-name", prompt, *options, "--", *texts]
    result = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return np.frombuffer(result.stdout, "<f4").reshape(len(texts), -1)


def ranked(query=QUERY, documents=DOCUMENTS):
    """[(index, score)] by the command line, best first."""
    command = [os.environ["THIMBLE_CLI"], "rerank", "-m", RERANKER, "--json", query]
    result = subprocess.run(command, input="".join(text + "\n" for text in documents), text=True, stdout=subprocess.PIPE, check=True)
    return [(one["index"], float(np.float32(one["score"]))) for one in json.loads(result.stdout)]


def check_bits(found, expected):
    found = np.asarray(found, "<f4")
    assert found.shape == expected.shape
    assert found.tobytes() == expected.tobytes()


@pytest.fixture(scope="session", autouse=True)
def prompts_differ():
    """Without this no test could see which prompt a text got."""
    vectors = [embed(TEXTS[:1], prompt)[0] for prompt in ("", "query", "passage")]
    assert len({vector.tobytes() for vector in vectors}) == 3
