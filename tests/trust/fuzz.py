"""Runs the libFuzzer targets one after the other, and measures what their corpora reach.

    fuzz.py [--minutes M] [--only TARGET]

THIMBLE_FUZZ names the program built for libFuzzer, THIMBLE_REPLAY the one that writes the inputs to begin with. The
corpora grow in RESULTS/corpus; a later run starts from them.
"""

import argparse
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import time

from common import RESULTS, ROOT, Findings, clean_environment, write_results

FUZZ = os.environ["THIMBLE_FUZZ"]
# What is slower than this counts as a hang: most inputs take less than a millisecond.
HANG_SECONDS = 20
MEMORY_MB = 2048
TARGETS = ["model", "safetensors", "tokenizer", "tokens", "config", "onnx", "torch", "hub", "lines", "server", "replies",
           "kernels"]
LLVM = "/usr/lib/llvm-19/bin"


def environment(target, **more):
    return clean_environment(
        THIMBLE_FUZZ_TARGET=target, UBSAN_OPTIONS="print_stacktrace=1",
        # A size that no machine has is an error of the library, not of the test.
        ASAN_OPTIONS="allocator_may_return_null=1:detect_leaks=1", **more)


def folders(target):
    grown = RESULTS / "corpus" / target
    grown.mkdir(parents=True, exist_ok=True)
    kept = [ROOT / "tests/fuzz/corpus" / target, RESULTS / "seeds" / target]
    return [str(grown), *(str(folder) for folder in kept if folder.is_dir())]


def fuzz(target, minutes, findings):
    artifacts = findings.folder / target
    artifacts.mkdir(parents=True, exist_ok=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [FUZZ, f"-max_total_time={max(1, round(minutes * 60))}", f"-timeout={HANG_SECONDS}",
               f"-rss_limit_mb={MEMORY_MB}", "-print_final_stats=1", "-verbosity=1", f"-artifact_prefix={artifacts}/",
               *folders(target)]
    result = subprocess.run(command, capture_output=True, text=True, errors="replace",
                            env=environment(target, LLVM_PROFILE_FILE="/dev/null"))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = result.stderr
    executed = re.search(r"stat::number_of_executed_units: *(\d+)", output)
    reached = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", output)
    if result.returncode != 0:
        found = sorted(artifacts.iterdir())
        findings.add(f"{target}: {first_line(output)}", input=found[-1] if found else "none",
                     again=f"THIMBLE_FUZZ_TARGET={target} {FUZZ} {found[-1] if found else ''}", output=output[-20000:])
    return {"inputs": int(executed[1]) if executed else 0, "edges": int(reached[-1][0]) if reached else 0,
            "corpus": int(reached[-1][2]) if reached else 0,
            "cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)}


def first_line(output):
    for line in output.splitlines():
        if re.search(r"ERROR: |runtime error: |^fuzz: ", line):
            return line.strip()
    return "ended early"


def coverage(targets):
    """{folder of src: [lines reached, lines]} by the corpora alone."""
    profiles = []
    for target in targets:
        profile = RESULTS / f"{target}.profraw"
        subprocess.run([FUZZ, "-runs=0", *folders(target)], capture_output=True,
                       env=environment(target, LLVM_PROFILE_FILE=str(profile)))
        if profile.exists():
            profiles.append(str(profile))
    merged = RESULTS / "fuzz.profdata"
    subprocess.run([f"{LLVM}/llvm-profdata", "merge", "-sparse", *profiles, "-o", str(merged)], check=True)
    for profile in profiles:
        pathlib.Path(profile).unlink()
    report = subprocess.run([f"{LLVM}/llvm-cov", "export", "-summary-only", f"-instr-profile={merged}", FUZZ],
                            check=True, capture_output=True, text=True)
    lines = {}
    for file in json.loads(report.stdout)["data"][0]["files"]:
        inside = re.search(r"/src/(\w+)/[^/]+$", file["filename"])
        if inside:
            counted = lines.setdefault(inside[1], [0, 0])
            counted[0] += file["summary"]["lines"]["covered"]
            counted[1] += file["summary"]["lines"]["count"]
    return lines


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--only", action="append")
    options = parser.parse_args()
    begin = time.monotonic()
    findings = Findings("fuzz")
    subprocess.run([os.environ["THIMBLE_REPLAY"], "--write", str(RESULTS / "seeds")], check=True)
    targets = [target for target in TARGETS if not options.only or target in options.only]
    results = {"minutes": options.minutes, "targets": {}}
    for target in targets:
        results["targets"][target] = figures = fuzz(target, options.minutes, findings)
        print(f"fuzz: {target}: {figures['inputs']:,} inputs in {figures['cpu_seconds']} s of CPU, "
              f"{figures['edges']:,} edges, {figures['corpus']} inputs kept", flush=True)
    results["coverage"] = coverage(targets)
    results["seconds"] = round(time.monotonic() - begin)
    return write_results("fuzz", results, findings)


if __name__ == "__main__":
    sys.exit(main())
