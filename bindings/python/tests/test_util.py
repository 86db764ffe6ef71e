"""thimble.util and thimble.quantization beside those of sentence-transformers."""

import numpy as np
import pytest
from face_models import needs

from thimble import util
from thimble.quantization import quantize_embeddings

RANDOM = np.random.default_rng(7)
A = RANDOM.standard_normal((9, 16)).astype(np.float32)
B = RANDOM.standard_normal((5, 16)).astype(np.float32)
A[3] = 0

MATRICES = ["cos_sim", "pytorch_cos_sim", "dot_score", "euclidean_sim", "manhattan_sim"]
VECTORS = [f"pairwise_{name}" for name in ("cos_sim", "dot_score", "euclidean_sim", "manhattan_sim", "angle_sim")]


@pytest.fixture(scope="module")
def theirs():
    pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    from sentence_transformers import util as theirs

    return theirs


def same(found, expected):
    assert tuple(found.shape) == tuple(expected.shape)
    assert str(found.dtype).rpartition(".")[2] == str(expected.dtype).rpartition(".")[2]
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), atol=1e-5)


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("a, b", [(A, B), (A[0], B), (A[0], B[0]), (A.astype(np.float64), B.astype(np.float64)),
                                  (A.astype(np.float16), B.astype(np.float16)), (list(A), list(B)),
                                  (A.tolist(), B.tolist())])
def test_similarity_of_all_pairs(theirs, name, a, b):
    found = getattr(util, name)(a, b)
    assert isinstance(found, np.ndarray)
    expected = getattr(theirs, name)(a, b)
    assert found.shape == tuple(expected.shape)
    np.testing.assert_allclose(found, np.asarray(expected), atol=2e-3 if np.asarray(a).dtype == np.float16 else 1e-5)


@pytest.mark.parametrize("name", VECTORS)
@pytest.mark.parametrize("width", [15, 16])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_similarity_of_neighbours(theirs, name, width, dtype):
    a, b = A[:5, :width].astype(dtype), B[:, :width].astype(dtype)
    same(getattr(util, name)(a, b), getattr(theirs, name)(a, b))


@needs("torch")
@pytest.mark.parametrize("name", MATRICES + VECTORS)
def test_tensors_come_out_where_tensors_go_in(theirs, name):
    import torch

    a, b = torch.from_numpy(A[:5]), torch.from_numpy(B)
    for one, other in ((a, b), (list(a), list(b)), (a, B)):
        found = getattr(util, name)(one, other)
        assert isinstance(found, torch.Tensor)
        same(found, getattr(theirs, name)(a, b))


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
def test_semantic_search_finds_the_best(theirs, options, score):
    found = util.semantic_search(B, A, score_function=getattr(util, score), **options)
    expected = theirs.semantic_search(B, A, score_function=getattr(theirs, score), **options)
    for ours, others in zip(found, expected):
        assert [hit["corpus_id"] for hit in ours] == [hit["corpus_id"] for hit in others]
        np.testing.assert_allclose([hit["score"] for hit in ours], [hit["score"] for hit in others], atol=1e-5)
    assert len(found) == len(expected) == 5
    assert len(util.semantic_search(B[0], A)) == 1


@pytest.mark.parametrize(
    "options", [{}, {"top_k": 1}, {"max_pairs": 3}, {"query_chunk_size": 2, "corpus_chunk_size": 3}]
)
def test_paraphrase_mining_finds_the_pairs(theirs, options):
    import torch

    vectors = np.concatenate([B, B + 0.01 * A[:5]])
    found = util.paraphrase_mining_embeddings(vectors, **options)
    expected = theirs.paraphrase_mining_embeddings(torch.from_numpy(vectors), **options)
    scores = {(i, j): pytest.approx(score, abs=1e-5) for score, i, j in expected}
    assert {(i, j): score for score, i, j in found} == scores and len(found) == len(expected)
    assert [pair[0] for pair in found] == sorted((pair[0] for pair in found), reverse=True)


def test_community_detection_finds_the_groups(theirs):
    centres = RANDOM.standard_normal((3, 32)).astype(np.float32)
    vectors = np.concatenate([np.repeat(centres, [7, 4, 2], axis=0), RANDOM.standard_normal((5, 32))])
    vectors = (vectors + 0.05 * RANDOM.standard_normal(vectors.shape)).astype(np.float32)
    found = util.community_detection(vectors, threshold=0.9, min_community_size=3, batch_size=4)
    expected = theirs.community_detection(vectors, threshold=0.9, min_community_size=3, batch_size=4)
    assert [set(group) for group in found] == [set(group) for group in expected]
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
def test_codes_are_those_of_sentence_transformers(theirs, precision, options):
    for vectors in (A, B):
        found = quantize_embeddings(vectors, precision, **options)
        expected = theirs.quantize_embeddings(vectors, precision, **options)
        assert found.dtype == expected.dtype and np.array_equal(found, expected)


def test_a_range_needs_several_vectors():
    with pytest.raises(ValueError, match="one vector"):
        quantize_embeddings(A[:1], "int8")
    with pytest.raises(ValueError, match="int4"):
        quantize_embeddings(A, "int4")
    with pytest.raises(ValueError, match="already"):
        quantize_embeddings(quantize_embeddings(A, "int8"), "int8")
    assert quantize_embeddings([], "int8").size == 0
