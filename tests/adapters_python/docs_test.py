"""The programs of docs/python-adapters.md print what the page says."""

import contextlib
import io
import pathlib
import re

import pytest
from conftest import MODEL, RERANKER

PAGE = (pathlib.Path(__file__).resolve().parents[2] / "docs/python-adapters.md").read_text()
PROGRAMS = re.findall(r"^## ([^\n]+)\n\n```python\n(.*?)```\n```\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)


def test_every_program_is_found():
    assert len(PROGRAMS) == PAGE.count("```python") == 9


@pytest.mark.parametrize(("name", "source", "expected"), PROGRAMS, ids=[name for name, _, _ in PROGRAMS])
def test_program(name, source, expected):
    source = source.replace('"all-MiniLM-L6-v2"', repr(MODEL)).replace('"ms-marco-MiniLM-L6-v2"', repr(RERANKER))
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(source, name, "exec"), {"__name__": "__main__"})
    assert output.getvalue() == expected
