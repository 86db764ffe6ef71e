"""kill -9 at random moments of commands that write, alone and two at once on one target.

    kill.py [--rounds N] [--seed N]

Afterwards the target is the old or the new file whole, and after the next run nothing else is left beside it.
"""

import argparse
import random
import signal
import subprocess
import sys
import time

from common import CLI, REPOSITORY, Findings, Material, clean_environment, digest, snapshot, write_results
from fake_hub import FakeHub, read_folder

OLD = b"old output\n"
LIMIT_SECONDS = 120


class Writer:
    """A command that writes `target`, in variants that two processes run at once. `seeds` may leave OLD there first."""

    def __init__(self, name, variants, target, environment, replaces):
        self.name = name
        self.variants = variants
        self.target = target
        self.environment = environment
        self.replaces = replaces
        self.whole = set()      # Hashes of what a whole run writes.
        self.files = {}         # Of the folder after each variant: {hash of the target: snapshot}.
        self.seconds = 0.0

    def start(self, folder, variant):
        return subprocess.Popen([CLI, *(str(part).replace("{}", str(folder)) for part in self.variants[variant])],
                                cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE,
                                env=clean_environment(HOME=str(folder), **{
                                    key: value.replace("{}", str(folder)) for key, value in self.environment.items()}))

    def finish(self, folder, variant):
        process = self.start(folder, variant)
        _, error = process.communicate(timeout=LIMIT_SECONDS)
        return process.returncode, error.decode(errors="replace")

    def measure(self, material):
        for variant in range(len(self.variants)):
            folder = material.new_folder("measure")
            begin = time.monotonic()
            code, error = self.finish(folder, variant)
            if code != 0:
                raise RuntimeError(f"{self.name}: {error}")
            self.seconds = max(self.seconds, time.monotonic() - begin)
            self.whole.add(digest(folder / self.target))
            self.files[digest(folder / self.target)] = snapshot(folder)


def writers(material, hub):
    def convert(dtype):
        return ["convert", material.source, "{}/out.safetensors", "--dtype", dtype, "--no-calibration"]
    def embed(form):
        return ["embed", "-m", material.model, "-i", material.texts, "-o", "{}/out", "--format", form]
    pull = ["pull", REPOSITORY]
    return [
        Writer("convert", [convert("q8"), convert("fp16")], "out.safetensors", {}, True),
        Writer("pull", [pull, pull], "models/test/tiny-q8.safetensors",
               {"THIMBLE_HOME": "{}/models", "HF_ENDPOINT": hub.url}, False),
        Writer("embed -o", [embed("npy"), embed("jsonl")], "out", {}, True),
    ]


def kill_round(writer, material, generator, together):
    """(whether a process was killed, what is wrong)."""
    folder = material.new_folder("run")
    target = folder / writer.target
    # The old file is there in every other round.
    old = writer.replaces and generator.random() < 0.5
    if old:
        target.write_bytes(OLD)
    processes = [writer.start(folder, variant) for variant in range(2 if together else 1)]
    moments = sorted((generator.uniform(0, writer.seconds * (1.6 if together else 1.05)), index)
                     for index in range(len(processes)))
    begin = time.monotonic()
    killed = 0
    for moment, index in moments:
        time.sleep(max(0.0, begin + moment - time.monotonic()))
        if processes[index].poll() is None:
            processes[index].send_signal(signal.SIGKILL)
            killed += 1
    for process in processes:
        process.communicate(timeout=LIMIT_SECONDS)
    wrong = []
    if target.exists():
        found = digest(target)
        if found not in writer.whole and not (old and target.read_bytes() == OLD):
            wrong.append("the target is neither the old nor the new file")
        elif found in writer.whole and target.suffix == ".safetensors":
            result = subprocess.run([CLI, "verify", target], capture_output=True, text=True, timeout=LIMIT_SECONDS)
            if result.returncode != 0:
                wrong.append(f"verify fails: {result.stderr}")
    elif old:
        wrong.append("the old file is gone")
    state = "\n".join(f"{name} {value}" for name, value in snapshot(folder).items())
    code, error = writer.finish(folder, 0)
    if code != 0:
        wrong.append(f"the next run fails: {error}")
    else:
        expected = writer.files.get(digest(target), {}) if target.exists() else {}
        now = snapshot(folder)
        if not target.exists() or digest(target) not in writer.whole:
            wrong.append("the next run does not write the target")
        left = sorted(name for name in now if name not in expected)
        if left:
            wrong.append(f"left after the next run: {', '.join(left)}")
        missing = sorted(name for name in expected if name not in now)
        if missing:
            wrong.append(f"missing after the next run: {', '.join(missing)}")
    return killed, wrong, f"moments: {moments}\nfiles after the kill:\n{state}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=200, help="of each command")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    begin = time.monotonic()
    findings = Findings("kill")
    material = Material(lines=4000)
    hub = FakeHub({REPOSITORY: read_folder(material.source)})
    results = {"commands": {}, "seed": options.seed}
    try:
        for writer in writers(material, hub):
            writer.measure(material)
            generator = random.Random(options.seed)
            rounds = kills = pairs = fine = 0
            for number in range(options.rounds):
                together = number % 4 == 3
                killed, wrong, state = kill_round(writer, material, generator, together)
                rounds += 1
                pairs += together
                kills += killed
                fine += not wrong
                if wrong:
                    findings.add(f"{writer.name}, round {number}: {'; '.join(wrong)}", state=state,
                                 command=f"kill.py --seed {options.seed} --rounds {number + 1}")
            results["commands"][writer.name] = {"rounds": rounds, "pairs": pairs, "kills": kills, "fine": fine,
                                                "seconds": round(writer.seconds, 3)}
            print(f"kill: {writer.name}: {kills} processes killed in {rounds} rounds, {fine} rounds without a fault",
                  flush=True)
        if changed := material.changed():
            findings.add(f"inputs changed: {changed}")
    finally:
        hub.close()
        material.close()
    results["seconds"] = round(time.monotonic() - begin)
    return write_results("kill", results, findings)


if __name__ == "__main__":
    sys.exit(main())
