"""The command line with remote backends, against a provider on loopback and its faults. Needs no network."""

import json
import os
import pathlib
import struct
import subprocess
import tempfile
import time
import unittest

from fake_provider import FakeProvider, vector

CLI = os.environ["THIMBLE_CLI"]
KEY = "sk-key-of-the-tests-0123456789"
SANITIZED = "sanitize" in os.environ.get("THIMBLE_CXX_FLAGS", "")
# By dialect: the path of its base URL, the variable of its key, and the prompts that its requests can have.
DIALECTS = {"openai": ("/v1", "OPENAI_API_KEY", {}), "tei": ("", "TEI_API_KEY", {"any": "any"}), "ollama": ("", "OLLAMA_API_KEY", {}),
            "cohere": ("", "COHERE_API_KEY", {"query": "search_query", "passage": "search_document"}),
            "voyage": ("/v1", "VOYAGE_API_KEY", {"query": "query"}), "jina": ("/v1", "JINA_API_KEY", {"query": "retrieval.query"})}
KEYS = {variable: KEY for _, variable, _ in DIALECTS.values()}
BIG = [f"text {i} of many" for i in range(600)]


def setUpModule():
    global provider, temporary, folder
    provider = FakeProvider()
    provider.control({"key": KEY})
    temporary = tempfile.TemporaryDirectory()
    folder = pathlib.Path(temporary.name)
    (folder / "big.txt").write_text("".join(text + "\n" for text in BIG))


def tearDownModule():
    provider.close()
    temporary.cleanup()


def name_of(dialect, fault=""):
    url = provider.url + (f"/fault/{fault}" if fault else "") + DIALECTS[dialect][0]
    return f"tei:{url}" if dialect == "tei" else f"{dialect}:fake-model@{url}"


def environment_of(**changes):
    """Without variables that are ours, a proxy's or a provider's, and with the keys."""
    ours = ("THIMBLE_", "OPENAI_", "OLLAMA_", "TEI_", "COHERE_", "CO_API", "VOYAGE_", "JINA_", "http_proxy", "HTTP_PROXY", "ALL_PROXY",
            "all_proxy")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)} | KEYS | changes
    return {name: value for name, value in environment.items() if value is not None}


def start(*arguments, **environment):
    return subprocess.Popen([CLI, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment_of(**environment))


def run(*arguments, **environment):
    process = start(*arguments, **environment)
    out, error = process.communicate(timeout=60)
    # Whatever happens, no key is to be seen.
    assert KEY.encode() not in out + error, (arguments, error)
    return process.returncode, out.decode(), error.decode()


def vectors_of(out):
    return [json.loads(line)["embedding"] for line in out.splitlines()]


class Backends(unittest.TestCase):
    def setUp(self):
        provider.control({"clear": True})

    def requests(self):
        return [record for record in provider.log if record["method"] == "POST"]

    def sent_texts(self, field="input"):
        return [text for record in self.requests() for text in record["body"][field]]

    def embed(self, name, *arguments, **environment):
        return run("embed", "--backend", name, *arguments, **environment)

    def assert_vectors(self, out, texts):
        self.assertEqual(vectors_of(out), [vector(text) for text in texts])

    def assert_fails(self, result, *parts, code=1, out=""):
        self.assertEqual(result[:2], (code, out), result[2])
        for part in parts:
            self.assertIn(part, result[2])

    def test_every_dialect_gives_vectors(self):
        for dialect, (_, _, prompts) in DIALECTS.items():
            for prompt, kind in [(None, "search_document" if dialect == "cohere" else ""), *prompts.items()]:
                with self.subTest(dialect=dialect, prompt=prompt):
                    flags = ["--prompt-name", prompt] if prompt else []
                    code, out, error = self.embed(name_of(dialect), "--dimensions", 5, *flags, "a text", "ein Text \u00fc")
                    self.assertEqual((code, error), (0, ""))
                    texts = [f"{kind}: {text}" if kind else text for text in ("a text", "ein Text \u00fc")]
                    self.assertEqual(vectors_of(out), [vector(text, 5) for text in texts])

    def test_texts_are_cut_into_requests_and_come_back_in_order(self):
        code, out, error = self.embed(name_of("cohere"), "-i", folder / "big.txt")
        self.assertEqual((code, error), (0, ""))
        self.assertEqual(vectors_of(out), [vector(f"search_document: {text}") for text in BIG])
        sent = self.sent_texts("texts")
        self.assertEqual((len(sent), set(sent)), (len(BIG), set(BIG)))  # Nothing twice.
        self.assertEqual(sorted(len(record["body"]["texts"]) for record in self.requests()), [24] + [96] * 6)

    def test_a_text_that_appears_twice_is_sent_once(self):
        code, out, _ = self.embed(name_of("openai"), "one", "two", "one")
        self.assertEqual(code, 0)
        self.assert_vectors(out, ["one", "two", "one"])
        self.assertEqual(self.sent_texts(), ["one", "two"])

    def test_formats(self):
        for form, read in (("f32", lambda data: data), ("npy", lambda data: data[128:])):
            path = folder / f"vectors.{form}"
            self.assertEqual(self.embed(name_of("openai"), "-i", folder / "big.txt", "--format", form, "-o", path), (0, "", ""))
            values = [value for text in BIG for value in vector(text)]
            self.assertEqual(read(path.read_bytes()), struct.pack(f"<{len(values)}f", *values))
        code, out, _ = self.embed(name_of("openai"), "--format", "json", "one", "two")
        self.assertEqual([item["tokens"] for item in json.loads(out)], [None, None])

    def test_passing_faults_lose_nothing_and_double_nothing(self):
        faults = ["reset-before:1", "reset-within:1", "short-body:1", "storm:1", "storm-ms:3", "storm-seconds:1", "storm-date:1",
                  "storm-nonsense:1", "status-408:1", "status-409:1", "status-500:1", "status-503:1", "wrong-order"]
        processes = {fault: start("embed", "--backend", name_of("openai", fault), "-i", folder / "big.txt") for fault in faults}
        for fault, process in processes.items():
            with self.subTest(fault):
                out, error = process.communicate(timeout=60)
                self.assertEqual((process.returncode, error), (0, b""))
                self.assert_vectors(out.decode(), BIG)

    def test_lasting_faults_end_soon_in_little_memory_and_say_why(self):
        faults = {"truncated-json": "is not JSON", "storm-ms": "status 429: too many requests", "storm-hour": "try again in 3600 s",
                  "status-400": "status 400", "status-401": "check OPENAI_API_KEY", "status-413": "status 413",
                  "duplicate-index": "expected an index", "missing-item": "expected 2 vectors, found 1",
                  "extra-item": "expected 2 vectors, found 3", "nan": "value 7", "huge": "value 7", "null": "found null",
                  "string": "found a string", "one-short": "expected 8 values, found 7", "html": "is not JSON", "empty": "is not JSON",
                  "deep": "nested deeper", "wrong-type": "expected a list at /data", "endless-body": "bytes of reply",
                  "endless-vector": "bytes of reply", "endless-headers": "bytes of headers", "redirect": "a redirect", "gzip": "is not JSON",
                  "bomb": ("bytes of reply", "is not JSON")}
        for fault, message in faults.items():
            with self.subTest(fault):
                begin = time.monotonic()
                process = start("embed", "--backend", name_of("openai", fault), "one", "two")
                out, error = process.stdout.read(), process.stderr.read().decode()
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
                process.stdout.close(), process.stderr.close()
                self.assertIn(process.returncode, (1, 2))
                self.assertEqual(out, b"")
                self.assertTrue(error.startswith("thimble embed: texts[0] to texts[1]: openai: "), error)
                self.assertTrue(any(part in error for part in ([message] if isinstance(message, str) else message)), error)
                self.assertNotIn(KEY, error)
                self.assertLess(time.monotonic() - begin, 10)
                if not SANITIZED:
                    self.assertLess(usage.ru_maxrss, 80 << 10)
        self.assertEqual({record["host"] for record in provider.log}, {"127.0.0.1"})  # Redirects went nowhere.
        attempts = {}
        for record in self.requests():
            attempts[record["fault"]] = attempts.get(record["fault"], 0) + 1
        self.assertEqual(attempts.pop("storm-ms"), 5)
        self.assertEqual(set(attempts.values()), {1})  # What cannot succeed is not sent again.

    def test_time_is_limited(self):
        for fault in ("hang", "slow", "storm"):
            begin = time.monotonic()
            self.assert_fails(self.embed(name_of("openai", fault), "--timeout", 1, "one"), "openai: ")
            self.assertLess(time.monotonic() - begin, 4)

    def test_after_a_failure_what_came_is_there_and_the_rest_is_named(self):
        code, out, error = self.embed(name_of("openai", "status-400:1"), "-i", folder / "big.txt")
        self.assertEqual(code, 2)
        self.assertRegex(error, r"^thimble embed: texts\[\d+\] to texts\[\d+\]: openai: .* status 400")
        first, last = (int(part.split("]")[0]) for part in error.split("texts[")[1:])
        vectors = vectors_of(out)
        self.assertEqual(len(vectors), len(BIG))
        for i, (found, text) in enumerate(zip(vectors, BIG)):
            self.assertIn(found, (None, vector(text)))
            if first <= i <= last:
                self.assertIsNone(found)
        self.assertLess(vectors.count(None), len(BIG))

        path = folder / "kept.jsonl"
        code, _, _ = self.embed(name_of("openai", "status-400:1:again"), "-i", folder / "big.txt", "-o", path)
        self.assertEqual((code, len(vectors_of(path.read_text()))), (2, len(BIG)))
        before = path.read_bytes()
        self.assert_fails(self.embed(name_of("openai", "status-400"), "one", "-o", path), code=2)
        self.assertEqual(path.read_bytes(), before)

    def test_keys(self):
        name = name_of("openai")
        refused = self.embed(name, "one", OPENAI_API_KEY="wrong-key-of-somebody")
        self.assert_fails(refused, "status 401: the key is wrong; check OPENAI_API_KEY")
        self.assertNotIn("wrong-key", refused[2])
        self.assert_fails(self.embed(name, "one", OPENAI_API_KEY=None), "set OPENAI_API_KEY, or OPENAI_API_KEY_FILE")
        file = folder / "key"
        file.write_text(f" {KEY}\n")
        code, out, _ = self.embed(name, "one", OPENAI_API_KEY=None, OPENAI_API_KEY_FILE=str(file))
        self.assertEqual(code, 0)
        self.assert_fails(self.embed(name, "one", OPENAI_API_KEY=None, OPENAI_API_KEY_FILE=str(folder / "none")), "OPENAI_API_KEY_FILE: ")
        self.assert_fails(self.embed(name, "one", OPENAI_API_KEY=f"{KEY}\r\nx: y"), "the key in OPENAI_API_KEY contains spaces", code=2)
        # Before anything is sent.
        self.assert_fails(self.embed("openai:m", "one", OPENAI_API_KEY=None), "https://api.openai.com needs a key; set OPENAI_API_KEY")

    def test_a_key_shows_in_no_title(self):
        process = start("embed", "--backend", name_of("openai", "hang"), "--timeout", 20, "one")
        while not self.requests():
            time.sleep(0.01)
        for title in ("cmdline", "comm", "stat"):
            self.assertNotIn(KEY.encode(), pathlib.Path(f"/proc/{process.pid}/{title}").read_bytes())
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        self.assertEqual(children, "")  # Nor is there another process that would have it.
        process.kill()
        process.communicate()

    def test_base_urls(self):
        for arguments, environment in (
                (("--backend", "openai:m", "--base-url", f"{provider.url}/v1/"), {}),
                (("--backend", "openai", "-m", "m"), {"OPENAI_BASE_URL": f"{provider.url}/v1"}),
                (("--backend", "ollama:m"), {"OLLAMA_HOST": provider.url.removeprefix("http://")}),
                (("--backend", "tei", "--base-url", provider.url), {}),
                ((), {"THIMBLE_BACKEND": name_of("jina")})):
            with self.subTest(arguments):
                code, out, error = run("embed", *arguments, "one", **environment)
                self.assertEqual((code, error), (0, ""))
                self.assert_vectors(out, ["one"])
        refused = self.embed("openai:m@http://user:secret@localhost/v1", "one")
        self.assert_fails(refused, "no user", code=2)
        self.assertNotIn("secret", refused[2])

    def test_chains(self):
        good = name_of("openai")
        chain = self.embed(f"{name_of('openai', 'status-401')},{good}", "one")
        self.assertEqual(chain[0], 0, chain[2])  # The same provider and model, by two addresses.
        self.assert_vectors(chain[1], ["one"])
        other = f"{name_of('openai', 'status-401:9')},{name_of('ollama')}"
        self.assert_fails(self.embed(other, "one"), "openai and ollama have different vector spaces", "name its space with --space", code=2)
        code, out, _ = self.embed(other, "--space", "ours", "-i", folder / "big.txt")
        self.assertEqual(code, 0)
        self.assert_vectors(out, BIG)
        lengths = self.embed(f"{name_of('openai', 'status-400:1')},mock", "--space", "ours", "one")
        self.assert_fails(lengths, "status 400", code=2)  # What is wrong everywhere is not tried elsewhere.
        both = self.embed(f"{name_of('openai', 'status-401')},{name_of('tei', 'status-401')}", "--space", "ours", "one")
        self.assert_fails(both, "no backend succeeded: ", "; texts[0]: tei: ")
        local = self.embed(f"{name_of('openai', 'status-401')},mock", "--space", "ours", "one")
        self.assertEqual((local[0], len(vectors_of(local[1])[0])), (0, 384), local[2])

    def test_similar(self):
        code, out, error = run("similar", "--backend", name_of("voyage"), "--top", 2, BIG[7], folder / "big.txt")
        self.assertEqual((code, error), (0, ""))
        self.assertEqual(out.splitlines()[0], f"1.0000\t-\t{BIG[7]}")
        code, out, error = run("similar", "--backend", name_of("voyage"), "--prompts", "--top", 2, BIG[7], folder / "big.txt")
        self.assertEqual((code, error), (0, ""))
        kinds = {record["body"].get("input_type") for record in self.requests()}
        self.assertEqual(kinds, {None, "query", "document"})

    def test_what_a_remote_backend_lacks_is_refused(self):
        name = name_of("openai")
        for flags in (("--pooling", "cls"), ("--max-tokens", 5), ("--truncation", "tokenizers"),
                      ("--long-texts", "chunk", "--chunk-overlap", 3), ("--long-texts", "error"), ("--no-normalize",),
                      ("--prompt-name", "query")):
            with self.subTest(flags):
                code, out, error = self.embed(name, *flags, "one")
                self.assertEqual((code, out), (1, ""), error)
        for flags in (("--precision", "int8"), ("--precision", "uint8")):
            code, out, error = self.embed(name, *flags, "one")
            self.assertEqual((code, out), (1, ""))
            self.assertIn(f"--precision {flags[1]}: only native backends", error)
        for flags in (("--base-url", "http://a"), ("--space", "s"), ("--timeout", 5)):
            self.assert_fails(run("embed", "-m", "mock", *flags, "one"), f"{flags[0]}: only remote backends accept it", code=2)
        self.assertEqual(self.requests(), [])

    def test_other_commands_refuse_remote_backends_by_name(self):
        for command in (["info", "m"], ["tokenize", "-m", "m", "one"], ["plan", "m"], ["verify", "m"]):
            with self.subTest(command):
                code, out, error = run(*command, THIMBLE_BACKEND=f"openai:m@{provider.url}/v1")
                self.assertEqual(out, "")
                self.assertNotEqual(code, 0)
                self.assertIn('found "openai:..."; only thimble embed', error)


if __name__ == "__main__":
    unittest.main()
