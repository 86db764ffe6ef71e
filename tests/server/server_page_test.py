"""The page of thimble serve in headless Chromium, where that is installed: what people see, and that it renews itself."""

import re
import shutil
import subprocess
import tempfile
import unittest

import server_test
from server_test import Server, setUpModule  # noqa: F401

CHROMIUM = shutil.which("chromium")


@unittest.skipUnless(CHROMIUM, "chromium is not installed")
class Page(unittest.TestCase):
    def dom(self, server, path):
        """The page after five seconds of its own time."""
        with tempfile.TemporaryDirectory() as profile:
            command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                       "--disable-background-networking", "--disable-component-update", "--disable-sync",
                       "--user-data-dir=" + profile, "--virtual-time-budget=5000", "--dump-dom",
                       f"http://127.0.0.1:{server.port}{path}"]
            return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout

    def test_shows_likeness_and_renews_its_figures(self):
        server = Server(models=[server_test.model])
        try:
            page = self.dom(server, "/?a=hello+%3Cb%3E&b=hello+%3Cb%3E")
            self.assertIn("<output>1.0000</output>", page)
            self.assertIn("hello &lt;b&gt;</textarea>", page)
            self.assertNotIn("http://", page.replace(f"http://127.0.0.1:{server.port}", ""))
            answered = int(re.search(r"answered</th><td[^>]*>(\d+)", page)[1])
            first = int(re.search(r"answered</th><td[^>]*>(\d+)", self.dom(server, "/"))[1])
            self.assertGreater(answered, 0)  # As the script has seen it: the page itself came with 0.
            self.assertGreater(first, answered + 1)
        finally:
            self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
