"""Ranking by thimble serve: the replies of each dialect, what it refuses, and its limits."""

import json
import subprocess
import unittest

import server_test
from server_test import CLI, Server

QUERY = "a small vector"
DOCUMENTS = ["a word of text", "good memory", "a small vector of words", "the world", ""]


def setUpModule():
    global reranker
    server_test.setUpModule()
    reranker = str(server_test.folder / "reranker-q8.safetensors")


def scores_of(query, documents, *options):
    """By the command line, in the order of the documents."""
    path = server_test.folder / "documents.jsonl"
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    output = subprocess.run([CLI, "rerank", "-m", reranker, "--json", *options, query, str(path)], check=True,
                            capture_output=True).stdout
    return [one["score"] for one in sorted(json.loads(output), key=lambda one: one["index"])]


class Rerank(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--max-items", "64", "--max-request-tokens", "600", models=[server_test.model, reranker])
        cls.scores = scores_of(QUERY, DOCUMENTS)
        cls.best = sorted(range(len(DOCUMENTS)), key=lambda i: (-cls.scores[i], i))

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def check_results(self, results, key, count=len(DOCUMENTS), scores=None):
        scores = scores or self.scores
        self.assertEqual([one["index"] for one in results], self.best[:count])
        self.assertEqual([one[key] for one in results], [scores[i] for i in self.best[:count]])

    def test_tei(self):
        reply = self.server.post("/rerank", {"query": QUERY, "texts": DOCUMENTS})
        self.check_results(reply, "score")
        self.assertEqual({key for one in reply for key in one}, {"index", "score"})
        reply = self.server.post("/rerank", {"query": QUERY, "texts": DOCUMENTS, "raw_scores": True, "return_text": True})
        self.check_results(reply, "score", scores=scores_of(QUERY, DOCUMENTS, "--raw-scores"))
        self.assertEqual([one["text"] for one in reply], [DOCUMENTS[i] for i in self.best])

    def test_cohere(self):
        body = {"model": "reranker", "query": QUERY, "documents": DOCUMENTS, "top_n": 2}
        reply = self.server.post("/v2/rerank", body)
        self.check_results(reply["results"], "relevance_score", 2)
        self.assertEqual(set(reply["results"][0]), {"index", "relevance_score"})
        self.assertEqual(reply["meta"]["api_version"]["version"], "2")
        body["documents"] = [{"text": document} for document in DOCUMENTS]
        reply = self.server.post("/v1/rerank", {**body, "return_documents": True})
        self.check_results(reply["results"], "relevance_score", 2)
        self.assertEqual(reply["results"][0]["document"], {"text": DOCUMENTS[self.best[0]]})
        self.assertEqual(reply["meta"]["api_version"]["version"], "1")

    def test_jina(self):
        reply = self.server.post("/v1/rerank", {"model": "reranker", "query": QUERY, "documents": DOCUMENTS,
                                                "return_documents": True})
        self.check_results(reply["results"], "relevance_score")
        self.assertEqual(reply["model"], "reranker")
        self.assertEqual(reply["results"][0]["document"]["text"], DOCUMENTS[self.best[0]])
        self.assertGreater(reply["usage"]["total_tokens"], 20)

    def test_voyage(self):
        reply = self.server.post("/v1/rerank", {"model": "reranker", "query": QUERY, "documents": DOCUMENTS, "top_k": 3,
                                                "truncation": True, "return_documents": True})
        self.assertEqual(reply["object"], "list")
        self.check_results(reply["data"], "relevance_score", 3)
        self.assertEqual(reply["data"][0]["document"], DOCUMENTS[self.best[0]])

    def test_top_n_holds_whatever_else_is_sent(self):
        body = {"model": "reranker", "query": QUERY, "documents": DOCUMENTS, "top_n": 2, "truncation": True}
        self.check_results(self.server.post("/v1/rerank", body)["results"], "relevance_score", 2)

    def test_the_reranker_is_found_without_its_name(self):
        reply = self.server.post("/v1/rerank", {"query": QUERY, "documents": DOCUMENTS})
        self.check_results(reply["results"], "relevance_score")
        self.assertEqual(self.server.post("/embed", {"inputs": "a"})[0].__len__(), 64)
        self.assertEqual(len(self.server.post("/v1/embeddings", {"input": "a"})["data"]), 1)

    def test_errors(self):
        def fails(path, body, status, says):
            text = json.dumps(self.server.post(path, body, status))
            self.assertIn(says, text)

        texts = {"query": QUERY, "texts": DOCUMENTS}
        fails("/rerank", {**texts, "query": ""}, 400, "`query`: cannot be empty")
        fails("/rerank", {"query": "a"}, 400, "texts")
        fails("/rerank", {**texts, "texts": ["a", 5]}, 422, "texts")
        fails("/rerank", {**texts, "truncation_direction": "left"}, 422, "truncation_direction")
        fails("/rerank", {**texts, "texts": ["a"] * 65}, 422, "batch size 65")
        fails("/rerank", {**texts, "texts": ["a", "word " * 100], "truncate": False}, 422, "documents[1]: ")
        fails("/rerank", {**texts, "texts": ["word " * 100] * 12}, 422, "tokens, but at most 600 are allowed")
        documents = {"model": "reranker", "query": QUERY, "documents": DOCUMENTS}
        fails("/v2/rerank", {**documents, "model": "none"}, 404, "does not exist")
        fails("/v2/rerank", {**documents, "model": "test"}, 500, "is an embedding model")
        fails("/v2/rerank", {**documents, "max_tokens_per_doc": 8}, 400, "max_tokens_per_doc")
        fails("/v1/rerank", {**documents, "rank_fields": ["a"]}, 400, "rank_fields")
        fails("/v1/rerank", {**documents, "documents": [{"text": "a", "title": "b"}]}, 400, "documents[0]")
        fails("/v1/rerank", {**documents, "top_n": 0}, 400, "top_n")
        fails("/v1/rerank", {**documents, "top_n": 1, "top_k": 3}, 400, "`top_k`: is Voyage's name for `top_n`")
        fails("/v1/embeddings", {"model": "reranker", "input": "a"}, 500, "is a reranker; send its texts to /rerank")
        self.assertEqual(len(self.server.post("/v2/rerank", {**documents, "max_tokens_per_doc": 4096})["results"]), 5)

    def test_info(self):
        server = Server(models=[reranker])
        self.addCleanup(server.stop)
        self.assertEqual(server.get("/info")["model_type"],
                         {"reranker": {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}})

    def test_a_server_without_a_reranker_says_so(self):
        server = Server(models=[server_test.model])
        self.addCleanup(server.stop)
        reply = server.post("/rerank", {"query": "a", "texts": ["b"]}, 424)
        self.assertEqual(reply["error_type"], "Backend")
        self.assertIn("not a re-ranker model", reply["error"])

    def test_mocks_rank(self):
        server = Server(models=["mock-hashed"])
        self.addCleanup(server.stop)
        reply = server.post("/rerank", {"query": "rivers of Asia", "texts": ["bread", "rivers of Asia"]})
        self.assertEqual([one["index"] for one in reply], [1, 0])


if __name__ == "__main__":
    unittest.main()
