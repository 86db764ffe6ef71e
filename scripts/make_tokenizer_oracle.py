#!/usr/bin/env python3
"""Writes what the Rust `tokenizers` library gives for the texts of an oracle, for tokenizer_parity_node.mjs.

Needs the Python package `tokenizers`, which is that library. Usage: make_tokenizer_oracle.py TOKENIZER_JSON ORACLE OUT

An oracle is a JSON file (.gz or not) with "corpora": {name: [{"text"}]}. OUT has a line of JSON for each text: its ids,
its offsets in UTF-16 units, two for each token, and the ids and types of the text with the next one as a pair.
"""

import gzip
import json
import sys

from tokenizers import Tokenizer


def units(text):
    """The place of each character, and of the end."""
    places = [0]
    for character in text:
        places.append(places[-1] + (2 if ord(character) > 0xFFFF else 1))
    return places


def main():
    tokenizer_json, oracle, out = sys.argv[1:]
    tokenizer = Tokenizer.from_file(tokenizer_json)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    with (gzip.open if oracle.endswith(".gz") else open)(oracle, "rt", encoding="utf-8") as file:
        texts = [row["text"] for rows in json.load(file)["corpora"].values() for row in rows]
    with open(out, "w", encoding="ascii") as file:
        for text, second in zip(texts, texts[1:] + texts[:1]):
            one, both, places = tokenizer.encode(text), tokenizer.encode(text, second), units(text)
            offsets = [places[place] for pair in one.offsets for place in pair]
            row = {"text": text, "ids": one.ids, "offsets": offsets, "pair": both.ids, "types": both.type_ids}
            file.write(json.dumps(row) + "\n")


main()
