"""CrossEncoder beside that of sentence-transformers: the same types, shapes, dtypes, values and errors."""

import pickle

import face_models
import numpy as np
import pytest
import reference
from reference import needs

from thimble import CrossEncoder

QUERY = "A man is eating pasta."
PAIRS = [(QUERY, "A man is eating food."), (QUERY, "The girl is carrying a baby.")]
DOCUMENTS = ["A man is eating food.", "A man is riding a horse.", "", "A woman is playing violin."]

# Weights in q8 against fp32: scores differ by less than this, which the receipt of the model states.
LIMIT = 0.05


@pytest.fixture
def ours():
    return CrossEncoder(face_models.reranker())


def _identity(scores):
    return scores


CALLS = {
    "pairs": lambda m: m.predict(PAIRS),
    "lists": lambda m: m.predict([list(pair) for pair in PAIRS]),
    "array": lambda m: m.predict(np.array(PAIRS)),
    "array of one pair": lambda m: m.predict(np.array(PAIRS[0])),
    "one pair": lambda m: m.predict(PAIRS[0]),
    "one pair as list": lambda m: m.predict(list(PAIRS[0])),
    "one pair in a list": lambda m: m.predict(PAIRS[:1]),
    "queries mixed": lambda m: m.predict([PAIRS[0], ("another", "one"), PAIRS[1]]),
    "empty": lambda m: m.predict([]),
    "empty tensor": lambda m: m.predict([], convert_to_tensor=True),
    "tensor": lambda m: m.predict(PAIRS, convert_to_tensor=True),
    "list of tensors": lambda m: m.predict(PAIRS, convert_to_numpy=False),
    "one tensor": lambda m: m.predict(PAIRS[0], convert_to_tensor=True),
    "activation_fn": lambda m: m.predict(PAIRS, activation_fn=_identity),
    "activation_fct": lambda m: m.predict(PAIRS, activation_fct=_identity),
    "apply_softmax": lambda m: m.predict(PAIRS, apply_softmax=True),
    "batch_size and progress": lambda m: m.predict(PAIRS, batch_size=1, show_progress_bar=True),
    "prompt": lambda m: m.predict(PAIRS, prompt="query: "),
    "num_labels": lambda m: m.num_labels,
    "max_length": lambda m: m.max_length,
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_call_gives_what_sentence_transformers_gives(name, ours):
    expected = reference.reference(f"CrossEncoder, {name}", lambda: CALLS[name](reference.reranker()))
    reference.check(lambda: CALLS[name](ours), expected, LIMIT)


@needs("torch")
def test_an_activation_of_torch_computes_the_scores(ours):
    import torch

    raw = ours.predict(PAIRS, activation_fn=torch.nn.Identity())
    np.testing.assert_allclose(ours.predict(PAIRS, activation_fn=torch.nn.Sigmoid()), 1 / (1 + np.exp(-raw)), atol=1e-6)
    np.testing.assert_allclose(ours.predict(PAIRS), 1 / (1 + np.exp(-raw)), atol=1e-6)
    other = CrossEncoder(face_models.reranker(), activation_fn=torch.nn.Identity())
    assert np.array_equal(other.predict(PAIRS), raw)


def test_rank_sorts_documents_and_returns_them(ours):
    ranked = ours.rank(QUERY, DOCUMENTS, return_documents=True)
    assert sorted(hit["corpus_id"] for hit in ranked) == [0, 1, 2, 3]
    assert all(hit["text"] == DOCUMENTS[hit["corpus_id"]] and type(hit["score"]) is float for hit in ranked)
    scores = [hit["score"] for hit in ranked]
    assert scores == sorted(scores, reverse=True)
    pairs = [(QUERY, DOCUMENTS[hit["corpus_id"]]) for hit in ranked]
    assert scores == ours.predict(pairs).tolist()
    assert ours.rank(QUERY, DOCUMENTS, top_k=2) == [
        {"corpus_id": hit["corpus_id"], "score": hit["score"]} for hit in ranked[:2]
    ]
    assert ours.rank("a", []) == []


def test_scores_are_those_of_reranker(ours):
    import thimble

    with thimble.Reranker(face_models.reranker()) as reranker:
        expected = reranker.score(PAIRS[0][0], [document for _, document in PAIRS])
    assert np.array_equal(ours.predict(PAIRS), expected)


def test_older_names_of_arguments_are_taken(caplog):
    path = face_models.reranker()
    model = CrossEncoder(path, 1, 32)
    assert model.max_seq_length == 32
    model.max_length = 16
    assert model.max_length == 16
    older = CrossEncoder(model_name=path, automodel_args={"torch_dtype": "auto"}, tokenizer_args={"use_fast": True})
    assert np.array_equal(older.predict(PAIRS), CrossEncoder(path).predict(PAIRS))
    assert "`model_name` argument was renamed" in caplog.text


@pytest.mark.parametrize(
    "name, settings",
    [
        ("num_labels", dict(num_labels=3)),
        ("device", dict(device="cuda:0")),
        ("classifier_dropout", dict(config_kwargs={"classifier_dropout": 0.1})),
        ("model_max_length", dict(tokenizer_kwargs={"model_max_length": 8})),
        ("bfloat16", dict(model_kwargs={"torch_dtype": "bfloat16"})),
    ],
)
def test_a_setting_that_would_change_scores_is_refused_by_name(name, settings):
    with pytest.raises(ValueError, match=name):
        CrossEncoder(face_models.reranker(), **settings)


def test_an_embedding_model_is_no_cross_encoder():
    from thimble import Unsupported

    with pytest.raises(Unsupported, match="embedding model"):
        CrossEncoder(face_models.model())


@pytest.mark.parametrize("inputs", [["a", "b", "c"], [("a", "b", "c")], [("a", 1)], [{"query": "a"}]])
def test_inputs_that_are_no_pairs_are_refused(ours, inputs):
    with pytest.raises(TypeError, match="not a pair of two str"):
        ours.predict(inputs)


class _Frame(dict):  # Iterates over the names of its columns, as those of pandas.
    columns = ["query", "document"]


@pytest.mark.parametrize("inputs", ["ab", {"a": 1, "b": 2}, None, 3, _Frame(query=["a"], document=["b"])])
def test_inputs_that_are_no_list_are_refused(ours, inputs):
    with pytest.raises(TypeError, match=r"inputs: expected a list of \[query, document\]"):
        ours.predict(inputs)


@pytest.mark.parametrize("query, documents, named", [("a", "one text", "documents, found str and str"), (None, ["a"], "NoneType"),
                                                     ("a", ["b", None], r"documents\[1\]")])
def test_rank_takes_one_query_and_several_documents(ours, query, documents, named):
    with pytest.raises(TypeError, match=named):
        ours.rank(query, documents)


def test_a_model_is_pickled_by_its_settings(ours):
    copy = pickle.loads(pickle.dumps(ours))
    assert np.array_equal(copy.predict(PAIRS), ours.predict(PAIRS))


def test_a_limit_of_tokens_is_above_0(ours):
    for call in (lambda: CrossEncoder(face_models.reranker(), max_length=0), lambda: setattr(ours, "max_length", 0)):
        with pytest.raises(ValueError, match="max_length: expected at least 1, found 0"):
            call()
