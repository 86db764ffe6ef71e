"""What make_test_model makes: small model files of every dtype, a reranker, and the folder they were converted from."""

import os
import pathlib
import subprocess
import tempfile
import unittest


def make(cleanup=unittest.addModuleCleanup):
    """A folder with them, for the tests of a module, or of a class whose addClassCleanup is given."""
    temporary = tempfile.TemporaryDirectory()
    cleanup(temporary.cleanup)
    subprocess.run([os.environ["THIMBLE_MAKE_TEST_MODEL"], temporary.name], check=True)
    return pathlib.Path(temporary.name)
