"""bench/peers/report.py: the tables, the plot, and where they go."""

import copy
import pathlib
import tempfile
import unittest

import report_run

COSINE = {"mean": 0.99961, "p1": 0.99881, "min": 0.99796}


def figures(*rounds, **more):
    return {"rounds": list(rounds), "min": min(rounds) - 0.01, **more}


def row(name, text, ids, mixed, **more):
    return {"name": name, "version": f"{name.split()[0]} 1.2", "error": "", "text": text, "ids": ids,
            "corpus": {"mixed": {"batch": 8, "texts_per_s": [mixed, mixed]}}, "cosine": COSINE, **more}


# The second round was slow for all: the ratio of the medians would be 1.5 for the slow peer at 8 tokens.
OWN = row("thimble q8", {"8": figures(0.5, 1.0, 0.5), "8x16": figures(8.0, 8.0, 8.0)},
          {"8": figures(0.45, 0.9, 0.45, floor=[0.4, 0.4, 0.4], floor_ratio=[1.1, 1.2, 1.1]),
           "8x16": figures(7.5, 7.5, 7.5, floor=[7.0, 7.0, 7.0], floor_ratio=[1.07, 1.07, 1.08])}, 700)
FAST = row("OpenVINO int8", {"8": figures(1.0, 2.2, 1.1), "8x16": figures(9.0, 9.0, 9.0)},
           {"8": figures(0.9, 2.0, 0.9)}, 410)
SLOW = row("fastembed int8", {"8": figures(1.4, 1.5, 1.5), "8x16": figures(10.0, 9.5, 10.0)}, {}, 380)
REFERENCE = row("sentence-transformers fp32", {"8": figures(9.0, 9.0, 9.0), "8x16": figures(150.0, 150.0, 150.0)}, {}, 117,
                cosine=None)
BROKEN = row("CTranslate2 int8", {"8": figures(0.1, 0.1, 0.1)}, {}, 9000, error="its process ended with code -9")
RESULT = {"processor": "a processor", "cpus": 2, "load": 0.04, "isa": None, "quick": False, "only": [], "rounds": 3, "seconds": 1.0,
          "corpus": {"name": "made up", "texts": 2652},
          "runs": [{"threads": 1, "reference": "sentence-transformers fp32", "tokenizer": {"8": 0.012, "corpus": 0.034},
                    "rows": [OWN, FAST, SLOW, REFERENCE, BROKEN]}]}


class PeersReport(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.temporary.name)
        (self.root / "docs").mkdir()
        for name in ("README.md", "docs/peers.md"):
            (self.root / name).write_text("before\n<!-- peers -->\nstale\n<!-- /peers -->\nafter\n")
        self.result = RESULT

    def tearDown(self):
        self.temporary.cleanup()

    def run_script(self, *options):
        return report_run.run("peers", self.result, self.root, *options)

    def tables(self):
        self.assertEqual(self.run_script()[0], 0)
        return (self.root / "docs/peers.md").read_text()

    def test_the_ratio_is_that_of_the_rounds_and_names_the_fastest_peer(self):
        text = self.tables()
        self.assertIn("| 8, ms | 0.50 | OpenVINO int8 | 1.10 | 2.20 |", text)
        self.assertIn("| 8x16, ms | 8.00 | OpenVINO int8 | 9.00 | 1.12 |", text)
        self.assertIn("| corpus, texts/s | 700 | OpenVINO int8 | 410 | 1.71 |", text)

    def test_a_peer_that_failed_is_named_with_the_reason_and_counts_nowhere(self):
        text = self.tables()
        self.assertIn("- CTranslate2 int8 (one thread): its process ended with code -9\n", text)
        self.assertEqual(text.count("CTranslate2"), 1)
        self.assertIn("the fastest of 3 peers", (self.root / "README.md").read_text())

    def test_every_row_has_medians_minima_and_cosines(self):
        text = self.tables()
        self.assertIn("| fastembed int8 | 1.50 (1.39) | 10.00 (9.49) | 0.99961 / 0.99881 / 0.99796 |", text)
        self.assertIn("| sentence-transformers fp32 | 9.00 (8.99) | 150 (150) | the reference |", text)
        self.assertIn("| OpenVINO int8 | 0.90 (0.89) | - | 0.99961 / 0.99881 / 0.99796 |", text)
        self.assertIn("| fastembed int8 | 380 (8) | - | 0.99961", text)

    def test_the_time_of_the_tokenizer_is_stated(self):
        self.assertIn("of the same text: 1.2% at 8, 3.4% over the corpus.\n", self.tables())

    def test_replaces_what_is_between_the_markers_and_checks_it(self):
        self.assertEqual(self.run_script("--check")[0], 1)
        self.assertIn("stale", (self.root / "README.md").read_text())
        text = self.tables()
        self.assertTrue(text.startswith("before\n<!-- peers -->\n"))
        self.assertTrue(text.endswith("<!-- /peers -->\nafter\n"))
        self.assertNotIn("stale", text)
        self.assertIn("![The fastest peer against thimble](docs/peers.svg)", (self.root / "README.md").read_text())
        self.assertEqual(self.run_script("--check"), (0, ""))

    def test_the_chart_has_the_ratios_of_the_summary(self):
        self.tables()
        kind, _, _, groups = report_run.chart(self.root / "docs/peers.svg")
        self.assertEqual((kind, len(groups), groups[0][0]), ("ratios", 1, "one thread"))
        expected = [("8", 2.2), ("8x16", 1.125), ("corpus", 700 / 410)]
        self.assertEqual([name for name, *_ in groups[0][1]], [name for name, _ in expected])
        for (_, ratio, peer), (_, expected_ratio) in zip(groups[0][1], expected):
            self.assertAlmostEqual(ratio, expected_ratio)
            self.assertEqual(peer, "OpenVINO int8")

    def test_a_run_held_to_an_instruction_set_has_the_ratios_of_every_dtype_and_a_place_of_its_own(self):
        result = copy.deepcopy(RESULT)
        result["isa"] = "avx2"
        for number, measured in enumerate(result["runs"][0]["rows"]):
            measured["seen"] = 1000 + number
        q4 = row("thimble q4", {"8": figures(0.25, 0.5, 0.25), "8x16": figures(4.0, 4.0, 4.0)}, {}, 1400, seen=1001)
        result["runs"][0]["rows"].insert(1, q4)
        self.result = result
        document = self.root / "docs/peers.md"
        document.write_text(document.read_text() + "<!-- peers avx2 -->\n<!-- /peers avx2 -->\n")
        before = (self.root / "README.md").read_text()
        text = self.tables()
        self.assertEqual((self.root / "README.md").read_text(), before)
        self.assertTrue(text.startswith("before\n<!-- peers -->\nstale\n<!-- /peers -->\nafter\n<!-- peers avx2 -->\n"))
        self.assertIn("All held to avx2: each was seen at 1,000 instructions or more", text)
        own, smaller = text.split("how many times longer the peers take than ")[1:]
        head = "| from text | OpenVINO int8 | fastembed int8 | sentence-transformers fp32 | fastest | which is |"
        self.assertTrue(own.startswith(f"thimble q8\n\n{head}\n"), own)
        self.assertIn("| 8 | 2.20 | 2.80 | 18.00 | 2.20 | OpenVINO int8 |\n", own)
        self.assertIn("| 8x16 | 1.12 | 1.25 | 18.75 | 1.12 | OpenVINO int8 |\n", own)
        self.assertIn("| corpus | 1.71 | 1.84 | 5.98 | 1.71 | OpenVINO int8 |\n", own)
        self.assertIn("| 8 | 4.40 | 5.60 | 36.00 | 4.40 | OpenVINO int8 |\n", smaller)

    def test_a_run_without_our_own_figures_is_an_error(self):
        result = copy.deepcopy(RESULT)
        result["runs"][0]["rows"][0]["error"] = "no such file"
        self.result = result
        code, words = self.run_script()
        self.assertEqual(code, 1)
        self.assertIn("thimble q8 was not measured with one thread", words)


if __name__ == "__main__":
    unittest.main()
