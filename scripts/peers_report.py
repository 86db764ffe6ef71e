"""Puts the figures of bench/peers/compare.py into the documents: python3 scripts/peers_report.py PEERS.json

Writes docs/peers.svg, and in README.md and docs/peers.md what is between the lines <!-- peers --> and <!-- /peers -->. With
--check nothing is written, and the exit code is 1 when something differs; with --print the tables go to standard output
instead.
"""

import argparse
import json
import pathlib
import statistics
import sys

import charts

ROOT = pathlib.Path(__file__).resolve().parent.parent
OWN = "thimble q8"
KINDS = {"text": "End to end from text", "ids": "Model only, from token ids to the pooled vector"}


def words(threads):
    return {1: "one thread", 2: "two threads"}.get(threads, f"{threads} threads")


def is_own(row):
    return row["name"].startswith("thimble")


def measured(run):
    return [row for row in run["rows"] if not row["error"]]


def own(run):
    rows = [row for row in measured(run) if row["name"] == OWN]
    if not rows:
        raise SystemExit(f"{OWN} was not measured with {words(run['threads'])}")
    return rows[0]


def fastest(run, kind, shape):
    """(ratio, row) of the peer that takes the least time for a shape: the median over the rounds of its time over ours."""
    ours = own(run)[kind][shape]["rounds"]
    found = [(statistics.median(theirs / mine for theirs, mine in zip(row[kind][shape]["rounds"], ours)), row)
             for row in measured(run) if not is_own(row) and shape in row[kind]]
    return min(found, key=lambda entry: entry[0], default=None)


def throughput(row, order):
    """Texts a second, median over the passes; 0 if it was not measured."""
    figures = row["corpus"].get(order)
    return statistics.median(figures["texts_per_s"]) if figures and figures["texts_per_s"] else 0


def against(run):
    """Rows of (what, our figure, unit, peer, its figure, ratio)."""
    result = []
    for shape in own(run)["text"]:
        found = fastest(run, "text", shape)
        if found:
            figures = [statistics.median(row["text"][shape]["rounds"]) for row in (own(run), found[1])]
            result.append((shape, figures[0], "ms", found[1]["name"], figures[1], found[0]))
    for order, name in (("mixed", "corpus"), ("sorted", "corpus, sorted")):
        peer = max((row for row in measured(run) if not is_own(row)), key=lambda row: throughput(row, order), default=None)
        if peer and throughput(peer, order) and throughput(own(run), order):
            mine, theirs = throughput(own(run), order), throughput(peer, order)
            result.append((name, mine, "texts/s", peer["name"], theirs, mine / theirs))
    return result


def markdown(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(cells) + " |" for cells in rows]) + "\n"


def milliseconds(value):
    return f"{value:.2f}" if value < 100 else f"{value:,.0f}"


def per_second(value):
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def cosine(row, run):
    if row["name"] == run["reference"]:
        return "the reference"
    if row["cosine"] is None:
        return "-"
    return " / ".join(f"{row['cosine'][name]:.5f}" for name in ("mean", "p1", "min"))


def times(run, kind):
    """All that was measured, median (minimum) of a shape in milliseconds, and the cosine."""
    shapes = list(own(run)[kind])
    rows = []
    for row in measured(run):
        if not row[kind]:
            continue
        cells = [f"{milliseconds(statistics.median(row[kind][shape]['rounds']))} ({milliseconds(row[kind][shape]['min'])})"
                 if shape in row[kind] else "-" for shape in shapes]
        rows.append([row["name"], *cells, cosine(row, run)])
    return markdown(["ms, median (minimum)", *shapes, "cosine to fp32: mean / p1 / minimum"], rows)


def corpus(run):
    rows = []
    for row in measured(run):
        cells = [f"{per_second(throughput(row, order))} ({row['corpus'][order]['batch']})" if throughput(row, order) else "-"
                 for order in ("mixed", "sorted")]
        if cells != ["-", "-"]:
            rows.append([row["name"], *cells, cosine(row, run)])
    return markdown(["texts/s (batch size)", "in the order given", "sorted by length first",
                     "cosine to fp32: mean / p1 / minimum"], rows)


def summary(run):
    rows = []
    for what, mine, unit, peer, theirs, ratio in against(run):
        figures = [(per_second if unit == "texts/s" else milliseconds)(value) for value in (mine, theirs)]
        rows.append([f"{what}, {unit}", figures[0], peer, figures[1], f"{ratio:.2f}"])
    return markdown(["from text", OWN, "fastest peer", "its figure", "ratio"], rows)


def tokenizer_line(run):
    if not run["tokenizer"]:
        return ""
    text = ", ".join(f"{share:.1%} {'over the corpus' if shape == 'corpus' else f'at {shape}'}"
                     for shape, share in run["tokenizer"].items())
    return f"\nTime of the tokenizer relative to the forward pass of the same text: {text}.\n"


def tables(result):
    about = result["corpus"]
    parts = ["![The fastest peer against thimble](peers.svg)\n",
             f"{result['processor']}, {result['cpus']} CPUs, load average {result['load']:.1f} before the run, "
             f"rounds: {result['rounds']}. Corpus: {about['texts']:,} texts, {about['name']}, passes: "
             f"{max(len(figures['texts_per_s']) for figures in own(result['runs'][0])['corpus'].values())}.\n"]
    for run in result["runs"]:
        title = words(run["threads"]).capitalize()
        parts.append(f"### {title}: {OWN} against the fastest peer\n\n{summary(run)}{tokenizer_line(run)}")
        for kind, name in KINDS.items():
            parts.append(f"### {title}: {name[0].lower() + name[1:]}\n\n{times(run, kind)}")
        parts.append(f"### {title}: a corpus of mixed lengths\n\n{corpus(run)}")
    versions = {row["name"]: row["version"] for run in result["runs"] for row in run["rows"] if not row["error"]}
    unique = dict.fromkeys(version for name, version in versions.items() if not name.startswith("thimble"))
    parts.append("Versions: " + "; ".join(unique) + ".\n")
    errors = [(row["name"], words(run["threads"]), row["error"]) for run in result["runs"] for row in run["rows"]
              if row["error"]]
    if errors:
        parts.append("Not measured:\n\n" + "".join(f"- {name} ({threads}): {error}\n" for name, threads, error in errors))
    return "\n".join(parts)


def plot(result):
    groups = [(words(run["threads"]), [(what, ratio, peer) for what, _, _, peer, _, ratio in against(run)])
              for run in result["runs"]]
    return charts.ratios(f"How many times longer the fastest peer takes than {OWN}",
                         "end to end from text, by batch x tokens", groups)


def readme(result):
    lines = ["![The fastest peer against thimble](docs/peers.svg)\n"]
    peers = {row["name"] for run in result["runs"] for row in measured(run) if not is_own(row)}
    ranges = []
    for run in result["runs"]:
        ratios = [row[5] for row in against(run) if row[2] == "ms"]
        ranges.append(f"{min(ratios):.2f} to {max(ratios):.2f} times as long on {words(run['threads'])}")
    separator = " and\n"
    lines.append(f"From text to vector, the fastest of {len(peers)} peers takes\n{separator.join(ranges)}.\n"
                 "`make bench-peers` measures it; [docs/peers.md](docs/peers.md) has all figures.\n")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peers", type=pathlib.Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--print", action="store_true")
    parser.add_argument("--root", type=pathlib.Path, default=ROOT, help="where README.md and docs are")
    options = parser.parse_args()
    result = json.loads(options.peers.read_text())
    if options.print:
        print(tables(result), end="")
        return
    new = {options.root / "docs/peers.svg": plot(result)}
    for name, text in (("README.md", readme(result)), ("docs/peers.md", tables(result))):
        new[options.root / name] = charts.replaced(options.root / name, "peers", text)
    sys.exit(charts.update(new, options.check))


if __name__ == "__main__":
    main()
