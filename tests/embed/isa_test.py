"""The vectors of many texts under each instruction set, byte by byte: those of this machine by the command line, those of
64-bit ARM under qemu where THIMBLE_CROSS_BUILD names the folder of the preset aarch64."""

import os
import pathlib
import random
import re
import shutil
import subprocess
import unittest

import need
import small_models

CLI = os.environ["THIMBLE_CLI"]
CROSS = os.environ.get("THIMBLE_CROSS_BUILD")
REAL = os.environ.get("THIMBLE_REAL_MODEL")
SANITIZED = "-fsanitize" in os.environ.get("THIMBLE_CXX_FLAGS", "")
# An emulated instruction takes some twenty real ones, and the plain C++ of the reference is slow on a real model.
TEXTS = 200 if SANITIZED else 2000
EMULATED_TEXTS = 200
SLOW_TEXTS = 30

# Words, names, numbers, scripts, signs, and bytes that are no UTF-8 after all.
WORDS = (
    "the a of is and to in text word vector small hello world cat dog sun playing runs good day memory xyzzy "
    "Antidisestablishmentarianism 3.14159 1,000,000 2026-11-24 a@b.example http://example.org/?q=1 C++ don't "
    "d\u00e9j\u00e0 stra\u00dfe \u00c5ngstr\u00f6m \u4f60\u597d \u65e5\u672c\u8a9e \u043f\u0440\u0438\u0432\u0435\u0442 \u0645\u0631\u062d\u0628\u0627 \U0001f600 \u2014 \u00a0 \ufeff"
).split(" ")


def texts(count):
    """Lengths from nothing to beyond truncation, most of them short."""
    generator = random.Random(11)
    lines = []
    for i in range(count):
        words = generator.choices(WORDS, k=generator.choice((0, 1, 2, 3, 5, 8, 12, 20)) if i % 50 else 300)
        if i % 7 == 0:
            words.append("".join(generator.choices("abcdefghijklmnop,.!?-()0123456789", k=generator.randrange(40))))
        lines.append(" ".join(words).encode())
    return lines


def machine_isas():
    """(those that this machine has, those that the build has)."""
    unknown = subprocess.run([CLI, "embed", "-m", MODEL, "x"], env={**os.environ, "THIMBLE_ISA": "?"}, capture_output=True)
    names = re.search(rb"expected one of (.*)", unknown.stderr).group(1).decode().split(", ")
    found = []
    for name in names:
        result = subprocess.run([CLI, "embed", "-m", MODEL, "x"], env={**os.environ, "THIMBLE_ISA": name},
                                capture_output=True)
        if result.returncode == 0:
            found.append(name)
        elif b"this machine lacks" not in result.stderr:
            raise AssertionError(result.stderr)
    return found, names


def setUpModule():
    global folder, MODEL
    folder = small_models.make()
    MODEL = str(folder / "q8.safetensors")


def models():
    return sorted(path for path in folder.iterdir() if path.suffix == ".safetensors" and path.name != "reranker-q8.safetensors")


def count_for(model, count):
    """Every text for q8; a quarter of them for each other dtype, to save time."""
    return count if model.name == "q8.safetensors" else count // 4


class SameBits(unittest.TestCase):
    def embed(self, model, isa, lines):
        source, out = folder / "lines.txt", folder / "vectors"
        source.write_bytes(b"".join(line + b"\n" for line in lines))
        subprocess.run([CLI, "embed", "-m", str(model), "-i", str(source), "--format", "f32", "-o", str(out)], check=True,
                       env={**os.environ, "THIMBLE_ISA": isa})
        return out.read_bytes()

    def embed_emulated(self, model, isa, lines):
        source, out = folder / "lines.txt", folder / "vectors"
        source.write_bytes(b"".join(line + b"\n" for line in lines))
        command = ["qemu-aarch64", "-cpu", "max", os.path.join(CROSS, "embed_lines"), str(model), str(source), str(out)]
        used = subprocess.run(command, check=True, env={**os.environ, "THIMBLE_ISA": isa}, capture_output=True, text=True)
        self.assertEqual(used.stdout.strip(), isa)
        return out.read_bytes()

    def check(self, expected, found, count, what):
        self.assertEqual(len(expected), len(found), what)
        if expected == found:
            return
        size = len(expected) // count
        first = next(i for i in range(count) if expected[i * size : (i + 1) * size] != found[i * size : (i + 1) * size])
        self.fail(f"{what}: text {first} has another vector")

    def test_of_every_instruction_set_of_this_machine(self):
        found, names = machine_isas()
        self.assertIn("scalar", found)
        for model in models():
            count = count_for(model, TEXTS)
            lines = texts(count)
            expected = self.embed(model, "scalar", lines)
            self.assertGreater(len(set(expected[i : i + 256] for i in range(0, len(expected), 256))), count // 2)
            for isa in found:
                if isa != "scalar":
                    self.check(expected, self.embed(model, isa, lines), count, f"{isa}, {model.name}")
        print(f"{TEXTS} texts under {', '.join(found)}; this machine lacks {', '.join(set(names) - set(found)) or 'none'}")

    @need.unless(CROSS, "THIMBLE_CROSS_BUILD, the folder of the preset aarch64")
    def test_of_every_instruction_set_of_arm(self):
        self.assertTrue(shutil.which("qemu-aarch64"), "qemu-user is not installed")
        for model in models():
            count = count_for(model, EMULATED_TEXTS)
            lines = texts(count)
            expected = self.embed(model, "scalar", lines)
            for isa in ("neon", "neondot", "neoni8mm"):
                self.check(expected, self.embed_emulated(model, isa, lines), count, f"{isa}, {model.name}")

    @need.unless(CROSS, "THIMBLE_CROSS_BUILD, the folder of the preset aarch64")
    def test_arm_processors_get_the_best_that_they_have(self):
        lines, out = folder / "lines.txt", folder / "vectors"
        lines.write_bytes(b"a text\n")
        for cpu, isa in {"cortex-a72": "neon", "neoverse-n1": "neondot", "max": "neoni8mm"}.items():
            command = ["qemu-aarch64", "-cpu", cpu, os.path.join(CROSS, "embed_lines"), MODEL, str(lines), str(out)]
            used = subprocess.run(command, check=True, capture_output=True, text=True)
            self.assertEqual(used.stdout.strip(), isa, cpu)

    @need.unless(REAL, "THIMBLE_REAL_MODEL, the folder that scripts/models/model.sh fills")
    def test_of_the_real_model(self):
        found, _ = machine_isas()
        lines, few = texts(TEXTS // 4), texts(SLOW_TEXTS)
        for model in sorted(pathlib.Path(REAL).glob("all-MiniLM-L6-v2-q*.safetensors")):
            expected, expected_few = self.embed(model, found[0], lines), self.embed(model, found[0], few)
            for isa in found[1:]:
                slow = isa in ("scalar", "sse41")
                self.check(expected_few if slow else expected, self.embed(model, isa, few if slow else lines),
                           len(few if slow else lines), f"{isa}, {model.name}")
            if CROSS:
                self.check(expected_few, self.embed_emulated(model, "neoni8mm", few), SLOW_TEXTS, f"ARM, {model.name}")


if __name__ == "__main__":
    unittest.main()
