"""thimble embed with every remote backend against thimble serve: the vectors are those of thimble embed with the model."""

import json
import os
import subprocess
import time
import unittest

import need
import small_models

CLI = os.environ["THIMBLE_CLI"]
HAS_SERVER = subprocess.run([CLI, "serve", "--help"], capture_output=True).returncode == 0
KEY = "sk-key-of-the-tests-0123456789"
VARIABLES = ("OPENAI_API_KEY", "TEI_API_KEY", "OLLAMA_API_KEY", "COHERE_API_KEY", "VOYAGE_API_KEY", "JINA_API_KEY")
TEXTS = ["hello", "\u00e9t\u00e9 \u4e2d\u6587", "hello", " ", *(f"line {i} of a long file" for i in range(300))]
# Of the base URL; with the name of a model where the dialect has one.
BACKENDS = {"openai": "openai:test@{}/v1", "tei": "tei:{}", "ollama": "ollama:test@{}", "cohere": "cohere:test@{}",
            "voyage": "voyage:test@{}/v1", "jina": "jina:test@{}/v1"}


def setUpModule():
    global folder, server, url, log
    need.here(HAS_SERVER, "the command serve in this build")
    folder = small_models.make()
    (folder / "keys").write_text(KEY + "\n")
    (folder / "texts.txt").write_text("".join(text + "\n" for text in TEXTS))
    log = open(folder / "log", "w+")
    server = subprocess.Popen([CLI, "serve", "-m", folder / "q8.safetensors", "--listen", "127.0.0.1:0", "--api-key-file", folder / "keys"],
                              stderr=log)
    deadline = time.monotonic() + 20
    while "listening" not in (text := (folder / "log").read_text()):
        assert server.poll() is None and time.monotonic() < deadline, text
        time.sleep(0.01)
    url = json.loads(text.splitlines()[0])["text"]


def tearDownModule():
    server.terminate()
    server.wait()
    log.close()


def embed(*arguments, key=KEY):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("THIMBLE_")}
    return subprocess.run([CLI, "embed", *arguments], capture_output=True, text=True, env=environment | dict.fromkeys(VARIABLES, key))


class OurServer(unittest.TestCase):
    def vectors(self, *arguments):
        result = embed(*arguments, "-i", folder / "texts.txt")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return [json.loads(line)["embedding"] for line in result.stdout.splitlines()]

    def test_gives_the_vectors_of_the_model_to_the_bit(self):
        # Cohere has no texts without an input type.
        for prompt, backends in ((None, BACKENDS.keys() - {"cohere"}), ("query", ("tei", "cohere", "voyage", "jina")), ("passage", ("cohere",))):
            flags = () if prompt is None else ("--prompt-name", prompt)
            expected = self.vectors("-m", folder / "q8.safetensors", *flags)
            self.assertEqual(len(expected), len(TEXTS))
            for backend in backends:
                with self.subTest(backend=backend, prompt=prompt):
                    self.assertEqual(self.vectors("--backend", BACKENDS[backend].format(url), *flags), expected)

    def test_says_what_is_wrong(self):
        for backend, name in BACKENDS.items():
            with self.subTest(backend):
                refused = embed("--backend", name.format(url), "a text", key="another")
                self.assertEqual(refused.returncode, 1)
                self.assertIn("status 401", refused.stderr)
                self.assertNotIn("another", refused.stderr)
                if backend != "tei":
                    unknown = embed("--backend", name.format(url).replace("test@", "nothing@"), "a text")
                    self.assertEqual(unknown.returncode, 1)
                    self.assertRegex(unknown.stderr, 'status 404: .*"nothing"')


if __name__ == "__main__":
    unittest.main()
