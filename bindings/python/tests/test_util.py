"""thimble.util and thimble.quantization beside those of sentence-transformers."""

import numpy as np
import pytest
import reference
from reference import needs

from thimble import util
from thimble.quantization import quantize_embeddings

RANDOM = np.random.default_rng(7)
A = RANDOM.standard_normal((9, 16)).astype(np.float32)
B = RANDOM.standard_normal((5, 16)).astype(np.float32)
A[3] = 0

MATRICES = ["cos_sim", "pytorch_cos_sim", "dot_score", "euclidean_sim", "manhattan_sim"]
VECTORS = [f"pairwise_{name}" for name in ("cos_sim", "dot_score", "euclidean_sim", "manhattan_sim", "angle_sim")]


FLOAT16 = A.astype(np.float16), B.astype(np.float16)
INPUTS = {
    "float32": (A, B), "vector and rows": (A[0], B), "vectors": (A[0], B[0]), "float16": FLOAT16,
    "float64": (A.astype(np.float64), B.astype(np.float64)), "lists of arrays": (list(A), list(B)),
    "lists": (A.tolist(), B.tolist()),
}


def expected_of(key, call):
    """What call(sentence_transformers.util) gives."""
    return reference.reference(f"util, {key}", lambda: call(reference.package().util))


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("inputs", INPUTS)
def test_similarity_of_all_pairs(name, inputs):
    found = getattr(util, name)(*INPUTS[inputs])
    assert isinstance(found, np.ndarray)
    expected = expected_of(f"{name}, {inputs}", lambda theirs: np.asarray(getattr(theirs, name)(*INPUTS[inputs])))
    # Half the digits there, and float32 here.
    found = found.astype(expected["dtype"])
    reference.check(lambda: found, expected, 2e-3 if inputs == "float16" else 1e-5)


@pytest.mark.parametrize("name", VECTORS)
@pytest.mark.parametrize("width", [15, 16])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_similarity_of_neighbours(name, width, dtype):
    a, b = A[:5, :width].astype(dtype), B[:, :width].astype(dtype)
    expected = expected_of(f"{name}, {width}, {dtype}", lambda theirs: np.asarray(getattr(theirs, name)(a, b)))
    reference.check(lambda: getattr(util, name)(a, b), expected, 1e-5)


@needs("torch")
@pytest.mark.parametrize("name", MATRICES + VECTORS)
def test_tensors_come_out_where_tensors_go_in(name):
    import torch

    a, b = torch.from_numpy(A[:5]), torch.from_numpy(B)
    expected = getattr(util, name)(A[:5], B)
    for one, other in ((a, b), (list(a), list(b)), (a, B)):
        found = getattr(util, name)(one, other)
        assert isinstance(found, torch.Tensor) and found.dtype == torch.float32
        np.testing.assert_allclose(np.asarray(found), expected, atol=1e-6)


def test_manhattan_distance_does_not_depend_on_groups(monkeypatch):
    whole = util.manhattan_sim(A, B)
    monkeypatch.setattr(util, "_GROUP_VALUES", 1)
    assert np.array_equal(util.manhattan_sim(A, B), whole)


def test_normalize_and_truncate():
    unit = util.normalize_embeddings(A)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), [1, 1, 1, 0, 1, 1, 1, 1, 1], atol=1e-6)
    assert util.truncate_embeddings(A, 4).shape == (9, 4) and util.truncate_embeddings(A[0], None).shape == (16,)


@pytest.mark.parametrize("options", [{}, {"top_k": 2}, {"query_chunk_size": 2, "corpus_chunk_size": 2, "top_k": 3},
                                     {"top_k": 100}])
@pytest.mark.parametrize("score", ["cos_sim", "dot_score"])
def test_semantic_search_finds_the_best(options, score):
    found = util.semantic_search(B, A, score_function=getattr(util, score), **options)
    expected = expected_of(f"semantic_search, {score}, {options}", lambda theirs: theirs.semantic_search(
        B, A, score_function=getattr(theirs, score), **options))
    reference.check(lambda: found, expected, 1e-5)
    assert len(found) == 5
    assert len(util.semantic_search(B[0], A)) == 1
    with pytest.raises(ValueError, match="top_k: expected at least 0, found -1"):
        util.semantic_search(B, A, top_k=-1)


@pytest.mark.parametrize(
    "options", [{}, {"top_k": 1}, {"max_pairs": 3}, {"query_chunk_size": 2, "corpus_chunk_size": 3}]
)
def test_paraphrase_mining_finds_the_pairs(options):
    def expected_pairs(theirs):
        import torch

        return sorted(theirs.paraphrase_mining_embeddings(torch.from_numpy(vectors), **options), key=lambda pair: pair[1:])

    vectors = np.concatenate([B, B + 0.01 * A[:5]])
    found = util.paraphrase_mining_embeddings(vectors, **options)
    expected = expected_of(f"paraphrase_mining_embeddings, {options}", expected_pairs)
    reference.check(lambda: sorted(found, key=lambda pair: pair[1:]), expected, 1e-5)
    assert [pair[0] for pair in found] == sorted((pair[0] for pair in found), reverse=True)


def test_community_detection_finds_the_groups():
    centres = RANDOM.standard_normal((3, 32)).astype(np.float32)
    vectors = np.concatenate([np.repeat(centres, [7, 4, 2], axis=0), RANDOM.standard_normal((5, 32))])
    vectors = (vectors + 0.05 * RANDOM.standard_normal(vectors.shape)).astype(np.float32)
    found = util.community_detection(vectors, threshold=0.9, min_community_size=3, batch_size=4)
    expected = expected_of("community_detection", lambda theirs: [
        sorted(map(int, group))
        for group in theirs.community_detection(vectors, threshold=0.9, min_community_size=3, batch_size=4)])
    assert [sorted(group) for group in found] == expected
    assert [len(group) for group in found] == [7, 4]
    assert util.community_detection(vectors[:0]) == []


def test_names_of_similarities():
    assert util.SimilarityFunction.possible_values() == ["cosine", "dot", "euclidean", "manhattan"]
    assert util.SimilarityFunction.DOT is util.SimilarityFunction.DOT_PRODUCT
    assert util.SimilarityFunction.to_similarity_fn("dot") is util.dot_score
    assert util.SimilarityFunction.to_similarity_pairwise_fn("euclidean") is util.pairwise_euclidean_sim
    with pytest.raises(ValueError):
        util.SimilarityFunction("none")


@pytest.mark.parametrize("precision", ["float32", "int8", "uint8", "binary", "ubinary"])
@pytest.mark.parametrize("options", [{}, {"ranges": np.stack([A.min(0), A.max(0)])}, {"calibration_embeddings": A}])
def test_codes_are_those_of_sentence_transformers(precision, options):
    for name, vectors in (("A", A), ("B", B)):
        expected = expected_of(f"quantize_embeddings, {name}, {precision}, {list(options)}",
                               lambda theirs: theirs.quantize_embeddings(vectors, precision, **options))  # noqa: B023
        reference.check(lambda: quantize_embeddings(vectors, precision, **options), expected, 1e-6)  # noqa: B023


def test_a_range_needs_several_vectors():
    with pytest.raises(ValueError, match="one vector"):
        quantize_embeddings(A[:1], "int8")
    with pytest.raises(ValueError, match="int4"):
        quantize_embeddings(A, "int4")
    with pytest.raises(ValueError, match="already"):
        quantize_embeddings(quantize_embeddings(A, "int8"), "int8")
    assert quantize_embeddings([], "int8").size == 0
