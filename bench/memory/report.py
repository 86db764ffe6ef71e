"""Puts the output of `thimble memory --peers --json` into the documents: python3 bench/memory/report.py MEMORY.json

Writes docs/memory.svg, and in README.md and docs/memory.md the table between the lines <!-- memory --> and
<!-- /memory -->. With --check nothing is written, and the exit code is 1 when something differs; with --print the table
goes to standard output instead.
"""

import argparse
import json
import pathlib
import sys

import charts
from charts import megabytes

ROOT = pathlib.Path(__file__).resolve().parent.parent
# What users report of embedding in Node.js today, in bytes.
REPORTED = {"mock": 200e6, "q4": 2e9, "q8": 4e9, "native bindings": 500e6}


def title(row):
    return f"{row['name']} {row['dtype']}"


def table(result):
    lines = ["| MB | file | private, peak | Pss, peak | RSS, peak | private, idle | private, unloaded | cold start, ms |",
             "|---|--:|--:|--:|--:|--:|--:|--:|"]
    for row in result["rows"]:
        file = megabytes(row["file_bytes"]) if row["file_bytes"] else "-"
        if row["error"]:
            lines.append(f"| {title(row)} | {file} | {row['error']} ||||||")
            continue
        cells = [megabytes(row["peak"][figure]) for figure in ("private", "pss", "rss")]
        cells += [megabytes(row[stage]["private"]) for stage in ("idle", "unloaded")]
        lines.append(f"| {title(row)} | {file} | {' | '.join(cells)} | {row['cold_start_ms']:.1f} |")
    for name, size in REPORTED.items():
        lines.append(f"| *{name}, as users report* | - | {megabytes(size)} | - | - | - | - | - |")
    return "\n".join(lines) + "\n"


def plot(result):
    """Bars of peak private memory on a logarithmic axis."""
    bars = [(title(row), row["peak"]["private"], "own" if row["name"] == "thimble" else "peer")
            for row in result["rows"] if not row["error"]]
    bars += [(f"{name}, as users report", size, "reported") for name, size in REPORTED.items()]
    return charts.bars("Peak private memory of one process",
                       "embedding 64 texts of 250 words and 2,000 short ones, on a logarithmic scale", bars)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("memory", type=pathlib.Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--print", action="store_true")
    parser.add_argument("--root", type=pathlib.Path, default=ROOT, help="where README.md and docs are")
    options = parser.parse_args()
    result = json.loads(options.memory.read_text())
    if options.print:
        print(table(result), end="")
        return
    new = {options.root / "docs/memory.svg": plot(result)}
    for name in ("README.md", "docs/memory.md"):
        new[options.root / name] = charts.replaced(options.root / name, "memory", table(result))
    sys.exit(charts.update(new, options.check))


if __name__ == "__main__":
    main()
