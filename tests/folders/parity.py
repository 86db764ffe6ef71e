#!/usr/bin/env python3
"""Compares thimble with vectors of sentence-transformers, folder by folder.

    python3 tests/folders/parity.py --thimble build/thimble --cases DIR [--only TEXT]...

DIR holds NAME/model and NAME/expected.json; make_folders.py says what stands in the latter. Each folder is converted to
fp32 and its texts are embedded. Of a text, the difference is the largest one of any component, divided by the length of
the expected vector (1 where that is 0): so vectors that are not normalised are measured as unit vectors. Limit: 1e-6.
A flipped setting must change the vectors exactly where it does in the library. Exit code: 0, or 1 if a folder failed.
Python's standard library only.
"""

import argparse
import array
import json
import math
import os
import subprocess
import sys
import tempfile

LIMIT = 1e-6
# What counts as another vector: more than both sides' rounding.
CHANGED = 3 * LIMIT


class Failed(Exception):
    pass


def run(command):
    result = subprocess.run(command, capture_output=True, text=True, errors="replace")
    return result.returncode, (result.stderr + result.stdout).strip()


def embed(thimble, model, texts, dimension, prompt_name, temporary):
    """The vectors, or a message."""
    source, output = os.path.join(temporary, "texts.jsonl"), os.path.join(temporary, "vectors.f32")
    with open(source, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(text) + "\n" for text in texts)
    prompt = [] if prompt_name is None else ["--prompt-name", prompt_name]
    code, message = run([thimble, "embed", "-m", model, "-i", source, "-o", output, "--format", "f32", *prompt])
    if code:
        return None, message
    values = array.array("f")
    with open(output, "rb") as file:
        values.frombytes(file.read())
    if sys.byteorder == "big":
        values.byteswap()
    if dimension and len(values) != len(texts) * dimension:
        raise Failed(f"{len(values) / len(texts):g} dimensions, expected {dimension}")
    width = len(values) // len(texts)
    return [list(values[i * width : (i + 1) * width]) for i in range(len(texts))], ""


def difference(found, expected):
    """The largest over all texts; infinite where dimensions differ or a value is no number."""
    worst = 0.0
    for a, b in zip(found, expected):
        if len(a) != len(b):
            return math.inf
        length = math.sqrt(sum(x * x for x in b)) or 1.0
        values = [abs(x - y) / length for x, y in zip(a, b)]
        worst = max(worst, math.inf if any(math.isnan(value) for value in values) else max(values))
    return worst


def check(thimble, folder, case, temporary):
    """(vectors or None, line that says how it went); raises Failed."""
    model = os.path.join(temporary, "model.safetensors")
    pooling = ["--pooling", case["pooling"]] if case.get("pooling") else []
    code, message = run([thimble, "convert", os.path.join(folder, "model"), model, "--dtype", "fp32", *pooling])
    found = None
    if not code:
        dimension = len(case["vectors"][0]) if case.get("vectors") else 0
        found, message = embed(thimble, model, case["texts"], dimension, case.get("prompt_name"), temporary)
    if found is None:
        refusal = case.get("refused") or case.get("or_refused")
        # A folder's own name may hold the word.
        message = message.replace(os.path.join(folder, "model"), "MODEL")
        last = message.splitlines()[-1] if message else "no message"
        if refusal and refusal in message:
            return None, f"refused: {last}"
        raise Failed(f"refused without the word {refusal!r}: {last}" if refusal else last)
    if case.get("refused"):
        raise Failed(f"expected a refusal that names {case['refused']!r}")
    worst = difference(found, case["vectors"])
    # What the library itself is away from its own arithmetic in fp64 is not thimble's error.
    limit = LIMIT + case.get("library_error", 0)
    if not worst <= limit:
        raise Failed(f"largest difference {worst:.2g}, limit {limit:.2g}")
    note = f" (the version that saved it: {case['saver_differs']} away)" if "saver_differs" in case else ""
    return found, f"{worst:.2g}{note}"


def check_flip(name, case, vectors):
    """A flipped setting changes vectors as it does in the library."""
    before = vectors.get(case.get("flipped"))
    if before is None or vectors.get(name) is None:
        return ""
    changes = difference(vectors[name], before) > CHANGED
    if changes != case["flip_changes"]:
        raise Failed(f"{'other' if changes else 'the same'} vectors than {case['flipped']}")
    return f", {'other vectors than' if changes else 'as'} {case['flipped']}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--thimble", required=True)
    parser.add_argument("--cases", required=True)
    parser.add_argument("--only", action="append", default=[], help="folders whose name contains this")
    options = parser.parse_args()
    names = [name for name in sorted(os.listdir(options.cases))
             if os.path.isfile(os.path.join(options.cases, name, "expected.json"))
             and (not options.only or any(text in name for text in options.only))]
    cases, vectors, passed, failed = {}, {}, 0, 0
    for name in names:
        with open(os.path.join(options.cases, name, "expected.json"), encoding="utf-8") as file:
            cases[name] = json.load(file)
    # A kind comes after the one that it is a flip of.
    for name in sorted(names, key=lambda name: (depth(name, cases), name)):
        folder, case = os.path.join(options.cases, name), cases[name]
        if case.get("vectors") is None and not case.get("refused"):
            print(f"{name}: skipped, no vectors")
            continue
        try:
            with tempfile.TemporaryDirectory() as temporary:
                vectors[name], line = check(options.thimble, folder, case, temporary)
            line += check_flip(name, case, vectors)
            passed += 1
        except Failed as error:
            failed += 1
            line = f"FAILED: {error}"
        print(f"{name}: {line}", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


def depth(name, cases):
    flipped = cases[name].get("flipped")
    return 1 + depth(flipped, cases) if flipped in cases else 0


if __name__ == "__main__":
    main()
