"""Writes what make trust found between the marks of docs/trust.md: page.py COMMAND

Each part is written where it has results in the folder of results, whatever the last run was of.
"""

import datetime
import json
import os
import pathlib
import platform
import re
import sys

from common import RESULTS, ROOT

PAGE = ROOT / "docs/trust.md"
BEGIN, END = "<!-- trust -->", "<!-- /trust -->"


def machine():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)", text, re.M)
    return f"{model[1] if model else platform.machine()}, {os.cpu_count()} CPUs, Linux {platform.release().split('-')[0]}"


def table(header, rows):
    return "\n".join(["| " + " | ".join(header) + " |", "|---" + "|--:" * (len(header) - 1) + "|",
                      *("| " + " | ".join(row) + " |" for row in rows)])


def number(value):
    return f"{value:,}"


def fuzz(results):
    targets = results["targets"]
    rows = [[name, number(each["inputs"]), number(each["cpu_seconds"]), number(each["edges"]), number(each["corpus"])]
            for name, each in targets.items()]
    rows.append(["all", number(sum(each["inputs"] for each in targets.values())),
                 number(sum(each["cpu_seconds"] for each in targets.values())), "", ""])
    covered = [[folder, f"{number(reached)} of {number(lines)}", f"{100 * reached / lines:.0f} %"]
               for folder, (reached, lines) in sorted(results["coverage"].items()) if lines]
    return "\n\n".join([
        f"Each target ran for {results['minutes']:g} min in this run; corpora of earlier runs are kept.",
        table(["target", "inputs tried", "CPU seconds", "edges reached", "inputs kept"], rows),
        "Lines of `src/` that the corpora reach, in what the targets link:",
        table(["folder", "lines", "share"], covered)])


def faults(results):
    commands = results["commands"]
    rows = [[name, number(each["calls"]), number(each["faults"]), number(each["survived"]), number(each["completed"])]
            for name, each in commands.items()]
    rows.append(["all", "", *(number(sum(each[key] for each in commands.values()))
                              for key in ("faults", "survived", "completed"))])
    return f"At most {results['most']} calls of each kind failed in turn, evenly spread, each with at most " \
        f"{results['errors']} of its errors.\n\n" + \
        table(["command", "kinds of calls", "faults injected", "survived", "of these, right output"], rows)


def kill(results):
    rows = [[name, number(each["rounds"]), number(each["pairs"]), number(each["kills"]), number(each["fine"])]
            for name, each in results["commands"].items()]
    return table(["command", "rounds", "of two at once", "processes killed", "rounds without a fault"], rows)


def soak(results):
    rows = [[name, number(each["texts"]), f"{each['private_first'] / 1e6:.2f}", f"{each['private_last'] / 1e6:.2f}",
             str(each["descriptors_first"]), str(each["descriptors_last"])]
            for name, each in results["processes"].items()]
    return f"{number(results['texts'])} texts in {number(results['seconds'])} s.\n\n" + table(
        ["process", "texts", "private MB, first quarter", "last quarter", "descriptors, first quarter", "last quarter"],
        rows)


PARTS = [("fuzz", "Inputs", fuzz), ("faults", "Faults", faults), ("kill", "Kills", kill), ("soak", "Soak", soak)]


def main(command):
    pieces = [f"{datetime.date.today()}, {machine()}, `{command}`."]
    for name, title, write in PARTS:
        path = RESULTS / f"{name}.json"
        if not path.exists():
            pieces.append(f"### {title}\n\nNot run.")
            continue
        results = json.loads(path.read_text())
        found = results["found"]
        verdict = "Found: none." if not found else f"Found: {len(found)}.\n\n" + "\n".join(f"- {what}" for what in found)
        pieces.append(f"### {title}\n\n{write(results)}\n\n{verdict}")
    page = PAGE.read_text()
    begin, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    PAGE.write_text(page[:begin] + "\n" + "\n\n".join(pieces) + "\n" + page[end:])


if __name__ == "__main__":
    main(sys.argv[1])
