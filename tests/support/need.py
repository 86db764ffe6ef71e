"""What tests need and a machine may lack: without it they are skipped, and fail where THIMBLE_REQUIRE is set, which says
that this run is meant to have it. What depends on the processor, the kernel, rights or the build is a skip of unittest."""

import functools
import os
import unittest

REQUIRED = bool(os.environ.get("THIMBLE_REQUIRE"))


def here(found, what):
    """In a test or in what sets it up."""
    if not found:
        if REQUIRED:
            raise AssertionError(f"{what}: not found, and THIMBLE_REQUIRE is set; \"make test\" makes or installs it")
        raise unittest.SkipTest(f"{what}: not found")


def unless(found, what):
    """A decorator for a test or a class of tests."""
    if found or not REQUIRED:
        return unittest.skipUnless(found, f"{what}: not found")

    def decorate(item):
        if isinstance(item, type):
            item.setUpClass = classmethod(lambda cls: here(False, what))
            return item
        return functools.wraps(item)(lambda self: here(False, what))
    return decorate
