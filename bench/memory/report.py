"""Puts figures of `thimble memory --json` and bench/memory/peers.py into the documents: report.py MEMORY.json

Writes docs/memory.svg, and in README.md and docs/memory.md the table between the lines <!-- memory --> and
<!-- /memory -->.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import reports  # noqa: E402
from reports import megabytes  # noqa: E402
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
    import charts
    bars = [(title(row), row["peak"]["private"], "own" if row["name"] == "thimble" else "peer")
            for row in result["rows"] if not row["error"]]
    bars += [(f"{name}, as users report", size, "reported") for name, size in REPORTED.items()]
    return charts.bars("Peak private memory of one process", "embedding 64 texts of 250 words and 2,000 short ones", bars,
                       {"own": "thimble", "peer": "other engines", "reported": "as users report"})


def documents(result, root):
    pages = [root / "README.md", root / "docs/memory.md"]
    return {root / "docs/memory.svg": plot(result)} | {page: reports.replaced(page, "memory", table(result)) for page in pages}


if __name__ == "__main__":
    reports.main(__doc__, table, documents)
