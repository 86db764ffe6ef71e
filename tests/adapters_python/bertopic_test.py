import pickle

import numpy as np
from bertopic import BERTopic
from bertopic.backend._utils import select_backend
from conftest import MODEL, TEXTS, check_bits, embed
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from thimble.bertopic import ThimbleBackend


def test_backend():
    backend = ThimbleBackend(MODEL)
    assert select_backend(backend) is backend
    check_bits(backend.embed(TEXTS), embed(TEXTS))
    check_bits(backend.embed_words(np.array(TEXTS[:2])), embed(TEXTS[:2]))
    check_bits(backend.embed_documents(TEXTS), embed(TEXTS))
    check_bits(pickle.loads(pickle.dumps(ThimbleBackend(MODEL, dimensions=16))).embed(TEXTS), embed(TEXTS, "", "--dimensions", "16"))


def test_topics_are_those_of_the_vectors():
    words = ["cat", "dog", "word", "text", "vector", "small"]
    texts = [f"{a} {b} of {c}" for a in words for b in words for c in words[:2]]

    def fitted(**arguments):
        model = BERTopic(umap_model=PCA(5, random_state=1), hdbscan_model=KMeans(3, random_state=1, n_init=1), **arguments)
        return model

    mine = fitted(embedding_model=ThimbleBackend(MODEL))
    topics, _ = mine.fit_transform(texts)
    given, _ = fitted(embedding_model=ThimbleBackend(MODEL)).fit_transform(texts, embeddings=embed(texts))
    assert topics == given
    assert len(set(topics)) == 3
    found, scores = mine.find_topics("cat", top_n=2)
    assert len(found) == len(scores) == 2
    assert len(mine.transform(["the small cat"])[0]) == 1
