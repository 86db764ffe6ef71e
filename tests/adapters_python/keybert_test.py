import numpy as np
from conftest import MODEL, TEXTS, check_bits, embed
from keybert import KeyBERT
from keybert.backend._utils import select_backend
from sklearn.feature_extraction.text import CountVectorizer
from thimble.keybert import ThimbleBackend


def test_backend():
    backend = ThimbleBackend(MODEL)
    assert select_backend(backend) is backend
    check_bits(backend.embed(TEXTS), embed(TEXTS))


def test_keywords():
    text = "the small cat sleeps, and a vector of words has a text"
    found = KeyBERT(model=ThimbleBackend(MODEL)).extract_keywords(text, top_n=3)
    words = CountVectorizer(stop_words="english").fit([text]).get_feature_names_out()
    scores = embed(words) @ embed([text])[0]
    best = (-scores).argsort()[:3]
    assert [word for word, _ in found] == list(words[best])
    np.testing.assert_allclose([score for _, score in found], scores[best], atol=1e-4)
