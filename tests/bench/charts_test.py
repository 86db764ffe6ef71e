"""bench/charts.py: that what is drawn has the lengths and places of its figures. bench/report.sh runs this, because it needs
matplotlib."""

import importlib.util
import math
import pathlib
import re
import sys
import unittest
import xml.etree.ElementTree as ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
SVG = "{http://www.w3.org/2000/svg}"
BARS = [("thimble q8", 1.42e6, "own"), ("transformers.js q8", 659e6, "peer"), ("mock, as users report", 200e6, "reported")]
RATIOS = [("one thread", [("8", 2.2, "OpenVINO int8"), ("corpus", 1.1, "fastembed")]), ("two threads", [("8", 1.5, "a & b")])]
POINTS = [("thimble fp16", 45.409e6, 1e-7, "own"), ("thimble q8", 23.108e6, 5e-4, "own"),
          ("peer q8, alone", 22.972e6, 9e-3, "peer"), ("peer q8, batches of 32", 22.972e6, 1e-2, "peer")]
NAMES = {"own": "thimble", "peer": "other engines"}


def texts(root):
    """(text, x, baseline) of all words."""
    return [(node.text, float(node.get("x")), float(node.get("y"))) for node in root.iter(SVG + "text")]


def marked(root, kind):
    """Numbers of the outlines or places of all bars or points, and their colours."""
    for group in root.iter(SVG + "g"):
        if (group.get("id") or "").startswith(kind + "-"):
            shape = next(node for node in group.iter() if node.tag in (SVG + "use", SVG + "path") and
                         (node.get("x") or kind == "bar"))
            numbers = [float(shape.get("x")), float(shape.get("y"))] if kind == "point" else \
                [float(number) for number in re.findall(r"-?[\d.]+", shape.get("d"))]
            yield numbers, re.search(r"fill: (#\w+)", shape.get("style"))[1]


@unittest.skipUnless(importlib.util.find_spec("matplotlib"), "matplotlib is not here; bench/report.sh installs it and runs this")
class Charts(unittest.TestCase):
    def setUp(self):
        import charts
        self.charts = charts

    def test_bars_are_as_long_as_the_logarithm_of_what_they_show(self):
        root = ElementTree.fromstring(self.charts.bars("a title", "what it is", BARS, NAMES))
        bars = list(marked(root, "bar"))
        lengths = [max(outline[::2]) - min(outline[::2]) for outline, _ in bars]
        for length, (_, size, _) in zip(lengths, BARS, strict=True):
            self.assertAlmostEqual(length / lengths[0], math.log10(size / 1e5) / math.log10(BARS[0][1] / 1e5), places=3)
        self.assertEqual([colour for _, colour in bars], [self.charts.COLOURS[kind] for *_, kind in BARS])
        words = [text for text, *_ in texts(root)]
        for text in ("a title", "what it is", "thimble q8", "1.42 MB", "659 MB", "1 GB", "other engines"):
            self.assertIn(text, words)

    def test_ratios_start_at_nothing_and_name_the_peer(self):
        root = ElementTree.fromstring(self.charts.ratios("a title", "what it is", RATIOS))
        lengths = [max(outline[::2]) - min(outline[::2]) for outline, _ in marked(root, "bar")]
        for length, ratio in zip(lengths, (2.2, 1.1, 1.5), strict=True):
            self.assertAlmostEqual(length / lengths[0], ratio / 2.2, places=3)
        words = [text for text, *_ in texts(root)]
        for text in ("one thread", "two threads", "2.20  OpenVINO int8", "1.50  a & b"):
            self.assertIn(text, words)

    def test_points_lie_where_their_bytes_and_errors_are(self):
        root = ElementTree.fromstring(self.charts.points("a title", "what it is", POINTS, NAMES))
        places = {text: (x, y) for text, x, y in texts(root)}
        origin, ten = places["0"][0], places["10"][0]
        decade = places["0.01"][1] - places["0.001"][1]
        points = list(marked(root, "point"))
        first = points[0][0]
        for ((x, y), colour), (_, size, error, kind) in zip(points, POINTS, strict=True):
            self.assertAlmostEqual(x, origin + size / 1e7 * (ten - origin), delta=0.1)
            self.assertAlmostEqual(y - first[1], (math.log10(error) + 7) * decade, delta=0.1)
            self.assertEqual(colour, self.charts.COLOURS[kind])

    def test_labels_do_not_lie_on_each_other(self):
        for picture in (self.charts.points("a title", "what it is", POINTS, NAMES), self.charts.bars("", "", BARS, NAMES)):
            words = texts(ElementTree.fromstring(picture))
            labels = [word for word in words if any(word[0].startswith(kind) for kind in ("thimble ", "peer ", "mock"))]
            self.assertGreaterEqual(len(labels), 2)
            for i, (_, x, y) in enumerate(labels):
                for _, other_x, other_y in labels[:i]:
                    self.assertTrue(abs(y - other_y) >= 9 or abs(x - other_x) > 60, labels)

    def test_the_same_figures_give_the_same_bytes(self):
        first = self.charts.bars("a title", "what it is", BARS, NAMES)
        self.assertEqual(first, self.charts.bars("a title", "what it is", BARS, NAMES))
        self.assertNotRegex(first, r"dc:date|matplotlib\.org")


if __name__ == "__main__":
    unittest.main()
