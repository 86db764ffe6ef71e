"""How far the vectors of repeated punctuation are from fp32, and how much of it comes from the word table alone.

python3 bench/quality/repeated.py [SOURCE]: prints a table in Markdown. SOURCE is the folder of the real model if it is
not given. "fp32, words of q8" is a source whose word table was rounded as q8 does (docs/format.md, Tables) and nothing
else. Takes two minutes.
"""

import array
import json
import math
import operator
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
THIMBLE = ROOT / "build/thimble"
MARKS = [chr(code) for code in range(33, 127) if not chr(code).isalnum()] + list("…—–“”«»·¿¡。、！？「」")
COUNTS = (2, 3, 5, 8, 16, 32, 64, 100, 128, 200, 250)
WORDS = "embeddings.word_embeddings.weight"


def output(command):
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


def round_row(row):
    """(the row as q8 stores it, its error relative to its length)"""
    scale = struct.unpack("<e", struct.pack("<e", max(map(abs, row)) / 127))[0]
    if scale * 127 < max(map(abs, row)):  # Rounded up, so that no code exceeds 127.
        scale = struct.unpack("<e", struct.pack("<H", struct.unpack("<H", struct.pack("<e", scale))[0] + 1))[0]
    rounded = [round(value / scale) * scale for value in row]
    return rounded, math.dist(row, rounded) / math.hypot(*row)


def round_words(source, target):
    """Copies the folder with a rounded word table; returns the relative errors of its rows."""
    shutil.copytree(source, target)
    data = bytearray((source / "model.safetensors").read_bytes())
    begin = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:begin])
    entry, = (value for name, value in header.items() if name.endswith(WORDS))
    rows, width = entry["shape"]
    first, last = (begin + offset for offset in entry["data_offsets"])
    table, errors = array.array("f", bytes(data[first:last])), []
    for row in range(rows):
        part = slice(row * width, (row + 1) * width)
        rounded, error = round_row(table[part])
        table[part] = array.array("f", rounded)
        errors.append(error)
    data[first:last] = table.tobytes()
    (target / "model.safetensors").write_bytes(data)
    return errors


def main():
    source = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else output([ROOT / "scripts/models/fetch.sh", "model"]).decode().strip())
    if not source.is_absolute():
        source = ROOT / source
    texts = [mark * count for mark in MARKS for count in COUNTS]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        errors = round_words(source, folder / "rounded")
        (folder / "texts").write_text("\n".join(texts) + "\n")
        vectors = {}
        for name, place, *options in (("fp32", source, "--dtype", "fp32"),
                                      ("fp32, words of q8", folder / "rounded", "--dtype", "fp32"),
                                      ("q8", source), ("q8 without GPTQ", source, "--no-calibration"),
                                      ("q4", source, "--dtype", "q4")):
            output([THIMBLE, "convert", place, folder / "model", "--name", "x", *options])
            vectors[name] = array.array("f", output([THIMBLE, "embed", "-m", folder / "model", "-i", folder / "texts",
                                                     "--format", "f32"]))
    length = len(vectors["fp32"]) // len(texts)
    vector = lambda name, text: vectors[name][text * length:(text + 1) * length]
    print(f"| {len(texts):,} texts | mean | 1st percentile | minimum | at |\n|---|--:|--:|--:|---|")
    for name in list(vectors)[1:]:
        cosines = sorted((sum(map(operator.mul, vector("fp32", i), vector(name, i))), i) for i in range(len(texts)))
        worst = texts[cosines[0][1]]
        print(f"| {name} | {sum(cosine for cosine, _ in cosines) / len(cosines):.5f} | {cosines[len(cosines) // 100][0]:.5f} "
              f"| {cosines[0][0]:.5f} | {len(worst)} times `{worst[0]}` |")
    ids = json.loads((source / "tokenizer.json").read_text())["model"]["vocab"]
    middle = sorted(errors)[len(errors) // 2]
    print(f"\nError of a row of the word table, relative to its length: median {middle:.4f}, "
          + ", ".join(f"`{word}` {errors[ids[word]]:.4f}" for word in (".", ",", "[CLS]", "a", "?", "!") if word in ids))


if __name__ == "__main__":
    main()
