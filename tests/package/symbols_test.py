"""What of thimble can be seen by other code in a process: of the static library nothing, of the shared one its public
functions in the namespace of the version. THIMBLE_SHARED_BUILD is the folder of the preset shared, whose tests are left
out without it.

--update writes tests/fixtures/exported_symbols.txt anew. A name that disappears from it breaks programs that were linked
with the library, which needs a new minor version while the major one is 0."""

import os
import pathlib
import re
import subprocess
import sys
import unittest

import need
import small_models

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "tests/fixtures/exported_symbols.txt"
VERSION = (ROOT / "VERSION").read_text().strip()
MAJOR, MINOR = VERSION.split(".")[:2]
NAMESPACE = f"v{MAJOR}_{MINOR}"
SONAME = f"libthimble.so.{MAJOR}.{MINOR}" if MAJOR == "0" else f"libthimble.so.{MAJOR}"
SHARED = os.environ.get("THIMBLE_SHARED_BUILD")
SANITIZED = "sanitize" in os.environ.get("THIMBLE_CXX_FLAGS", "")


def run(*command, **options):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result.stdout


def exported(library):
    """Names that other libraries see, with their kinds: V, W and u are those that may also be elsewhere."""
    lines = run("nm", "-D", "--defined-only", "-C", library).splitlines()
    return sorted({tuple(line.split(" ", 2)[1:]) for line in lines if " A " not in line})


class Names(unittest.TestCase):
    def test_the_namespace_is_that_of_the_version(self):
        seen = 0
        for folder in ("include", "src", "bindings/node/src"):
            for path in (ROOT / folder).rglob("*"):
                if path.suffix not in (".h", ".cc"):
                    continue
                for name in re.findall(r"namespace thimble::inline (\w+)", path.read_text()):
                    seen += 1
                    self.assertEqual(name, NAMESPACE, path.relative_to(ROOT))
        self.assertGreater(seen, 20)
        for path in (ROOT / "include/thimble").glob("*.h"):
            if path.name not in ("export.h", "thimble_c.h"):  # A macro, and C.
                self.assertIn(f"namespace thimble::inline {NAMESPACE} {{", path.read_text(), path.name)


@unittest.skipIf(SANITIZED, "the runtime of the sanitizers is shared between all libraries")
class Plugins(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = small_models.make(cls.addClassCleanup)
        cls.model = cls.folder / "q8.safetensors"
        cls.archive = pathlib.Path(os.environ["THIMBLE_BUILD"]) / "libthimble.a"
        cls.plugins = [cls.build("plugin.cc", f"static{number}.so", cls.archive, "-shared") for number in range(2)]
        cls.host = cls.build("host.cc", "host", cls.archive, "-rdynamic")

    @classmethod
    def build(cls, source, name, *arguments):
        """With the library behind the source."""
        run(os.environ["THIMBLE_CXX"], "-std=c++20", "-O1", "-fPIC", "-I", ROOT / "include",
            ROOT / "tests/plugins" / source, *arguments, "-pthread", "-ldl", "-o", cls.folder / name)
        return cls.folder / name

    def test_nothing_of_the_static_library_can_be_seen(self):
        for library in (*self.plugins, self.host):
            seen = [name for kind, name in exported(library) if kind in "TDBR" and "thimble" in name]
            self.assertEqual(seen, [], library.name)

    def test_a_plugin_calls_its_own_and_not_the_programs(self):
        host = self.build("other_host.cc", "other_host", "-rdynamic")
        self.assertEqual(run(host, self.model, self.plugins[0]), "0\n")

    def test_copies_do_not_mix_and_are_unloaded(self):
        self.assertEqual(run(self.host, self.model, *self.plugins), "equal own\n" * 2 + "gone\n" * 2)


@need.unless(SHARED, "THIMBLE_SHARED_BUILD, the folder of the preset shared")
class Shared(Plugins):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.library = pathlib.Path(SHARED) / "libthimble.so"
        cls.shared = cls.build("plugin.cc", "shared.so", "-DTHIMBLE_SHARED", "-shared", cls.library,
                               f"-Wl,-rpath,{SHARED}")

    def test_exports_are_the_public_interface(self):
        symbols = exported(self.library)
        names = sorted({name.split("@")[0] for _, name in symbols})
        for name in names:
            self.assertRegex(name, rf"^thimble::{NAMESPACE}::")
        expected = FIXTURE.read_text().splitlines()
        self.assertEqual([name for name in expected if name not in names], [], "gone: see --update of this test")
        self.assertEqual([name for name in names if name not in expected], [], "new: see --update of this test")

    def test_the_name_has_the_version_of_the_interface(self):
        self.assertIn(f"[{SONAME}]", run("readelf", "-d", self.library))
        self.assertEqual(os.readlink(self.library), SONAME)
        self.assertEqual(os.readlink(self.library.with_name(SONAME)), f"libthimble.so.{VERSION}")

    def test_it_lives_beside_a_static_copy(self):
        self.assertEqual(run(self.host, self.model, self.shared, self.plugins[0]), "equal own\n" * 2 + "gone\n" * 2)

    def test_plugins_share_it(self):
        second = self.build("plugin.cc", "second.so", "-DTHIMBLE_SHARED", "-shared", self.library,
                            f"-Wl,-rpath,{SHARED}")
        self.assertEqual(run(self.host, self.model, self.shared, second), "equal own\nequal shared\n" + "gone\n" * 2)


if __name__ == "__main__":
    if "--update" in sys.argv:
        names = {name.split("@")[0] for _, name in exported(pathlib.Path(SHARED) / "libthimble.so")}
        FIXTURE.write_text("\n".join(sorted(names)) + "\n")
    else:
        unittest.main()
