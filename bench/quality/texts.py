"""The texts of the quality benchmark, read from a folder with stsb/stsb-en-test.csv and ir/scifact."""

import csv
import dataclasses
import json
import pathlib

LONG_WORDS = range(250, 421)
LONG_COUNT = 40
# What each set is cut at, in tokens. 256 is the limit of all-MiniLM-L6-v2, 512 the positions of all models here.
LIMITS = {"sentences": 256, "long": 512, "documents": 256, "queries": 256}
SEARCH = {"query": "Represent this sentence for searching relevant passages: "}
E5 = {"query": "query: ", "passage": "passage: "}
PROMPTS = {"bge-small-en-v1.5": SEARCH, "bge-base-en-v1.5": SEARCH, "snowflake-arctic-embed-xs": SEARCH,
           "snowflake-arctic-embed-s": SEARCH, "e5-small-v2": E5, "e5-base-v2": E5}


@dataclasses.dataclass
class Data:
    sets: dict  # name -> texts
    pairs: list  # (index in sentences, index in sentences, score)
    relevance: list  # for each query {index in documents: grade}


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def read(folder):
    """Raises OSError or ValueError with the file's name."""
    folder = pathlib.Path(folder)
    sentences, pairs = {}, []
    path = folder / "stsb/stsb-en-test.csv"
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            if len(row) != 3:
                raise ValueError(f"{path}: expected records of first,second,score, found {len(row)} fields")
            first, second = (sentences.setdefault(text, len(sentences)) for text in row[:2])
            pairs.append((first, second, float(row[2])))
    corpus = lines(folder / "ir/scifact/corpus.jsonl")
    queries = lines(folder / "ir/scifact/queries.test.jsonl")
    documents = [f"{entry['title']} {entry['text']}" for entry in corpus]
    places = {entry["_id"]: i for i, entry in enumerate(corpus)}
    relevance = {entry["_id"]: {} for entry in queries}
    with open(folder / "ir/scifact/qrels.test.tsv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            relevance[row["query-id"]][places[row["corpus-id"]]] = int(row["score"])
    long = [text for text in documents if len(text.split()) in LONG_WORDS][:LONG_COUNT]
    return Data({"sentences": list(sentences), "long": long, "documents": documents,
                 "queries": [entry["text"] for entry in queries]}, pairs, list(relevance.values()))


def prompts(model):
    """What the model's authors want before the texts of each set; empty where that is nothing.

    A model with a prompt for passages too wants one before every text, so that sentences, which are compared with each
    other, have that of queries; else only queries have one.
    """
    texts = PROMPTS.get(model, {})
    query, passage = texts.get("query", ""), texts.get("passage", "")
    return {"sentences": query if passage else "", "queries": query, "long": passage, "documents": passage}


def prompted(data, model, name):
    """The texts of a set as the model wants them."""
    prompt = prompts(model).get(name, "")
    return [prompt + text for text in data.sets[name]]
