"""Models for the tests: small random ones, made by the build's make_test_model, which THIMBLE_MAKE_TEST_MODEL names, or
which is beside the library."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
from typing import Any, Callable, Iterator

import pytest
import reference

from thimble import _native

SUPPORT = pathlib.Path(__file__).resolve().parents[3] / "tests/support"
PYTHON = [sys.executable, "-m", "thimble"]

# A shell makes programs in the background ignore it, and what they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish() -> None:
    reference.write()


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    for name in ("THIMBLE_BACKEND", "THIMBLE_DOWNLOAD", "THIMBLE_THREADS", "THIMBLE_MAX_MEMORY", "THIMBLE_ISA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("THIMBLE_HOME", str(tmp_path_factory.getbasetemp() / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with DTYPE.safetensors for each dtype, reranker-q8.safetensors, and the folder source."""
    maker = os.environ.get("THIMBLE_MAKE_TEST_MODEL") or os.path.join(os.path.dirname(_native.library_path()),
                                                                      "make_test_model")
    if not os.path.exists(maker):
        pytest.skip(f"{maker} is not there: set THIMBLE_MAKE_TEST_MODEL")
    folder = tmp_path_factory.mktemp("models")
    subprocess.run([maker, str(folder)], check=True)
    return folder


@pytest.fixture(scope="session")
def model(models: pathlib.Path) -> str:
    return str(models / "q8.safetensors")


@pytest.fixture(scope="module")
def provider() -> Iterator[Any]:
    """The provider on loopback of the project's tests."""
    sys.path.insert(0, str(SUPPORT))
    try:
        import fake_provider  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(SUPPORT))
    server = fake_provider.FakeProvider()
    yield server
    server.close()


@pytest.fixture
def command_line() -> Iterator[Callable[..., str]]:
    """Runs the command line, of THIMBLE_CLI or of the package, and returns what it prints."""
    program = [os.environ["THIMBLE_CLI"]] if "THIMBLE_CLI" in os.environ else PYTHON

    def run(*arguments: str) -> str:
        return subprocess.run([*program, *arguments], check=True, capture_output=True, text=True).stdout

    yield run
