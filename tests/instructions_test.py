"""Reads the disassembly of the core library: instructions stay in their namespaces, accumulators in their registers."""

import os
import re
import subprocess
import unittest

BUILD = os.environ["THIMBLE_BUILD"]
ARCHIVE = os.path.join(BUILD, "libthimble.a")


def build_type():
    """What CMake was given; the project takes Release where it was given nothing."""
    with open(os.path.join(BUILD, "CMakeCache.txt"), encoding="utf-8") as cache:
        return re.search(r"^CMAKE_BUILD_TYPE:\w+=(.*)$", cache.read(), re.MULTILINE).group(1) or "Release"


def functions():
    """Yields (demangled name, [instruction text]) for every function of the library."""
    command = ["objdump", "--disassemble", "--demangle", "--no-show-raw-insn", ARCHIVE]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    name, body = None, []
    for line in output.splitlines():
        header = re.match(r"^[0-9a-f]+ <(.*)>:$", line)
        if header:
            if name:
                yield name, body
            name, body = header.group(1), []
        elif line.startswith(" ") and "\t" in line:
            body.append(line.split("\t", 1)[1])
    if name:
        yield name, body


@unittest.skipUnless(os.uname().machine == "x86_64", "the scan knows x86-64 only")
@unittest.skipUnless(build_type() == "Release", "other builds have code of their own between the instructions")
class Instructions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.functions = list(functions())

    def test_avx_stays_in_its_namespaces(self):
        wide = re.compile(r"%[yz]mm|^v(?!err|erw|mcall|mmcall|mxon)[a-z]")
        inside = 0
        for name, body in self.functions:
            found = [instruction for instruction in body if wide.search(instruction)]
            if re.search(r"kernels::(avx2|avx512vnni)::", name):
                inside += len(found)
            else:
                self.assertEqual(found, [], f"AVX instructions outside a kernel namespace, in {name}")
        self.assertGreater(inside, 10000, "the scan found hardly any AVX instruction: it reads the wrong thing")

    def test_avx2_has_no_avx512(self):
        for name, body in self.functions:
            if "kernels::avx2::" in name:
                found = [i for i in body if "%zmm" in i or re.search(r"%[xy]mm(1[6-9]|2\d|3[01])\b", i)]
                self.assertEqual(found, [], name)

    def test_matrix_tiles_do_not_spill_between_dot_products(self):
        tiles = {"TileInt8": 0, "TilePacked": 0}
        for name, body in self.functions:
            tile = re.search(r"avx512vnni::(\w+)<", name)
            if not tile or tile.group(1) not in tiles:
                continue
            tiles[tile.group(1)] += 1
            dots = [i for i, text in enumerate(body) if text.startswith("vpdpbusd")]
            self.assertTrue(dots, name)
            loop = body[dots[0] : dots[-1] + 1]
            spills = [text for text in loop if "mm" in text and re.search(r"\(%r[sb]p", text)]
            self.assertEqual(spills, [], f"accumulators on the stack in {name}")
            if tile.group(1) == "TilePacked":
                unpacked = [text for text in loop if text.startswith("vpmullw")]
                self.assertTrue(unpacked, f"weights are not unpacked among the dot products of {name}")
        # Heights and epilogues; and twice q6 and q4.
        self.assertGreaterEqual(tiles["TileInt8"], 8 * 3)
        self.assertGreaterEqual(tiles["TilePacked"], 8 * 3 * 2)


if __name__ == "__main__":
    unittest.main()
