#!/usr/bin/env python3
"""Writes tests/fixtures/folders.json: what sentence-transformers makes of the folders of tests/folders/written.py.

    python3 scripts/goldens/folders.py

Of each vector the fixture keeps its width, its length and components spread over it. Half precision is computed in fp32
from the weights as stored. Needs torch, transformers and sentence-transformers (tests/folders/run.sh has them).
"""

import json
import os
import sys
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, os.path.join(ROOT, "tests", "folders"))

import numpy  # noqa: E402
import sentence_transformers  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
import written  # noqa: E402

COMPONENTS = 12


def main():
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    cases, failures = {}, []
    with tempfile.TemporaryDirectory() as temporary:
        for i, (name, kind) in enumerate(written.kinds().items()):
            # The library leaves weights below auto_model random, and says so.
            if kind.refused or "auto_model" in name:
                continue
            folder = os.path.join(temporary, str(i))
            written.write(folder, **kind.settings)
            model = sentence_transformers.SentenceTransformer(folder, device="cpu", model_kwargs={"dtype": torch.float32})
            prompt = {"prompt": ""} if kind.prompt_name == "" else {"prompt_name": kind.prompt_name}
            print(name, flush=True)
            vectors = [model.encode([text], show_progress_bar=False, **prompt)[0] for text in written.TEXTS]
            cases[name] = {"width": len(vectors[0]), "lengths": [float(f"{numpy.linalg.norm(v):.8g}") for v in vectors],
                           "components": [[float(f"{v[i * len(v) // COMPONENTS]:.8g}") for i in range(COMPONENTS)]
                                          for v in vectors]}
            if kind.flipped:
                before = cases[kind.flipped]
                same = cases[name]["width"] == before["width"] and numpy.allclose(
                    cases[name]["components"], before["components"], rtol=0, atol=3e-6)
                if same:
                    failures.append(f"{name}: the same vectors as {kind.flipped}")
            if kind.vectors_of and not numpy.allclose(cases[name]["components"], cases[kind.vectors_of]["components"],
                                                      rtol=0, atol=1e-6):
                failures.append(f"{name}: other vectors than {kind.vectors_of}")
    if failures:
        sys.exit("\n".join(failures))
    reference = f"sentence-transformers {sentence_transformers.__version__}, transformers {transformers.__version__}"
    cases = {name: case for name, case in cases.items() if not written.kinds()[name].vectors_of}
    with open(os.path.join(ROOT, "tests", "fixtures", "folders.json"), "w", encoding="ascii") as file:
        file.write('{"reference": ' + json.dumps(reference) + ', "cases": {\n')
        file.write(",\n".join(f"{json.dumps(name)}: {json.dumps(case)}" for name, case in cases.items()))
        file.write("\n}}\n")


if __name__ == "__main__":
    main()
