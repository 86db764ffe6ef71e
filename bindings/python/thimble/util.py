"""Similarity, search and clustering of vectors, with the names and results of sentence_transformers.util.

Functions take arrays of numpy, tensors of torch, or lists, and return tensors where a tensor came in, else arrays.
They compute in float32, or in float64 if that is what they get, and give no gradients.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple, Union

from ._arrays import is_tensor, like, to_numpy
from .errors import InvalidArgument
from .quantization import quantize_embeddings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .sentence_transformer import SentenceTransformer

    Score = Callable[[Any, Any], Any]

__all__ = [
    "SimilarityFunction",
    "community_detection",
    "cos_sim",
    "dot_score",
    "euclidean_sim",
    "manhattan_sim",
    "normalize_embeddings",
    "pairwise_angle_sim",
    "pairwise_cos_sim",
    "pairwise_dot_score",
    "pairwise_euclidean_sim",
    "pairwise_manhattan_sim",
    "paraphrase_mining",
    "paraphrase_mining_embeddings",
    "pytorch_cos_sim",
    "quantize_embeddings",
    "semantic_search",
    "truncate_embeddings",
]

# Values of an intermediate array: manhattan_sim takes rows of `a` in groups that need no more.
_GROUP_VALUES = 1 << 24


def _floats(value: Any) -> Tuple[NDArray[Any], Optional[Any]]:
    import numpy as np

    array, device = to_numpy(value)
    return (array if array.dtype == np.float64 and _has_dtype(value) else array.astype(np.float32, copy=False)), device


def _has_dtype(value: Any) -> bool:
    """Whether `value` has a dtype of its own, unlike a list of numbers."""
    import numpy as np

    first = value[0] if isinstance(value, (list, tuple)) and value else value
    return is_tensor(first) or isinstance(first, np.ndarray)


def _pair(a: Any, b: Any, rows: bool) -> Tuple[NDArray[Any], NDArray[Any], List[Optional[Any]]]:
    import numpy as np

    x, device_x = _floats(a)
    y, device_y = _floats(b)
    if rows:
        x, y = np.atleast_2d(x), np.atleast_2d(y)
    return x, y, [device_x, device_y]


def _unit(array: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    # torch.nn.functional.normalize divides by at least 1e-12, too: a vector of zeros stays one.
    unit: NDArray[Any] = array / np.maximum(np.linalg.norm(array, axis=-1, keepdims=True), 1e-12)
    return unit


def normalize_embeddings(embeddings: Any) -> Any:
    """Vectors (n, d) or (d,) scaled to unit length."""
    array, device = _floats(embeddings)
    return like(_unit(array), [device])


def truncate_embeddings(embeddings: Any, truncate_dim: Optional[int]) -> Any:
    """The first `truncate_dim` components of each vector, all for None. They are not scaled to unit length again."""
    return embeddings[..., :truncate_dim]


def cos_sim(a: Any, b: Any) -> Any:
    """The cosine of each vector of `a` (n, d) with each of `b` (m, d), as (n, m)."""
    x, y, devices = _pair(a, b, rows=True)
    return like(_unit(x) @ _unit(y).T, devices)


def pytorch_cos_sim(a: Any, b: Any) -> Any:
    """The same as cos_sim."""
    return cos_sim(a, b)


def dot_score(a: Any, b: Any) -> Any:
    """The dot product of each vector of `a` (n, d) with each of `b` (m, d), as (n, m)."""
    x, y, devices = _pair(a, b, rows=True)
    return like(x @ y.T, devices)


def euclidean_sim(a: Any, b: Any) -> Any:
    """Minus the Euclidean distance of each vector of `a` (n, d) to each of `b` (m, d), as (n, m)."""
    import numpy as np

    return _distances(a, b, lambda rows, y: np.sqrt(np.square(rows - y).sum(axis=-1)))


def manhattan_sim(a: Any, b: Any) -> Any:
    """Minus the Manhattan distance of each vector of `a` (n, d) to each of `b` (m, d), as (n, m)."""
    import numpy as np

    return _distances(a, b, lambda rows, y: np.abs(rows - y).sum(axis=-1))


def _distances(a: Any, b: Any, distance: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]]) -> Any:
    import numpy as np

    x, y, devices = _pair(a, b, rows=True)
    result = np.empty((len(x), len(y)), dtype=np.result_type(x, y))
    step = max(1, _GROUP_VALUES // max(1, y.size))
    for start in range(0, len(x), step):
        result[start : start + step] = -distance(x[start : start + step, None], y)
    return like(result, devices)


def pairwise_cos_sim(a: Any, b: Any) -> Any:
    """The cosine of a[i] and b[i] for each i, as (n,)."""
    x, y, devices = _pair(a, b, rows=False)
    return _vector((_unit(x) * _unit(y)).sum(axis=-1), devices)


def pairwise_dot_score(a: Any, b: Any) -> Any:
    """The dot product of a[i] and b[i] for each i, as (n,)."""
    x, y, devices = _pair(a, b, rows=False)
    return _vector((x * y).sum(axis=-1), devices)


def pairwise_euclidean_sim(a: Any, b: Any) -> Any:
    """Minus the Euclidean distance of a[i] and b[i] for each i, as (n,)."""
    import numpy as np

    x, y, devices = _pair(a, b, rows=False)
    return _vector(-np.linalg.norm(x - y, axis=-1), devices)


def pairwise_manhattan_sim(a: Any, b: Any) -> Any:
    """Minus the Manhattan distance of a[i] and b[i] for each i, as (n,)."""
    import numpy as np

    x, y, devices = _pair(a, b, rows=False)
    return _vector(-np.abs(x - y).sum(axis=-1), devices)


def pairwise_angle_sim(x: Any, y: Any) -> Any:
    """The AnglE similarity of x[i] and y[i] for each i, as (n,): components i and i + d/2 are one complex number."""
    import numpy as np

    a, b, devices = _pair(x, y, rows=True)
    if a.shape[1] % 2:
        a, b = np.pad(a, ((0, 0), (0, 1))), np.pad(b, ((0, 0), (0, 1)))
    a, b = _unit(a), _unit(b)
    half = a.shape[1] // 2
    sines = (a[:, half:] * b[:, :half] - a[:, :half] * b[:, half:]).sum(axis=1)
    return _vector(np.abs((a * b).sum(axis=1) + sines), devices)


def _vector(values: Any, devices: List[Optional[Any]]) -> Any:
    import numpy as np

    return like(np.asarray(values), devices) if any(device is not None for device in devices) else values


class SimilarityFunction(enum.Enum):
    """Names of similarities of two vectors."""

    COSINE = "cosine"
    DOT_PRODUCT = "dot"
    DOT = "dot"
    EUCLIDEAN = "euclidean"
    MANHATTAN = "manhattan"

    @staticmethod
    def to_similarity_fn(similarity_function: Union[str, SimilarityFunction]) -> Score:
        """The function for all pairs of two lists of vectors."""
        return _FUNCTIONS[SimilarityFunction(similarity_function)][0]

    @staticmethod
    def to_similarity_pairwise_fn(similarity_function: Union[str, SimilarityFunction]) -> Score:
        """The function for the vectors of two lists at the same place."""
        return _FUNCTIONS[SimilarityFunction(similarity_function)][1]

    @staticmethod
    def possible_values() -> List[str]:
        return [member.value for member in SimilarityFunction]


_FUNCTIONS: Dict[SimilarityFunction, Tuple[Score, Score]] = {
    SimilarityFunction.COSINE: (cos_sim, pairwise_cos_sim),
    SimilarityFunction.DOT_PRODUCT: (dot_score, pairwise_dot_score),
    SimilarityFunction.EUCLIDEAN: (euclidean_sim, pairwise_euclidean_sim),
    SimilarityFunction.MANHATTAN: (manhattan_sim, pairwise_manhattan_sim),
}


def _top(scores: NDArray[Any], count: int) -> NDArray[Any]:
    """The places of the `count` greatest scores of each row, the greatest first; of equal ones the first place."""
    import numpy as np

    if count < 0:
        raise InvalidArgument("invalid_argument", f"top_k: expected at least 0, found {count}")
    order: NDArray[Any] = np.argsort(-scores, axis=1, kind="stable")
    if count >= scores.shape[1]:
        return order
    return order[:, :count]


def semantic_search(
    query_embeddings: Any,
    corpus_embeddings: Any,
    query_chunk_size: int = 100,
    corpus_chunk_size: int = 500000,
    top_k: int = 10,
    score_function: Score = cos_sim,
) -> List[List[Dict[str, Any]]]:
    """For each vector of `query_embeddings` the `top_k` of `corpus_embeddings` (m, d) with the greatest score, best
    first, as {"corpus_id": row, "score": float}. Takes `query_chunk_size` times `corpus_chunk_size` pairs at once.
    """
    import numpy as np

    queries, corpus = query_embeddings, corpus_embeddings
    queries = queries if is_tensor(queries) else to_numpy(queries)[0]
    corpus = corpus if is_tensor(corpus) else to_numpy(corpus)[0]
    if queries.ndim == 1:
        queries = queries.reshape(1, -1)
    if score_function in (cos_sim, pytorch_cos_sim):
        queries, corpus = normalize_embeddings(to_numpy(queries)[0]), normalize_embeddings(to_numpy(corpus)[0])
        score_function = dot_score
    results: List[List[Dict[str, Any]]] = []
    for first in range(0, len(queries), query_chunk_size):
        part = queries[first : first + query_chunk_size]
        best = np.empty((len(part), 0), dtype=np.float32)
        ids = np.empty((len(part), 0), dtype=np.int64)
        for start in range(0, len(corpus), corpus_chunk_size):
            scores = to_numpy(score_function(part, corpus[start : start + corpus_chunk_size]))[0]
            places = np.broadcast_to(np.arange(start, start + scores.shape[1]), scores.shape)
            scores, places = np.concatenate([best, scores], axis=1), np.concatenate([ids, places], axis=1)
            top = _top(scores, top_k)
            best, ids = np.take_along_axis(scores, top, axis=1), np.take_along_axis(places, top, axis=1)
        for row_ids, row in zip(ids.tolist(), best.tolist()):
            results.append([{"corpus_id": place, "score": score} for place, score in zip(row_ids, row)])
    return results


def paraphrase_mining(
    model: SentenceTransformer,
    sentences: List[str],
    show_progress_bar: bool = False,
    batch_size: int = 32,
    query_chunk_size: int = 5000,
    corpus_chunk_size: int = 100000,
    max_pairs: int = 500000,
    top_k: int = 100,
    score_function: Score = cos_sim,
    truncate_dim: Optional[int] = None,
    prompt_name: Optional[str] = None,
    prompt: Optional[str] = None,
) -> List[List[Any]]:
    """The pairs of `sentences` that are most similar, as [score, i, j], best first; see
    paraphrase_mining_embeddings."""
    embeddings = model.encode(
        sentences,
        show_progress_bar=show_progress_bar,
        batch_size=batch_size,
        truncate_dim=truncate_dim,
        prompt_name=prompt_name,
        prompt=prompt,
    )
    return paraphrase_mining_embeddings(
        embeddings, query_chunk_size, corpus_chunk_size, max_pairs, top_k, score_function
    )


def paraphrase_mining_embeddings(
    embeddings: Any,
    query_chunk_size: int = 5000,
    corpus_chunk_size: int = 100000,
    max_pairs: int = 500000,
    top_k: int = 100,
    score_function: Score = cos_sim,
) -> List[List[Any]]:
    """The at most `max_pairs` pairs of `embeddings` (n, d) with the greatest scores, as [score, i, j] with i < j, best
    first. A pair counts if one is among the `top_k` nearest of the other; `score_function` is symmetric.
    """
    pairs: Dict[Tuple[int, int], float] = {}
    # Each row is its own nearest, or nearly so: one more neighbour than asked for.
    for row, hits in enumerate(
        semantic_search(
            embeddings, embeddings, query_chunk_size, corpus_chunk_size, top_k + 1, score_function
        )
        if len(embeddings)
        else []
    ):
        others = [(hit["corpus_id"], hit["score"]) for hit in hits if hit["corpus_id"] != row]
        for other, score in others[:top_k]:
            pairs.setdefault((min(row, other), max(row, other)), score)
    ranked = sorted(pairs.items(), key=lambda item: -item[1])[:max_pairs]
    return [[score, i, j] for (i, j), score in ranked]


def community_detection(
    embeddings: Any,
    threshold: float = 0.75,
    min_community_size: int = 10,
    batch_size: int = 1024,
    show_progress_bar: bool = False,
) -> List[List[int]]:
    """Groups of at least `min_community_size` vectors whose cosine with a central one is at least `threshold`, as lists
    of rows, the centre first, the largest group first. A row is in one group at most. Takes `batch_size` rows at once;
    `show_progress_bar` shows nothing.
    """
    import numpy as np

    if len(embeddings) == 0 or len(embeddings) < min_community_size:
        return []
    unit = _unit(np.atleast_2d(_floats(embeddings)[0]))
    found: List[Tuple[int, NDArray[Any]]] = []
    for start in range(0, len(unit), batch_size):
        scores = unit[start : start + batch_size] @ unit.T
        near = scores >= threshold
        for row in np.nonzero(near.sum(axis=1) >= min_community_size)[0]:
            members = np.nonzero(near[row])[0]
            found.append((start + int(row), members[np.argsort(-scores[row, members], kind="stable")]))
    found.sort(key=lambda item: -len(item[1]))
    used = np.zeros(len(unit), dtype=bool)
    groups: List[List[int]] = []
    for centre, members in found:
        if used[centre]:
            continue
        members = members[~used[members]]
        if len(members) >= min_community_size:
            group: List[int] = [centre] + [int(member) for member in members if member != centre]
            groups.append(group)
            used[group] = True
    return sorted(groups, key=len, reverse=True)
