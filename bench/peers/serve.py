"""A peer written in Python, as a process of its own: serve.py PEER THREADS FOLDER

It loads the model once and then answers requests from standard input on standard output, both JSON objects, one a line.
serve.mjs and bench/peer.cc do the same. The first line is {"version": "...", "ids": bool, "batches": bool}: whether it
takes token ids, and whether texts can go together. Then:

  {"do": "time", "texts": [...], ...}     one call with all of them; "ids": [[...], ...] instead of texts: rows of equal
   "seconds": s, "least": n, "warm": w    length, special tokens included. {"ms": [...]}, one for each call after w others,
                                          of which there are n at least, and more until s seconds are over.
  {"do": "embed", "texts": [...],         all texts, `batch` in a call, their vectors as float32 to a file. {"seconds": s},
   "batch": n, "file": "..."}             the file not counted.

A cross-encoder takes "query" beside the texts, and gives the raw score of each pair instead of a vector.

Instead of an answer there may be {"error": "..."}; if that is the first line, the process ends.
"""

import json
import os
import sys
import time

# What libraries print on standard output must not be in the way of the answers.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def answer(value):
    print(json.dumps(value), file=answers, flush=True)


def timed(call, request):
    for _ in range(request["warm"]):
        call()
    times, begin = [], time.perf_counter()
    while len(times) < request["least"] or time.perf_counter() - begin < request["seconds"]:
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e3)
    return {"ms": times}


def run(peer, request, batch):
    texts = request["texts"]
    return peer.rank(request["query"], texts, batch) if "query" in request else peer.embed(texts, batch)


def serve(peer, request):
    if request["do"] == "time":
        if "ids" in request:
            inputs = peer.prepare_ids(request["ids"])
            return timed(lambda: peer.embed_ids(inputs), request)
        return timed(lambda: run(peer, request, len(request["texts"])), request)
    if request["do"] != "embed":
        raise ValueError(f"do: expected time or embed, found {request['do']}")
    start = time.perf_counter()
    vectors = run(peer, request, request["batch"])
    seconds = time.perf_counter() - start
    vectors.astype("<f4").tofile(request["file"])
    return {"seconds": seconds}


def main():
    name, threads, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    try:
        import python_peers

        peer = python_peers.PEERS[name](folder, threads)
    except Exception as error:  # Whatever it is, it is the reason why the peer is not measured.
        answer({"error": f"{type(error).__name__}: {error}"})
        raise
    answer({"version": peer.version, "ids": peer.takes_ids, "batches": peer.takes_batches})
    for line in sys.stdin:
        try:
            answer(serve(peer, json.loads(line)))
        except Exception as error:
            answer({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
