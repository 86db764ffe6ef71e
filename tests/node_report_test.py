"""bench/node/report.py: the tables, the plot, and where they go."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

SCRIPT = pathlib.Path(__file__).resolve().parent.parent / "bench/node/report.py"
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
            (root / "compare.json").write_text(json.dumps(RESULT))

            def run(*options):
                return subprocess.run([sys.executable, SCRIPT, root / "compare.json", "--root", root, *options],
                                      capture_output=True, text=True).returncode

            self.assertEqual(run("--check"), 1)
            self.assertEqual(run(), 0)
            self.assertEqual(run("--check"), 0)
            text = (root / "docs/node.md").read_text()
            self.assertNotIn("stale", text)
            self.assertIn("| model ready | 200 | 2.00 |", text)  # Private, over bare node.
            self.assertIn("| bare node | 27.0 | 27.0 |", text)  # RSS.
            self.assertIn("| transformers.js q8 | 52 | 1,234 | 1.23 | 1.4 / 4 | 20 | 4.20 | ended with SIGKILL |", text)
            self.assertIn("| thimble q8 | 52 | 1,234 | 1.23 | 1.4 / 4 | 20 | 4.20 | 1.50 |", text)
            self.assertIn("it did not load.", text)
            words = [node.text for node in ElementTree.parse(root / "docs/node.svg").getroot().iter() if node.text]
            self.assertIn("60 functions: thimble q8", words)
            self.assertNotIn("60 functions: transformers.js q8", words)


if __name__ == "__main__":
    unittest.main()
