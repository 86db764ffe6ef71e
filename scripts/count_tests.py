#!/usr/bin/env python3
"""Prints how many tests passed and failed: scripts/count_tests.py FOLDER with the JUnit files of ctest."""

import pathlib
import sys
import xml.etree.ElementTree

passed = failed = 0
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.xml")):
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        if case.get("status") == "run":
            passed += 1
        else:
            failed += 1
print(f"{passed} passed, {failed} failed")
