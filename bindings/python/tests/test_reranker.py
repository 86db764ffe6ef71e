"""Scores of pairs."""

from __future__ import annotations

import asyncio
import json
import pickle
from pathlib import Path
from typing import Any, Callable

import numpy
import pytest

import thimble

QUERY = "what is it"
DOCUMENTS = ["a first document", "another one", "a first document", "the last of them " * 40]


@pytest.fixture
def reranker(models: Path) -> thimble.Reranker:
    return thimble.Reranker(models / "reranker-q8.safetensors")


def test_scores_equal_the_command_line(models: Path, reranker: thimble.Reranker, command_line: Callable[..., str],
                                       tmp_path: Path) -> None:
    (tmp_path / "documents.txt").write_text("\n".join(DOCUMENTS))
    said = json.loads(command_line("rerank", "-m", str(models / "reranker-q8.safetensors"), "--json", QUERY,
                                   str(tmp_path / "documents.txt")))
    scores = reranker.score(QUERY, DOCUMENTS)
    assert scores.dtype == numpy.float32 and scores.shape == (4,)
    assert scores[0] == scores[2]
    assert sorted(numpy.float32(row["score"]) for row in said) == sorted(scores)


def test_the_best_come_first(reranker: thimble.Reranker) -> None:
    ranked = reranker.rank(QUERY, DOCUMENTS)
    scores = reranker.score(QUERY, DOCUMENTS)
    assert [score for _, score in ranked] == sorted(scores.tolist(), reverse=True)
    assert sorted(index for index, _ in ranked) == [0, 1, 2, 3]
    order = [index for index, _ in ranked]
    assert order.index(0) < order.index(2)
    assert reranker.rank(QUERY, DOCUMENTS, top_n=2) == ranked[:2]
    raw = reranker.rank(QUERY, DOCUMENTS, raw_scores=True)
    assert [index for index, _ in raw] == order and raw[0][1] != ranked[0][1]


def test_no_documents(reranker: thimble.Reranker) -> None:
    assert reranker.score(QUERY, []).shape == (0,) and reranker.rank(QUERY, []) == []


def test_pickled_and_asked_by_asyncio(reranker: thimble.Reranker) -> None:
    again = pickle.loads(pickle.dumps(reranker))
    assert (asyncio.run(again.ascore(QUERY, DOCUMENTS)) == reranker.score(QUERY, DOCUMENTS)).all()


def test_each_kind_of_model_says_what_it_is(models: Path, model: str) -> None:
    with pytest.raises(thimble.Unsupported, match="embedding model"):
        thimble.Reranker(model)
    with pytest.raises(thimble.Unsupported, match="reranker"):
        thimble.Embedder(models / "reranker-q8.safetensors").encode("a")


def test_the_mocks_score_too() -> None:
    ranked = thimble.Reranker("mock-hashed").rank("a red car", ["a blue boat", "the red car"])
    assert ranked[0][0] == 1


@pytest.mark.parametrize("model", [None, ""])
def test_a_model_is_needed(model: Any) -> None:
    with pytest.raises(thimble.InvalidArgument, match="model: expected a name or a path"):
        thimble.Reranker(model)


@pytest.mark.parametrize("arguments", [{"pool": 3}, {"model": 3}, {"threads": "2"}, {"prompt_name": 3}])
def test_options_of_a_wrong_type_are_refused(models: Path, arguments: Any) -> None:
    with pytest.raises(TypeError, match=f"{next(iter(arguments))}: expected .*, found"):
        thimble.Reranker(**{"model": models / "reranker-q8.safetensors", **arguments}).score(QUERY, DOCUMENTS)


def test_options_of_a_call_of_a_wrong_type_are_refused(reranker: thimble.Reranker) -> None:
    wrong: Any = "1"
    with pytest.raises(TypeError, match="top_n: expected a whole number, found str"):
        reranker.rank(QUERY, DOCUMENTS, top_n=wrong)
    with pytest.raises(TypeError, match="raw_scores: expected True or False, found '1'"):
        reranker.score(QUERY, DOCUMENTS, raw_scores=wrong)
