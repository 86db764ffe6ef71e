"""Measures the memory of peers as `thimble memory` measures its own: peers.py PEERS TEXTS MEMORY.json

PEERS is the folder that bench/peers/fetch.sh makes, TEXTS a file of tests/support/memory_texts.py. MEMORY.json has the output of
`thimble memory --json`; a row for each peer is added to it. The protocol is that of bench/peers/measure.mjs.
"""

import contextlib
import json
import os
import pathlib
import select
import statistics
import subprocess
import sys
import tempfile
import time

PEERS = [(name, dtype) for name in ("transformers.js", "onnxruntime-node") for dtype in ("q8", "fp32")]
FILES = {"q8": "model_quantized.onnx", "fp32": "model.onnx"}
STARTS = 3
FIGURES = {"rss": "Rss:", "pss": "Pss:", "private": "Anonymous:"}


def figures(pid):
    """Bytes of a process, by FIGURES."""
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {line.split()[0]: int(line.split()[1]) * 1024 for line in lines}
    return {name: sizes[key] for name, key in FIGURES.items()}


def most_rss(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(dict(line.split(":", 1) for line in lines)["VmHWM"].split()[0]) * 1024


def stages(command):
    """{stage: figures} of a process that writes "stage NAME" and waits for a line at each, and the peak, sampled each
    millisecond and at the stages."""
    found, peak = {}, dict.fromkeys(FIGURES, 0)

    def sample():
        now = figures(process.pid)
        peak.update({name: max(size, peak[name]) for name, size in now.items()})
        peak["rss"] = max(peak["rss"], most_rss(process.pid))
        return now

    with tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, bufsize=0) as process:
            text = b""
            while True:
                if not select.select([process.stdout], [], [], 0.001)[0]:
                    with contextlib.suppress(OSError, KeyError):  # It may have just ended.
                        sample()
                    continue
                block = process.stdout.read(4096)
                if not block:
                    break
                *lines, text = (text + block).split(b"\n")
                for line in lines:
                    if line.startswith(b"stage "):
                        found[line.decode().split()[1]] = sample()
                        process.stdin.write(b"\n")
        if process.returncode != 0:
            errors.seek(0)
            raise RuntimeError(f"exit code {process.returncode}: {errors.read().strip()[-500:]}")
    return {**found, "peak": peak}


def start_ms(command):
    times = []
    for _ in range(STARTS):
        begin = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append((time.monotonic() - begin) * 1e3)
    return statistics.median(times)


def measure(folder, name, dtype):
    row = {"name": name, "dtype": dtype, "file_bytes": 0, "error": ""}
    script = folder / "measure.mjs"
    try:
        row["file_bytes"] = (folder / "models/Xenova/all-MiniLM-L6-v2/onnx" / FILES[dtype]).stat().st_size
        found = stages(["node", "--expose-gc", script, name, dtype])
        row.update({stage: found[stage] for stage in ("start", "loaded", "peak", "idle", "unloaded")})
        row["cold_start_ms"] = start_ms(["node", script, name, dtype, "--once"])
    except (OSError, RuntimeError, KeyError, subprocess.CalledProcessError) as error:
        row["error"] = str(error)
    return row


def main():
    folder, texts, output = map(pathlib.Path, sys.argv[1:])
    os.environ["THIMBLE_MEMORY_TEXTS"] = str(texts)
    result = json.loads(output.read_text())
    result["rows"] += [measure(folder, name, dtype) for name, dtype in PEERS]
    output.write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
