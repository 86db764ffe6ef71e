"""Puts the figures of bench/node/compare.mjs into the documents: report.py COMPARE.json

Writes docs/node.svg, and in docs/node.md the tables between the lines <!-- compare --> and <!-- /compare -->.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import reports  # noqa: E402
from reports import markdown, megabytes  # noqa: E402
STAGES = {"node": "bare node", "import": "import", "load": "model ready", "batch": "after 64 texts of 250 words in one call",
          "short": "after one more short text", "dispose": "after dispose and gc", "peak": "peak"}


def title(row):
    return f"{row['peer']} {row['dtype']}"


def stages(rows, figure, bare=None):
    """A table with a stage in each row: the bytes of a figure, or what they are over bare node."""
    body = []
    for stage, words in STAGES.items():
        if bare and stage == "node":
            continue
        cells = [row["memory"].get(stage, {}).get(figure) for row in rows]
        over = bare["private"] if bare else 0
        body.append([words] + ["-" if cell is None else megabytes(cell - over) for cell in cells])
    return markdown(["MB"] + [title(row) for row in rows], body)


def functions(row):
    result = row["functions"]
    if result is None:
        return "-"
    return result.get("error") or megabytes(result["peak"]["private"] - result["node"]["private"])


def tables(result):
    rows, bare = result["rows"], result["bare"]
    speed = [[title(row), f"{row['long_texts_per_s']:,.0f}", f"{row['short_texts_per_s']:,.0f}", f"{row['latency_ms']:.2f}",
              f"{row['loop_p99_ms']:.1f} / {row['loop_max_ms']:.0f}", f"{row['cold_start_ms'] - result['bare_start_ms']:.0f}",
              megabytes(row["install_bytes"]), functions(row)] for row in rows]
    head = ["one thread", "texts of 250 words/s", "short texts/s", "latency, ms", "event loop delay, p99 / most, ms",
            "start to first vector over bare node, ms", "installed, MB", "60 functions, peak private over bare node, MB"]
    return (f"Private memory over that of bare node ({megabytes(bare['private'])} MB):\n\n"
            + stages(rows, "private", bare) + "\nResident memory (RSS), which counts shared pages of files in full:\n\n"
            + stages(rows, "rss") + "\nProportional memory (Pss), which counts them in part:\n\n"
            + stages(rows, "pss") + "\nSpeed, start and size:\n\n" + markdown(head, speed)
            + f"\n`@tensorflow/tfjs-node` is not in the tables: {result['tfjs_node']}\n")


def plot(result):
    import charts
    bare = result["bare"]["private"]
    bars = [(title(row), row["memory"]["peak"]["private"] - bare, "own" if row["peer"] == "thimble" else "peer")
            for row in result["rows"]]
    bars += [(f"60 functions: {title(row)}", row["functions"]["peak"]["private"] - bare,
              "own" if row["peer"] == "thimble" else "peer")
             for row in result["rows"] if row["functions"] and "peak" in row["functions"]]
    return charts.bars("Private memory that embedding adds to node, at its peak",
                       "64 texts of 250 words in one call; 60 embedding functions in a row", bars,
                       {"own": "thimble", "peer": "other engines"})


def documents(result, root):
    page = root / "docs/node.md"
    return {root / "docs/node.svg": plot(result), page: reports.replaced(page, "compare", tables(result))}


if __name__ == "__main__":
    reports.main(__doc__, tables, documents)
