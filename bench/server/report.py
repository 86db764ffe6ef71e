"""Puts the figures of bench/server/load.py into the documents: report.py SERVER.json

Writes in docs/server-bench.md what is between the lines <!-- server --> and <!-- /server -->. What is printed has the
aims, too.
"""

import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import reports  # noqa: E402
from reports import markdown, megabytes  # noqa: E402

OWN = "thimble q8"
LEAST_OF_ENGINE, MOST_SPREAD = 0.9, 3
KINDS = {"short": "Short texts, of 4 to 28 words", "mixed": "Mixed texts, of 4 to 200 words"}
BROKEN = ("refused", "other", "connect", "read", "write", "timeout")
UNITS = {"KB": 1e3, "MB": 1e6, "GB": 1e9}


def of_rounds(row, kind, get):
    return [get(one["kinds"][kind]) for one in row["rounds"]]


def median(row, kind, get):
    return statistics.median(of_rounds(row, kind, get))


def rate(connections):
    return lambda figures: figures["connections"][connections]["per_second"]


def saturation(row, kind):
    """The number of connections with which it does most."""
    return max(row["rounds"][0]["kinds"][kind]["connections"], key=lambda connections: median(row, kind, rate(connections)))


def spread(figures):
    return figures["p99_ms"] / figures["p50_ms"]


def peak(row, figure):
    return max(one["memory"][figure] for one in row["rounds"])


def milliseconds(value):
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def latency(row, kind, get):
    return " / ".join(milliseconds(median(row, kind, lambda figures: get(figures)[name])) for name in ("p50_ms", "p99_ms"))


def measured(result):
    return [row for row in result["rows"] if not row["error"]]


def own(result):
    rows = [row for row in measured(result) if row["name"] == OWN]
    if not rows:
        raise SystemExit(f"{OWN} was not measured")
    return rows[0]


def table(result, kind):
    ours = own(result)
    counts = list(ours["rounds"][0]["kinds"][kind]["connections"])
    head = ["texts/s by connections", *counts, "thimble over it", "p50 / p99 at most texts/s, ms",
            "p50 / p99 at half load, ms", "private, MB", "RSS, MB"]
    rows = []
    for row in measured(result):
        most = saturation(row, kind)
        ratio = statistics.median(mine / theirs for mine, theirs in zip(
            of_rounds(ours, kind, rate(saturation(ours, kind))), of_rounds(row, kind, rate(most))))
        cells = [row["name"], *(f"{median(row, kind, rate(connections)):,.0f}" for connections in counts),
                 "-" if row is ours else f"{ratio:.2f}",
                 f"{latency(row, kind, lambda figures: figures['connections'][most])} ({most})",
                 latency(row, kind, lambda figures: figures["half"]),
                 *(megabytes(peak(row, figure)) for figure in ("private", "rss"))]
        rows.append(cells)
    return markdown(head, rows)


def checks(result, aims):
    def aim(text, reached):
        return f" ({text} is the aim{'' if reached else ': missed'})" if aims else ""

    ours = own(result)
    lines = []
    for kind in KINDS:
        most = saturation(ours, kind)
        share = statistics.median(of_rounds(ours, kind, lambda figures: rate(most)(figures) / figures["engine"]))
        lines.append(f"{kind}: thimble embed does {median(ours, kind, lambda figures: figures['engine']):,.0f} texts/s, the "
                     f"server with {most} connections {share:.2f} of it"
                     + aim(f"at least {LEAST_OF_ENGINE}", share >= LEAST_OF_ENGINE))
        wide = median(ours, kind, lambda figures: spread(figures["half"]))
        alone = median(ours, kind, lambda figures: spread(figures["connections"]["1"]))
        lines.append(f"{kind}: p99 over p50 at half load {wide:.2f}{aim(f'below {MOST_SPREAD}', wide < MOST_SPREAD)}; "
                     f"{alone:.2f} with one connection, where nothing waits for another")
    budget = float(result["max_memory"][:-2]) * UNITS[result["max_memory"][-2:]]
    over = result["overload"]
    private = max(peak(ours, "private"), over["memory"]["private"])
    lines.append(f"private memory: {megabytes(private)} MB at most, of {result['max_memory']} allowed"
                 + aim("no more", private <= budget))
    points = [point for one in ours["rounds"] for figures in one["kinds"].values()
              for point in figures["connections"].values()]
    halves = [figures["half"] for one in ours["rounds"] for figures in one["kinds"].values()]
    answered = sum(point["ok"] for point in points + halves)
    broken = sum(point[name] for point in points for name in BROKEN) + sum(half["errors"] + half["refused"]
                                                                        for half in halves)
    lines.append(f"below the queue's limit: {answered:,} replies, {broken} errors or refusals{aim('none', broken == 0)}")
    others = sum(over[name] for name in BROKEN if name != "refused")
    lines.append(f"above it, with --max-queue {over['queue']} and 256 connections: {over['ok']:,} replies, "
                 f"{over['refused']:,} refused with 429 or 503, {others} other errors"
                 + aim("none other", others == 0 and over["ok"] > 0 and over["refused"] > 0))
    return "".join(f"- {line}\n" for line in lines)


def report(result, aims):
    parts = [f"{result['processor']}, {result['cpus']} CPUs, as many threads for each server, load average "
             f"{result['load']:.1f} before the run; {result['rounds']} rounds of {result['seconds']} s for each number of "
             "connections, medians of the rounds, memory at most.\n"]
    parts += [f"### {title}\n\n{table(result, kind)}" for kind, title in KINDS.items()]
    parts.append(f"### Checks of thimble serve\n\n{checks(result, aims)}")
    parts.append("Minimum cosine of 16 vectors to those of thimble embed: " + ", ".join(
        f"{min(one['cosine'] for one in row['rounds']):.4f} {row['name']}" for row in measured(result)) + ".\n")
    errors = [f"- {row['name']}: {row['error']}\n" for row in result["rows"] if row["error"]]
    if errors:
        parts.append("Not measured:\n\n" + "".join(errors))
    return "\n".join(parts)


def documents(result, root):
    page = root / "docs/server-bench.md"
    return {page: reports.replaced(page, "server", report(result, aims=False))}


if __name__ == "__main__":
    reports.main(__doc__, lambda result: report(result, aims=True), documents)
