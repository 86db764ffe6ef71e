"""bench/memory/report.py: the table, the plot, and where they go."""

import pathlib
import tempfile
import unittest

import report_run


def figures(private):
    return {"rss": private * 3, "pss": private * 2, "private": private}


def row(name, dtype, peak):
    return {"name": name, "dtype": dtype, "file_bytes": 23_107_776, "error": "", "start": figures(100_000),
            "loaded": figures(200_000), "peak": figures(peak), "idle": figures(380_000), "unloaded": figures(370_000),
            "cold_start_ms": 2.94, "reload_ms": 1.2}


RESULT = {"rows": [row("thimble", "q8", 1_420_000), row("transformers.js", "q8", 659_000_000),
                   {"name": "onnxruntime-node", "dtype": "q8", "file_bytes": 0, "error": "not here"}]}


class MemoryReport(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.temporary.name)
        (self.root / "docs").mkdir()
        for name in ("README.md", "docs/memory.md"):
            (self.root / name).write_text("before\n<!-- memory -->\nstale\n<!-- /memory -->\nafter\n")

    def tearDown(self):
        self.temporary.cleanup()

    def run_script(self, *options):
        return report_run.run("memory", RESULT, self.root, *options)

    def test_replaces_what_is_between_the_markers(self):
        self.assertEqual(self.run_script()[0], 0)
        text = (self.root / "README.md").read_text()
        self.assertTrue(text.startswith("before\n<!-- memory -->\n| MB |"))
        self.assertTrue(text.endswith("|\n<!-- /memory -->\nafter\n"))
        self.assertNotIn("stale", text)
        self.assertIn("| thimble q8 | 23.1 | 1.42 | 2.84 | 4.26 | 0.38 | 0.37 | 2.9 |", text)
        self.assertIn("| onnxruntime-node q8 | - | not here |", text)
        self.assertIn("| *q8, as users report* | - | 4,000 |", text)
        self.assertEqual(text, (self.root / "docs/memory.md").read_text())

    def test_check_says_whether_the_documents_are_up_to_date(self):
        self.assertEqual(self.run_script("--check")[0], 1)
        self.assertIn("stale", (self.root / "README.md").read_text())
        self.run_script()
        self.assertEqual(self.run_script("--check"), (0, ""))

    def test_a_document_without_markers_is_named(self):
        (self.root / "README.md").write_text("nothing\n")
        code, words = self.run_script()
        self.assertEqual(code, 1)
        self.assertIn("README.md: expected the lines", words)

    def test_prints_the_table_without_touching_documents(self):
        code, table = self.run_script("--print")
        self.assertEqual(code, 0)
        self.assertIn("| transformers.js q8 | 23.1 | 659 |", table)
        self.assertIn("stale", (self.root / "README.md").read_text())

    def test_the_chart_has_what_was_measured_and_what_users_report(self):
        self.run_script()
        kind, _, _, rows, names = report_run.chart(self.root / "docs/memory.svg")
        self.assertEqual(kind, "bars")
        self.assertEqual(rows[:2], [["thimble q8", 1_420_000, "own"], ["transformers.js q8", 659_000_000, "peer"]])
        self.assertEqual([size for _, size, kind in rows[2:] if kind == "reported"], [200e6, 2e9, 4e9, 500e6])
        self.assertEqual(set(names), {kind for *_, kind in rows})


if __name__ == "__main__":
    unittest.main()
