"""What percentiles mean: those of pairs of the STS benchmark that people call alike, and of random ones.

python3 bench/quality/percentiles.py STSB_CSV MODEL_FILE...: prints a table in Markdown. STSB_CSV has records of
first,second,score without a header. Alike are pairs with a score of 4 and more; random ones are each first sentence with
the second of the record 500 further on.
"""

import csv
import json
import math
import operator
import pathlib
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
THIMBLE = ROOT / "build/thimble"
SHIFT = 500


def output(*command):
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


def embed(model, sentences):
    with tempfile.TemporaryDirectory() as folder:
        lines = pathlib.Path(folder) / "lines.jsonl"
        lines.write_text("\n".join(map(json.dumps, sentences)))
        data = output(THIMBLE, "embed", "-m", model, "--format", "f32", "-i", lines)
    width = len(data) // 4 // len(sentences)
    vectors = list(struct.iter_unpack(f"<{width}f", data))
    return [[value / math.hypot(*vector) for value in vector] for vector in vectors]


def percentile(scale, pairs, cosine):
    """As Percentile() of include/thimble/receipt.h."""
    most = 100 * (1 - 1 / (pairs + 1))
    above = next((i for i, (_, at) in enumerate(scale) if cosine < at), len(scale))
    if above == 0:
        return 0.0
    if above == len(scale):
        return most
    (low, a), (high, b) = scale[above - 1], scale[above]
    return min(most, low + (cosine - a) / (b - a) * (high - low))


def main():
    with open(sys.argv[1], encoding="utf-8", newline="") as file:
        records = [(first, second, float(score)) for first, second, score in csv.reader(file)]
    print("| | p50 | p99 | p99.9 | alike, mean cosine | above p95 | p99 | p99.9 | random, mean cosine | above p95 | p99 | "
          "p99.9 |")
    print("|---|" + "--:|" * 11)
    for model in sys.argv[2:]:
        info = json.loads(output(THIMBLE, "info", "--json", model))
        pairs = info["unrelated_pairs"]
        scale = sorted((float(key.removeprefix("unrelated_p")), value) for key, value in info.items()
                       if key.startswith("unrelated_p") and key != "unrelated_pairs")
        first, second = (embed(model, [record[side] for record in records]) for side in (0, 1))
        dot = lambda a, b: sum(map(operator.mul, a, b))
        alike = [dot(first[i], second[i]) for i, record in enumerate(records) if record[2] >= 4]
        random = [dot(first[i], second[(i + SHIFT) % len(records)]) for i in range(len(records))]
        cells = [f"{dict(scale)[share]:.3f}" for share in (50, 99, 99.9)]
        for cosines in (alike, random):
            found = [percentile(scale, pairs, cosine) for cosine in cosines]
            cells.append(f"{sum(cosines) / len(cosines):.3f}")
            cells += [f"{100 * sum(p > share for p in found) / len(found):.1f} %" for share in (95, 99, 99.9)]
        print(f"| {info['name']} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
