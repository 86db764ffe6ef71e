"""Reads the disassembly of the core library: instructions stay in their namespaces, accumulators in their registers."""

import os
import re
import subprocess
import unittest

import need

BUILD = os.environ["THIMBLE_BUILD"]
CROSS = os.environ.get("THIMBLE_CROSS_BUILD")

# Of the instructions that not every processor has: a name, what finds them in a line, and the namespaces of kernels that
# may have them.
AVX_SETS = ("avx2", "avxvnni", "avx512", "avx512vnni", "amx")
X86 = (
    ("AVX", r"%[yz]mm|^\{?v(?!err|erw|mcall|mmcall|mxon)[a-z]", AVX_SETS),
    ("SSE4.1", r"^(pshufb|pabs[bwd]|palignr|pmaddubsw|pmov[sz]x|pblend|blendv?p|round[ps][sd]|pmulld|packusdw|pextr[bdq]"
               r"|pinsr[bdq]|insertps|extractps|p(min|max)(sb|sd|uw|ud)|ptest|crc32|pcmp.str)", ("sse41",)),
    ("AVX-512", r"%zmm|%[xy]mm(1[6-9]|2\d|3[01])\b|%k[0-7]\b", ("avx512", "avx512vnni", "amx")),
    ("VNNI", r"vpdpbusd", ("avxvnni", "avx512vnni")),
    ("AMX", r"%tmm|^(tile|ldtilecfg|sttilecfg)", ("amx",)),
)
ARM = (
    ("dot products", r"^[su]dot\b", ("neondot",)),
    ("products of mixed signs, and of matrices", r"^(usdot|sudot|smmla|ummla|usmmla)\b", ("neoni8mm",)),
    ("SVE", r"\bz\d+\.[bhsd]|\bp\d+/[mz]", ()),
)
# Namespaces of kernels: the instructions of their products, and how many tiles of rows by strips of q8 there are;
# i8mm has those of paired strips too.
X86_TILES = {
    "sse41": (r"pmaddwd", 2),
    "avx2": (r"vpmaddwd", 4),
    "avxvnni": (r"(\{vex\} )?vpdpbusd", 6),
    "avx512": (r"vpmaddwd", 4 * 2),
    "avx512vnni": (r"vpdpbusd", 8 * 2),
}
ARM_TILES = {"neon": (r"sadalp", 4), "neondot": (r"sdot", 5), "neoni8mm": (r"usmmla", 6 * 2)}


def cache(build, name):
    with open(os.path.join(build, "CMakeCache.txt"), encoding="utf-8") as lines:
        found = re.search(rf"^{name}:\w+=(.*)$", lines.read(), re.MULTILINE)
    return found.group(1) if found else ""


def build_type():
    """What CMake was given; the project takes Release where it was given nothing."""
    return cache(BUILD, "CMAKE_BUILD_TYPE") or "Release"


class Instruction(str):
    address = 0


def innermost_loops(body, pattern):
    """The loops of a function that have what matches the pattern, and none inside them that has it too."""
    index = {text.address: i for i, text in enumerate(body)}
    loops = []
    for i, text in enumerate(body):
        jump = re.match(r"j\w+\s+([0-9a-f]+)", text)
        start = index.get(int(jump.group(1), 16)) if jump else None
        if start is not None and start < i and any(re.match(pattern, each) for each in body[start:i]):
            loops.append((start, i))
    return [body[a:b] for a, b in loops if not any(a <= c and d <= b and (a, b) != (c, d) for c, d in loops)]


def functions(objdump, build):
    """Yields (demangled name, [Instruction]) for every function of the library."""
    command = [objdump, "--disassemble", "--demangle", "--no-show-raw-insn", os.path.join(build, "libthimble.a")]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    name, body = None, []
    for line in output.splitlines():
        header = re.match(r"^[0-9a-f]+ <(.*)>:$", line)
        if header:
            if name:
                yield name, body
            name, body = header.group(1), []
        elif line.startswith(" ") and "\t" in line:
            address, text = line.split("\t", 1)
            body.append(Instruction(text))
            body[-1].address = int(address.strip(" :"), 16)
    if name:
        yield name, body


class Instructions:
    def test_instructions_stay_in_their_namespaces(self):
        inside = {}
        for name, body in self.functions:
            namespace = re.search(r"kernels::(\w+)::", name)
            namespace = namespace.group(1) if namespace else ""
            for what, pattern, namespaces in self.instructions:
                found = [text for text in body if re.search(pattern, text)]
                if namespace in namespaces:
                    inside[what, namespace] = inside.get((what, namespace), 0) + len(found)
                # What AVX has of SSE4.1 begins with a v.
                elif found:
                    self.fail(f"{what} in {name}: {found[:3]}")
        for what, _, namespaces in self.instructions:
            for namespace in namespaces:
                self.assertGreater(inside.get((what, namespace), 0), 0, f"no {what} in {namespace}: the scan sees nothing")

    def test_matrix_tiles_do_not_spill_between_dot_products(self):
        tiles = {}
        for name, body in self.functions:
            kernel = re.search(r"kernels::(\w+)::Tile(Int8|Pairs|Words)<(\d+)ul(?:, (\d+)ul)?[,>]", name)
            if not kernel or kernel.group(1) not in self.tiles:
                continue
            namespace = kernel.group(1)
            tiles.setdefault(namespace, set()).add(kernel.groups()[1:])
            dots = [i for i, text in enumerate(body) if re.match(self.tiles[namespace][0] + r"\b", text)]
            self.assertTrue(dots, name)
            loop = body[dots[0] : dots[-1] + 1]
            spills = [text for text in loop if re.search(self.stack, text)]
            self.assertEqual(spills, [], f"accumulators on the stack in {name}")
        self.assertEqual({name: len(found) for name, found in tiles.items()},
                         {name: count for name, (_, count) in self.tiles.items()})


@unittest.skipUnless(os.uname().machine == "x86_64", "the library is for another processor")
@unittest.skipUnless(build_type() == "Release", "other builds have code of their own between the instructions")
class X86Instructions(Instructions, unittest.TestCase):
    # Stores: an accumulator that leaves its register is stored, a constant that is not in one is only loaded.
    instructions, tiles, stack = X86, X86_TILES, r"mm.*\(%r[sb]p"

    @classmethod
    def setUpClass(cls):
        cls.functions = list(functions("objdump", BUILD))


    def test_tiles_of_codes_keep_their_sums_in_registers(self):
        tiles = {}
        for name, body in self.functions:
            kernel = re.search(r"kernels::(avx2|avx512)::TileCodes<", name)
            if not kernel:
                continue
            tiles[kernel.group(1)] = tiles.get(kernel.group(1), 0) + 1
            loops = innermost_loops(body, "vpmaddubsw")
            self.assertTrue(loops, name)
            for loop in loops:
                # Of q4 a loop is a group, at whose end the sums in words meet those of all groups, on the stack or not.
                products = [i for i, text in enumerate(loop) if text.startswith("vpmaddubsw")]
                spills = [text for text in loop[products[0] : products[-1]] if re.search(self.stack, text)]
                # GCC 12 has up to four for 32 products: integers of a group, and of four rows of q6 three half sums, which
                # takes no time. A loop of 8 products that stored them took a quarter more.
                self.assertLessEqual(len(spills), 4 * len(products) // 32, f"{spills} in {name}")
        self.assertEqual(tiles, {"avx2": 2 * 4 * 2, "avx512": 2 * 4 * 2})  # Formats, heights, first or not.

    def test_packed_tiles_unpack_and_do_not_spill_between_dot_products(self):
        tiles = 0
        for name, body in self.functions:
            if "avx512vnni::TilePacked<" not in name:
                continue
            tiles += 1
            dots = [i for i, text in enumerate(body) if text.startswith("vpdpbusd")]
            self.assertTrue(dots, name)
            loop = body[dots[0] : dots[-1] + 1]
            self.assertEqual([text for text in loop if re.search(self.stack, text)], [], name)
            unpacked = [text for text in loop if text.startswith("vpmullw")]
            self.assertTrue(unpacked, f"weights are not unpacked among the dot products of {name}")
        self.assertGreaterEqual(tiles, 8 * 2)  # Heights, and q6 and q4.


@need.unless(CROSS, "THIMBLE_CROSS_BUILD, the folder of the preset aarch64")
class ArmInstructions(Instructions, unittest.TestCase):
    instructions, tiles, stack = ARM, ARM_TILES, r"\bq\d+.*\[sp|\bv\d+.*\[sp"

    @classmethod
    def setUpClass(cls):
        cls.functions = list(functions("aarch64-linux-gnu-objdump", CROSS))


if __name__ == "__main__":
    unittest.main()
