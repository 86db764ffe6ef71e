"""Puts the output of `thimble memory --peers --json` into the documents: python3 scripts/memory_report.py MEMORY.json

Writes docs/memory.svg, and in README.md and docs/memory.md the table between the lines <!-- memory --> and
<!-- /memory -->. With --check nothing is written, and the exit code is 1 when something differs; with --print the table
goes to standard output instead.
"""

import argparse
import html
import json
import math
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- memory -->\n", "<!-- /memory -->\n"
# What users report of embedding in Node.js today, in bytes.
REPORTED = {"mock": 200e6, "q4": 2e9, "q8": 4e9, "native bindings": 500e6}


def megabytes(size):
    value = size / 1e6
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


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
    left, right, top, step = 250, 90, 72, 24
    width, height = 760, top + step * len(bars) + 36
    low, high = -1, 4  # 0.1 MB to 10 GB, as powers of ten of a megabyte.
    scale = (width - left - right) / (high - low)

    def x(size):
        return left + (math.log10(max(size / 1e6, 10**low)) - low) * scale

    label = "Peak private memory of one process"
    below = "embedding 64 texts of 250 words and 2,000 short ones, on a logarithmic scale"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{label}, {below}" '
        'font-family="sans-serif" font-size="13">',
        "<style>text{fill:#222}.grid{stroke:#ccc}.own{fill:#0a7d5a}.peer{fill:#5b7fa6}.reported{fill:#c8662b}"
        "@media(prefers-color-scheme:dark){text{fill:#ddd}.grid{stroke:#444}.own{fill:#3fbf94}"
        ".peer{fill:#7fa8d6}.reported{fill:#e58f57}}</style>",
        f'<text x="12" y="22" font-size="15" font-weight="bold">{label}</text>',
        f'<text x="12" y="42">{below}</text>',
    ]
    for power in range(low, high + 1):
        position = x(10.0**power * 1e6)
        name = f"{10.0**power:g} MB" if power < 3 else f"{10.0**(power - 3):g} GB"
        parts.append(f'<line class="grid" x1="{position:.1f}" y1="{top - 8}" x2="{position:.1f}" y2="{height - 28}"/>')
        parts.append(f'<text x="{position:.1f}" y="{height - 10}" text-anchor="middle">{name}</text>')
    for i, (name, size, kind) in enumerate(bars):
        y = top + step * i
        parts.append(f'<text x="{left - 8}" y="{y + 12}" text-anchor="end">{html.escape(name)}</text>')
        parts.append(f'<rect class="{kind}" x="{left}" y="{y}" width="{x(size) - left:.1f}" height="16"/>')
        parts.append(f'<text x="{x(size) + 6:.1f}" y="{y + 12}">{megabytes(size)} MB</text>')
    return "\n".join(parts) + "\n</svg>\n"


def replaced(path, contents):
    text = path.read_text()
    begin, end = text.find(BEGIN), text.find(END)
    if begin < 0 or end < begin:
        raise SystemExit(f"{path}: expected the lines {BEGIN.strip()} and {END.strip()}")
    return text[:begin + len(BEGIN)] + contents + text[end:]


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
        new[options.root / name] = replaced(options.root / name, table(result))
    different = [path for path, text in new.items() if not path.exists() or path.read_text() != text]
    for path in different:
        print(f"{path}: {'differs' if options.check else 'written'}")
        if not options.check:
            path.write_text(new[path])
    sys.exit(1 if options.check and different else 0)


if __name__ == "__main__":
    main()
