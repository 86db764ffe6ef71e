"""Puts the figures of bench/python/compare.py between the markers of docs/python-bench.md: report.py PYTHON.json"""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))
import reports  # noqa: E402
from libraries import OWN, OWN_BUFFER  # noqa: E402

# What thimble promises: texts/s of the fastest other library, its memory of the least, milliseconds to the first vector.
FASTER, SMALLER, START_MS = 1.6, 0.1, 60


def tables(result):
    rows = sorted(result["rows"], key=lambda row: -row["texts_per_s"])
    missing = [name for name in (OWN, OWN_BUFFER) if name not in [row["name"] for row in rows]]
    if missing:
        raise SystemExit(f"report: the figures have no row \"{missing[0]}\": they are of an older bench; measure again with make "
                         "bench-python DATA=...")
    own, buffer = (next(row for row in rows if row["name"] == name) for name in (OWN, OWN_BUFFER))
    others = [row for row in rows if row["name"] not in (OWN, OWN_BUFFER)]
    fastest = min(others, key=lambda row: row["ratio"])
    least = min(others, key=lambda row: row["private"])
    smaller = own["private"] / least["private"]
    text = (f"{result['processor']}, {result['cpus']} CPUs, load average {result['load']:.1f} before the run, "
            f"threads: {result['threads']}. Texts: {result['texts']:,} in {result['blocks']} blocks; starts: {result['starts']}. "
            f"Bare python: {reports.megabytes(result['bare']['private'])} MB, {result['bare']['start_ms']:.0f} ms.\n\n")
    text += reports.markdown(
        ["library", "texts/s", "thimble's speed relative to it", "private memory, MB", "import and first vector, ms",
         "cosine to fp32", "version"],
        [[row["name"], f"{row['texts_per_s']:,.0f}", "" if row is own else f"{row['ratio']:.2f}",
          reports.megabytes(row["private"]), f"{row['start_ms']:,.0f}", f"{row['cosine']:.5f}", row["version"]]
         for row in rows])
    limits = [["speed relative to the fastest", f"{fastest['name']}", f"{fastest['ratio']:.2f}", f"at least {FASTER}",
               fastest["ratio"] >= FASTER],
              ["private memory relative to the least", least["name"], f"{smaller:.3f}", f"at most {SMALLER}",
               smaller <= SMALLER],
              *([f"import and first vector{how}, ms", "", f"{row['start_ms']:.0f}", f"at most {START_MS}",
                 row["start_ms"] <= START_MS] for row, how in ((buffer, ""), (own, " as numpy array")))]
    return text + "\n" + reports.markdown(["thimble q8", "library", "measured", "target", "met"],
                                          [[*row[:-1], "yes" if row[-1] else "no"] for row in limits])


def documents(result, root):
    path = root / "docs/python-bench.md"
    return {path: reports.replaced(path, "python", tables(result))}


if __name__ == "__main__":
    reports.main(__doc__, tables, documents)
