"""all-MiniLM-L6-v2 itself: vectors against float64 arithmetic, dtypes against fp32, bits against each other."""

import json
import math
import os
import re
import subprocess
import tempfile
import unittest

import need

CLI = os.environ["THIMBLE_CLI"]
MODELS = os.environ.get("THIMBLE_REAL_MODEL")
ONNX = os.environ.get("THIMBLE_REAL_ONNX")
FIXTURE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fixtures", "real_model.json")


def embed(dtype, texts, *options, **environment):
    model = os.path.join(MODELS, f"all-MiniLM-L6-v2-{dtype}.safetensors")
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        file.writelines(json.dumps(text) + "\n" for text in texts)
        file.flush()
        command = [CLI, "embed", "-m", model, "-i", file.name, *options]
        result = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **environment})
    return [json.loads(line) for line in result.stdout.splitlines()]


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.hypot(*a) / math.hypot(*b)


@need.unless(MODELS, "THIMBLE_REAL_MODEL, the folder that scripts/models/model.sh fills")
class RealModel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(FIXTURE, encoding="ascii") as file:
            cls.cases = json.load(file)["cases"]
        cls.texts = [case["text"] for case in cls.cases]
        cls.exact = embed("fp32", cls.texts)

    def test_fp32_is_within_2e6_of_float64(self):
        for case, found in zip(self.cases, self.exact):
            self.assertEqual(found["tokens"], case["tokens"])
            worst = max(abs(a - b) for a, b in zip(found["embedding"], case["components"]))
            self.assertLess(worst, 2e-6, case["text"][:40])

    @need.unless(ONNX, "THIMBLE_REAL_ONNX, the folder that scripts/models/fetch.sh onnx fills")
    def test_the_onnx_export_converts_to_the_same_file(self):
        with tempfile.TemporaryDirectory() as folder:
            # Calibration included; the other formats are compared on a small model, by onnx_test.
            for dtype in ("fp32", "q8"):
                path = os.path.join(folder, dtype)
                subprocess.run([CLI, "convert", ONNX, path, "--dtype", dtype, "--name", "all-MiniLM-L6-v2"], check=True)
                with open(path, "rb") as found:
                    with open(os.path.join(MODELS, f"all-MiniLM-L6-v2-{dtype}.safetensors"), "rb") as expected:
                        source_hash = re.compile(rb'"receipt.source_sha256":"[0-9a-f]{64}"')
                        (found, differing), (expected, same) = (source_hash.subn(b"", f.read()) for f in (found, expected))
                        self.assertEqual((differing, same), (1, 1))
                        self.assertTrue(found == expected, dtype)

    def test_only_the_long_text_is_truncated(self):
        self.assertEqual([found["truncated"] for found in self.exact], [False] * (len(self.cases) - 1) + [True])

    def test_dtypes_stay_close_to_fp32(self):
        # A few odd texts; what a whole data set shows is printed by make bench-quality.
        for dtype, least in {"fp16": 0.999999, "q8": 0.998, "q6": 0.99, "q4": 0.94, "q4-small": 0.94}.items():
            for exact, found in zip(self.exact, embed(dtype, self.texts)):
                self.assertGreater(cosine(exact["embedding"], found["embedding"]), least, dtype)

    def test_receipts_hold_and_reach_the_accuracy_that_we_publish(self):
        limits = {"fp32": 1, "fp16": 0.999999, "q8": 0.9996, "q6": 0.998, "q4": 0.99, "q4-small": 0.985}
        for dtype, least in limits.items():
            model = os.path.join(MODELS, f"all-MiniLM-L6-v2-{dtype}.safetensors")
            info = json.loads(subprocess.run([CLI, "info", "--json", model], check=True, capture_output=True).stdout)
            self.assertGreaterEqual(info["cosine_mean"], least, dtype)
            subprocess.run([CLI, "verify", model], check=True, capture_output=True)

    def test_order_threads_and_instruction_set_do_not_change_a_bit(self):
        for dtype in ("fp32", "fp16", "q8", "q6", "q4", "q4-small"):
            expected = embed(dtype, self.texts)
            self.assertEqual(embed(dtype, self.texts[::-1], "--threads", "2"), expected[::-1], dtype)
            self.assertEqual([embed(dtype, [text])[0] for text in self.texts[:5]], expected[:5], dtype)
            for isa in ("scalar", "avx2"):
                self.assertEqual(embed(dtype, self.texts[:9], THIMBLE_ISA=isa), expected[:9], f"{dtype} {isa}")


if __name__ == "__main__":
    unittest.main()
