"""Puts the figures of bench/peers/compare.py into the documents: report.py PEERS.json

Writes docs/peers.svg, and in README.md and docs/peers.md what is between the lines <!-- peers --> and <!-- /peers -->. Of a
run that is held to an instruction set only docs/peers.md has figures, between <!-- peers ISA --> and <!-- /peers ISA -->.
"""

import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import reports  # noqa: E402
from reports import markdown  # noqa: E402

OWN = "thimble q8"
ORDERS = {"corpus": "mixed", "corpus, sorted": "sorted"}
KINDS = {"text": "End to end from text", "ids": "Model only, from token ids to the pooled vector"}


def words(threads):
    return {1: "one thread", 2: "two threads"}.get(threads, f"{threads} threads")


def is_own(row):
    return row["name"].startswith("thimble")


def measured(run):
    return [row for row in run["rows"] if not row["error"]]


def own(run, name=OWN):
    rows = [row for row in measured(run) if row["name"] == name]
    if not rows:
        raise SystemExit(f"{name} was not measured with {words(run['threads'])}")
    return rows[0]


def throughput(row, order):
    """Texts a second, median over the passes; 0 if it was not measured."""
    figures = row["corpus"].get(order)
    return statistics.median(figures["texts_per_s"]) if figures and figures["texts_per_s"] else 0


def figure(row, what):
    """Texts a second of the corpus, or the milliseconds of a shape; 0 if it was not measured."""
    if what in ORDERS:
        return throughput(row, ORDERS[what])
    return statistics.median(row["text"][what]["rounds"]) if what in row["text"] else 0


def ratio(mine, row, what):
    """How many times longer a row takes than ours. Of a shape, the median over the rounds."""
    if what in ORDERS:
        return figure(mine, what) / figure(row, what)
    return statistics.median(theirs / ours
                             for theirs, ours in zip(row["text"][what]["rounds"], mine["text"][what]["rounds"]))


def contest(run, name=OWN):
    """For every shape and the corpus: (what, [(ratio, row) of each peer, the fastest first])."""
    mine = own(run, name)
    for what in [*mine["text"], *ORDERS]:
        peers = [row for row in measured(run) if not is_own(row) and figure(row, what) and figure(mine, what)]
        if peers:
            yield what, sorted(((ratio(mine, row, what), row) for row in peers), key=lambda entry: entry[0])


def against(run):
    """Rows of (what, our figure, unit, fastest peer, its figure, ratio)."""
    return [(what, figure(own(run), what), "texts/s" if what in ORDERS else "ms", row["name"], figure(row, what), value)
            for what, [(value, row), *_] in contest(run)]


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


def ratios(run):
    """Of every dtype of ours to every peer."""
    parts = []
    for mine in filter(is_own, measured(run)):
        lines = list(contest(run, mine["name"]))
        names = [row["name"] for row in measured(run) if any(row is peer for _, found in lines for _, peer in found)]
        rows = []
        for what, found in lines:
            values = {row["name"]: f"{value:.2f}" for value, row in found}
            rows.append([what, *(values.get(name, "-") for name in names), f"{found[0][0]:.2f}", found[0][1]["name"]])
        parts.append(f"### {words(run['threads']).capitalize()}: how many times longer the peers take than {mine['name']}"
                     f"\n\n{markdown(['from text', *names, 'fastest', 'which is'], rows)}")
    return parts


def tokenizer_line(run):
    if not run["tokenizer"]:
        return ""
    text = ", ".join(f"{share:.1%} {'over the corpus' if shape == 'corpus' else f'at {shape}'}"
                     for shape, share in run["tokenizer"].items())
    return f"\nTime of the tokenizer relative to the forward pass of the same text: {text}.\n"


def held(result):
    seen = min(row["seen"] for run in result["runs"] for row in measured(run))
    return (f"All held to {result['isa']}: each was seen at {seen:,} instructions or more of what it computes, all of them in "
            f"{result['isa']}.\n")


def tables(result):
    about = result["corpus"]
    parts = [held(result) if result["isa"] else "![The fastest peer against thimble](peers.svg)\n",
             f"{result['processor']}, {result['cpus']} CPUs, load average {result['load']:.1f} before the run, "
             f"rounds: {result['rounds']}. Corpus: {about['texts']:,} texts, {about['name']}, passes: "
             f"{max(len(figures['texts_per_s']) for figures in own(result['runs'][0])['corpus'].values())}.\n"]
    for run in result["runs"]:
        title = words(run["threads"]).capitalize()
        if result["isa"]:
            parts += ratios(run)
        else:
            parts.append(f"### {title}: {OWN} against the fastest peer\n\n{summary(run)}{tokenizer_line(run)}")
        for kind, name in KINDS.items():
            parts.append(f"### {title}: {name[0].lower() + name[1:]}\n\n{times(run, kind)}")
        parts.append(f"### {title}: a corpus of mixed lengths\n\n{corpus(run)}")
    versions = {row["name"]: row["version"] for run in result["runs"] for row in run["rows"] if not row["error"]}
    unique = dict.fromkeys(version for name, version in versions.items() if not name.startswith("thimble"))
    parts.append("Versions: " + "; ".join(unique) + ".\n")
    errors = {}
    for run in result["runs"]:
        for row in run["rows"]:
            if row["error"]:
                errors.setdefault((words(run["threads"]), row["error"]), []).append(row["name"])
    if errors:
        parts.append("Not measured:\n\n" + "".join(f"- {'; '.join(names)} ({threads}): {error}\n"
                                                   for (threads, error), names in errors.items()))
    return "\n".join(parts)


def plot(result):
    import charts
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


def documents(result, root):
    page = root / "docs/peers.md"
    if result["isa"]:
        return {page: reports.replaced(page, f"peers {result['isa']}", tables(result))}
    return {root / "docs/peers.svg": plot(result), page: reports.replaced(page, "peers", tables(result)),
            root / "README.md": reports.replaced(root / "README.md", "peers", readme(result))}


if __name__ == "__main__":
    reports.main(__doc__, tables, documents)
