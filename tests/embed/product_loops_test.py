"""bench/product_loops.py: what the compiled loops reach in models of processors, and that slower ones are found."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import need

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))
import product_loops  # noqa: E402

BUILD = pathlib.Path(os.environ["THIMBLE_BUILD"])
CROSS = os.environ.get("THIMBLE_CROSS_BUILD")
BUILD_TYPE = re.search(r"^CMAKE_BUILD_TYPE:\w+=(.*)$", (BUILD / "CMakeCache.txt").read_text(), re.MULTILINE).group(1)
MODEL = ("x86_64", "", "alderlake")
PRODUCT = re.compile(product_loops.SETS["avxvnni"][3])
PRODUCTS = [f"{{vex}} vpdpbusd %ymm14,%ymm15,%ymm{n}" for n in range(12)]


def check(*arguments):
    command = [sys.executable, BENCH / "product_loops.py", "--check", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@unittest.skipUnless(shutil.which(product_loops.MCA), "llvm-mca-19 is not here; \"scripts/setup.sh with llvm-19\"")
class Judgement(unittest.TestCase):
    def test_products_alone_reach_their_limit(self):
        part, products, cycles, limit = product_loops.judge(MODEL, PRODUCTS, PRODUCT)
        self.assertEqual((part, products, cycles, limit), (1, 12, 6, 6))

    def test_more_work_on_their_ports_does_not(self):
        turn = PRODUCTS + ["vpmullw %ymm12,%ymm13,%ymm13" for _ in range(4)]
        self.assertLess(product_loops.judge(MODEL, turn, PRODUCT)[0], product_loops.LEAST)

    def test_few_accumulators_do_not(self):
        turn = [f"{{vex}} vpdpbusd %ymm14,%ymm15,%ymm{n % 4}" for n in range(12)]
        self.assertLess(product_loops.judge(MODEL, turn, PRODUCT)[0], 0.5)

    @unittest.skipUnless(os.uname().machine == "x86_64" and BUILD_TYPE == "Release", "the library has no such loops")
    def test_loops_of_this_build(self):
        result = check("--set", "avxvnni", "--x86", BUILD)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("| avxvnni | q8, q6, q4 | 12 | alderlake 6.0 / 6.0 = 1.00 |", result.stdout)

    @need.unless(CROSS, "THIMBLE_CROSS_BUILD, the folder of the preset aarch64")
    def test_loops_of_the_cross_build(self):
        sets = [name for name, of_set in product_loops.SETS.items() if of_set[0] == "aarch64"]
        result = check(*(argument for name in sets for argument in ("--set", name)), "--arm", CROSS)
        self.assertEqual(result.returncode, 0, result.stderr)
        for name in sets:
            self.assertIn(f"| {name} | q8, q6, q4 |", result.stdout)


class Loops(unittest.TestCase):
    BODY = [(0, "vpxor %ymm0,%ymm0,%ymm0"), (4, "{vex} vpdpbusd (%rdi),%ymm1,%ymm0"), (12, "vmovdqa %ymm0,0x20(%rsp)"),
            (18, "add $0x20,%rdi"), (22, "jne 4 <f+0x4>"), (24, "jne 0 <f>"), (26, "ret")]

    def test_the_innermost_loop_with_products_is_found(self):
        turns = list(product_loops.product_turns(self.BODY, PRODUCT))
        self.assertEqual(turns, [[text for _, text in self.BODY[1:5]]])

    def test_vectors_stored_on_the_stack_are_counted(self):
        texts = [text for _, text in self.BODY]
        self.assertEqual(product_loops.stack_stores("x86_64", texts), 1)
        self.assertEqual(product_loops.stack_stores("aarch64", ["str q8, [sp, #16]", "stp q1, q2, [x2]"]), 1)

    def test_a_library_without_the_loops_is_an_error(self):
        if not shutil.which(product_loops.MCA):
            self.skipTest("llvm-mca-19 is not here")
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "f.s").write_text("f: ret\n")
            subprocess.run(["as", "f.s", "-o", "libthimble.a"], cwd=folder, check=True)
            result = check("--set", "avxvnni", "--x86", folder)
        self.assertEqual(result.returncode, 1)
        self.assertIn("avxvnni: found no loop of q8, q6, q4", result.stderr)


if __name__ == "__main__":
    unittest.main()
