"""The texts of make bench-python: ten thousand of mixed lengths and languages, always the same."""

import csv
import json
import pathlib
import random


def _sentences(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(dict.fromkeys(text for row in csv.reader(file) for text in row[:2]))


def mixed(data: pathlib.Path, count: int) -> list:
    """Of STS-B's English sentences 8 tenths, of SciFact's documents 1, of paragraphs of the UDHR in many languages 1.

    DATA is a folder with stsb/stsb-en-{train,dev,test}.csv, ir/scifact/corpus.jsonl and udhr/udhr_paragraphs.jsonl.
    """
    chance = random.Random(2)
    sentences = [text for part in ("train", "dev", "test") for text in _sentences(data / f"stsb/stsb-en-{part}.csv")]
    with open(data / "ir/scifact/corpus.jsonl", encoding="utf-8") as file:
        documents = [f"{entry['title']} {entry['text']}" for entry in map(json.loads, file)]
    with open(data / "udhr/udhr_paragraphs.jsonl", encoding="utf-8") as file:
        paragraphs = [text for line in file for text in json.loads(line)["paragraphs"]]
    texts = [text for source, tenths in ((sentences, 8), (documents, 1), (paragraphs, 1))
             for text in chance.sample(source, count * tenths // 10)]
    chance.shuffle(texts)
    return texts
