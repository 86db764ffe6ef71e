#!/usr/bin/env bash
# A job over 1 GB of text: private memory early and late, and its throughput against that of the engine alone.
# bench/bulk.sh MODEL [MEGABYTES]
set -euo pipefail
cd "$(dirname "$0")/.."

model=$1
megabytes=${2:-1000}
cli=${THIMBLE_CLI:-build/thimble}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 - "$cli" "$model" "$megabytes" "$work" << 'PYTHON'
import pathlib, random, subprocess, sys, time

cli, model, megabytes, work = sys.argv[1], sys.argv[2], int(sys.argv[3]), pathlib.Path(sys.argv[4])
words = [line for line in pathlib.Path("README.md").read_text().split() if line.isalpha()]
choice = random.Random(1)


def write(path, size):
    """Lines of 3 to 40 words, and beyond 20 MB long ones that are mostly truncated, so that 1 GB takes minutes."""
    done = count = 0
    with open(path, "w") as file:
        while done < size:
            line = " ".join(choice.choices(words, k=choice.randint(3, 40) if done < 20_000_000 else 9000)) + "\n"
            done += file.write(line)
            count += 1
    return count


def seconds(command):
    begin = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begin


# The engine alone: the same texts from the arguments of no job, into nothing.
small = work / "small.txt"
texts = write(small, 2_000_000)
engine = min(seconds([cli, "embed", "-m", model, "-i", small, "--format", "f32", "-o", "/dev/null"]) for _ in range(3))
job = min(seconds([cli, "embed", "-m", model, "-i", small, "-o", work / "small.npy"]) for _ in range(3))
print(f"{texts} texts: engine {texts / engine:.0f} a second, job {texts / job:.0f}, ratio {engine / job:.3f}", flush=True)

large = work / "large.txt"
write(large, megabytes * 1_000_000)
child = subprocess.Popen([cli, "embed", "-m", model, "-i", large, "-o", work / "large.npy"])
samples = []
while child.poll() is None:
    try:
        rollup = pathlib.Path(f"/proc/{child.pid}/smaps_rollup").read_text()
    except OSError:
        break
    samples.append(next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Anonymous:")))
    time.sleep(0.1)
if child.wait() != 0:
    sys.exit("bulk: the job failed")
early = max(samples[:max(1, len(samples) // 10)])
print(f"{megabytes} MB: private memory {early} KiB in the first tenth, {max(samples)} KiB at most")
PYTHON
