"""The texts of the comparison: batches of a given shape, and a corpus of mixed lengths. Always the same."""

import csv
import json
import pathlib
import random

LONG_COUNT = 100
LONG_WORDS = range(250, 421)


def sentences(path):
    """The distinct sentences of a csv of first,second,score."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(dict.fromkeys(text for row in csv.reader(file) for text in row[:2]))


class Vocabulary:
    """Frequent whole words of a WordPiece tokenizer, each of which is one token."""

    def __init__(self, tokenizer):
        tokens = json.loads(pathlib.Path(tokenizer).read_text())["model"]["vocab"]
        words = [token for token in tokens if token.isascii() and token.isalpha() and token.islower() and len(token) > 1]
        self.words = sorted(words, key=tokens.get)[:8000]
        self.tokens = tokens

    def batch(self, count, length):
        """Texts of LENGTH tokens, special ones included, and their ids."""
        chance = random.Random(f"{count}x{length}")
        rows = [chance.choices(self.words, k=length - 2) for _ in range(count)]
        ids = [[self.tokens["[CLS]"], *(self.tokens[word] for word in row), self.tokens["[SEP]"]] for row in rows]
        return [" ".join(row) for row in rows], ids

    def made_up(self, seed, short, long):
        """Texts with the lengths and the punctuation of sentences, and long ones."""
        chance = random.Random(seed)
        texts = []
        for lengths in [range(4, 29)] * short + [LONG_WORDS] * long:
            words = chance.choices(self.words, k=chance.choice(lengths))
            for i in range(9, len(words), 10):
                words[i] += chance.choice(",.")
            texts.append(" ".join(words).capitalize() + ".")
        return texts


def mixed(vocabulary, data):
    """(what they are, texts in the order of the run). DATA is a folder with STS-B and SciFact, or None."""
    if data is None:
        name, texts = "made up of frequent words", vocabulary.made_up(1, 2500, LONG_COUNT)
    else:
        name = "STS-B test sentences and SciFact documents"
        texts = sentences(data / "stsb/stsb-en-test.csv")
        with open(data / "ir/scifact/corpus.jsonl", encoding="utf-8") as file:
            documents = [f"{entry['title']} {entry['text']}" for entry in map(json.loads, file)]
        texts += [text for text in documents if len(text.split()) in LONG_WORDS][:LONG_COUNT]
    random.Random(2).shuffle(texts)
    return name, texts


def calibration(vocabulary, data, count=300):
    """Other sentences, for a quantiser that wants to see some."""
    if data is None:
        return vocabulary.made_up(3, count, 0)
    return sentences(data / "stsb/stsb-en-train.csv")[:count]
