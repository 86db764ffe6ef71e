"""One library in a process of its own: worker.py NAME FOLDER MODEL THREADS TEXTS.json, or with --start to the first vector only.

Runs on the first THREADS processors it may use, which every library takes as the number of the machine's. Writes "ready", then for
each line BEGIN END embeds these texts and writes the seconds; for a line "save FILE BEGIN END" it keeps their vectors.
"""

import os
import sys
import time


def main():
    start = sys.argv[1] == "--start"
    name, folder, model, threads, texts = sys.argv[1 + start:]
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:int(threads)])
    from libraries import STARTS  # Of this folder, and small.

    names = {"FOLDER": folder, "THIMBLE": model, "THREADS": int(threads)}
    exec(STARTS[name], names)
    encode = names["encode"] or (lambda texts: None)
    if start:
        encode(["The cat sleeps."])
        return
    import json  # Not in a start, which it would make longer.

    with open(texts, encoding="utf-8") as file:
        texts = json.load(file)
    encode(texts[:32])
    print("ready", flush=True)
    for line in sys.stdin:
        *save, begin, end = line.split()
        before = time.perf_counter()
        vectors = encode(texts[int(begin):int(end)])
        seconds = time.perf_counter() - before
        if save:
            import numpy

            numpy.save(save[1], vectors)
        print(seconds, flush=True)


if __name__ == "__main__":
    main()
