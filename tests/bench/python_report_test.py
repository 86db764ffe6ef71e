"""bench/python/report.py: the tables, and whether thimble keeps its promises."""

import copy
import pathlib
import tempfile
import unittest

import report_run


def row(name, texts_per_s, ratio, private, start_ms):
    return {"name": name, "version": f"{name.split()[0]} 1.2", "texts_per_s": texts_per_s, "ratio": ratio, "private": private,
            "start_ms": start_ms, "cosine": 0.99974}


RESULT = {"processor": "a processor", "cpus": 2, "load": 0.04, "threads": 1, "texts": 10_000, "blocks": 20, "starts": 11,
          "bare": {"private": 6_000_000, "start_ms": 21.0},
          "rows": [row("thimble q8", 700.0, 1.0, 9_000_000, 75.2),
                   row("thimble q8, encode_buffer", 701.0, 0.999, 4_000_000, 25.2), row("fastembed int8", 350.0, 2.01, 300_000_000, 900.0),
                   row("sentence-transformers OpenVINO int8", 400.0, 1.71, 700_000_000, 7000.0)]}


class PythonReport(unittest.TestCase):
    def report(self, result, *options):
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            (root / "docs").mkdir()
            path = root / "docs/python-bench.md"
            path.write_text("before\n<!-- python -->\nold\n<!-- /python -->\nbehind\n")
            code, printed = report_run.run("python", result, root, *options)
            return code, printed, path.read_text()

    def test_tables(self):
        code, _, text = self.report(RESULT)
        self.assertEqual(code, 0)
        self.assertTrue(text.startswith("before\n<!-- python -->\na processor, 2 CPUs"))
        self.assertNotIn("old", text)
        self.assertIn("| thimble q8 | 700 |  | 9.00 | 75 | 0.99974 | thimble 1.2 |", text)
        self.assertLess(text.index("| sentence-transformers OpenVINO int8 | 400"), text.index("| fastembed int8 | 350"))
        self.assertIn("| speed relative to the fastest | sentence-transformers OpenVINO int8 | 1.71 | at least 1.6 | yes |", text)
        self.assertIn("| private memory relative to the least | fastembed int8 | 0.030 | at most 0.1 | yes |", text)
        self.assertIn("| import and first vector, ms |  | 25 | at most 60 | yes |", text)
        self.assertIn("| import and first vector as numpy array, ms |  | 75 | at most 60 | no |", text)

    def test_a_broken_promise_is_told(self):
        result = copy.deepcopy(RESULT)
        result["rows"][0].update(private=31_000_000)
        result["rows"][1].update(start_ms=61.0)
        result["rows"][3]["ratio"] = 1.59
        _, printed, text = self.report(result, "--print")
        self.assertIn("old", text)
        self.assertEqual(printed.count("| no |"), 4)


if __name__ == "__main__":
    unittest.main()
