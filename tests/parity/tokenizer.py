#!/usr/bin/env python3
"""Compares `thimble tokenize` with token ids recorded from the Rust `tokenizers` library.

Usage: tokenizer_parity.py THIMBLE MODEL ORACLE... [--max-tokens N]

An oracle is a JSON file (.gz or not) with "corpora": {name: [{"text", "ids"}]}, or with "rows": [[first, last, "ids"]]
for the texts "a" + character + "b" of every code point from first to last. Recorded ids are not truncated; they are cut to
N (default 512) as the model does it, keeping the last special token. Exits 1 when anything differs.
"""

import argparse
import gzip
import json
import subprocess
import sys
import tempfile


def load(path):
    """Yields (text, ids) of one oracle file."""
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8") as file:
        oracle = json.load(file)
    for rows in oracle.get("corpora", {}).values():
        for row in rows:
            yield row["text"], row["ids"]
    for first, last, ids in oracle.get("rows", []):
        ids = [int(number) for number in ids.split()]
        for code_point in range(first, last + 1):
            if not 0xD800 <= code_point < 0xE000:
                yield "a" + chr(code_point) + "b", ids


def tokenize(thimble, model, texts, max_tokens):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="ascii") as file:
        for text in texts:
            file.write(json.dumps(text) + "\n")
        file.flush()
        command = [thimble, "tokenize", "-m", model, "-i", file.name, "--max-tokens", str(max_tokens)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("thimble")
    parser.add_argument("model")
    parser.add_argument("oracles", nargs="+")
    parser.add_argument("--max-tokens", type=int, default=512)
    arguments = parser.parse_args()
    failed = False
    for path in arguments.oracles:
        cases = list(load(path))
        if not cases:
            sys.exit(f"{path}: no cases")
        found = tokenize(arguments.thimble, arguments.model, [text for text, _ in cases], arguments.max_tokens)
        if len(found) != len(cases):
            sys.exit(f"{path}: {len(cases)} texts, {len(found)} lines of output")
        differences = truncated = 0
        for (text, ids), line in zip(cases, found):
            cut = len(ids) > arguments.max_tokens
            truncated += cut
            if cut:
                ids = ids[: arguments.max_tokens - 1] + ids[-1:]
            expected = {"ids": ids, "tokens": len(ids), "truncated": cut}
            if line != expected:
                differences += 1
                if differences <= 5:
                    print(f"{ascii(text)[:200]}\n  expected {str(expected)[:300]}\n  found    {str(line)[:300]}")
        print(f"{path}: {len(cases)} texts, {truncated} of them truncated, {differences} differences")
        failed = failed or differences > 0
    sys.exit(1 if failed else 0)


main()
