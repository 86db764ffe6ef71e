"""What the parts of make trust share: a small model, a folder to work in, and results for docs/trust.md.

THIMBLE_CLI and THIMBLE_MAKE_TEST_MODEL name the programs; THIMBLE_TRUST the folder of results and reproducers.
"""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/support"))

CLI = os.environ["THIMBLE_CLI"]
RESULTS = pathlib.Path(os.environ.get("THIMBLE_TRUST", ROOT / "build" / "trust"))
REPOSITORY = "test/tiny"


def clean_environment(**changes):
    """Without settings of whoever runs this."""
    kept = {key: value for key, value in os.environ.items()
            if not key.startswith(("HF_", "THIMBLE_", "HUGGING", "TRANSFORMERS_", "XDG_", "ASAN_", "UBSAN_"))
            and not key.lower().endswith("_proxy")}
    return {**kept, **changes}


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def snapshot(folder):
    """{relative name: hash} of everything in it."""
    folder = pathlib.Path(folder)
    return {path.relative_to(folder).as_posix(): digest(path) if path.is_file() else "not a file"
            for path in sorted(folder.rglob("*")) if not path.is_dir()}


class Material:
    """Models, a source and texts, made once and then only read."""

    def __init__(self, lines=200):
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.temporary = tempfile.TemporaryDirectory(prefix="thimble-trust-", dir=base)
        self.folder = pathlib.Path(self.temporary.name)
        inputs = self.folder / "inputs"
        inputs.mkdir()
        subprocess.run([os.environ["THIMBLE_MAKE_TEST_MODEL"], str(inputs)], check=True)
        self.inputs = inputs
        self.source = inputs / "source"
        self.model = inputs / "q8.safetensors"
        self.texts = inputs / "texts.txt"
        self.texts.write_text("".join(f"{number} a small text about the thing number {number * 7}\n"
                                      for number in range(lines)))
        self.before = snapshot(inputs)

    def changed(self):
        """The inputs that are no longer as they were."""
        now = snapshot(self.inputs)
        return sorted(name for name in now.keys() | self.before.keys() if now.get(name) != self.before.get(name))

    def close(self):
        self.temporary.cleanup()

    def new_folder(self, name):
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        return path


class Findings:
    """Collects what must not be, each with a file that says how to see it again."""

    def __init__(self, part):
        self.part = part
        self.found = []
        self.folder = RESULTS / "found" / part
        shutil.rmtree(self.folder, ignore_errors=True)

    def add(self, what, **details):
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{len(self.found) + 1:03}.txt"
        path.write_text(what + "\n" + "".join(f"\n{key}:\n{value}\n" for key, value in details.items()))
        self.found.append({"what": what, "reproducer": str(path)})
        print(f"{self.part}: FOUND {what}\n  {path}", flush=True)


def write_results(part, results, findings):
    RESULTS.mkdir(parents=True, exist_ok=True)
    results["found"] = [entry["what"] for entry in findings.found]
    (RESULTS / f"{part}.json").write_text(json.dumps(results, indent=1) + "\n")
    return 1 if findings.found else 0
