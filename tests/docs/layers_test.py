"""Checks what the compiler does not: layers, ASCII sources, and that the documents name files that exist."""

import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Each layer with the layers it may include, besides itself and the public headers.
LAYERS = {
    "base": set(),
    "json": {"base"},
    "format": {"base", "json"},
    "text": {"base"},
    "kernels": {"base", "format"},
    "model": {"base", "json", "format", "text", "kernels"},
    "store": {"base", "format"},
    "cache": {"base"},
    "runtime": {"base", "format", "text", "kernels", "model", "store", "cache"},
    "bulk": {"base", "json", "text", "kernels"},
    "convert": {"base", "json", "format", "text", "kernels", "model", "store"},
    "net": {"base"},
    "hub": {"base", "json", "format", "store", "convert", "net"},
    "backends": {"base", "json", "net"},
    "server": {"base", "json", "runtime"},
    "sync": {"base", "text"},
    "cli": {"base", "json", "format", "bulk", "convert", "hub", "server", "sync"},
    "c": {"base", "json", "runtime", "cli"},
}
# The table of engines is for every layer that knows models by name.
EVERYWHERE = {"store": "runtime/engines.h", "backends": "runtime/engines.h", "cli": "runtime/engines.h"}
# Error() makes a Status, and is in its namespace.
PUBLIC_NAMESPACE = {"error.h"}
# The core depends on nothing but the standard library, the system, and a JSON parser inside json.
CORE = ("base", "json", "format", "text", "kernels", "model", "store", "cache", "runtime")
THIRD_PARTY = {"json": ("nlohmann/",), "convert": ("utf8proc.h", "protozero/"),
               "net": ("curl/curl.h",), "server": ("boost/",), "cli": ("CLI/",)}
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)
SYSTEM = re.compile(r"^[a-z0-9_]+$|^(sys|mach|netinet|arpa)/[a-z]+\.h$|^(netdb|fcntl|fnmatch|unistd|pthread|sched|poll|malloc|immintrin|cpuid|arm_neon|spawn|dlfcn|windows|winioctl|psapi)\.h$")


def includes(path):
    return INCLUDE.findall(path.read_text(encoding="ascii"))


def sources(folder):
    return [path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in (".h", ".cc", ".inc")]


class Layers(unittest.TestCase):
    def test_every_folder_is_a_layer(self):
        folders = {path.name for path in (ROOT / "src").iterdir() if path.is_dir()}
        self.assertEqual(folders - set(LAYERS), set())

    def test_includes_point_down(self):
        seen = 0
        for layer, below in LAYERS.items():
            for path in sources("src/" + layer):
                if path.name.endswith("_test.cc"):
                    continue
                for kind, name in includes(path):
                    if kind != '"':
                        continue
                    seen += 1
                    target = name.split("/")[0]
                    if name == EVERYWHERE.get(layer):
                        continue
                    self.assertIn(target, below | {layer, "thimble"}, f"{path.relative_to(ROOT)} includes {name}")
        self.assertGreater(seen, 50)

    def test_every_layer_has_its_namespace(self):
        """What is public may be defined in the namespace of the version; other namespaces only name a type."""
        namespace = re.compile(r"^namespace (thimble::[\w: ]+) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
        for layer in LAYERS:
            seen = 0
            for path in sources("src/" + layer):
                text = path.read_text(encoding="ascii")
                for name, body in namespace.findall(text):
                    own = name == f"thimble::{layer}" or name.startswith(f"thimble::{layer}::")
                    public = name.startswith("thimble::inline ") and (path.suffix == ".cc" or path.name in PUBLIC_NAMESPACE)
                    declares = re.fullmatch(r"((class|struct) \w+;\n)+", body)
                    seen += own
                    self.assertTrue(own or public or declares, f"{path.relative_to(ROOT)}: namespace {name}")
                self.assertNotRegex(text, r"(?m)^namespace thimble \{", path.relative_to(ROOT))
            self.assertGreater(seen, 0, layer)

    def test_public_headers_hide_nothing_in_their_classes(self):
        for path in sources("include/thimble"):
            self.assertNotRegex(path.read_text(), r"(?m)\bImpl\b|^ +(struct|class) \w+;", path.name)

    def test_public_headers_include_only_each_other(self):
        for path in sources("include/thimble"):
            for kind, name in includes(path):
                if kind == '"':
                    self.assertTrue(name.startswith("thimble/"), f"{path.name} includes {name}")
                else:
                    # The header for C has the names of C.
                    c_name = path.name == "thimble_c.h" and name in ("stddef.h", "stdint.h")
                    self.assertTrue(c_name or re.match(r"^[a-z_]+$", name), f"{path.name} includes {name}")

    def test_third_party_headers_stay_in_their_layers(self):
        for layer in LAYERS:
            for path in sources("src/" + layer):
                if path.name.endswith("_test.cc"):
                    continue
                for kind, name in includes(path):
                    if kind == "<" and not SYSTEM.match(name):
                        allowed = THIRD_PARTY.get(layer, ())
                        self.assertTrue(name.startswith(allowed) if allowed else False,
                                        f"{path.relative_to(ROOT)} includes {name}")

    def test_no_model_has_a_name_in_the_encoder_and_its_kernels(self):
        families = {path.stem for path in sources("src/convert/names") if path.suffix == ".cc"} - {"family", "missing"}
        self.assertIn("bert", families)
        for path in sources("src/model") + sources("src/kernels"):
            for family in families:
                self.assertNotIn(family, path.read_text(encoding="ascii").lower(), path.relative_to(ROOT))

    def test_bindings_see_public_headers_base_and_the_executor_alone(self):
        for path in sources("bindings/node/src"):
            here = {name.name for name in path.parent.iterdir()}
            for kind, name in includes(path):
                if kind == '"':
                    self.assertTrue(name in here or name.startswith(("thimble/", "base/")) or name == "runtime/executor.h",
                                    f"{path.name} includes {name}")
                else:
                    self.assertRegex(name, r"^[a-z_]+$|^napi\.h$", f"{path.name} includes {name}")

    def test_core_neither_prints_nor_aborts_nor_throws(self):
        forbidden = re.compile(r"\b(printf|fprintf|puts|fputs|abort|exit|throw|std::cout|std::cerr)\b\s*[(<;]|\bthrow\b")
        for layer in CORE:
            for path in sources("src/" + layer):
                if path.name.endswith("_test.cc"):
                    continue
                for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), 1):
                    code = re.sub(r'"(\\.|[^"\\])*"', '""', line).split("//")[0]
                    self.assertIsNone(forbidden.search(code), f"{path.relative_to(ROOT)}:{number}: {line}")


class Sources(unittest.TestCase):
    def test_are_ascii_and_say_what_they_are(self):
        for folder in ("include", "src", "tests", "bench", "examples", "bindings/node/src"):
            for path in sources(folder):
                data = path.read_bytes()
                self.assertTrue(data.isascii(), path.relative_to(ROOT))
                self.assertTrue(data.startswith(b"//"), f"{path.relative_to(ROOT)}: the first line says what it is")

    def test_headers_have_guards_named_after_them(self):
        for path in sources("include") + sources("src"):
            if path.suffix != ".h" or path.name.endswith("-inl.h") or path.name in ("region.h", "generic.h"):
                continue
            name = str(path.relative_to(ROOT / ("include" if "include" in path.parts else "src")))
            guard = re.sub(r"[/.\-]", "_", name).upper() + "_"
            if not guard.startswith("THIMBLE_"):
                guard = "THIMBLE_" + guard
            self.assertIn(f"#define {guard}\n", path.read_text(), path.relative_to(ROOT))


class Dtypes(unittest.TestCase):
    def test_have_the_same_names_in_the_table_and_in_the_places_that_cannot_read_it(self):
        names = re.findall(r'\{"([\w-]+)", k', (ROOT / "src/format/dtypes.h").read_text())
        self.assertIn("q8", names)
        quoted = [re.compile(r"const DTYPES = \[(.*)\]"), re.compile(r"export type Dtype = (.*);")]
        for name, pattern in zip(("options.js", "index.d.ts"), quoted):
            line = pattern.search((ROOT / "bindings/node/lib" / name).read_text()).group(1)
            self.assertEqual(re.findall(r"'([\w-]+)'", line), names, name)
        for name in ("docs/format.md", "include/thimble/model.h"):
            text = (ROOT / name).read_text().replace("`", "").replace('"', "")
            self.assertIn(", ".join(names[:-1]) + " or " + names[-1], text, name)


class Documents(unittest.TestCase):
    def test_name_files_that_exist(self):
        documents = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").glob("*.md")) + [ROOT / "bindings/node/README.md"]
        self.assertGreater(len(documents), 2)
        for document in documents:
            text = document.read_text()
            links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
            paths = re.findall(r"`((?:src|include|tests|bench|docs|scripts|examples|cmake)/[\w./-]+)`", text)
            for link in links:
                self.assertTrue(not link or (document.parent / link).exists(), f"{document.name}: {link}")
            for path in paths:
                self.assertTrue((ROOT / path).exists(), f"{document.name}: {path}")

    def test_leave_no_figure_open(self):
        for document in sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").glob("*.md")):
            self.assertFalse("FIGURE" in document.read_text(), document.name)


if __name__ == "__main__":
    unittest.main()
