"""What the reports of all benches share: tables, and how they get into the documents.

A report imports charts.py where it draws, because nothing else needs matplotlib.
"""

import argparse
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def megabytes(size):
    value = size / 1e6
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def markdown(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(cells) + " |" for cells in rows]) + "\n"


def replaced(path, name, contents):
    """The text of a document, with other contents between its lines <!-- name --> and <!-- /name -->."""
    first, last = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
    text = path.read_text()
    begin, end = text.find(first), text.find(last)
    if begin < 0 or end < begin:
        raise SystemExit(f"{path}: expected the lines {first.strip()} and {last.strip()}")
    return text[:begin + len(first)] + contents + text[end:]


def main(about, printed, documents):
    """Runs a report: `printed` makes text of the figures, `documents` {path: text} of them and of the folder that has
    README.md and docs. The exit code is 1 when --check finds that something differs."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("figures", type=pathlib.Path, help="the JSON of a measurement")
    parser.add_argument("--check", action="store_true", help="write nothing, and fail when a document differs")
    parser.add_argument("--print", action="store_true", help="print the tables instead")
    parser.add_argument("--root", type=pathlib.Path, default=ROOT, help="where README.md and docs are")
    options = parser.parse_args()
    result = json.loads(options.figures.read_text())
    if options.print:
        print(printed(result), end="")
        return
    new = documents(result, options.root)
    different = [path for path, text in new.items() if not path.exists() or path.read_text() != text]
    for path in different:
        print(f"{path}: {'differs' if options.check else 'written'}")
        if not options.check:
            path.write_text(new[path])
    sys.exit(1 if options.check and different else 0)
