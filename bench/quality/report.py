"""Puts what bench/quality/quality.py measured into the documents: python3 bench/quality/report.py QUALITY.json

Writes docs/quality-MODEL.svg, and in docs/quality.md the tables between the lines <!-- quality --> and
<!-- /quality -->. With --check nothing is written, and the exit code is 1 when something differs; with --print the
tables go to standard output instead.
"""

import argparse
import json
import pathlib
import sys

import charts
from charts import megabytes

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEAD = ["", "file, MB", "short: mean", "1st percentile", "minimum", "long: mean", "minimum", "Spearman", "change",
        "nDCG@10", "change"]


def title(row):
    return f"{row['engine']} {row['dtype']}"


def cosine(value):
    """As many digits as tell it from 1."""
    return f"{value:.5f}" if value < 0.9999 else f"{value:.8f}"


def cells(row):
    if row["error"]:
        return [title(row), megabytes(row["file_bytes"]) if row["file_bytes"] else "-"] + ["-"] * (len(HEAD) - 2)
    short, long = row["short"], row["long"]
    return [title(row), megabytes(row["file_bytes"]), *(cosine(short[name]) for name in ("mean", "p1", "min")),
            *(cosine(long[name]) for name in ("mean", "min")), f"{row['spearman']:.2f}",
            f"{row['spearman_change']:+.2f}",
            *((f"{row['ndcg']:.4f}", f"{row['ndcg_change']:+.4f}") if "ndcg" in row else ("-", "-"))]


def notes(rows):
    """What is to be said below a table: failures, limits, and which versions were measured."""
    result = [f"- {title(row)}: not measured: {row['error']}" for row in rows if row["error"]]
    result += [f"- {title(row)}: beyond its limit: {message}" for row in rows for message in row["beyond"]]
    checked = {row["engine"]: row for row in rows if "fp32_cosine" in row}
    result += [f"- {name}: {row['version']}; its fp32 file gives the fp32 vectors of thimble with a minimum cosine of "
               f"{row['fp32_cosine']:.6f}" for name, row in checked.items()]
    return result


def models(result):
    return list(dict.fromkeys(row["model"] for row in result["rows"]))


def points(rows):
    """Of rows that have vectors of their own: the distance of the mean cosine from 1."""
    return [(title(row), row["file_bytes"], 1 - row["short"]["mean"], "own" if row["engine"] == "thimble" else "peer")
            for row in rows if not row["error"] and (row["engine"], row["dtype"]) != ("thimble", "fp32")]


def tables(result):
    parts = []
    for model in models(result):
        rows = [row for row in result["rows"] if row["model"] == model]
        lines = [f"### {model}", ""]
        if points(rows):
            lines += [f"![{model}: error over bytes](quality-{model}.svg)", ""]
        lines += ["| " + " | ".join(HEAD) + " |", "|---|" + "--:|" * (len(HEAD) - 1)]
        lines += ["| " + " | ".join(cells(row)) + " |" for row in rows]
        lines += ["", *notes(rows)] if notes(rows) else []
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def plots(result):
    """File name -> picture, for each model that has something to show."""
    pictures = {}
    for model in models(result):
        rows = points([row for row in result["rows"] if row["model"] == model])
        if rows:
            pictures[f"quality-{model}.svg"] = charts.points(
                f"{model}: how far vectors are from those of fp32",
                f"1 - mean cosine over {result['counts']['sentences']:,} short texts, by the bytes of the model file; "
                "up is better", rows)
    return pictures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("quality", type=pathlib.Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--print", action="store_true")
    parser.add_argument("--root", type=pathlib.Path, default=ROOT, help="where docs is")
    options = parser.parse_args()
    result = json.loads(options.quality.read_text())
    if options.print:
        print(tables(result), end="")
        return
    if result["only"]:
        sys.exit(f"{options.quality}: has only the rows of {', '.join(result['only'])}; the documents want all")
    docs = options.root / "docs"
    new = {docs / name: picture for name, picture in plots(result).items()}
    new[docs / "quality.md"] = charts.replaced(docs / "quality.md", "quality", tables(result))
    sys.exit(charts.update(new, options.check))


if __name__ == "__main__":
    main()
