#!/usr/bin/env python3
"""Writes tests/fixtures/tokenizer/decoded.json: what transformers decodes the ids of classes.json to, of folders of each kind
of tokenizer: as they are, without special tokens, and cleaned up. Needs transformers 5, sentencepiece and protobuf."""

import json
import pathlib
import tempfile

import tokenizers
import transformers
from classes import Fixture

FOLDERS = ["roberta_saved", "byte_level_strips", "few_joined", "mpnet_saved", "distilbert_saved", "distilbert_cased", "xlmr_saved",
           "xlmr_defined", "xlmr_no_space", "camembert_saved", "camembert_file"]
FILES = pathlib.Path(__file__).resolve().parent.parent.parent / "tests/fixtures/tokenizer"
LONGEST = 60  # Tokens: longer texts say nothing more.


def decoded(fixture, entry):
    with tempfile.TemporaryDirectory() as name:
        path = pathlib.Path(name)
        for file, of in entry["files"].items():
            (path / file).write_bytes(fixture.contents(of))
        (path / "config.json").write_text(json.dumps(entry["model"]))
        if entry["config"] is not None:
            (path / "tokenizer_config.json").write_text(json.dumps(entry["config"]))
        tokenizer = transformers.AutoTokenizer.from_pretrained(path)
    ids = [row for row in entry["ids"] if len(row) <= LONGEST]
    return {"ids": ids, "special": tokenizer.all_special_ids,
            "plain": [tokenizer.decode(row) for row in ids],
            "skipped": [tokenizer.decode(row, skip_special_tokens=True) for row in ids],
            "cleaned": [tokenizer.decode(row, clean_up_tokenization_spaces=True) for row in ids],
            "tokens": [tokenizer.convert_ids_to_tokens(row) for row in ids]}


def main():
    transformers.logging.set_verbosity_error()
    classes = json.loads((FILES / "classes.json").read_text())
    fixture = Fixture(".")
    fixture.files = classes["files"]
    found = {entry["name"]: decoded(fixture, entry) for entry in classes["folders"] if entry["name"] in FOLDERS}
    head = {"library": f"transformers {transformers.__version__}, tokenizers {tokenizers.__version__}",
            "written_by": "scripts/goldens/decoded.py"}
    rows = ",\n".join(f"{json.dumps(name)}:{json.dumps(entry, separators=(',', ':'))}" for name, entry in found.items())
    (FILES / "decoded.json").write_text(json.dumps(head)[:-1] + ',"folders":{\n' + rows + "\n}}\n")


if __name__ == "__main__":
    main()
