"""Runs the snippets of the package's README and of the project's, and compares what they print. With THIMBLE_REAL_MODEL, a
folder with the models of `make demo`, to the digit; else on a small random model, number for number."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import pytest

FOLDER = pathlib.Path(__file__).resolve().parents[1]
TEXT = "".join((path / "README.md").read_text() for path in (FOLDER, FOLDER.parents[1]))
SNIPPETS = re.findall(r"```python\n(.*?)```\n```\n(.*?)```", TEXT, re.DOTALL)
NUMBER = re.compile(r"-?\d+(\.\d+)?")


def test_every_snippet_has_an_output() -> None:
    assert len(SNIPPETS) == TEXT.count("```python")


@pytest.mark.parametrize("source, expected", SNIPPETS)
def test_snippet(source: str, expected: str, models: pathlib.Path, tmp_path: pathlib.Path) -> None:
    real = os.environ.get("THIMBLE_REAL_MODEL")
    file = pathlib.Path(real).resolve() / "all-MiniLM-L6-v2-q8.safetensors" if real else models / "q8.safetensors"
    for folder in ("build/models", "home"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "all-MiniLM-L6-v2-q8.safetensors").symlink_to(file)
    (tmp_path / "home/ms-marco-MiniLM-L6-v2-q8.safetensors").symlink_to(models / "reranker-q8.safetensors")
    # A process of its own: that of the tests has a pool with other models.
    program = subprocess.run([sys.executable, "-c", source], cwd=tmp_path, capture_output=True, text=True, timeout=300,
                             env={**os.environ, "THIMBLE_HOME": str(tmp_path / "home")})
    assert program.returncode == 0, program.stderr
    printed = program.stdout
    # No reranker is in a package.
    if real and "CrossEncoder" not in source and "Reranker" not in source:
        assert printed == expected
    else:
        assert NUMBER.sub("N", printed) == NUMBER.sub("N", expected)
