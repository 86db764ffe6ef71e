#!/usr/bin/env python3
"""Prints how many tests passed, failed and were skipped, and why: scripts/count_tests.py FOLDER with the JUnit files of ctest,
pytest, node and bun. A script of Python is one test of ctest; the tests in it that are skipped are counted too."""

import collections
import pathlib
import re
import sys
import xml.etree.ElementTree

passed, failed, skipped = 0, [], collections.Counter()
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.xml")):
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        name, out, skip = case.get("name"), case.findtext("system-out") or "", case.find("skipped")
        # Of them only ctest has a status, also for what did not run.
        if case.find("failure") is not None or case.find("error") is not None or \
                (skip is None and case.get("status", "run") != "run"):
            failed.append(f"{path.stem}: {name}")
        elif skip is None:
            passed += 1
            for reason in re.findall(r"\.\.\. skipped ['\"](.*)['\"]$", out, re.MULTILINE):
                skipped[f"{path.stem}: {reason}"] += 1
        else:
            # Of GoogleTest: the line behind "file:line: Skipped".
            said = re.search(r": Skipped\n(.+)", out)
            skipped[f"{path.stem}: {said[1] if said else skip.get('message') or name}"] += 1
print(f"{passed} passed, {len(failed)} failed, {sum(skipped.values())} skipped")
for name in failed:
    print(f"  failed   {name}")
for reason, count in sorted(skipped.items()):
    print(f"  skipped  {count} in {reason}")
