"""Machines: those that thimble does not support end the build with a sentence, and on the others it gives the same bits,
whatever instruction sets the processor lacks. THIMBLE_PORTABLE_CLI may name a command line as the packages have it."""

import os
import pathlib
import platform
import shutil
import subprocess
import tempfile
import unittest

import need
import small_models

ROOT = pathlib.Path(__file__).resolve().parents[2]
CXX = os.environ["THIMBLE_CXX"]
SANITIZED = "sanitize" in os.environ.get("THIMBLE_CXX_FLAGS", "")
CLIS = [os.environ["THIMBLE_CLI"], *filter(None, [os.environ.get("THIMBLE_PORTABLE_CLI")])]
EMULATOR = shutil.which("qemu-x86_64")
# From the first processors of 64 bits on: without SSSE3, SSE4.1, AVX, AVX2 and FMA, and with them.
PROCESSORS = ("qemu64", "core2duo", "Nehalem", "SandyBridge", "Haswell", "EPYC-Rome")
TEXTS = b"a short text\nhello, world: the good memory of a small vector\n\n\xe4\xbd\xa0 3.14\n"


class Builds(unittest.TestCase):
    def compile(self, *flags):
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder, "a.cc")
            source.write_text('#include "base/platform.h"\n')
            return subprocess.run([CXX, "-w", "-fsyntax-only", "-I", ROOT / "src", *flags, source], capture_output=True,
                                  text=True)

    def test_a_machine_of_today_is_supported(self):
        self.assertEqual(self.compile().returncode, 0)

    def test_another_byte_order_is_refused_by_name(self):
        result = self.compile("-U__BYTE_ORDER__", "-D__BYTE_ORDER__=__ORDER_BIG_ENDIAN__")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("big-endian machines are not supported", result.stderr)

    def test_32_bits_are_refused_by_name(self):
        result = self.compile("-U__SIZEOF_POINTER__", "-D__SIZEOF_POINTER__=4")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("32-bit programs are not supported", result.stderr)

    def test_what_reads_and_what_computes_asks(self):
        for name in ("src/format/safetensors.h", "src/kernels/matrix.h", "src/text/tables.h"):
            self.assertIn('#include "base/platform.h"', (ROOT / name).read_text(), name)


@unittest.skipIf(SANITIZED, "an emulator has no room for the sanitizers' memory")
@unittest.skipUnless(platform.machine() == "x86_64", "the programs are for another processor")
@need.unless(EMULATOR, "qemu-user")
class Processors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = small_models.make(cls.addClassCleanup)

    def run_on(self, processor, cli, *command, isa=""):
        emulator = [EMULATOR, "-cpu", processor] if processor else []
        return subprocess.run([*emulator, cli, *command], input=TEXTS, capture_output=True, timeout=300,
                              env={**os.environ, "THIMBLE_ISA": isa})

    def test_each_gives_the_same_bits(self):
        for dtype in ("q8", "q4"):
            command = ("embed", "-m", f"{self.folder}/{dtype}.safetensors", "-i", "-")
            expected = self.run_on(None, CLIS[0], *command).stdout
            self.assertEqual(len(expected.splitlines()), TEXTS.count(b"\n"))
            for cli in CLIS:
                for processor in PROCESSORS:
                    result = self.run_on(processor, cli, *command)
                    self.assertEqual((result.returncode, result.stdout), (0, expected), f"{cli} on {processor}")

    def test_an_instruction_set_that_is_missing_is_an_error_by_name(self):
        for cli in CLIS:
            for isa in ("avx2", "avx512vnni"):
                result = self.run_on("Nehalem", cli, "embed", "-m", f"{self.folder}/q8.safetensors", "x", isa=isa)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertIn(f'THIMBLE_ISA: this machine lacks the instruction set "{isa}"'.encode(), result.stderr)


if __name__ == "__main__":
    unittest.main()
