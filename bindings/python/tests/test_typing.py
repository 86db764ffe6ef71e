"""The annotations of the package, and of a program that uses it, as mypy and pyright see them."""

import pathlib
import shutil
import subprocess
import sys

import pytest
from reference import needs

import thimble

HERE = pathlib.Path(__file__).resolve().parent
PACKAGE = pathlib.Path(thimble.__file__).resolve().parent


def check(command):
    result = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


# Files of adapters are left out where the packages that they adapt to are not installed.
FILES = ["__init__", "sentence_transformer", "cross_encoder", "util", "quantization", "_face", "_settings", "_arrays"]


@needs("mypy")
def test_mypy_finds_nothing(tmp_path):
    sources = [str(PACKAGE / f"{name}.py") for name in FILES]
    options = ["--strict", "--config-file=", "--cache-dir", str(tmp_path)]
    check([sys.executable, "-m", "mypy", *options, *sources, str(HERE / "typed_user.py")])


@pytest.mark.skipif(shutil.which("pyright") is None, reason="pyright is not installed")
def test_pyright_finds_nothing():
    sources = [str(PACKAGE / f"{name}.py") for name in FILES]
    check(["pyright", "--pythonpath", sys.executable, *sources, str(HERE / "typed_user.py")])
