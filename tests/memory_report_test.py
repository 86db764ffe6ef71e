"""bench/memory/report.py: the table, the plot, and where they go."""

import json
import math
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

SCRIPT = pathlib.Path(__file__).resolve().parent.parent / "bench/memory/report.py"
SVG = "{http://www.w3.org/2000/svg}"


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
        (self.root / "memory.json").write_text(json.dumps(RESULT))

    def tearDown(self):
        self.temporary.cleanup()

    def run_script(self, *options):
        return subprocess.run([sys.executable, SCRIPT, self.root / "memory.json", "--root", self.root, *options],
                              capture_output=True, text=True)

    def test_replaces_what_is_between_the_markers(self):
        self.assertEqual(self.run_script().returncode, 0)
        text = (self.root / "README.md").read_text()
        self.assertTrue(text.startswith("before\n<!-- memory -->\n| MB |"))
        self.assertTrue(text.endswith("|\n<!-- /memory -->\nafter\n"))
        self.assertNotIn("stale", text)
        self.assertIn("| thimble q8 | 23.1 | 1.42 | 2.84 | 4.26 | 0.38 | 0.37 | 2.9 |", text)
        self.assertIn("| onnxruntime-node q8 | - | not here |", text)
        self.assertIn("| *q8, as users report* | - | 4,000 |", text)
        self.assertEqual(text, (self.root / "docs/memory.md").read_text())

    def test_check_says_whether_the_documents_are_up_to_date(self):
        self.assertEqual(self.run_script("--check").returncode, 1)
        self.assertIn("stale", (self.root / "README.md").read_text())
        self.run_script()
        self.assertEqual(self.run_script("--check").returncode, 0)

    def test_a_document_without_markers_is_named(self):
        (self.root / "README.md").write_text("nothing\n")
        result = self.run_script()
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("README.md: expected the lines", result.stderr)

    def test_bars_are_as_long_as_the_logarithm_of_what_they_show(self):
        self.run_script()
        root = ElementTree.parse(self.root / "docs/memory.svg").getroot()
        bars = [float(bar.get("width")) for bar in root.iter(SVG + "rect")]
        sizes = [1.42, 659, 200, 2000, 4000, 500]  # MB
        self.assertEqual(len(bars), len(sizes))
        for bar, size in zip(bars, sizes):
            self.assertAlmostEqual(bar / bars[0], (math.log10(size) + 1) / (math.log10(sizes[0]) + 1), places=2)
        places = [(text.get("text-anchor"), text.get("y"), text.get("x")) for text in root.iter(SVG + "text")]
        self.assertEqual(len(places), len(set(places)), "labels lie on each other")


if __name__ == "__main__":
    unittest.main()
