"""Writes bindings/python/tests/calls.json: the types, dtypes and shapes that sentence-transformers gives for the calls in
test_sentence_transformer.py, test_cross_encoder.py.

  PYTHONPATH=bindings/python THIMBLE_LIBRARY=build/libthimble_c.so \\
      python scripts/goldens/sentence_transformers_calls.py     # With sentence-transformers 6.2.0 and pytest.
"""

import json
import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parents[2] / "bindings" / "python" / "tests"
sys.path.insert(0, str(TESTS))

import face_models  # noqa: E402
import sentence_transformers  # noqa: E402
import test_cross_encoder  # noqa: E402
import test_sentence_transformer  # noqa: E402

model = sentence_transformers.SentenceTransformer(face_models.complete_folder("source"), device="cpu")
encoder = sentence_transformers.CrossEncoder(face_models.complete_folder("reranker"), device="cpu")
calls = {
    "SentenceTransformer": {
        name: face_models.described(call(model)) for name, call in test_sentence_transformer.CALLS.items()
    },
    "CrossEncoder": {name: face_models.described(call(encoder)) for name, call in test_cross_encoder.CALLS.items()},
}
(TESTS / "calls.json").write_text(json.dumps(calls, indent=1) + "\n")
