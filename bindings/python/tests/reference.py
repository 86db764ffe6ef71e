"""What sentence-transformers gives for the calls of the tests.

sentence_transformers.json has it, so that the tests need no more than numpy. THIMBLE_TESTS_REFERENCE=compare asks the package
that is installed, and compares it with the file as well; =record writes the file. scripts/python.sh does both.
"""

import builtins
import functools
import importlib.util
import json
import math
import os
import pathlib

import face_models
import numpy as np
import pytest

FILE = pathlib.Path(__file__).with_name("sentence_transformers.json")
MODE = os.environ.get("THIMBLE_TESTS_REFERENCE", "recorded")
# Of an array with more values, every so manieth is kept.
_KEPT = 64

_recorded = {}


@functools.lru_cache(maxsize=None)
def package():
    import sentence_transformers

    return sentence_transformers


@functools.lru_cache(maxsize=None)
def model():
    return package().SentenceTransformer(face_models.complete_folder("source"), device="cpu")


@functools.lru_cache(maxsize=None)
def reranker():
    return package().CrossEncoder(face_models.complete_folder("reranker"), device="cpu")


def has(module):
    return importlib.util.find_spec(module) is not None


def needs(module):
    return pytest.mark.skipif(not has(module), reason=f"{module} is not installed")


@functools.lru_cache(maxsize=None)
def _file():
    return json.loads(FILE.read_text())


def seen(value):
    """What a caller can see of a value, as JSON: types, dtypes, shapes and values."""
    if isinstance(value, dict):
        return {name: seen(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [seen(item) for item in value]
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return round(value, 6)
    array = np.asarray(value)
    flat = array.reshape(-1)[:: max(1, math.ceil(array.size / _KEPT)) | 1].tolist()
    return {
        "type": f"{type(value).__module__}.{type(value).__name__}",
        "dtype": str(value.dtype),
        "shape": list(value.shape),
        "values": [round(number, 6) for number in flat],
    }


def reference(key, call):
    """What call(), which asks sentence-transformers, gives."""
    if MODE == "recorded":
        assert key in _file(), f"{FILE.name} has no {key!r}: scripts/python.sh record"
        return _file()[key]
    found = seen(call())
    if MODE == "record":
        assert key not in _recorded
        _recorded[key] = found
    else:
        assert_same(_file()[key], found, 2e-6)
    return found


def write():
    """Keeps what was asked for, after the tests."""
    if _recorded:
        lines = (f" {json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in _recorded.items())
        FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def assert_same(found, expected, limit, differing=0.0):
    """Types, dtypes and shapes are equal, numbers to `limit`, but for a share of them."""
    assert type(found) is type(expected), (found, expected)
    if isinstance(expected, dict) and "values" in expected:
        assert {**found, "values": 0} == {**expected, "values": 0}
        if expected["values"]:
            off = np.abs(np.array(found["values"], dtype=float) - np.array(expected["values"], dtype=float))
            assert np.mean(off > limit) <= differing, off
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for name in expected:
            assert_same(found[name], expected[name], limit, differing)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected):
            assert_same(one, other, limit, differing)
    elif isinstance(expected, float):
        assert abs(found - expected) <= limit
    else:
        assert found == expected


def _has_tensors(expected):
    return '"torch.Tensor"' in json.dumps(expected)


def _as_arrays(expected):
    if isinstance(expected, list):
        return [_as_arrays(item) for item in expected]
    if not isinstance(expected, dict):
        return expected
    if expected.get("type") == "torch.Tensor":
        return {**expected, "type": "numpy.ndarray", "dtype": expected["dtype"].rpartition(".")[2]}
    return {name: _as_arrays(item) for name, item in expected.items()}


def check(call, expected, limit, differing=0.0):
    """Compares what call() gives with a reference(). Without torch, it gives arrays in place of tensors, or refuses."""
    if _has_tensors(expected) and not has("torch"):
        expected = _as_arrays(expected)
        try:
            found = call()
        except ImportError as error:
            assert "torch" in str(error)
            return
    else:
        found = call()
    assert_same(seen(found), expected, limit, differing)


def kind_of_error(call):
    """The builtin kind of the error that call() raises, by name."""
    with pytest.raises(Exception) as raised:
        call()
    return next(kind.__name__ for kind in raised.type.__mro__ if hasattr(builtins, kind.__name__))
