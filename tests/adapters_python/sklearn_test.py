import pickle

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, TEXTS, check_bits, embed
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks
from thimble.sklearn import ThimbleTransformer

# Those that do not give numbers to the estimator.
CHECKS = ["check_estimator_cloneable", "check_estimator_tags_renamed", "check_valid_tag_types", "check_estimator_repr",
          "check_no_attributes_set_in_init", "check_parameters_default_constructible", "check_get_params_invariance",
          "check_set_params"]


@pytest.mark.parametrize("check", CHECKS)
def test_estimator_checks(check):
    getattr(estimator_checks, check)("ThimbleTransformer", ThimbleTransformer(MODEL))


def test_transform():
    transformer = ThimbleTransformer(MODEL)
    check_bits(transformer.transform(TEXTS), embed(TEXTS))
    for texts in (np.array(TEXTS), np.array(TEXTS, dtype=object), pd.Series(TEXTS), tuple(TEXTS)):
        check_bits(transformer.fit_transform(texts), embed(TEXTS))
    assert transformer.fit(TEXTS) is transformer
    check_bits(transformer.set_params(dimensions=16, prompt_name="query").transform(TEXTS), embed(TEXTS, "query", "--dimensions", "16"))


def test_clone_and_pickle():
    transformer = ThimbleTransformer(MODEL, dimensions=16)
    transformer.transform(TEXTS)
    for one in (clone(transformer), pickle.loads(pickle.dumps(transformer))):
        assert one.get_params() == transformer.get_params()
        check_bits(one.transform(TEXTS), embed(TEXTS, "", "--dimensions", "16"))


def test_names_of_features():
    transformer = ThimbleTransformer(MODEL, dimensions=16)
    names = [f"thimbletransformer{i}" for i in range(16)]
    assert list(transformer.get_feature_names_out()) == names
    assert list(transformer.set_output(transform="pandas").transform(TEXTS).columns) == names
    columns = ColumnTransformer([("texts", ThimbleTransformer(MODEL), "text")], remainder="passthrough")
    table = pd.DataFrame({"text": TEXTS, "number": range(len(TEXTS))})
    check_bits(columns.fit_transform(table), np.hstack([embed(TEXTS), np.arange(len(TEXTS), dtype="<f4")[:, None]]))
    assert columns.get_feature_names_out()[-2:].tolist() == ["texts__thimbletransformer63", "remainder__number"]


def test_pipeline_and_search():
    texts = [f"{a} {b}" for a in ("cat", "word") for b in ("small", "the", "of", "sleeps", "text", "a")]
    labels = [0] * 6 + [1] * 6
    pipeline = make_pipeline(ThimbleTransformer(MODEL), LogisticRegression(C=100))
    search = GridSearchCV(pipeline, {"thimbletransformer__dimensions": [4, 64]}, cv=2).fit(texts, labels)
    assert search.best_score_ > 0.5
    assert pipeline.fit(texts, labels).score(texts, labels) == 1


def test_wrong_input():
    transformer = ThimbleTransformer(MODEL)
    for wrong, message in (("text", "expected a sequence of texts, found str"), ([["a"]], r"X\[0\]: expected a str, found list"),
                           (["a", 1.5], r"X\[1\]: expected a str, found float"), (np.array([["a"]]), r"found shape \(1, 1\)")):
        with pytest.raises(ValueError, match=message):
            transformer.transform(wrong)
        with pytest.raises(ValueError, match=message):
            transformer.fit(wrong)
