#!/usr/bin/env python3
"""Makes a wheel of bindings/python and a library that was built for it: scripts/release/wheel.py PLATFORM_TAG LIBRARY FOLDER;
prints its path. The same input gives the same bytes."""

import base64
import hashlib
import pathlib
import sys
import tomllib
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = ROOT / "bindings/python"

tag, library, folder = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
project = tomllib.loads((PYTHON / "pyproject.toml").read_text())["project"]
version = (ROOT / "VERSION").read_text().strip()
name = f"{project['name']}-{version}"

metadata = ["Metadata-Version: 2.1", f"Name: {project['name']}", f"Version: {version}",
            f"Summary: {project['description']}", f"License: {project['license']['text']}",
            *(f"Classifier: {classifier}" for classifier in project["classifiers"]),
            f"Requires-Python: {project['requires-python']}",
            *(f"Requires-Dist: {needed}" for needed in project["dependencies"])]
for extra, needed in project.get("optional-dependencies", {}).items():
    metadata += [f"Provides-Extra: {extra}", *(f"Requires-Dist: {each}; extra == '{extra}'" for each in needed)]
metadata += ["Description-Content-Type: text/markdown", "", (PYTHON / project["readme"]).read_text()]
scripts = ["[console_scripts]", *(f"{key} = {value}" for key, value in project["scripts"].items()), ""]
wheel = ["Wheel-Version: 1.0", "Generator: thimble", "Root-Is-Purelib: false", f"Tag: py3-none-{tag}", ""]

files = {f"thimble/{path.relative_to(PYTHON / 'thimble')}": path.read_bytes()
         for path in sorted((PYTHON / "thimble").rglob("*")) if path.suffix == ".py" or path.name == "py.typed"}
files[f"thimble/{library.name}"] = library.read_bytes()
info = f"{name}.dist-info"
files[f"{info}/METADATA"] = "\n".join(metadata).encode()
files[f"{info}/WHEEL"] = "\n".join(wheel).encode()
files[f"{info}/entry_points.txt"] = "\n".join(scripts).encode()
for each in ("LICENSE", "NOTICE"):
    files[f"{info}/licenses/{each}"] = (ROOT / each).read_bytes()

record = f"{info}/RECORD"
lines = []
for path, data in files.items():
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    lines.append(f"{path},sha256={digest},{len(data)}")
files[record] = "\n".join([*lines, f"{record},,", ""]).encode()

target = folder / f"{name}-py3-none-{tag}.whl"
with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    for path, data in files.items():
        entry = zipfile.ZipInfo(path)
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = (0o755 if path == f"thimble/{library.name}" else 0o644) << 16
        archive.writestr(entry, data)
print(target)
