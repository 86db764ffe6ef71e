#!/usr/bin/env python3
"""Prints how many tests passed and failed: scripts/count_tests.py FOLDER with the JUnit files of ctest and of node."""

import pathlib
import sys
import xml.etree.ElementTree

counts = {"run": 0, "fail": 0, "skipped": 0}
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.xml")):
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        # Of the two only ctest has a status, also for what did not run.
        failed = case.find("failure") is not None or case.get("status", "run") != "run"
        counts["skipped" if case.find("skipped") is not None else "fail" if failed else "run"] += 1
print(f"{counts['run']} passed, {counts['fail']} failed, {counts['skipped']} skipped")
