"""Engines that turn texts into vectors, each as a command of its own, and a cache of what they gave.

The peers get token ids from thimble tokenize, so that only their weights and their arithmetic are compared.
"""

import dataclasses
import hashlib
import json
import pathlib
import subprocess
import sys

import numpy as np
import texts


@dataclasses.dataclass
class Engine:
    model: str
    name: str  # thimble, transformers.js, llama.cpp
    dtype: str
    version: str
    file: pathlib.Path
    reads: str  # texts or ids
    command: list  # with {file}, {input}, {output} and {limit}
    depends: list  # What the vectors depend on beside the model and the texts: files, and settings as strings.

    def title(self):
        return f"{self.model} {self.name} {self.dtype}"


def file_hash(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def run(command):
    """Runs a command, its messages passing through; a failure says what it wrote last."""
    process = subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE, text=True)
    last = ""
    for line in process.stderr:
        sys.stderr.write("  " + line)
        last = line.strip() or last
    if process.wait() != 0:
        raise RuntimeError(last or f"exit code {process.returncode}")


class Vectors:
    """Gives the vectors of an engine for a set of texts; WORK/vectors keeps them by all that they depend on."""

    def __init__(self, work, thimble, data):
        self.folder, self.thimble, self.data = work / "vectors", thimble, data
        self.folder.mkdir(parents=True, exist_ok=True)
        self.hashes = {}

    def hash(self, path):
        if path not in self.hashes:
            self.hashes[path] = file_hash(path)
        return self.hashes[path]

    def input(self, engine, name, tokenizer):
        """The file of texts, or of their token ids by the model file TOKENIZER."""
        path = self.folder / f"{engine.model}-{name}.jsonl"
        lines = [json.dumps(text) + "\n" for text in texts.prompted(self.data, engine.model, name)]
        path.write_text("".join(lines))
        if engine.reads == "texts":
            return path
        ids = self.folder / f"{engine.model}-{name}.ids"
        with open(ids, "wb") as file:
            limit = str(texts.LIMITS[name])
            subprocess.run([self.thimble, "tokenize", "-m", tokenizer, "-i", path, "--max-tokens", limit], stdout=file,
                           check=True)
        return ids

    def get(self, engine, name, tokenizer):
        """float64 [texts][dimensions] of unit length. Raises RuntimeError with the engine's message."""
        source = self.input(engine, name, tokenizer)
        parts = [file_hash(source), self.hash(engine.file), texts.LIMITS[name], engine.version]
        parts += [self.hash(part) if isinstance(part, pathlib.Path) else part for part in engine.depends]
        path = self.folder / f"{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]}.f32"
        count = len(self.data.sets[name])
        if not path.exists():
            print(f"{engine.title()}: {count} {name}", file=sys.stderr, flush=True)
            part = path.with_suffix(".part")
            places = {"file": engine.file, "input": source, "output": part, "limit": texts.LIMITS[name]}
            run([str(argument).format(**places) for argument in engine.command])
            part.rename(path)
        values = np.fromfile(path, "<f4").astype(np.float64)
        if values.size == 0 or values.size % count or not np.isfinite(values).all():
            path.unlink()
            raise RuntimeError(f"expected finite vectors of {count} texts, found {values.size} numbers, not all finite")
        values = values.reshape(count, -1)
        return values / np.linalg.norm(values, axis=1, keepdims=True)


def thimble(program, model, dtype, file, version, threads):
    command = [program, "embed", "-m", "{file}", "-i", "{input}", "-o", "{output}", "--format", "f32", "--max-tokens",
               "{limit}", "--threads", str(threads)]
    return Engine(model, "thimble", dtype, version, file, "texts", command, [program])


def onnxruntime(folder, model, dtype, file, threads, batch, pooling):
    version = package_version(folder, "onnxruntime-node")
    command = ["node", folder / "onnx_vectors.mjs", "{file}", "{input}", "{output}", str(threads), str(batch), pooling]
    return Engine(model, "transformers.js", dtype, f"onnxruntime-node {version}", file, "ids", command,
                  [folder / "onnx_vectors.mjs", folder / "pooling.mjs", batch, pooling])


def llama(folder, model, dtype, file, threads):
    package = folder / "node_modules/node-llama-cpp"
    release = json.loads((package / "llama/binariesGithubRelease.json").read_text())["release"]
    version = f"node-llama-cpp {package_version(folder, 'node-llama-cpp')} (llama.cpp {release})"
    command = ["node", folder / "llama_vectors.mjs", "{file}", "{input}", "{output}", str(threads)]
    return Engine(model, "llama.cpp", dtype, version, file, "ids", command, [folder / "llama_vectors.mjs"])


def package_version(folder, name):
    return json.loads((folder / "node_modules" / name / "package.json").read_text())["version"]
