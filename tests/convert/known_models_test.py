"""Known models end to end: the real weights that scripts/models/fetch.sh known got, against values computed by others' programs.

THIMBLE_KNOWN_MODELS names the folder that it fills; models that are not there are passed over.
"""

import json
import math
import os
import subprocess
import tempfile
import unittest

import need

CLI = os.environ["THIMBLE_CLI"]
FOLDER = os.environ.get("THIMBLE_KNOWN_MODELS")
FIXTURES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fixtures")
# The fixture rounds to 5e-8. onnxruntime computes in fp32 and sums in another order than thimble does.
LIMIT_FP32 = 1e-6


def embed(model, texts, *options):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf-8") as file:
        file.writelines(json.dumps(text) + "\n" for text in texts)
        file.flush()
        command = [CLI, "embed", "-m", model, "-i", file.name, "--normalize", *options]
        result = subprocess.run(command, check=True, capture_output=True, text=True)
    return [json.loads(line) for line in result.stdout.splitlines()]


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.hypot(*a) / math.hypot(*b)


@need.unless(FOLDER, "THIMBLE_KNOWN_MODELS, the folder that scripts/models/fetch.sh known fills")
class KnownModels(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(os.path.join(FIXTURES, "known_models.json"), encoding="ascii") as file:
            cls.goldens = json.load(file)
        cls.names = [name for name in cls.goldens if os.path.isdir(os.path.join(FOLDER, name))]
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)

    def convert(self, name, dtype):
        path = os.path.join(self.temporary.name, f"{name}-{dtype}.safetensors")
        if not os.path.exists(path):
            subprocess.run([CLI, "convert", os.path.join(FOLDER, name), path, "--dtype", dtype], check=True)
        return path

    def groups(self, name):
        """(prompt, its cases), for each prompt of the model and none."""
        cases = self.goldens[name]["cases"]
        for prompt in sorted({case["prompt"] for case in cases}):
            yield prompt, [case for case in cases if case["prompt"] == prompt]

    def test_there_is_one(self):
        self.assertIn("gte-small", self.names)

    def test_vectors_equal_those_computed_by_others(self):
        for name in self.names:
            model, worst = self.convert(name, "fp32"), 0
            for prompt, cases in self.groups(name):
                asked = ["--prompt-name", prompt] if prompt else []
                results = embed(model, [case["text"] for case in cases], *asked)
                self.assertEqual([r["tokens"] for r in results], [case["tokens"] for case in cases], name)
                for result, case in zip(results, cases):
                    for found, expected in zip(result["embedding"], case["components"]):
                        worst = max(worst, abs(found - expected))
            print(f"{name}: largest difference {worst:.2g}")
            self.assertLess(worst, LIMIT_FP32, name)

    def test_q8_is_close_to_fp32(self):
        for name in self.names:
            texts = [case["text"] for case in self.goldens[name]["cases"] if not case["prompt"]]
            exact, found = (embed(self.convert(name, dtype), texts) for dtype in ("fp32", "q8"))
            cosines = [cosine(a["embedding"], b["embedding"]) for a, b in zip(exact, found)]
            print(f"{name}: q8 to fp32, least cosine {min(cosines):.5f}")
            self.assertGreater(min(cosines), 0.995, name)

    def test_what_the_sources_do_not_say_is_known(self):
        for name in self.names:
            info = json.loads(subprocess.run([CLI, "info", "--json", self.convert(name, "q8")], check=True,
                                             capture_output=True).stdout)
            golden = self.goldens[name]
            self.assertEqual((info["name"], info["pooling"], info["max_tokens"]),
                             (name, golden["pooling"], golden["max_tokens"]))
            prompts = {key[len("prompt."):]: text for key, text in info.items() if key.startswith("prompt.")}
            self.assertEqual(prompts, golden["prompts"])

    def test_sizes_are_those_of_the_table(self):
        listed = json.loads(subprocess.run([CLI, "pull", "--list", "--json"], check=True, capture_output=True).stdout)
        models = {model["repository"].split("/")[1]: model for model in listed["models"]}
        for name in self.names:
            for dtype in ("q8", "q4"):
                found = os.path.getsize(self.convert(name, dtype))
                self.assertAlmostEqual(models[name][f"bytes_{dtype}"] / found, 1, delta=0.02, msg=f"{name} {dtype}")

    def test_an_fp16_source_gives_the_vectors_of_the_fp32_one(self):
        name = "all-MiniLM-L6-v2"
        if not os.path.isdir(os.path.join(FOLDER, name)):
            self.skipTest("not fetched")
        with open(os.path.join(FIXTURES, "real_model.json"), encoding="ascii") as file:
            cases = json.load(file)["cases"]
        results = embed(self.convert(name, "fp32"), [case["text"] for case in cases])
        for result, case in zip(results, cases):
            self.assertEqual(result["tokens"], case["tokens"])
            # Weights are rounded to 11 bits.
            for found, expected in zip(result["embedding"], case["components"]):
                self.assertAlmostEqual(found, expected, delta=2e-4)


if __name__ == "__main__":
    unittest.main()
