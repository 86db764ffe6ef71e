"""That a script, bench or test which any file names or imports exists, and that shell scripts can be parsed."""

import os
import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMED = re.compile(r"(?<![\w$/*}-])(?:\.\./)*((?:scripts|bench|tests)/[\w/.-]*\.(?:sh|py|mjs|js|cjs|cc|h|txt|lua))\b")
ANY = re.compile(r"/(x\.\w+$|NAME/)")  # Stands for a name.
TEXT = {".md", ".sh", ".py", ".mjs", ".js", ".cjs", ".ts", ".mts", ".cts", ".json", ".cc", ".h", ".inc", ".txt", ".cmake", ".yml"}


def files():
    """All text files of the tree that are not built or installed."""
    for folder, folders, names in os.walk(ROOT):
        here = pathlib.Path(folder)
        folders[:] = [name for name in folders if name not in (".git", "node_modules", "__pycache__")
                      and not (here == ROOT and re.match(r"build(-|$)|shared$", name))]
        for name in names:
            path = here / name
            if path.suffix in TEXT or name in ("Makefile", "Containerfile", "run"):
                yield path


class Paths(unittest.TestCase):
    def test_that_are_named_exist(self):
        seen = 0
        for path in files():
            for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
                for name in filter(lambda name: not ANY.search(name), NAMED.findall(line)):
                    seen += 1
                    self.assertTrue((ROOT / name).is_file(), f"{path.relative_to(ROOT)}:{number}: {name}: no such file")
        self.assertGreater(seen, 200)

    def test_modules_of_javascript_that_are_imported_exist(self):
        seen = 0
        for path in files():
            if path.suffix == ".mjs" and path.relative_to(ROOT).parts[0] in ("tests", "bench", "scripts"):
                for name in re.findall(r"from '(\.\./[^']+)'", path.read_text()):
                    seen += 1
                    self.assertTrue((path.parent / name).is_file(), f"{path.relative_to(ROOT)}: {name}: no such file")
        self.assertGreater(seen, 0)

    def test_shell_scripts_can_be_parsed_and_run(self):
        scripts = [path for path in files() if path.suffix == ".sh"]
        self.assertGreater(len(scripts), 20)
        for path in scripts:
            check = subprocess.run(["bash", "-n", path], capture_output=True, text=True)
            self.assertEqual((check.returncode, check.stderr), (0, ""), path.relative_to(ROOT))
            self.assertTrue(os.access(path, os.X_OK), f"{path.relative_to(ROOT)}: not executable")


if __name__ == "__main__":
    unittest.main()
