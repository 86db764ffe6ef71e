"""The official clients of other embedding services against thimble serve.

THIMBLE_CLIENTS is the folder in which scripts/server_clients.sh installed them; without it there is nothing to test.
"""

import base64
import json
import os
import pathlib
import shutil
import subprocess
import unittest

import server_test
from server_test import Server, command_line, setUpModule, tearDownModule  # noqa: F401

CLIENTS = os.environ.get("THIMBLE_CLIENTS")
HERE = pathlib.Path(__file__).resolve().parent / "clients"
KEY = "a-key-of-the-test"
TEXTS = ["hello", "a longer text of several words", "one more"]


@unittest.skipUnless(CLIENTS, "THIMBLE_CLIENTS names no folder of clients")
class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(models=[server_test.model], environment={"THIMBLE_API_KEYS": KEY})
        vectors = lambda *options: [base64.b64encode(command_line([text], *options)).decode() for text in TEXTS]
        cls.expected = server_test.folder / "expected.json"
        cls.expected.write_text(json.dumps({"model": "test", "texts": TEXTS, "plain": vectors(),
                                            "query": vectors("--prompt-name", "query"),
                                            "passage": vectors("--prompt-name", "passage")}))

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == 0

    def check(self, *command):
        arguments = [f"http://127.0.0.1:{self.server.port}", KEY, str(self.expected)]
        result = subprocess.run([*command, *arguments], cwd=CLIENTS, capture_output=True, text=True, timeout=300,
                                env={**os.environ, "no_proxy": "*", "ANONYMIZED_TELEMETRY": "False"})
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertGreater(result.stdout.count(": ok"), 7)
        self.assertNotIn(KEY, self.server.text())

    def test_python(self):
        self.check(f"{CLIENTS}/venv/bin/python", str(HERE / "clients.py"))

    def test_javascript(self):
        # Modules are looked for beside the file that imports them.
        shutil.copy(HERE / "clients.mjs", CLIENTS)
        self.check("node", f"{CLIENTS}/clients.mjs")


if __name__ == "__main__":
    unittest.main()
