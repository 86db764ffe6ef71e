"""Puts what bench/quality/quality.py measured into the documents: report.py QUALITY.json

Writes docs/quality-MODEL.svg, and in docs/quality.md the tables between the lines <!-- quality --> and
<!-- /quality -->.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import reports  # noqa: E402
from reports import markdown, megabytes  # noqa: E402
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
        lines += markdown(HEAD, map(cells, rows)).splitlines()
        lines += ["", *notes(rows)] if notes(rows) else []
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def plots(result):
    """File name -> picture, for each model that has something to show."""
    import charts
    pictures = {}
    for model in models(result):
        rows = points([row for row in result["rows"] if row["model"] == model])
        if rows:
            pictures[f"quality-{model}.svg"] = charts.points(
                f"{model}: how far vectors are from those of fp32",
                f"1 - mean cosine over {result['counts']['sentences']:,} short texts, by the size of the model file; "
                "up is better", rows, {"own": "thimble", "peer": "other engines"})
    return pictures


def documents(result, root):
    if result["only"]:
        sys.exit(f"the figures have only the rows of {', '.join(result['only'])}; the documents want all")
    docs = root / "docs"
    new = {docs / name: picture for name, picture in plots(result).items()}
    return new | {docs / "quality.md": reports.replaced(docs / "quality.md", "quality", tables(result))}


if __name__ == "__main__":
    reports.main(__doc__, tables, documents)
