#!/usr/bin/env python3
"""Compares `thimble tokenize` with the Rust library `tokenizers`, whose Python package it needs, on many texts.

Usage: unigram.py THIMBLE MODEL TOKENIZER_JSON [TEXTS...]

MODEL was converted from a folder with TOKENIZER_JSON and a long limit. The texts are every code point alone, between
letters and beside marks, random strings, runs of all lengths, and TEXTS: files with a text in each line, or JSON lines
with "paragraphs". Exits 1 when anything differs.
"""

import json
import random
import subprocess
import sys
import tempfile

from tokenizers import Tokenizer

CHUNK = 50000
RANGES = ((0x20, 0x7F), (0, 0x20), (0xA0, 0x250), (0x300, 0x370), (0x591, 0x700), (0x900, 0x980), (0xE00, 0xE60),
          (0x1100, 0x1200), (0x2000, 0x2070), (0x3040, 0x30A0), (0xAC00, 0xAC40), (0xFF00, 0xFFF0))
ODD = (0x1F468, 0x200D, 0xFE0F, 0x1F1E6, 0x110BD, 0x600, 0x94D, 0x915, 0xA9, 0x2581, 0xFFFD, 0xFEFF, 0x85, 0x3000)
PARTS = ("the ", "<mask>", " <mask> ", "<s>", "<unk>", "  ", "\r\n", "``", "-----", "aaaaaa", "\u2581", "<0x41>", "e\u0301",
         "\u0e33", "\u1100\u1161", "\uac00\u11a8")


def code_points():
    for code_point in range(0x110000):
        if not 0xD800 <= code_point < 0xE000:
            character = chr(code_point)
            yield from (character, "a" + character + "b", " " + character + "\u0301 e" + character)


def random_texts(count):
    rng = random.Random(19)
    for _ in range(count):
        text = ""
        for _ in range(rng.choice([1, 2, 3, 5, 8, 20, 60])):
            kind = rng.random()
            text += rng.choice(PARTS) if kind < 0.25 else chr(rng.choice(ODD) if kind < 0.4 else rng.randrange(*rng.choice(RANGES)))
        yield text


def runs():
    for character in ("-", "a", ".", "ab", "\u54c8", "\u2581", "\u0e01\u0e32", "\U0001f642"):
        for count in (200, 255, 256, 700, 1023, 1024, 1025, 3000, 20000):
            yield from (character * count, "x" + character * count + "yz")


def lines(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            if path.endswith(".jsonl"):
                paragraphs = json.loads(line)["paragraphs"]
                yield from paragraphs
                yield "\n".join(paragraphs)
            else:
                yield line.rstrip("\n")


def differences(thimble, model, oracle, texts):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="ascii") as file:
        for text in texts:
            file.write(json.dumps(text) + "\n")
        file.flush()
        command = [thimble, "tokenize", "-m", model, "-i", file.name]
        found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    count = 0
    for text, encoding, line in zip(texts, oracle.encode_batch(texts), found, strict=True):
        row = json.loads(line)
        expected = encoding.ids
        if row["truncated"]:
            expected = expected[: len(row["ids"]) - 1] + expected[-1:]
        if row["ids"] != expected:
            count += 1
            if count <= 3:
                print(f"{ascii(text)[:200]}\n  expected {expected[:40]}\n  found    {row['ids'][:40]}")
    return count


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    thimble, model, tokenizer_json, *paths = sys.argv[1:]
    oracle = Tokenizer.from_file(tokenizer_json)
    oracle.no_truncation()
    oracle.no_padding()
    failed = 0
    sources = [("code points", code_points()), ("random", random_texts(100000)), ("runs", runs())]
    for name, source in sources + [(path, lines(path)) for path in paths]:
        total = count = 0
        chunk = []
        for text in source:
            chunk.append(text)
            if len(chunk) == CHUNK:
                count += differences(thimble, model, oracle, chunk)
                total += len(chunk)
                chunk = []
        count += differences(thimble, model, oracle, chunk) if chunk else 0
        print(f"{name}: {total + len(chunk)} texts, {count} differences", flush=True)
        failed += count
    sys.exit(1 if failed else 0)


main()
