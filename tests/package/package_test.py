"""Installs the library, builds an application against the installed package, and runs it."""

import json
import os
import pathlib
import struct
import subprocess
import tempfile
import unittest

import need

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLI = os.environ["THIMBLE_CLI"]
CMAKE = os.environ["THIMBLE_CMAKE"]


SHARED = os.environ.get("THIMBLE_SHARED_BUILD")


class Package(unittest.TestCase):
    def test_an_installed_library_serves_an_application(self):
        self.serve(os.environ["THIMBLE_BUILD"], "libthimble.a")

    @need.unless(SHARED, "THIMBLE_SHARED_BUILD, the folder of the preset shared")
    def test_so_does_an_installed_shared_library(self):
        self.serve(SHARED, "libthimble.so")

    def serve(self, build, library):
        with tempfile.TemporaryDirectory() as folder:
            def run(*command):
                result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
                self.assertEqual(result.returncode, 0, f"{command}: {result.stdout}{result.stderr}")
                return result.stdout

            run(CMAKE, "--install", build, "--prefix", f"{folder}/prefix")
            headers = {path.name for path in pathlib.Path(folder, "prefix/include/thimble").iterdir()}
            self.assertEqual(headers, {path.name for path in (ROOT / "include/thimble").iterdir()})
            libraries = {path.name for path in pathlib.Path(folder, "prefix").rglob("libthimble*")}
            self.assertIn(library, libraries)
            self.assertEqual({name for name in libraries if not name.startswith(library)} & {"libthimble.a", "libthimble.so"},
                             set())
            run(CMAKE, "-S", str(ROOT / "tests/consumer"), "-B", "build", f"-DCMAKE_PREFIX_PATH={folder}/prefix",
                f"-DCMAKE_CXX_COMPILER={os.environ['THIMBLE_CXX']}",
                f"-DCMAKE_CXX_FLAGS={os.environ['THIMBLE_CXX_FLAGS']}", f"-DEXAMPLE={ROOT / 'examples/embed.cc'}")
            run(CMAKE, "--build", "build")
            run(os.environ["THIMBLE_MAKE_TEST_MODEL"], folder)
            for dtype in ("fp32", "q4"):
                output = run("build/consumer", f"{folder}/{dtype}.safetensors", "the same", "the same")
                self.assertEqual(output, "1.0000\n")
            self.assertEqual(run("build/hub_consumer", "./source", f"{folder}/models"),
                             f"{folder}/models/source-q4.safetensors\n")
            self.assertEqual(run("build/convert_consumer", "./source", "made.safetensors"), "source q6 64 1\n")
            run(CLI, "convert", "source", "same.safetensors", "--dtype", "q6")
            self.assertEqual(*(pathlib.Path(folder, name).read_bytes() for name in ("made.safetensors", "same.safetensors")))
            self.assertIn("unknown dtype", subprocess.run([CLI, "convert", "source", "no.safetensors", "--dtype", "q5"],
                                                          cwd=folder, capture_output=True, text=True).stderr)
            embedded = json.loads(run(CLI, "embed", "-m", f"{folder}/q4.safetensors", "a text"))["embedding"]
            count, first = run("build/backend_consumer", "native", f"{folder}/q4.safetensors", "a text").split()
            self.assertEqual((int(count), struct.pack("f", float(first))), (len(embedded), struct.pack("f", embedded[0])))
            count, first = run("build/c_consumer", f"{folder}/q4.safetensors", "a text").split()
            self.assertEqual((int(count), struct.pack("f", float(first))), (len(embedded), struct.pack("f", embedded[0])))
            count, first = run("build/c_consumer", "mock", "a text").split()
            self.assertEqual(int(count), 384)


if __name__ == "__main__":
    unittest.main()
