"""bench/node/report.py: the tables, the plot, and where they go."""

import pathlib
import tempfile
import unittest

import report_run

STAGES = ("node", "import", "load", "batch", "short", "dispose", "peak")


def figures(size):
    return {"rss": size * 3, "private": size, "pss": size * 2}


def row(peer, dtype, size, functions):
    memory = {stage: figures(size * i + 9_000_000) for i, stage in enumerate(STAGES)}
    return {"peer": peer, "dtype": dtype, "memory": memory, "functions": functions, "long_texts_per_s": 51.6,
            "short_texts_per_s": 1234.4, "latency_ms": 1.234, "loop_p99_ms": 1.44, "loop_max_ms": 3.5,
            "cold_start_ms": 60.0, "install_bytes": 4_200_000}


RESULT = {"node": "v20.0.0", "bare": figures(9_000_000), "bare_start_ms": 40.0, "tfjs_node": "it did not load.",
          "rows": [row("transformers.js", "q8", 100_000_000, {"error": "ended with SIGKILL"}),
                   row("thimble", "q8", 1_000_000, {"node": figures(9_000_000), "peak": figures(10_500_000)})]}


class NodeReport(unittest.TestCase):
    def test_writes_tables_and_plot_and_checks_them(self):
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            (root / "docs").mkdir()
            (root / "docs/node.md").write_text("before\n<!-- compare -->\nstale\n<!-- /compare -->\nafter\n")
            self.assertEqual([report_run.run("node", RESULT, root, *options)[0] for options in (["--check"], [], ["--check"])],
                             [1, 0, 0])
            text = (root / "docs/node.md").read_text()
            self.assertNotIn("stale", text)
            self.assertIn("| model ready | 200 | 2.00 |", text)  # Private, over bare node.
            self.assertIn("| bare node | 27.0 | 27.0 |", text)  # RSS.
            self.assertIn("| transformers.js q8 | 52 | 1,234 | 1.23 | 1.4 / 4 | 20 | 4.20 | ended with SIGKILL |", text)
            self.assertIn("| thimble q8 | 52 | 1,234 | 1.23 | 1.4 / 4 | 20 | 4.20 | 1.50 |", text)
            self.assertIn("it did not load.", text)
            _, _, _, rows, _ = report_run.chart(root / "docs/node.svg")
            self.assertEqual(rows, [["transformers.js q8", 600_000_000, "peer"], ["thimble q8", 6_000_000, "own"],
                                    ["60 functions: thimble q8", 1_500_000, "own"]])


if __name__ == "__main__":
    unittest.main()
