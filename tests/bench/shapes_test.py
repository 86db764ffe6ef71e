"""bench/peers/shapes.py: what it asks for, what it makes of the times, and what it does with a peer that computes something
else; and the scores of bench_peer, which are those of `thimble rerank`.

THIMBLE_BUILD, THIMBLE_CLI and THIMBLE_MAKE_TEST_MODEL name the programs.
"""

import array
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "bench/peers"))
import shapes


class Words:
    """As corpus.Vocabulary."""

    def batch(self, count, length):
        return ["a " * (length - 2)] * count, None


class Answers:
    """A peer whose vectors are always the same."""

    def __init__(self, name, values):
        self.name, self.values = name, values

    def ask(self, file, **_request):
        pathlib.Path(file).write_bytes(array.array("f", self.values).tobytes())


class Shapes(unittest.TestCase):
    def test_texts_have_so_many_tokens_in_all(self):
        asked = shapes.request(Words(), "8x32", pairs=False)
        self.assertEqual((len(asked["texts"]), len(asked["texts"][0].split())), (8, 30))

    def test_pairs_have_so_many_tokens_in_all(self):
        asked = shapes.request(Words(), "8x32", pairs=True)
        self.assertEqual(len(asked["texts"]), 8)
        self.assertEqual(len(asked["query"].split()) + len(asked["texts"][0].split()) + 3, 32)

    def test_ratios_are_of_the_rounds_and_of_the_same_kind(self):
        times = {name: {length: [30.0] for length in shapes.LENGTHS} for name in (*shapes.OWN, *shapes.PEERS)}
        times["thimble q8"]["16"] = [10.0, 10.0, 40.0]
        times["OpenVINO int8"]["16"] = [11.0, 11.0, 80.0]
        times["onnxruntime fp32"]["64"] = [27.0]
        self.assertAlmostEqual(shapes.ratio(times, "OpenVINO int8", "16"), 1.1)
        text = shapes.table(times)
        self.assertIn("| OpenVINO int8 | 11.0 (1.10) |", text)
        self.assertTrue(text.endswith("\nLeast ratio: 0.90, onnxruntime fp32 at 64.\n"), text)

    def test_a_peer_that_computes_something_else_is_an_error(self):
        peers = [Answers("OpenVINO int8", [0.9, 0.1]), Answers("OpenVINO fp32", [1, 0]), Answers(shapes.REFERENCE, [1, 0])]
        shapes.check(peers, {"texts": ["a"]})
        peers[1].values = [0.9, 0.1]
        with self.assertRaisesRegex(SystemExit, "^OpenVINO fp32: computes something else"):
            shapes.check(peers, {"texts": ["a"]})


class Scores(unittest.TestCase):
    def test_bench_peer_scores_as_the_command_line_does(self):
        documents = ["the cat is in the sun", "a small vector", "good day"]
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([os.environ["THIMBLE_MAKE_TEST_MODEL"], folder], check=True)
            model = f"{folder}/reranker-q8.safetensors"
            request = {"do": "embed", "query": "hello world", "texts": documents, "batch": 2, "file": f"{folder}/scores"}
            answers = subprocess.run([pathlib.Path(os.environ["THIMBLE_BUILD"]) / "bench_peer", model, "1"], check=True,
                                     input="\n".join(map(json.dumps, (request, request | {"query": 1}))), text=True,
                                     capture_output=True).stdout.splitlines()
            self.assertIn("seconds", answers[1])
            self.assertIn("error", answers[2])
            found = list(array.array("f", pathlib.Path(folder, "scores").read_bytes()))
            ranked = subprocess.run([os.environ["THIMBLE_CLI"], "rerank", "-m", model, "--raw-scores", "--json", "hello world"],
                                    input="\n".join(documents), text=True, capture_output=True, check=True).stdout
        for entry in json.loads(ranked):
            self.assertAlmostEqual(entry["score"], found[entry["index"]], places=5)


if __name__ == "__main__":
    unittest.main()
