"""The measures of bench/quality against values worked out by hand, its limits, and its reading of data."""

import json
import math
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench/quality"))
import limits
import measures
import texts


class Measures(unittest.TestCase):
    def test_equal_values_share_their_mean_rank(self):
        self.assertEqual(measures.ranks([30, 10, 20, 10]), [4, 1.5, 3, 1.5])

    def test_spearman_sees_order_alone(self):
        self.assertAlmostEqual(measures.spearman([1, 2, 3, 4], [1, 10, 100, 1000]), 1)
        self.assertAlmostEqual(measures.spearman([1, 2, 3, 4], [8, 4, 2, 1]), -1)
        # By 1 - 6 sum(d^2) / (n (n^2 - 1)) with d = 0, 1, 1, 0.
        self.assertAlmostEqual(measures.spearman([1, 2, 3, 4], [1, 3, 2, 4]), 1 - 6 * 2 / 60)
        # With ties: Pearson's correlation of 1, 2.5, 2.5, 4 and 1, 2, 3, 4.
        self.assertAlmostEqual(measures.spearman([1, 2, 2, 3], [1, 2, 3, 4]), 4.5 / math.sqrt(4.5 * 5))

    def test_ndcg_weighs_places_and_knows_the_best_possible(self):
        self.assertEqual(measures.ndcg([7, 8, 9], {7: 1}, 10), 1)
        self.assertAlmostEqual(measures.ndcg([8, 7, 9], {7: 1}, 10), 1 / math.log2(3))
        self.assertAlmostEqual(measures.ndcg([7, 8, 9], {7: 1, 9: 2}, 10), (1 + 2 / 2) / (2 + 1 / math.log2(3)))
        self.assertEqual(measures.ndcg([8, 7], {7: 1}, 1), 0)
        # Two are relevant, one place counts: one of them there is the best possible.
        self.assertEqual(measures.ndcg([7, 8], {7: 1, 8: 1}, 1), 1)

    def test_a_hundredth_of_the_values_lie_below_the_first_percentile(self):
        result = measures.summary([i / 1000 for i in reversed(range(1000))])
        self.assertAlmostEqual(result["mean"], 0.4995)
        self.assertEqual((result["p1"], result["min"]), (0.010, 0))
        self.assertEqual(measures.summary([3.0, 2.0])["p1"], 2)


class Limits(unittest.TestCase):
    def row(self, **more):
        return {"model": "all-MiniLM-L6-v2", "engine": "thimble", "dtype": "q4", "file_bytes": 16_400_000,
                "short": {"mean": .994, "p1": .970, "min": .94}, "long": {"mean": .987}, "spearman_change": -.2, **more}

    def test_a_row_at_its_limits_is_within_them(self):
        self.assertEqual(limits.beyond(self.row()), [])

    def test_every_figure_has_its_limit_and_a_nan_is_beyond_it(self):
        nan = math.nan
        for worse in ({"file_bytes": 16_400_001}, {"long": {"mean": .9869}}, {"long": {"mean": nan}},
                      {"spearman_change": .201}, {"spearman_change": -.201}, {"spearman_change": nan},
                      {"short": {"mean": .9939, "p1": .970, "min": .94}},
                      {"short": {"mean": .994, "p1": nan, "min": .94}},
                      {"short": {"mean": .994, "p1": .970, "min": .939}}):
            with self.subTest(worse):
                self.assertEqual(len(limits.beyond(self.row(**worse))), 1)

    def test_peers_and_other_models_have_none(self):
        self.assertEqual(limits.beyond(self.row(engine="llama.cpp", file_bytes=10**9)), [])
        self.assertEqual(limits.beyond(self.row(model="gte-small", file_bytes=10**9)), [])


class Texts(unittest.TestCase):
    def test_reads_sentences_once_and_documents_with_their_titles(self):
        long = " ".join(["word"] * 260)
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "stsb").mkdir()
            (folder / "ir/scifact").mkdir(parents=True)
            (folder / "stsb/stsb-en-test.csv").write_text('a dog,"a ""dog"", running",2.5\nanother,a dog,5.0\n')
            corpus = [{"_id": "4", "title": "One", "text": "short"}, {"_id": "7", "title": "Two", "text": long}]
            (folder / "ir/scifact/corpus.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in corpus))
            (folder / "ir/scifact/queries.test.jsonl").write_text('{"_id": "1", "text": "what"}\n')
            (folder / "ir/scifact/qrels.test.tsv").write_text("query-id\tcorpus-id\tscore\n1\t7\t1\n")
            data = texts.read(folder)
        self.assertEqual(data.sets, {"sentences": ["a dog", 'a "dog", running', "another"], "long": ["Two " + long],
                                     "documents": ["One short", "Two " + long], "queries": ["what"]})
        self.assertEqual(data.pairs, [(0, 1, 2.5), (2, 0, 5.0)])
        self.assertEqual(data.relevance, [{1: 1}])
        self.assertEqual(texts.prompted(data, "e5-small-v2", "queries"), ["query: what"])
        self.assertEqual(texts.prompted(data, "all-MiniLM-L6-v2", "queries"), ["what"])
        self.assertEqual(texts.prompted(data, "a-model-of-nobody", "queries"), ["what"])

    def test_prompts_are_those_of_the_known_models(self):
        instruction = "Represent this sentence for searching relevant passages: "
        self.assertEqual(texts.prompts("e5-small-v2"), {"sentences": "query: ", "queries": "query: ",
                                                        "long": "passage: ", "documents": "passage: "})
        self.assertEqual(texts.prompts("bge-small-en-v1.5"), {"sentences": "", "queries": instruction, "long": "",
                                                              "documents": ""})
        self.assertEqual(set(texts.prompts("gte-small").values()), {""})


if __name__ == "__main__":
    unittest.main()
