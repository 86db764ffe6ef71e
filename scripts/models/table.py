"""Writes the tables of docs/models.md from the table of the program: scripts/models/table.py THIMBLE [--check]

Which model is recommended for what is decided here; every figure beside it is the program's.
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
        mean, retrieval = score_text(score, 41 if language == "english" else 130)
        figure = f"{language.capitalize()} mean {mean}" if which == "mean" else f"{language.capitalize()} retrieval {retrieval}"
        rows.append((what, f"`{name}`", megabytes(model["bytes_q8"]), megabytes(model["bytes_q4"]), figure))
    return markdown(("for", "model", "q8", "q4", "MTEB"), rows)


def whole_table(models):
    rows = []
    for model in models:
        english, english_retrieval = score_text(model["mteb_english"], 41)
        multilingual, retrieval = score_text(model["mteb_multilingual"], 130)
        kind = "reranker" if model["kind"] == "reranker" else str(model["dimensions"])
        state = megabytes(model["bytes_q8"]) if model["supported"] else f"needs {model['missing']}"
        rows.append((model["repository"], "many" if model["language"] == "multilingual" else "English", kind,
                     str(model["max_tokens"] or ""), state, megabytes(model["bytes_q4"]), english, english_retrieval,
                     multilingual, retrieval, model["licence"]))
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


def main():
    program, *options = sys.argv[1:]
    listed = json.loads(subprocess.run([program, "pull", "--list", "--json"], check=True, capture_output=True).stdout)
    found = DOCUMENT.read_text()
    expected = document(listed, found)
    if options == ["--check"]:
        sys.exit(0 if found == expected else f"{DOCUMENT} differs from the program; run scripts/models/table.py")
    DOCUMENT.write_text(expected)


if __name__ == "__main__":
    main()
