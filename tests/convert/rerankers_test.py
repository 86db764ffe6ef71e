"""A cross-encoder scores as the CrossEncoder of sentence-transformers does: folders written here, against its scores in
fixtures/rerankers.json. Also what one says of itself, and what the commands refuse."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "folders"))
import rerankers  # noqa: E402

CLI = os.environ["THIMBLE_CLI"]
# Of a raw score, divided by the scale of what is added for it: sums of up to 128 products of floats, in another order.
LIMIT = 2e-6


def run(*arguments, text=None):
    result = subprocess.run([CLI, *arguments], input=text, capture_output=True, timeout=120)
    return result.returncode, result.stdout.decode(), result.stderr.decode()


def rank(model, query, documents, *options):
    """The scores of documents in their order."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "documents.jsonl")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(document) + "\n" for document in documents)
        code, output, message = run("rerank", "-m", model, "--json", *options, "--", query, path)
    assert code == 0, message
    found = json.loads(output)
    assert [one["score"] for one in found] == sorted((one["score"] for one in found), reverse=True)
    return [one["score"] for one in sorted(found, key=lambda one: one["index"])]


class Rerankers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(os.path.join(TESTS, "fixtures", "rerankers.json"), encoding="ascii") as file:
            cls.goldens = json.load(file)["cases"]
        cls.kinds = rerankers.kinds()
        cls.temporary = tempfile.TemporaryDirectory()
        cls.models, cls.messages = {}, {}
        for i, (name, kind) in enumerate(cls.kinds.items()):
            folder = os.path.join(cls.temporary.name, str(i))
            rerankers.write(folder, kind)
            model = folder + ".safetensors"
            code, _, message = run("convert", folder, model, "--dtype", "fp32", "--name", "tiny")
            cls.messages[name] = message
            if code == 0:
                cls.models[name] = model

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def test_scores_are_those_of_sentence_transformers(self):
        worst = 0
        for name, kind in self.kinds.items():
            if kind.refused:
                continue
            with self.subTest(name):
                self.assertIn(name, self.models, self.messages.get(name))
                golden = self.goldens[name]
                # The sum of the magnitudes of products of the last weights with what a tanh gives; a ReLU gives more,
                # and so larger scores.
                _, weights = rerankers.tensors(kind)["classifier.out_proj.weight" if kind.family in rerankers.PAD_IDS
                                                    else "classifier.weight"]
                scale = max(sum(map(abs, weights)), *map(abs, golden["raw"]))
                for (query, document), raw, score in zip(rerankers.PAIRS, golden["raw"], golden["scores"]):
                    difference = abs(rank(self.models[name], query, [document], "--raw-scores")[0] - raw) / scale
                    worst = max(worst, difference)
                    self.assertLess(difference, LIMIT, (query[:20], document[:20]))
                    # The slope of a sigmoid is at most 1/4, and a float below 1 has an error of 3e-8.
                    limit = LIMIT * scale / 4 + 6e-8 if golden["scores"] != golden["raw"] else LIMIT * scale
                    self.assertLess(abs(rank(self.models[name], query, [document])[0] - score), limit)
        print(f"largest difference of a raw score to that of transformers, divided by its scale: {worst:.2g}")

    def test_a_note_says_where_transformers_5_has_no_token_types(self):
        noted = {name for name, message in self.messages.items() if "no model_input_names" in message}
        self.assertEqual(noted, {"bert, a generic class without input names"})

    def test_a_graph_gives_the_model_that_its_weights_give(self):
        documents = [document for _, document in rerankers.PAIRS]
        for name, kind in rerankers.GRAPHS.items():
            if kind.encoder:
                continue
            with self.subTest(name):
                model = self.convert_graph(name, kind)
                fingerprints = [json.loads(run("info", "--json", path)[1])["fingerprint"] for path in (model, self.models[name])]
                self.assertEqual(*fingerprints)
                self.assertEqual(rank(model, "the cat", documents), rank(self.models[name], "the cat", documents))

    def test_a_graph_of_an_encoder_gives_the_model_that_its_weights_give(self):
        for name, kind in rerankers.GRAPHS.items():
            if not kind.encoder:
                continue
            with self.subTest(name):
                folder = tempfile.mkdtemp(dir=self.temporary.name)
                rerankers.write(folder, kind)
                models = [self.convert(folder, "--pooling", "mean"), self.convert_graph(name, kind, "--pooling", "mean")]
                fingerprints = [json.loads(run("info", "--json", model)[1])["fingerprint"] for model in models]
                self.assertEqual(*fingerprints)
                texts = "".join(query + "\n" for query, _ in rerankers.PAIRS).encode()
                vectors = [run("embed", "-m", model, "-i", "-", text=texts) for model in models]
                self.assertEqual(vectors[0][0], 0, vectors[0][2])
                self.assertEqual(vectors[0][1], vectors[1][1])
                self.assertGreater(len(set(vectors[0][1].splitlines())), 5)  # Long texts are cut to the same one.

    def test_a_graph_that_scores_otherwise_is_refused(self):
        with self.assertRaisesRegex(AssertionError, "(?s)classifier.weight.*expected"):
            self.convert_graph("bert", rerankers.Kind(config={"id2label": {"0": "a", "1": "b"}}))

    def convert_graph(self, name, kind, *options):
        folder = tempfile.mkdtemp(dir=self.temporary.name)
        rerankers.write(folder, kind)
        rerankers.write_graph(folder, name, os.path.join(TESTS, "fixtures", "onnx"))
        return self.convert(folder, *options)

    def convert(self, folder, *options):
        code, _, message = run("convert", folder, folder + ".safetensors", "--dtype", "fp32", "--name", "tiny", *options)
        self.assertEqual(code, 0, message)
        return folder + ".safetensors"

    def test_a_document_has_one_score_whatever_stands_beside_it(self):
        documents = [document for _, document in rerankers.PAIRS]
        alone = [rank(self.models["bert"], "the cat", [document])[0] for document in documents]
        self.assertEqual(rank(self.models["bert"], "the cat", documents), alone)
        self.assertEqual(rank(self.models["bert"], "the cat", documents, "--threads", "2"), alone)

    def test_what_would_change_scores_and_is_not_followed_is_refused_by_name(self):
        for name, kind in self.kinds.items():
            if kind.refused:
                with self.subTest(name):
                    self.assertNotIn(name, self.models)
                    self.assertIn(kind.refused, self.messages[name])

    def test_every_golden_has_its_folder(self):
        self.assertEqual(set(self.goldens), {name for name, kind in self.kinds.items() if not kind.refused})

    def test_info_and_verify(self):
        code, output, _ = run("info", "--json", self.models["bert, identity"])
        self.assertEqual(code, 0)
        info = json.loads(output)
        self.assertEqual((info["type"], info["labels"], info["score_activation"], info["max_tokens"]),
                         ("reranker", "LABEL_0", "identity", rerankers.LIMIT))
        self.assertEqual(info["score_error_max"], 0)
        self.assertEqual(run("verify", self.models["bert"])[0], 0)

    def test_other_commands_say_what_a_reranker_is_for(self):
        code, _, message = run("embed", "-m", self.models["bert"], "a text")
        self.assertEqual(code, 1)
        self.assertIn("tiny is a reranker", message)
        self.assertIn("thimble rerank", message)

    def test_a_file_for_pairs_is_refused_by_readers_that_know_no_pairs(self):
        with open(self.models["bert"], "rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        metadata = header["__metadata__"]
        # Readers of version 2 refuse keys that begin with "encoder." and that they do not know.
        self.assertEqual((metadata["thimble.version"], metadata["encoder.input"]), ("2", "pair"))

    def test_output_forms(self):
        model = self.models["bert"]
        text = b"a boat by the river\nthe cat sat\nby the\told house\n"
        code, output, message = run("rerank", "-m", model, "--top-n", "2", "--return-documents", "the cat", text=text)
        self.assertEqual(code, 0, message)
        lines = [line.split("\t") for line in output.splitlines()]
        scores = rank(model, "the cat", ["a boat by the river", "the cat sat", "by the\told house"])
        best = sorted(range(3), key=lambda i: -scores[i])[:2]
        self.assertEqual([int(line[1]) for line in lines], best)
        self.assertEqual([float(line[0]) for line in lines], [scores[i] for i in best])
        self.assertEqual([line[2] for line in lines],
                         [["a boat by the river", "the cat sat", "by the old house"][i] for i in best])
        code, output, _ = run("rerank", "-m", model, "--json", "the cat", text=b"")
        self.assertEqual((code, output), (0, "[]\n"))
        code, output, _ = run("rerank", "-m", model, "--json", "--return-documents", "the cat", text=b"one\ntwo\n")
        self.assertEqual({one["document"] for one in json.loads(output)}, {"one", "two"})

    def test_long_pairs_are_errors_on_request(self):
        code, _, message = run("rerank", "-m", self.models["bert"], "--long-texts", "error", "the cat",
                               text=b"the cat\n" + b"the cat " * 60 + b"\n")
        self.assertEqual(code, 2)
        self.assertIn("documents[1]: ", message)
        code, _, message = run("rerank", "-m", self.models["bert"], "--long-texts", "chunk", "the cat", text=b"the cat\n")
        self.assertEqual(code, 2)
        self.assertIn("--long-texts", message)

    def test_mocks_rank(self):
        code, output, message = run("rerank", "-m", "mock-hashed", "rivers of Asia", text=b"bread\nrivers of Asia\n")
        self.assertEqual(code, 0, message)
        self.assertEqual([line.split("\t")[1] for line in output.splitlines()], ["1", "0"])


if __name__ == "__main__":
    unittest.main()
