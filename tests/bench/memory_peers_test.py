"""bench/memory/peers.py: what it measures of a process in stages, and rows of peers that fail."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench/memory"))
import peers  # noqa: E402

MB = 1_000_000
# Takes 40 MB between its stages, and another 80 MB for a moment.
CHILD = """
print("stage start", flush=True); input()
kept = bytearray(b"x" * 40_000_000)
import time; moment = bytearray(b"x" * 80_000_000); time.sleep(0.5); del moment
print("a line\\nstage loaded", flush=True); input()
"""


class Peers(unittest.TestCase):
    def test_has_the_memory_at_stages_and_the_most_between_them(self):
        found = peers.stages([sys.executable, "-c", CHILD])
        self.assertEqual(list(found), ["start", "loaded", "peak"])
        for figure in ("private", "pss", "rss"):
            self.assertAlmostEqual(found["loaded"][figure] - found["start"][figure], 40 * MB, delta=3 * MB)
            self.assertGreater(found["peak"][figure] - found["start"][figure], 118 * MB)

    def test_the_end_of_what_a_failed_peer_wrote_is_the_error(self):
        with self.assertRaisesRegex(RuntimeError, "exit code 3: no such model"):
            peers.stages([sys.executable, "-c", "import sys; print('no such model', file=sys.stderr); sys.exit(3)"])

    def test_a_peer_that_is_not_installed_is_a_row_with_an_error(self):
        row = peers.measure(pathlib.Path("/no/such/folder"), "transformers.js", "q8")
        self.assertEqual((row["name"], row["dtype"], row["file_bytes"]), ("transformers.js", "q8", 0))
        self.assertIn("model_quantized.onnx", row["error"])


if __name__ == "__main__":
    unittest.main()
