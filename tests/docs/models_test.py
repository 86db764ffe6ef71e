"""docs/models.md has the models, sizes and scores of the program."""

import json
import os
import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts/models"))
import table  # noqa: E402


class Models(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        listed = subprocess.run([os.environ["THIMBLE_CLI"], "pull", "--list", "--json"], check=True, capture_output=True)
        cls.listed = json.loads(listed.stdout)
        cls.text = table.DOCUMENT.read_text()

    def test_tables_are_those_of_the_program(self):
        self.assertEqual(table.document(self.listed, self.text), self.text)

    def test_another_figure_is_seen(self):
        changed = json.loads(json.dumps(self.listed))
        changed["models"][0]["mteb_english"]["mean"] += 0.01
        self.assertNotEqual(table.document(changed, self.text), self.text)

    def test_names_in_the_text_are_known(self):
        prose = re.sub(r"<!-- (\w+) -->.*?<!-- /\1 -->", "", self.text, flags=re.DOTALL)
        names = {model["repository"].split("/")[1] for model in self.listed["models"]}
        named = {word for word in re.findall(r"`([\w.-]+-[\w.-]+)`", prose) if not word.startswith("--")}
        self.assertGreater(len(named), 5)
        self.assertEqual(named - names, set())

    def test_recommended_models_are_the_best_of_their_size(self):
        """No smaller or equally large model that runs, in the same language, has a higher score of that kind."""
        by_name = {table.short(model): model for model in self.listed["models"]}
        for what, name, language, which in table.RECOMMENDED:
            if "with a prompt" in what or "long texts" in what:
                continue
            mine = by_name[name]
            for model in self.listed["models"]:
                score = model["mteb_" + language]
                if model["supported"] and score and model["bytes_q8"] <= mine["bytes_q8"]:
                    self.assertLessEqual(score[which], mine["mteb_" + language][which], f"{what}: {model['repository']}")


if __name__ == "__main__":
    unittest.main()
