"""Runs thimble serve as its clients see it: routes, errors, limits, slow clients, and the end.

THIMBLE_CLI and THIMBLE_MAKE_TEST_MODEL name the programs.
"""

import base64
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

import need
import small_models

CLI = os.environ["THIMBLE_CLI"]
HAS_SERVER = subprocess.run([CLI, "serve", "--help"], capture_output=True).returncode == 0
ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXTS = ["hello", "a longer text of several words", "\u00e9t\u00e9 \u4e2d\u6587"]


def setUpModule():
    global folder, model
    need.here(HAS_SERVER, "the command serve in this build")
    folder = small_models.make()
    model = str(folder / "q8.safetensors")


class Server:
    """A server on a free port. Its log is a file, so that no pipe can fill."""

    def __init__(self, *options, models=None, environment=None, listen=("127.0.0.1:0",), **arguments):
        self.log = tempfile.NamedTemporaryFile(mode="w+", suffix=".log")
        command = [CLI, "serve", *options]
        for name in models or [model, "mock-hashed"]:
            command += ["-m", name]
        for where in listen:
            command += ["--listen", where]
        self.process = subprocess.Popen(command, stderr=self.log,
                                        env={**os.environ, "THIMBLE_HOME": str(folder / "cache"), **(environment or {})},
                                        **arguments)
        self.addresses = []
        deadline = time.monotonic() + 20
        while not self.addresses and time.monotonic() < deadline and self.process.poll() is None:
            time.sleep(0.01)
            self.addresses = [event["text"] for event in self.events("listening")]
        assert self.addresses, self.text()
        found = re.match(r"https?://127\.0\.0\.1:(\d+)", self.addresses[0])
        self.port = int(found[1]) if found else None

    def text(self):
        return pathlib.Path(self.log.name).read_text()

    def lines(self):
        return [json.loads(line) for line in self.text().splitlines() if line.endswith("}")]

    def events(self, name):
        return [line for line in self.lines() if line.get("event") == name]

    def wait_for(self, condition):
        deadline = time.monotonic() + 30
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert condition(), self.text()

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            if body is not None and not isinstance(body, (bytes, str)):
                body = json.dumps(body)
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            reply.text = reply.read()
            return reply
        finally:
            connection.close()

    def post(self, path, body, status=200, headers=None):
        reply = self.request("POST", path, body, headers)
        assert reply.status == status, (reply.status, reply.text)
        assert reply.getheader("x-request-id"), reply.headers
        return json.loads(reply.text) if reply.text else None

    def get(self, path, status=200, headers=None):
        reply = self.request("GET", path, headers=headers)
        assert reply.status == status, (reply.status, reply.text)
        return json.loads(reply.text)

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        return connection

    def memory(self):
        rollup = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        return int(re.search(r"Anonymous:\s+(\d+)", rollup)[1]) * 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self.log.flush()
        return code


def command_line(texts, *options, name=None, form="f32"):
    result = subprocess.run([CLI, "embed", "-m", name or model, "--format", form, *options, "--", *texts],
                            capture_output=True, check=True)
    return result.stdout


def read_reply(connection):
    """One reply with its body, as far as the connection gives it."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return data
        data += more
    head, body = data.split(b"\r\n\r\n", 1)
    length = int(re.search(rb"content-length: (\d+)", head)[1])
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def raw_post(path, body, extra=""):
    return f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n{extra}\r\n{body}".encode()


class WithServer(unittest.TestCase):
    options = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.options)

    @classmethod
    def tearDownClass(cls):
        code = cls.server.stop()
        assert code == 0, cls.server.text()


class Routes(WithServer):
    def test_openai_vectors_are_those_of_the_command_line(self):
        expected = command_line(TEXTS)
        body = {"model": "test", "input": TEXTS, "encoding_format": "base64", "user": "x", "unknown": 1}
        for path in ("/v1/embeddings", "/embeddings"):
            reply = self.server.post(path, body)
            data = b"".join(base64.b64decode(item["embedding"]) for item in reply["data"])
            self.assertEqual(data, expected)
            self.assertEqual([item["index"] for item in reply["data"]], [0, 1, 2])
            self.assertEqual((reply["object"], reply["model"]), ("list", "test"))
            self.assertEqual(reply["usage"]["prompt_tokens"], reply["usage"]["total_tokens"])
        reply = self.server.post("/v1/embeddings", {"model": "TEST:latest", "input": TEXTS[0]})
        floats = reply["data"][0]["embedding"]
        self.assertEqual(struct.pack(f"<{len(floats)}f", *floats), expected[:4 * len(floats)])

    def test_many_texts_come_back_in_order(self):
        texts = [f"text number {i}" for i in range(300)]
        reply = self.server.post("/v1/embeddings", {"model": "test", "input": texts, "encoding_format": "base64"})
        data = b"".join(base64.b64decode(item["embedding"]) for item in reply["data"])
        self.assertEqual(data, command_line(texts))

    def test_models(self):
        self.assertEqual([item["id"] for item in self.server.get("/v1/models")["data"]], ["test", "mock-hashed"])
        self.assertEqual(self.server.get("/v1/models/Mock-Hashed")["id"], "mock-hashed")
        self.assertEqual(self.server.get("/v1/models/none", 404)["error"]["code"], "model_not_found")

    def test_voyage_and_jina_fields(self):
        post = self.server.post
        query = command_line(["hello"], "--prompt-name", "query")
        body = {"model": "test", "input": "hello", "input_type": "query", "encoding_format": "base64"}
        self.assertEqual(base64.b64decode(post("/v1/embeddings", body)["data"][0]["embedding"]), query)
        body = {"model": "test", "input": [{"text": "hello"}], "task": "retrieval.query", "embedding_type": "base64"}
        self.assertEqual(base64.b64decode(post("/v1/embeddings", body)["data"][0]["embedding"]), query)
        bits = post("/v1/embeddings", {"model": "test", "input": "hello", "output_dtype": "ubinary"})
        packed = post("/v1/embeddings", {"model": "test", "input": "hello", "output_dtype": "ubinary",
                                         "encoding_format": "base64"})
        self.assertEqual(bytes(bits["data"][0]["embedding"]), base64.b64decode(packed["data"][0]["embedding"]))
        self.assertEqual(len(bits["data"][0]["embedding"]), 8)

    def test_tei(self):
        rows = self.server.post("/embed", {"inputs": "hello"})
        self.assertEqual(struct.pack("<64f", *rows[0]), command_line(["hello"]))
        self.assertEqual(self.server.post("/", {"inputs": ["hello"]}), rows)
        prompted = self.server.post("/embed", {"inputs": "hello", "prompt_name": "query", "normalize": False})
        self.assertEqual(struct.pack("<64f", *prompted[0]),
                         command_line(["hello"], "--prompt-name", "query", "--no-normalize"))
        tokens = self.server.post("/embed_all", {"inputs": ["hello", "a b"]})
        self.assertEqual([len(row) for row in tokens[0]], [64] * len(tokens[0]))
        similarity = self.server.post("/similarity", {"inputs": {"source_sentence": "a", "sentences": ["a", "b"]}})
        self.assertAlmostEqual(similarity[0], 1, places=5)
        self.assertLess(similarity[1], 1)
        self.assertEqual(self.server.get("/info")["max_input_length"], 64)

    def test_tei_tokens(self):
        entries = json.loads((folder / "source/tokenizer.json").read_text())["model"]["vocab"]
        vocabulary = sorted(entries, key=entries.get)
        text = "hello unbelievable, x!"
        result = subprocess.run([CLI, "tokenize", "-m", model, text], capture_output=True, check=True)
        ids = json.loads(result.stdout)["ids"]
        tokens = self.server.post("/tokenize", {"inputs": [text, "x"]})
        self.assertEqual([token["id"] for token in tokens[0]], ids)
        special = [token["special"] for token in tokens[0]]
        self.assertEqual(special, [True] + [False] * (len(ids) - 2) + [True])
        self.assertEqual(tokens[0][0], {"id": ids[0], "text": vocabulary[ids[0]], "special": True, "start": None, "stop": None})
        bare = self.server.post("/tokenize", {"inputs": text, "add_special_tokens": False})
        self.assertEqual(bare[0], tokens[0][1:-1])
        for words, prompt in ((text, ""), ("\u00c9t\u00e9 \u4e2d\u6587 \U0001f600x", ""), ("x y", "query: ")):
            body = {"inputs": words, "add_special_tokens": False, **({"prompt_name": "query"} if prompt else {})}
            found, = self.server.post("/tokenize", body)
            whole = prompt + words
            self.assertEqual([token["text"] for token in found], [whole[token["start"]:token["stop"]] for token in found])
            covered = {at for token in found for at in range(token["start"], token["stop"])}
            self.assertEqual(covered, {at for at, letter in enumerate(whole) if letter != " "})
        pieces = [vocabulary[i] for i in ids[1:-1]]
        expected = " ".join(pieces).replace(" ##", "").replace(" ,", ",").replace(" !", "!")
        self.assertEqual(self.server.post("/decode", {"ids": ids}), [expected])
        self.assertIn("999999", self.server.post("/decode", {"ids": [999999]}, 422)["error"])
        self.assertIn("`ids`", self.server.post("/decode", {"ids": ["x"]}, 422)["error"])
        lists = [[i] for i in range(len(vocabulary))]
        decoded = self.server.post("/decode", {"ids": lists, "skip_special_tokens": False})
        self.assertEqual(decoded, vocabulary)

    def test_ollama(self):
        reply = self.server.post("/api/embed", {"model": "test", "input": ["hello"], "dimensions": 9999})
        self.assertEqual(struct.pack("<64f", *reply["embeddings"][0]), command_line(["hello"]))
        self.assertGreater(reply["prompt_eval_count"], 0)
        old = self.server.post("/api/embeddings", {"model": "test:latest", "prompt": "hello"})
        self.assertEqual(old["embedding"], reply["embeddings"][0])
        self.assertEqual(self.server.post("/api/embed", {"model": "test"})["embeddings"], [])
        self.assertEqual(self.server.get("/api/tags")["models"][0]["name"], "test:latest")
        self.assertEqual(self.server.post("/api/show", {"model": "test"})["capabilities"], ["embedding"])
        version = (ROOT / "VERSION").read_text().strip()
        self.assertEqual(self.server.get("/api/version"), {"version": version})
        self.assertEqual(self.server.request("GET", "/").text, b"Ollama is running")
        head = self.server.request("HEAD", "/")
        self.assertEqual((head.status, head.text, head.getheader("content-length")), (200, b"", "17"))

    def test_ollama_keep_alive(self):
        name = {"model": "mock-hashed", "input": "x"}
        running = lambda: {item["name"] for item in self.server.get("/api/ps")["models"]}
        self.server.post("/api/embed", {**name, "keep_alive": -1})
        self.assertIn("mock-hashed:latest", running())
        self.server.post("/api/embed", {**name, "keep_alive": "0s"})
        self.server.wait_for(lambda: "mock-hashed:latest" not in running())
        self.server.post("/api/embed", {**name, "keep_alive": "1s"})
        self.assertIn("mock-hashed:latest", running())
        self.server.wait_for(lambda: "mock-hashed:latest" not in running())

    def test_cohere(self):
        reply = self.server.post("/v2/embed", {"model": "test", "texts": ["hello"], "input_type": "search_query",
                                               "embedding_types": ["float", "base64", "int8"]})
        expected = command_line(["hello"], "--prompt-name", "query")
        self.assertEqual(base64.b64decode(reply["embeddings"]["base64"][0]), expected)
        self.assertEqual(struct.pack("<64f", *reply["embeddings"]["float"][0]), expected)
        codes = command_line(["hello"], "--prompt-name", "query", "--precision", "int8", form="raw")
        self.assertEqual(struct.pack("64b", *reply["embeddings"]["int8"][0]), codes)
        self.assertEqual((reply["response_type"], reply["texts"]), ("embeddings_by_type", ["hello"]))
        self.assertGreater(reply["meta"]["billed_units"]["input_tokens"], 0)

    def test_health_metrics_and_page(self):
        self.server.post("/embed", {"inputs": "hello"})
        for path in ("/health", "/health/ready", "/health?ready"):
            self.assertEqual(self.server.get(path), {"status": "ok"})
        metrics = self.server.request("GET", "/metrics").text.decode()
        for name in ("requests_total", "request_seconds_bucket", "tokens_total", "queue_texts", "memory_bytes",
                     "model_bytes", "model_loads_total"):
            self.assertRegex(metrics, rf"(?m)^thimble_{name}[ {{]")
        for line in metrics.splitlines():
            self.assertRegex(line, r'^# (HELP|TYPE) \w+ |^\w+(\{(\w+="[^"]*",?)+\})? [0-9.e+-]+$')
        page = self.server.request("GET", "/?model=test&a=one+%3Cb%3E&b=one+%3Cb%3E", headers={"accept": "text/html"})
        text = page.text.decode()
        self.assertIn("<output>1.0000</output>", text)
        self.assertIn("one &lt;b&gt;", text)
        self.assertNotIn("<b>", text)
        self.assertNotRegex(text, r"(src|href)=")
        self.assertIn("default-src 'none'", page.getheader("content-security-policy"))

    def test_log_has_ids_and_no_text(self):
        secret = "a text that nobody must find"
        self.server.post(f"/v1/embeddings?{secret.replace(' ', '+')}", {"input": secret, "model": "test"},
                         headers={"x-request-id": "my-id.1"})
        reply = self.server.request("GET", "/" + secret.replace(" ", "%20"))
        self.assertEqual(reply.status, 404)
        self.server.wait_for(lambda: any(line.get("id") == "my-id.1" for line in self.server.lines()))
        line = next(line for line in self.server.lines() if line.get("id") == "my-id.1")
        self.assertEqual((line["route"], line["status"], line["texts"], line["model"]), ("/v1/embeddings", 200, 1, "test"))
        self.assertNotIn("nobody", self.server.text())


class Errors(WithServer):
    options = ("--max-items", "4", "--max-body", "100kB", "--max-request-tokens", "100")

    def check(self, path, body, status, *says, shape="openai"):
        reply = self.server.post(path, body, status)
        message = {"openai": lambda: reply["error"]["message"], "tei": lambda: reply["error"],
                   "ollama": lambda: reply["error"], "cohere": lambda: reply["message"]}[shape]()
        for part in says:
            self.assertIn(part, message)
        return reply

    def test_openai(self):
        ok = {"model": "test", "input": "x"}
        check = lambda change, *rest: self.check("/v1/embeddings", {**ok, **change}, *rest)
        reply = check({"model": "gpt"}, 404, "gpt", "test")
        self.assertEqual((reply["error"]["code"], reply["error"]["type"]), ("model_not_found", "invalid_request_error"))
        self.assertEqual(reply["detail"], reply["error"]["message"])
        self.assertEqual(check({"input": []}, 400, "cannot be empty")["error"]["param"], "input")
        check({"input": ""}, 400, "cannot be an empty string")
        check({"input": ["a", 5]}, 400, "token ids")
        check({"input": [1, 2]}, 400, "token ids")
        check({"input": {"a": 1}}, 400, "an object")
        check({"input": ["a"] * 5}, 400, "batch size 5 > maximum allowed batch size 4")
        check({"encoding_format": "md5"}, 400, "encoding_format", "md5", "'float', 'base64'")
        self.assertEqual(check({"dimensions": 65}, 400, "at most 64")["error"]["param"], "dimensions")
        codes = check({"output_dtype": "int8", "normalize": False}, 400, "`output_dtype` int8: ", "unit length")
        self.assertEqual(codes["error"]["param"], "output_dtype")
        check({"dimensions": 0}, 400, "a positive integer, found 0")
        check({"late_chunking": True}, 400, "late_chunking")
        check({"truncation_direction": "left"}, 400, "truncation_direction")
        check({"truncate": "START"}, 400, "truncate")
        check({"prompt_name": "no"}, 400, "prompt_name", "passage, query")
        long = check({"input": "word " * 200, "truncate": False}, 400, "64")
        self.assertEqual(long["error"]["code"], "context_length_exceeded")

    def test_json(self):
        for body, says in ((b"", "missing request body"), (b"{", "is not JSON"), (b"[1]", "expected an object"),
                           (b'{"input":"\xff"}', "is not JSON"), (b"[" * 1000, "nested deeper than 16 levels"),
                           (b'{"input":1e999}', "is not JSON"),
                           (b'{"input":"a","input":"b"}', "appears twice")):
            self.check("/v1/embeddings", body, 400, says)

    def test_tei(self):
        tei = lambda body, status, *says: self.check("/embed", body, status, *says, shape="tei")["error_type"]
        self.assertEqual(tei({"inputs": []}, 400, "cannot be empty"), "Empty")
        self.assertEqual(tei({"inputs": ["a"] * 5}, 422, "batch size 5"), "Validation")
        self.assertEqual(tei({"inputs": "x", "prompt_name": "no"}, 422, "prompt_name"), "Validation")
        self.assertEqual(tei({"inputs": "x", "truncation_direction": "Left"}, 422, "direction"), "Validation")
        self.assertEqual(tei({"inputs": "w " * 200, "truncate": False}, 422, "64"), "Validation")
        self.assertEqual(self.check("/rerank", {}, 400, "query", shape="tei")["error_type"], "Empty")

    def test_ollama(self):
        ollama = lambda body, status, *says: self.check("/api/embed", body, status, *says, shape="ollama")
        ollama({"model": "x", "input": "a"}, 404, "not found")
        ollama({"input": "a"}, 400, "model is required")
        ollama({"model": "test", "input": 5}, 400, "`input`")
        ollama({"model": "test", "input": "a", "keep_alive": "-1"}, 400, "keep_alive")
        ollama({"model": "test", "input": "w " * 200, "truncate": False}, 400, "exceeds the context length")
        ollama({"model": "test", "input": "w " * 50, "options": {"num_ctx": 10}}, 400, "options.num_ctx")

    def test_cohere(self):
        cohere = lambda body, status, *says: self.check("/v2/embed", body, status, *says, shape="cohere")
        cohere({"model": "x", "texts": ["a"]}, 404, "does not exist")
        cohere({"model": "test", "texts": ["a"], "images": ["x"]}, 400, "images")
        cohere({"model": "test", "texts": ["a"], "truncate": "START"}, 400, "only the end")
        cohere({"model": "test", "texts": ["a"], "embedding_types": ["half"]}, 400, "embedding_types")
        cohere({"model": "test", "texts": ["w " * 50], "max_tokens": 5}, 400, "max_tokens")

    def test_tokens_of_a_request(self):
        words = lambda *counts: ["x " * count for count in counts]  # Two special tokens around each text.
        reply = self.server.post("/v1/embeddings", {"model": "test", "input": words(23, 23, 23, 23)})
        self.assertEqual(reply["usage"]["total_tokens"], 100)
        too_many, says = words(23, 23, 23, 24), ("101 tokens", "at most 100", "in parts")
        error = self.check("/v1/embeddings", {"model": "test", "input": too_many}, 400, *says)["error"]
        self.assertEqual((error["code"], error["type"], error["param"]), ("max_tokens_per_request",) * 2 + ("input",))
        for path in ("/embed", "/embed_all", "/tokenize"):
            self.check(path, {"inputs": too_many}, 422, *says, shape="tei")
        self.check("/decode", {"ids": [[4] * 50, [4] * 51]}, 422, *says, shape="tei")
        self.check("/api/embed", {"model": "test", "input": too_many}, 400, *says, shape="ollama")
        self.check("/v2/embed", {"model": "test", "texts": too_many, "input_type": "search_document"}, 400, "at most 100",
                   shape="cohere")
        # What is cut off does not count, nor do prompts that are not used.
        self.server.post("/embed", {"inputs": words(1000, 34)})
        self.assertEqual(self.server.get("/info")["max_batch_tokens"], 100)

    def test_paths_and_methods(self):
        reply = self.server.request("GET", "/v1/embeddings")
        self.assertEqual((reply.status, reply.getheader("allow")), (405, "POST"))
        self.assertEqual(self.server.request("GET", "/api/none").status, 404)


class Dimensions(WithServer):
    def test_of_every_dialect_are_those_of_the_command_line(self):
        expected = list(struct.unpack("<13f", command_line(["hello"], "--dimensions", "13")))
        post = self.server.post
        openai = {"model": "test", "input": "hello"}
        cohere = {"model": "test", "texts": ["hello"]}
        for found in (post("/v1/embeddings", {**openai, "dimensions": 13})["data"][0]["embedding"],
                      post("/v1/embeddings", {**openai, "output_dimension": 13})["data"][0]["embedding"],
                      post("/embed", {"inputs": "hello", "dimensions": 13})[0],
                      post("/api/embed", {**openai, "dimensions": 13})["embeddings"][0],
                      post("/v2/embed", {**cohere, "output_dimension": 13})["embeddings"]["float"][0]):
            self.assertEqual(struct.pack("<13f", *found), struct.pack("<13f", *expected))

    def test_errors_name_the_field_of_the_request(self):
        openai = {"model": "test", "input": "hello"}
        for path, body, says in (
                ("/v1/embeddings", {**openai, "dimensions": 65}, "`dimensions`: expected at most 64, found 65"),
                ("/v1/embeddings", {**openai, "output_dimension": 65}, "`output_dimension`: expected at most 64"),
                ("/v2/embed", {"model": "test", "texts": ["a"], "output_dimension": 65}, "`output_dimension`: expected"),
                ("/v1/embeddings", {**openai, "dimensions": 8, "output_dimension": 9}, "send one of them")):
            self.assertIn(says, json.dumps(self.server.post(path, body, 400)))

    def test_and_others_of_the_same_moment_do_not_mix(self):
        found = {}

        def ask(dimensions):
            found[dimensions] = self.server.post("/embed", {"inputs": ["hello"] * 20, "dimensions": dimensions})

        threads = [threading.Thread(target=ask, args=(dimensions,)) for dimensions in (8, 16, 24, 64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for dimensions, rows in found.items():
            self.assertEqual([len(row) for row in rows], [dimensions] * 20)

    def test_of_codes_are_those_of_the_command_line(self):
        types = ["int8", "uint8", "binary", "ubinary"]
        body = {"model": "test", "texts": ["hello"], "embedding_types": types, "output_dimension": 13}
        reply = self.server.post("/v2/embed", body)["embeddings"]
        for name in types:
            expected = command_line(["hello"], "--dimensions", "13", "--precision", name, form="raw")
            signed = "b" if name in ("int8", "binary") else "B"
            self.assertEqual(struct.pack(f"{len(expected)}{signed}", *reply[name][0]), expected, name)
            voyage = {"model": "test", "input": "hello", "output_dtype": name, "output_dimension": 13}
            row = self.server.post("/v1/embeddings", voyage)["data"][0]["embedding"]
            self.assertEqual(row, reply[name][0])
            packed = self.server.post("/v1/embeddings", {**voyage, "encoding_format": "base64"})["data"][0]["embedding"]
            self.assertEqual(base64.b64decode(packed), expected)
        for name in ("binary", "ubinary"):
            jina = {"model": "test", "input": ["hello"], "embedding_type": name, "dimensions": 13}
            self.assertEqual(self.server.post("/v1/embeddings", jina)["data"][0]["embedding"], reply[name][0])


class Limits(unittest.TestCase):
    def start(self, *options, **arguments):
        server = Server(*options, **arguments)
        self.addCleanup(server.stop)
        return server

    def test_a_full_queue_is_refused_and_nothing_accepted_is_lost(self):
        server = self.start("--max-queue", "300kB")
        body = {"model": "test", "input": ["some words here " * 20] * 60, "encoding_format": "base64"}
        replies = []

        def ask():
            for _ in range(4):
                replies.append(server.request("POST", "/v1/embeddings", body))

        threads = [threading.Thread(target=ask) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        statuses = {reply.status for reply in replies}
        self.assertEqual(statuses, {200, 429})
        for reply in replies:
            if reply.status == 429:
                self.assertGreaterEqual(int(reply.getheader("retry-after")), 1)
                self.assertEqual(json.loads(reply.text)["error"]["code"], "rate_limit_exceeded")
            else:
                self.assertEqual(len(json.loads(reply.text)["data"]), 60)
        big = server.post("/v1/embeddings", {"model": "test", "input": ["x"] * 1000}, 503)
        self.assertEqual(big["error"]["code"], "memory_budget_exceeded")
        # The last thread may still have it in its hands when the reply is there.
        server.wait_for(lambda: 'account="queue"} 0\n' in server.request("GET", "/metrics").text.decode())

    def test_slow_clients_hold_nothing_and_are_ended(self):
        server = self.start("--header-timeout", "1", "--transfer-timeout", "1", "--idle-timeout", "1",
                            "--max-connections", "20")
        silent = [server.connect() for _ in range(20)]
        server.post("/embed", {"inputs": "x"})  # The one that is silent for longest makes room.
        slow_header, slow_body = server.connect(), server.connect()
        slow_header.sendall(b"POST /embed HTTP/1.1\r\nhost")
        slow_body.sendall(b"POST /embed HTTP/1.1\r\nhost: x\r\ncontent-length: 50000\r\n\r\n{")
        server.post("/embed", {"inputs": "x"})
        for connection in (*silent, slow_header, slow_body):
            connection.settimeout(10)
            try:
                self.assertEqual(connection.recv(100), b"")
            except ConnectionResetError:
                pass
            connection.close()
        server.wait_for(lambda: "thimble_connections 1\n" in server.request("GET", "/metrics").text.decode())

    def test_connections_over_the_limit_are_told(self):
        server = self.start("--max-connections", "2")
        busy = [server.connect() for _ in range(2)]
        for connection in busy:
            connection.sendall(b"POST /embed HTTP/1.1\r\nhost: x\r\ncontent-length: 50000\r\n\r\n{")
        time.sleep(0.2)
        with server.connect() as connection:
            self.assertTrue(connection.recv(1000).startswith(b"HTTP/1.1 503 "))
        for connection in busy:
            connection.close()

    def test_pipelined_requests_are_answered_in_order(self):
        server = self.start()
        with server.connect() as connection:
            for i in range(20):
                connection.sendall(raw_post("/api/embed", json.dumps({"model": "test", "input": ["x"] * (i + 1)})))
            counts = []
            data = b""
            while len(counts) < 20:
                data += connection.recv(1 << 16)
                while True:
                    found = re.match(rb"HTTP/1.1 200 OK\r\n.*?content-length: (\d+)\r\n.*?\r\n\r\n", data, re.DOTALL)
                    if not found or len(data) < found.end() + int(found[1]):
                        break
                    end = found.end() + int(found[1])
                    counts.append(len(json.loads(data[found.end():end])["embeddings"]))
                    data = data[end:]
            self.assertEqual(counts, list(range(1, 21)))

    def test_aborted_requests_leave_nothing(self):
        server = self.start()
        server.post("/embed", {"inputs": "x"})
        time.sleep(0.2)
        descriptors = server.descriptors()
        body = json.dumps({"inputs": ["many words in a text " * 30] * 500})
        for i in range(20):
            connection = server.connect()
            request = raw_post("/embed", body)
            connection.sendall(request if i % 2 else request[:len(request) // 2])
            connection.close()
        server.wait_for(lambda: server.descriptors() <= descriptors)
        server.wait_for(lambda: 'account="queue"} 0\n' in server.request("GET", "/metrics").text.decode())
        self.assertIn(499, [line.get("status") for line in server.lines()])
        server.post("/embed", {"inputs": "x"})

    def test_memory_stays_within_the_budget(self):
        server = self.start("--max-memory", "16MB", models=[model])
        before = server.memory()
        body = {"inputs": ["some words here " * 20] * 200}

        def ask():
            for _ in range(8):
                server.request("POST", "/embed", body)

        threads = [threading.Thread(target=ask) for _ in range(16)]
        for thread in threads:
            thread.start()
        most = 0
        while any(thread.is_alive() for thread in threads):
            most = max(most, server.memory())
            time.sleep(0.01)
        if "sanitize" not in os.environ.get("THIMBLE_CXX_FLAGS", ""):
            self.assertLess(most - before, 16_000_000)
        metrics = server.request("GET", "/metrics").text.decode()
        peak = int(re.search(r'account="peak"} (\d+)', metrics)[1])
        self.assertLessEqual(peak, 16_000_000)


class Keys(unittest.TestCase):
    def test_are_needed_everywhere_but_for_health(self):
        keys = folder / "keys.txt"
        keys.write_text("# comment\nfirst-key\n\nsecond-key\n")
        server = Server("--api-key-file", str(keys), environment={"THIMBLE_API_KEYS": "third-key, fourth-key"})
        self.addCleanup(server.stop)
        ok = {"model": "test", "input": "x"}
        self.assertEqual(server.post("/v1/embeddings", ok, 401)["error"]["code"], "invalid_api_key")
        self.assertIsNone(server.post("/embed", {"inputs": "x"}, 401))
        for path in ("/v1/models", "/metrics", "/api/tags", "/nothing"):
            self.assertEqual(server.request("GET", path).status, 401)
        self.assertEqual(server.request("GET", "/", headers={"accept": "text/html"}).status, 401)
        server.get("/health")
        for key in ("first-key", "second-key", "third-key", "fourth-key"):
            server.post("/v1/embeddings", ok, headers={"authorization": f"Bearer {key}"})
        server.post("/v1/embeddings", ok, headers={"x-api-key": "first-key"})
        basic = base64.b64encode(b"user:first-key").decode()
        server.post("/v1/embeddings", ok, headers={"authorization": f"Basic {basic}"})
        for wrong in ("first-ke", "first-keyy", "", "# comment"):
            server.post("/v1/embeddings", ok, 401, headers={"authorization": f"Bearer {wrong}"})

        keys.write_text("new-key\n")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for(lambda: server.events("reloaded"))
        server.post("/v1/embeddings", ok, headers={"authorization": "Bearer new-key"})
        server.post("/v1/embeddings", ok, 401, headers={"authorization": "Bearer first-key"})
        keys.write_text("\n")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for(lambda: server.events("not reloaded"))
        server.post("/v1/embeddings", ok, headers={"authorization": "Bearer new-key"})
        self.assertNotIn("-key", server.text().replace("--api-key", ""))

    def test_are_needed_to_listen_for_others(self):
        result = subprocess.run([CLI, "serve", "-m", model, "--listen", "0.0.0.0:0"], capture_output=True, timeout=20)
        self.assertEqual(result.returncode, 2)
        self.assertIn(b"there is no API key", result.stderr)
        server = Server(environment={"THIMBLE_API_KEYS": "k"}, listen=["0.0.0.0:0"])
        self.assertEqual(server.stop(), 0)


class Life(unittest.TestCase):
    def test_what_was_accepted_is_answered_before_the_end(self):
        server = Server()
        replies = []
        body = {"inputs": ["many words in a text " * 30] * 1500}
        threads = [threading.Thread(target=lambda: replies.append(server.request("POST", "/embed", body)))
                   for _ in range(4)]
        for thread in threads:
            thread.start()
        idle = server.connect()
        time.sleep(0.3)
        code = server.stop()
        for thread in threads:
            thread.join()
        self.assertEqual(code, 0)
        self.assertEqual([reply.status for reply in replies], [200] * 4)
        self.assertEqual({len(json.loads(reply.text)) for reply in replies}, {1500})
        self.assertEqual(idle.recv(10), b"")

    def test_an_idle_server_ends_by_itself(self):
        begin = time.monotonic()
        server = Server("--idle-exit", "3")
        for _ in range(3):
            time.sleep(0.5)
            server.get("/health")  # Which is no use of it.
        self.assertEqual(server.process.wait(10), 0)
        self.assertGreater(time.monotonic() - begin, 2.9)
        server.log.close()

    def test_says_the_limit_at_which_it_truncates(self):
        server = Server("--max-tokens", "6")
        self.addCleanup(server.stop)
        self.assertEqual(server.get("/info")["max_input_length"], 6)
        shown = server.post("/api/show", {"model": "test"})["model_info"]
        self.assertEqual([value for key, value in shown.items() if key.endswith(".context_length")], [6])
        server.post("/embed", {"inputs": "x"})
        self.assertEqual(server.get("/api/ps")["models"][0]["context_length"], 6)

    def test_unix_socket(self):
        path = folder / "socket"
        dead = socket.socket(socket.AF_UNIX)
        dead.bind(str(path))
        dead.close()  # Leaves a file that nobody listens on.
        server = Server(listen=[f"unix:{path}"])
        self.assertEqual(server.addresses, [f"unix:{path}"])
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(path))
        client.sendall(raw_post("/embed", '{"inputs":"x"}'))
        self.assertTrue(read_reply(client).startswith(b"HTTP/1.1 200 "))
        again = subprocess.run([CLI, "serve", "-m", model, "--listen", f"unix:{path}"], capture_output=True, timeout=20)
        self.assertEqual(again.returncode, 1)
        client.close()
        self.assertEqual(server.stop(signal.SIGINT), 0)
        self.assertFalse(path.exists())

    def test_sockets_and_notices_of_systemd(self):
        listening = socket.create_server(("127.0.0.1", 0))
        notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notices.bind(str(folder / "notify"))
        notices.settimeout(10)

        # The process id is only known in the child.
        script = f'LISTEN_FDS=1 LISTEN_PID=$$ NOTIFY_SOCKET={folder}/notify exec "$@"'
        log = open(folder / "systemd.log", "w+")
        process = subprocess.Popen(["bash", "-c", script, "x", CLI, "serve", "-m", model], stderr=log,
                                   preexec_fn=lambda: os.dup2(listening.fileno(), 3, inheritable=True), pass_fds=(3,))
        self.assertEqual(notices.recv(100), b"READY=1")
        connection = http.client.HTTPConnection("127.0.0.1", listening.getsockname()[1], timeout=10)
        connection.request("GET", "/health")
        self.assertEqual(connection.getresponse().status, 200)
        process.terminate()
        self.assertEqual(notices.recv(100), b"STOPPING=1")
        self.assertEqual(process.wait(10), 0)

    def test_wrong_use(self):
        for options, code, says in ((["-m", "./none"], 1, b"none"), (["-m", model, "--listen", "nonsense"], 2, b"HOST:PORT"),
                                    (["-m", model, "--listen", "127.0.0.1:99999"], 2, b"HOST:PORT"),
                                    (["-m", model, "-m", model], 2, b"served already"),
                                    (["-m", model, "--max-memory", "10kB"], 1, b"10000"),
                                    (["-m", model, "--api-key-file", "/none"], 1, b"/none")):
            result = subprocess.run([CLI, "serve", *options], capture_output=True, timeout=20)
            self.assertEqual(result.returncode, code, result.stderr)
            self.assertIn(says, result.stderr)

    def test_without_models_named_it_serves_the_cache(self):
        cache = folder / "full" / "acme"
        cache.mkdir(parents=True)
        for dtype in ("q8", "q4"):
            (cache / f"tiny-{dtype}.safetensors").symlink_to(folder / f"{dtype}.safetensors")
        log = open(folder / "cache.log", "w+")
        process = subprocess.Popen([CLI, "serve", "--listen", f"unix:{folder}/all"], stderr=log,
                                   env={**os.environ, "THIMBLE_HOME": str(folder / "full")})
        self.addCleanup(process.kill)
        deadline = time.monotonic() + 30
        while "listening" not in pathlib.Path(log.name).read_text() and time.monotonic() < deadline:
            time.sleep(0.02)

        def ask(request):
            client = socket.socket(socket.AF_UNIX)
            client.connect(f"{folder}/all")
            client.sendall(request)
            reply = read_reply(client)
            client.close()
            return json.loads(reply.split(b"\r\n\r\n", 1)[1])

        models = ask(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n")["data"]
        self.assertEqual([item["id"] for item in models], ["acme/tiny", "acme/tiny:q4"])
        for name in ("tiny", "Acme/Tiny", "tiny:latest", "tiny:q4"):
            reply = ask(raw_post("/v1/embeddings", json.dumps({"model": name, "input": "x", "encoding_format": "base64"})))
            expected = command_line(["x"], name=str(folder / ("q4" if "q4" in name else "q8")) + ".safetensors")
            self.assertEqual(base64.b64decode(reply["data"][0]["embedding"]), expected)
        self.assertIn("error", ask(raw_post("/v1/embeddings", json.dumps({"model": "other/tiny", "input": "x"}))))
        process.terminate()
        self.assertEqual(process.wait(10), 0)


class Documents(unittest.TestCase):
    def test_commands_give_what_their_dialect_promises(self):
        need.here(shutil.which("curl"), "curl")
        (folder / "docs").mkdir()
        (folder / "docs" / "all-MiniLM-L6-v2-q8.safetensors").symlink_to(model)
        server = Server(models=["all-MiniLM-L6-v2"], environment={"THIMBLE_HOME": str(folder / "docs")})
        self.addCleanup(server.stop)
        seen = 0
        for document in (ROOT / "docs/server.md", ROOT / "README.md"):
            blocks = "".join(re.findall(r"```sh\n(.*?)```", document.read_text(), re.DOTALL))
            self.assertIn("thimble serve -m all-MiniLM-L6-v2", blocks)
            for command in [line for line in blocks.splitlines() if line.startswith("curl ") and "https:" not in line]:
                command = command.replace("curl -s", "curl -s --fail --noproxy '*'").replace(":8080", f":{server.port}")
                result = subprocess.run(["bash", "-c", command], capture_output=True)
                self.assertEqual((result.returncode, result.stderr), (0, b""), command)
                self.assertGreater(len(result.stdout), 5)
                seen += 1
        self.assertGreater(seen, 15)


if __name__ == "__main__":
    unittest.main()
