"""Writes the tables of docs/models.md from the table of the program: scripts/models/table.py THIMBLE [--check]

Which model is recommended for what is decided here; every figure beside it is the program's.

    scripts/models/table.py THIMBLE --compare MTEB.json

prints where the program's table differs from the metadata and results of mteb, as {"models": [{"model", "dimensions",
"max_tokens", "licence", "english": {"tasks", "mean", "by_type": {"Retrieval"}}, "multilingual"}]}.
"""

import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs/models.md"

# (what for, model, language of the score, which score).
RECOMMENDED = (
    ("English, up to 25 MB", "mdbr-leaf-mt", "english", "mean"),
    ("English, up to 35 MB", "GIST-small-Embedding-v0", "english", "mean"),
    ("English, up to 35 MB, with a prompt for queries", "bge-small-en-v1.5", "english", "mean"),
    ("English search, up to 25 MB", "snowflake-arctic-embed-xs", "english", "retrieval"),
    ("English search, up to 35 MB", "snowflake-arctic-embed-s", "english", "retrieval"),
    ("English search, up to 110 MB", "snowflake-arctic-embed-m-v1.5", "english", "retrieval"),
    ("English, quality first", "mxbai-embed-large-v1", "english", "mean"),
    ("many languages, up to 80 MB", "multilingual-e5-small", "multilingual", "mean"),
    ("many languages, up to 200 MB", "multilingual-e5-base", "multilingual", "mean"),
    ("many languages, long texts", "bge-m3", "multilingual", "mean"),
    ("search in many languages, quality first", "snowflake-arctic-embed-l-v2.0", "multilingual", "retrieval"),
)

# Those whose licence no source at hand stated.
UNCHECKED_LICENCES = {
    "paraphrase-MiniLM-L3-v2", "paraphrase-MiniLM-L6-v2", "e5-large-v2", "gte-large", "snowflake-arctic-embed-l",
    "multi-qa-mpnet-base-dot-v1", "all-distilroberta-v1", "msmarco-distilbert-base-tas-b",
    "distiluse-base-multilingual-cased-v2", "ms-marco-MiniLM-L6-v2", "ms-marco-MiniLM-L12-v2", "bge-reranker-large",
}
TASKS = {"english": 41, "multilingual": 130}


def markdown(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(cells) + " |" for cells in rows]) + "\n"


def megabytes(size):
    return f"{size / 1e6:.0f} MB" if size else ""


def score_text(score, tasks):
    if score is None:
        return "", ""
    over = "" if score["tasks"] == tasks else f" ({score['tasks']} tasks)"
    return f"{score['mean']:.2f}{over}", f"{score['retrieval']:.1f}"


def short(model):
    return model["repository"].split("/")[1]


def recommendations(models):
    by_name = {short(model): model for model in models}
    rows = []
    for what, name, language, which in RECOMMENDED:
        model = by_name[name]
        score = model["mteb_" + language]
        assert model["supported"] and score, name
        mean, retrieval = score_text(score, TASKS[language])
        figure = f"{language.capitalize()} mean {mean}" if which == "mean" else f"{language.capitalize()} retrieval {retrieval}"
        rows.append((what, f"`{name}`", megabytes(model["bytes_q8"]), megabytes(model["bytes_q4"]), figure))
    return markdown(("for", "model", "q8", "q4", "MTEB"), rows)


def whole_table(models):
    rows = []
    for model in models:
        english, english_retrieval = score_text(model["mteb_english"], TASKS["english"])
        multilingual, retrieval = score_text(model["mteb_multilingual"], TASKS["multilingual"])
        kind = "reranker" if model["kind"] == "reranker" else str(model["dimensions"])
        state = megabytes(model["bytes_q8"]) if model["supported"] else f"needs {model['missing']}"
        rows.append((model["repository"], "many" if model["language"] == "multilingual" else "English", kind,
                     str(model["max_tokens"] or ""), state, megabytes(model["bytes_q4"]), english, english_retrieval,
                     multilingual, retrieval, model["licence"] + (" *" if short(model) in UNCHECKED_LICENCES else "")))
    return markdown(("repository", "languages", "dimensions", "tokens", "q8", "q4", "English mean", "retrieval",
                     "multilingual mean", "retrieval", "licence"), rows)


def document(listed, text):
    """The text of the document with the tables of `listed`, what `thimble pull --list --json` prints."""
    tables = {"recommended": recommendations(listed["models"]), "known": whole_table(listed["models"]),
              "source": f"Scores: {listed['mteb_source']}.\n"}
    for name, table in tables.items():
        first, last = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
        before, _, rest = text.partition(first)
        _, found, after = rest.partition(last)
        if not found:
            raise SystemExit(f"{DOCUMENT}: expected the lines {first.strip()} and {last.strip()}")
        text = before + first + table + last + after
    return text


def differences(models, theirs):
    """(repository, what, ours, theirs), or (repository, "absent", "", "")."""
    for model in models:
        other = theirs.get(model["repository"])
        if other is None:
            yield model["repository"], "absent", "", ""
            continue
        for language, tasks in TASKS.items():
            found, score = other.get(language), model["mteb_" + language]
            if score is not None:
                expected = {"mean": found["mean"], "tasks": found["tasks"], "retrieval": found["by_type"]["Retrieval"]}
                if score != expected:
                    yield model["repository"], language, score, expected
        dimensions = other["dimensions"]
        for what, ours, found in (
                ("dimensions", model["dimensions"], max(dimensions) if isinstance(dimensions, list) else dimensions),
                ("tokens", model["max_tokens"], other["max_tokens"] or 0),
                ("licence", model["licence"], other["licence"])):
            if ours != found:
                yield model["repository"], what, ours, found


def main():
    program, *options = sys.argv[1:]
    listed = json.loads(subprocess.run([program, "pull", "--list", "--json"], check=True, capture_output=True).stdout)
    if options[:1] == ["--compare"]:
        theirs = {one["model"]: one for one in json.loads(pathlib.Path(options[1]).read_text())["models"]}
        for line in differences(listed["models"], theirs):
            print(*line)
        return
    found = DOCUMENT.read_text()
    expected = document(listed, found)
    if options == ["--check"]:
        sys.exit(0 if found == expected else f"{DOCUMENT} differs from the program; run scripts/models/table.py")
    DOCUMENT.write_text(expected)


if __name__ == "__main__":
    main()
