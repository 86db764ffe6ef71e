"""A simulated fleet that embeds partitions: simulate.py [--nodes N] [--texts N] [--seed N] [--rule RULE]... [--json FILE]

Discrete events, repeatable by their seed. Nodes lease a partition, compute, write the output, and report it. They die at any
of these moments, alone or many at once as spot machines do, and are replaced; some are slow; reports get lost; leases expire,
and then two nodes have one partition; the coordinator fails, forgets all leases, and starts again from what the store has.
At the end the ranges of texts in the store are compared with the texts: each must be there once. The rules to commit are

  replace   the output has the name of its partition and appears whole (what thimble.fleet does)
  append    each completion adds a file of its own
  in-place  the output has its name from the first byte
  early     a node reports before it has written

of which all but the first lose or double texts. Exits with 1 if a rule did.
"""

import argparse
import collections
import dataclasses
import heapq
import json
import random
import sys

RULES = ("replace", "append", "in-place", "early")


@dataclasses.dataclass(frozen=True)
class Fleet:
    nodes: int = 1000
    texts: int = 1_000_000_000
    partition: int = 10_000  # Texts.
    rate: float = 700.0  # Texts a second of a node of usual speed.
    seed: int = 1
    lifetime: float = 4 * 3600.0  # Mean seconds until a node dies.
    boot: float = 120.0  # Seconds until it is replaced.
    waves: int = 2  # So many times a part of all nodes dies at once.
    wave_part: float = 0.3
    slow_part: float = 0.02
    slow_factor: float = 20.0
    write: float = 1.0  # Mean seconds to write an output.
    lost_reports: float = 0.005
    lease_factor: float = 4.0  # Lease: so many times the usual duration.
    coordinator_failures: int = 3

    @property
    def usual(self):
        return self.partition / self.rate + self.write

    @property
    def ideal(self):
        """Seconds without failures, with all nodes of usual speed."""
        return self.texts / (self.nodes * self.rate)


class Store:
    """Files by name, each with ranges of texts. Survives everything."""

    def __init__(self, rule):
        self.rule, self.files, self.completions = rule, {}, 0

    def begin(self, partition, texts):
        if self.rule == "in-place":
            self.files[partition] = [(texts[0], (texts[0] + texts[1]) // 2)]

    def commit(self, partition, texts):
        self.completions += 1
        self.files[partition if self.rule != "append" else (partition, self.completions)] = [texts]

    def committed(self):
        return {name[0] if isinstance(name, tuple) else name for name in self.files}

    def accounting(self, texts):
        """(texts that are missing, texts that are there too often)."""
        missing = doubled = at = 0
        for begin, end in sorted(part for parts in self.files.values() for part in parts):
            missing += max(0, begin - at)
            doubled += max(0, min(at, end) - begin)
            at = max(at, end)
        return missing + max(0, texts - at), doubled


class Simulation:
    def __init__(self, fleet, rule="replace"):
        self.fleet, self.chance, self.store = fleet, random.Random(fleet.seed), Store(rule)
        self.count = -(-fleet.texts // fleet.partition)
        self.events, self.sequence, self.now = [], 0, 0.0
        self.seen = collections.Counter()
        self.born = [0] * fleet.nodes  # Which machine a node is; events of earlier ones are void.
        self.speed = [1.0] * fleet.nodes
        self.idle = []
        self.finished = None  # When all partitions were reported.
        self.start_coordinator()

    def texts(self, partition):
        begin = partition * self.fleet.partition
        return begin, min(begin + self.fleet.partition, self.fleet.texts)

    def at(self, delay, what, *arguments):
        self.sequence += 1
        heapq.heappush(self.events, (self.now + delay, self.sequence, what, arguments))

    def start_coordinator(self):
        self.done = self.store.committed()
        self.pending = collections.deque(p for p in range(self.count) if p not in self.done)
        self.leases = collections.deque()  # (expires, partition), in the order of time.

    def run(self):
        fleet = self.fleet
        for node in range(fleet.nodes):
            self.at(self.chance.uniform(0, fleet.boot), self.boot, node)
        for i in range(fleet.waves):
            self.at(fleet.ideal * (i + 1) / (fleet.waves + 1), self.wave)
        for _ in range(fleet.coordinator_failures):
            self.at(fleet.ideal * self.chance.uniform(0.05, 1), self.coordinator_fails)
        while self.events and self.finished is None:
            self.now, _, what, arguments = heapq.heappop(self.events)
            what(*arguments)
        if self.finished is None:
            raise RuntimeError(f"{self.count - len(self.done)} of {self.count} partitions were never reported")
        missing, doubled = self.store.accounting(fleet.texts)
        return {"rule": self.store.rule, "missing": missing, "doubled": doubled, "partitions": self.count,
                "hours": self.finished / 3600, "ideal_hours": fleet.ideal / 3600, "efficiency": fleet.ideal / self.finished,
                **dict(self.seen)}

    def boot(self, node):
        self.born[node] += 1
        slow = self.chance.random() < self.fleet.slow_part
        self.speed[node] = 1 / self.fleet.slow_factor if slow else self.chance.uniform(0.85, 1.15)
        self.at(self.chance.expovariate(1 / self.fleet.lifetime), self.die, node, self.born[node])
        self.lease(node, self.born[node])

    def die(self, node, born):
        if self.born[node] == born:
            self.born[node] += 1
            self.seen["deaths"] += 1
            self.at(self.fleet.boot, self.boot, node)

    def wave(self):
        for node in self.chance.sample(range(self.fleet.nodes), int(self.fleet.nodes * self.fleet.wave_part)):
            self.die(node, self.born[node])

    def coordinator_fails(self):
        self.seen["coordinator failures"] += 1
        self.start_coordinator()
        self.finish_if_done()
        self.wake()

    def lease(self, node, born):
        if self.born[node] != born:
            return
        while self.leases and self.leases[0][0] <= self.now:
            partition = self.leases.popleft()[1]
            if partition not in self.done:
                self.seen["leases expired"] += 1
                self.pending.append(partition)
        while self.pending and self.pending[0] in self.done:
            self.pending.popleft()
        if not self.pending:
            # Again when the next lease may expire, or a failed coordinator has work again.
            self.idle.append((node, born))
            if self.leases and len(self.idle) == 1:
                self.at(max(0.0, self.leases[0][0] - self.now), self.wake)
            return
        partition = self.pending.popleft()
        self.leases.append((self.now + self.fleet.usual * self.fleet.lease_factor, partition))
        begin, end = self.texts(partition)
        self.at((end - begin) / (self.fleet.rate * self.speed[node]), self.write, node, born, partition)

    def wake(self):
        waiting, self.idle = self.idle, []
        for node, born in waiting:
            self.lease(node, born)

    def write(self, node, born, partition):
        if self.born[node] != born:
            return
        if self.store.rule == "early":
            self.report(partition)
        self.store.begin(partition, self.texts(partition))
        self.at(self.chance.expovariate(1 / self.fleet.write), self.commit, node, born, partition)

    def commit(self, node, born, partition):
        if self.born[node] != born:
            self.seen["deaths while writing"] += 1
            return
        self.store.commit(partition, self.texts(partition))
        self.seen["completions"] += 1
        if self.store.rule != "early":
            self.report(partition)
        self.lease(node, born)

    def report(self, partition):
        if self.chance.random() < self.fleet.lost_reports:
            self.seen["reports lost"] += 1
            return
        if partition in self.done:
            self.seen["reported twice"] += 1
        self.done.add(partition)
        self.finish_if_done()

    def finish_if_done(self):
        if len(self.done) == self.count and self.finished is None:
            self.finished = self.now


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("nodes", "texts", "partition", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Fleet, name))
    parser.add_argument("--rate", type=float, default=Fleet.rate, help="texts a second of a node")
    parser.add_argument("--rule", choices=RULES, action="append", help="replace if not given")
    parser.add_argument("--json", help="file for the figures")
    options = parser.parse_args()
    fleet = Fleet(nodes=options.nodes, texts=options.texts, partition=options.partition, seed=options.seed, rate=options.rate)
    results = [Simulation(fleet, rule).run() for rule in options.rule or ["replace"]]
    for result in results:
        print("  ".join(f"{name}: {value:,.3f}" if isinstance(value, float) else
                        f"{name}: {value:,}" if isinstance(value, int) else f"{name}: {value}" for name, value in result.items()))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
    return int(any(result["missing"] or result["doubled"] for result in results))


if __name__ == "__main__":
    sys.exit(main())
