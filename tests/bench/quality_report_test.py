"""bench/quality/report.py: the tables, the plot, and where they go."""

import pathlib
import tempfile
import unittest

import report_run


def row(engine, dtype, size, mean, **more):
    return {"model": "small", "engine": engine, "dtype": dtype, "file_bytes": size, "version": f"{engine} 1",
            "error": "", "short": {"mean": mean, "p1": mean - 0.01, "min": mean - 0.02},
            "long": {"mean": mean, "p1": 0.5, "min": 0.5}, "spearman": 82.031, "spearman_change": -0.104,
            "ndcg": 0.64471, "ndcg_change": 0.0012, "beyond": [], **more}


RESULT = {"counts": {"sentences": 2552}, "only": [], "rows": [
    row("thimble", "fp32", 90_477_056, 1.0), row("thimble", "fp16", 45_409_280, 0.9999999),
    row("thimble", "q8", 23_107_776, 0.9995, beyond=["mean 0.999500, expected at least 0.999700"]),
    row("peer", "q8, alone", 22_972_370, 0.991, fp32_cosine=0.999998),
    row("peer", "q8, batches of 32", 22_972_370, 0.99),
    {"model": "small", "engine": "other", "dtype": "Q4_0", "file_bytes": 0, "version": "", "error": "not here",
     "beyond": []}]}


class QualityReport(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.temporary.name)
        (self.root / "docs").mkdir()
        self.page = self.root / "docs/quality.md"
        self.page.write_text("before\n<!-- quality -->\nstale\n<!-- /quality -->\nafter\n")

    def tearDown(self):
        self.temporary.cleanup()

    def run_script(self, *options, result=RESULT):
        return report_run.run("quality", result, self.root, *options)

    def test_replaces_what_is_between_the_markers(self):
        self.assertEqual(self.run_script()[0], 0)
        text = self.page.read_text()
        self.assertTrue(text.startswith("before\n<!-- quality -->\n### small\n"))
        self.assertTrue(text.endswith("\n<!-- /quality -->\nafter\n"))
        self.assertNotIn("stale", text)
        self.assertIn("| thimble q8 | 23.1 | 0.99950 | 0.98950 | 0.97950 | 0.99950 | 0.50000 | 82.03 | -0.10 | 0.6447 "
                      "| +0.0012 |", text)
        self.assertIn("| thimble fp16 | 45.4 | 0.99999990 |", text)
        heads = {line.count("|") for line in text.splitlines() if line.startswith("|")}
        self.assertEqual(len(heads), 1, "rows differ in their number of columns")

    def test_names_what_failed_and_what_was_compared(self):
        self.run_script()
        text = self.page.read_text()
        self.assertIn("- other Q4_0: not measured: not here\n", text)
        self.assertIn("- thimble q8: beyond its limit: mean 0.999500, expected at least 0.999700\n", text)
        self.assertIn("- peer: peer 1; its fp32 file gives the fp32 vectors of thimble with a minimum cosine of 0.999998",
                      text)

    def test_check_says_whether_the_documents_are_up_to_date(self):
        self.assertEqual(self.run_script("--check")[0], 1)
        self.assertIn("stale", self.page.read_text())
        self.run_script()
        self.assertEqual(self.run_script("--check"), (0, ""))

    def test_a_part_of_the_rows_does_not_replace_the_whole(self):
        code, words = self.run_script(result={**RESULT, "only": ["q8"]})
        self.assertEqual(code, 1)
        self.assertIn("have only the rows of q8", words)
        self.assertIn("stale", self.page.read_text())

    def test_the_chart_has_the_bytes_and_errors_of_all_but_the_reference(self):
        self.run_script()
        self.assertIn("](quality-small.svg)", self.page.read_text())
        kind, title, below, rows, _ = report_run.chart(self.root / "docs/quality-small.svg")
        self.assertEqual(kind, "points")
        self.assertIn("small", title)
        self.assertIn("2,552 short texts", below)
        expected = [("thimble fp16", 45_409_280, 1e-7, "own"), ("thimble q8", 23_107_776, 5e-4, "own"),
                    ("peer q8, alone", 22_972_370, 9e-3, "peer"), ("peer q8, batches of 32", 22_972_370, 1e-2, "peer")]
        self.assertEqual(len(rows), len(expected))
        for (name, size, error, kind), (*row, expected_error, expected_kind) in zip(rows, expected):
            self.assertEqual([name, size, kind], [*row, expected_kind])
            self.assertAlmostEqual(error, expected_error, delta=1e-3 * expected_error)


if __name__ == "__main__":
    unittest.main()
