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

PART = 512  # Texts in a run of an engine, after which the vectors are kept; a multiple of the batches.


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

    def lines(self, engine, name, tokenizer):
        """The texts as lines of JSON, or their token ids by the model file TOKENIZER."""
        lines = [json.dumps(text) + "\n" for text in texts.prompted(self.data, engine.model, name)]
        if engine.reads == "texts":
            return lines
        path = self.folder / "texts.jsonl"
        path.write_text("".join(lines))
        command = [self.thimble, "tokenize", "-m", tokenizer, "-i", path, "--max-tokens", str(texts.LIMITS[name])]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines(keepends=True)

    def part(self, engine, lines, limit):
        """float32 [lines][dimensions], and whether they were there already."""
        parts = [self.hash(engine.file), limit, engine.version, lines]
        parts += [self.hash(part) if isinstance(part, pathlib.Path) else part for part in engine.depends]
        path = self.folder / f"{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]}.f32"
        kept = path.exists()
        if not kept:
            source, output = self.folder / "part.jsonl", self.folder / "part.f32"
            source.write_text("".join(lines))
            places = {"file": engine.file, "input": source, "output": output, "limit": limit}
            run([str(argument).format(**places) for argument in engine.command])
            output.rename(path)
        values = np.fromfile(path, "<f4")
        if values.size == 0 or values.size % len(lines) or not np.isfinite(values).all():
            path.unlink()
            raise RuntimeError(f"expected finite vectors of {len(lines)} texts, found {values.size} numbers")
        return values.reshape(len(lines), -1), kept

    def get(self, engine, name, tokenizer):
        """float64 [texts][dimensions] of unit length. Raises RuntimeError with the engine's message."""
        lines, parts = self.lines(engine, name, tokenizer), []
        for begin in range(0, len(lines), PART):
            vectors, kept = self.part(engine, lines[begin : begin + PART], texts.LIMITS[name])
            parts.append(vectors)
            if not kept:
                done = min(begin + PART, len(lines))
                print(f"{engine.title()}: {done} of {len(lines)} {name}", file=sys.stderr, flush=True)
        values = np.concatenate(parts).astype(np.float64)
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


def llama(folder, model, dtype, file):
    package = folder / "node_modules/node-llama-cpp"
    release = json.loads((package / "llama/binariesGithubRelease.json").read_text())["release"]
    version = f"node-llama-cpp {package_version(folder, 'node-llama-cpp')} (llama.cpp {release})"
    command = ["node", folder / "llama_vectors.mjs", "{file}", "{input}", "{output}"]
    return Engine(model, "llama.cpp", dtype, version, file, "ids", command, [folder / "llama_vectors.mjs"])


def package_version(folder, name):
    return json.loads((folder / "node_modules" / name / "package.json").read_text())["version"]
