"""A soak: texts through pools whose models come and go, in C++ and in Node.js, and through one long command, together.

    soak.py [--texts N] [--node 0|1]

The private memory of each process may not grow by more than 1 MB from the first quarter of its samples to the last, and
the number of its descriptors not at all. THIMBLE_SOAK names trust_soak.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

from common import CLI, ROOT, Findings, Material, clean_environment, write_results

GROWTH_BYTES = 1_000_000
SAMPLES_PER_SECOND = 40


def private_bytes(pid):
    return int(re.search(r"^Anonymous: +(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1]) * 1024


class Soaked:
    """A process and what was seen of it."""

    def __init__(self, name, command, texts, environment=None, **arguments):
        self.name = name
        self.texts = texts
        self.memory = []
        self.descriptors = []
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, env=clean_environment(**(environment or {})),
                                        **arguments)

    def sample(self):
        try:
            memory = private_bytes(self.process.pid)
            descriptors = len(os.listdir(f"/proc/{self.process.pid}/fd"))
        except (OSError, TypeError):  # It has just ended.
            return
        self.memory.append(memory)
        self.descriptors.append(descriptors)

    def quarters(self, values):
        """The peaks of the first quarter, without the start, and of the last."""
        kept = values[len(values) // 20:]
        size = max(1, len(kept) // 4)
        return max(kept[:size]), max(kept[-size:])


def feed(process, texts):
    """Lines of many lengths, to the standard input of a command."""
    try:
        for begin in range(0, texts, 500):
            lines = "".join(f"line {number} " + "small vector " * (number % 20) + "\n"
                            for number in range(begin, min(texts, begin + 500)))
            process.stdin.write(lines.encode())
        process.stdin.close()
    except BrokenPipeError:
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--texts", type=int, default=1_000_000)
    parser.add_argument("--node", type=int, default=1)
    options = parser.parse_args()
    begin = time.monotonic()
    findings = Findings("soak")
    material = Material()
    folder = str(material.inputs)
    parts = 3 if options.node else 2
    share = -(-options.texts // parts)
    processes = []
    try:
        processes.append(Soaked("pool in C++", [os.environ["THIMBLE_SOAK"], folder, str(share)], share,
                                stdout=subprocess.DEVNULL))
        command = Soaked("thimble embed", [CLI, "embed", "-m", material.model, "-i", "-", "-o", "/dev/null",
                                           "--format", "f32", "--threads", "2"], share, stdin=subprocess.PIPE)
        processes.append(command)
        feeder = threading.Thread(target=feed, args=(command.process, share))
        feeder.start()
        if options.node:
            processes.append(Soaked("pool in Node.js", ["node", "--expose-gc", str(ROOT / "tests/trust/soak.mjs"), folder,
                                                        str(share)], share, stdout=subprocess.DEVNULL,
                                    environment={"THIMBLE_NODE_ADDON": os.environ["THIMBLE_SOAK_ADDON"]}
                                    if "THIMBLE_SOAK_ADDON" in os.environ else None))
        results = {"processes": {}, "texts": 0}
        while any(each.process.poll() is None for each in processes):
            for each in processes:
                if each.process.poll() is None:
                    each.sample()
            time.sleep(1 / SAMPLES_PER_SECOND)
        feeder.join()
        for each in processes:
            error = each.process.stderr.read().decode(errors="replace")
            if each.process.returncode != 0:
                findings.add(f"{each.name} ends with {each.process.returncode}", stderr=error)
                continue
            if len(each.memory) < 8:
                findings.add(f"{each.name} took too short to measure: more texts are needed")
                continue
            memory, descriptors = each.quarters(each.memory), each.quarters(each.descriptors)
            results["texts"] += each.texts
            results["processes"][each.name] = {
                "texts": each.texts, "samples": len(each.memory), "private_first": memory[0],
                "private_last": memory[1], "descriptors_first": descriptors[0], "descriptors_last": descriptors[1]}
            print(f"soak: {each.name}: {each.texts} texts, private {memory[0] / 1e6:.2f} MB in the first quarter, "
                  f"{memory[1] / 1e6:.2f} in the last; descriptors {descriptors[0]} and {descriptors[1]}", flush=True)
            if memory[1] - memory[0] > GROWTH_BYTES:
                findings.add(f"{each.name}: private memory grew from {memory[0]} to {memory[1]} bytes",
                             samples=each.memory)
            if descriptors[1] > descriptors[0]:
                findings.add(f"{each.name}: descriptors grew from {descriptors[0]} to {descriptors[1]}",
                             samples=each.descriptors)
    finally:
        for each in processes:
            if each.process.poll() is None:
                each.process.kill()
        material.close()
    results["seconds"] = round(time.monotonic() - begin)
    return write_results("soak", results, findings)


if __name__ == "__main__":
    sys.exit(main())
