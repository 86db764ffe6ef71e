"""A folder means what sentence-transformers makes of it: folders written here, against its vectors in fixtures/folders.json."""

import json
import math
import os
import sys
import tempfile
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "folders"))
import parity  # noqa: E402
import written  # noqa: E402

CLI = os.environ["THIMBLE_CLI"]


def result(kind, temporary):
    """(vectors, "") or (None, the message)."""
    folder, model = os.path.join(temporary, "folder"), os.path.join(temporary, "model.safetensors")
    written.write(folder, **kind.settings)
    code, message = parity.run([CLI, "convert", folder, model, "--dtype", "fp32"])
    if code:
        return None, message
    return parity.embed(CLI, model, kind.texts, 0, kind.prompt_name, temporary)


def worst_difference(vectors, golden):
    """Of any kept component, divided by the length of the golden vector; infinite for another width."""
    worst = 0.0 if len(vectors) == len(golden["lengths"]) else math.inf
    for vector, length, components in zip(vectors, golden["lengths"], golden["components"]):
        if len(vector) != golden["width"]:
            return math.inf
        found = [vector[i * len(vector) // len(components)] for i in range(len(components))]
        differences = [abs(a - b) for a, b in zip(found, components)] + [abs(math.hypot(*vector) - length)]
        worst = max(worst, max(differences) / length)
    return worst


class Folders(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(os.path.join(TESTS, "fixtures", "folders.json"), encoding="ascii") as file:
            cls.goldens = json.load(file)["cases"]
        cls.kinds, cls.results = written.kinds(), {}
        for name, kind in cls.kinds.items():
            with tempfile.TemporaryDirectory() as temporary:
                cls.results[name] = result(kind, temporary)

    def test_vectors_are_those_of_sentence_transformers(self):
        for name, kind in self.kinds.items():
            if kind.refused:
                continue
            with self.subTest(name):
                vectors, message = self.results[name]
                self.assertIsNotNone(vectors, message)
                self.assertLess(worst_difference(vectors, self.goldens[kind.vectors_of or name]), parity.LIMIT)

    def test_a_setting_flipped_alone_changes_the_vector(self):
        for name, kind in self.kinds.items():
            if not kind.flipped:
                continue
            with self.subTest(name):
                vectors, message = self.results[name]
                self.assertIsNotNone(vectors, message)
                self.assertGreater(worst_difference(vectors, self.goldens[kind.flipped]), parity.CHANGED)

    def test_what_would_change_vectors_and_is_not_followed_is_refused_by_name(self):
        for name, kind in self.kinds.items():
            if not kind.refused:
                continue
            with self.subTest(name):
                vectors, message = self.results[name]
                self.assertIsNone(vectors)
                self.assertIn(kind.refused, message)

    def test_every_golden_has_its_folder(self):
        followed = {name for name, kind in self.kinds.items() if not kind.refused and not kind.vectors_of}
        self.assertEqual(set(self.goldens), followed)


if __name__ == "__main__":
    unittest.main()
