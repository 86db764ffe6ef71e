"""docs/security.md: its limits are those of the source, its links lead somewhere."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/security.md").read_text()
UNITS = {"": 1, " KiB": 1 << 10, " MiB": 1 << 20, " GiB": 1 << 30}


def constant(name, path):
    """The value of the constant in that file, which must have one of that name."""
    text = (ROOT / path).read_text()
    found = re.findall(rf"\b{name} = ([^;,]+)[;,]", text)
    if len(found) != 1:
        raise AssertionError(f"{path} has {len(found)} constants {name}")
    expression = re.sub(r"std::\w+\{(\d+)\}", r"\1", found[0]).replace("u", "")
    if not re.fullmatch(r"[\d\s<()+*-]+", expression):
        raise AssertionError(f"{path}: {name} is {expression}")
    return eval(expression, {"__builtins__": {}})


class Security(unittest.TestCase):
    def test_limits_are_those_of_the_source(self):
        rows = re.findall(r"^\| ([^|]+) \| ([\d,]+)( [KMG]iB)? \| `(\w+)` in `([^`]+)` \|$", PAGE, re.M)
        table = PAGE[PAGE.index("## Limits"):PAGE.index("## What thimble does not do")]
        self.assertEqual(len(rows), sum(line.startswith("|") for line in table.splitlines()) - 2)
        for what, number, unit, name, path in rows:
            with self.subTest(what):
                self.assertEqual(int(number.replace(",", "")) * UNITS[unit or ""], constant(name, path))

    def test_loaded_libraries_are_those_of_the_source(self):
        for path in ("src/net/http.cc", "src/server/openssl.cc", "src/sync/sqlite.cc"):
            for name in re.findall(r'"(lib[\w.-]+\.so[\w.]*)"', (ROOT / path).read_text()):
                self.assertIn(f"`{name}`", PAGE, path)

    def test_links_lead_to_files(self):
        for name in ("SECURITY.md", "docs/security.md", "docs/trust.md"):
            page = ROOT / name
            for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
                self.assertTrue((page.parent / target).exists(), f"{name}: {target}")


if __name__ == "__main__":
    unittest.main()
