#!/usr/bin/env python3
"""Judges the product loops of instruction sets that the project has no machine for, by models of processors.

bench/product_loops.py [--check] [--set NAME] [--x86 FOLDER] [--arm FOLDER]

Reads libthimble.a of the presets release (GCC, x86-64) and aarch64, lets llvm-mca run the loops, and prints the tables of
docs/isa.md. The limit of a loop is the time that its products alone need on the model's ports. With --check it fails
where a loop reaches less of its limit than it should, or stores vectors on the stack.
"""

import argparse
import functools
import os
import re
import shutil
import subprocess
import sys

MCA = "llvm-mca-19"  # Version 14, which Debian 12 has too, lacks most of the models.

# The rows of the first table: functions, H being the rows of a tile.
LOOPS = {
    "q8, q6, q4": "TileInt8<H,1,(true|false)>",
    "fp32": "TileFloat<H,1,float>",
    "fp16": "TileFloat<H,1,unsigned short>",
    "attention, int8": "AttendInt8<H>",
    "attention, float": "AttendFloat<H>",
}
PAIRED_LOOPS = {"q8, q6, q4": "TilePairs<H>", "q8, at most 12 rows": "TileInt8<H,1,true>"}
FLOAT_LOOPS = ("fp32", "fp16", "attention, float")
# The rows of the second: functions, and lines of 64 weights in a turn of their outer loop.
UNPACK = r"Unpack(Lines|Pairs)<\(thimble::format::WeightFormat\)%d>"  # 3 is kQ6, 4 kQ4.
UNPACKING = {"q6": (UNPACK % 3, 16), "q4": (UNPACK % 4, 8), "q8": ("PairStrip", 2)}

# Of a set: the target, features, the processors whose models judge it, the products of int8, rows of a tile, functions.
SETS = {
    "avxvnni": ("x86_64", "", ("alderlake",), r"(\{vex\} )?vpdpbusd", 6, LOOPS),
    "neon": ("aarch64", "", ("cortex-a72",), r"smull2?|addp|sadalp", 4, LOOPS),
    "neondot": ("aarch64", "+dotprod", ("neoverse-n1", "neoverse-v1", "apple-m1"), r"sdot", 5, LOOPS),
    "neoni8mm": ("aarch64", "+i8mm", ("neoverse-v1", "neoverse-n2", "apple-m2"), r"usmmla", 6, LOOPS | PAIRED_LOOPS),
}
FLOAT_PRODUCTS = {"x86_64": r"vfmadd\w+", "aarch64": r"fmla"}
STACK_STORE = {"x86_64": r"vmov\w+ +%[xyz]mm\d+,.*\(%r[sb]p", "aarch64": r"st[rp] +q\d+.*\[sp"}

# What a loop has to reach of its limit.
LEAST = 0.85
LEAST_OF = {
    # The conversion of the weights takes the ports of the products.
    ("avxvnni", "fp16"): 0.80,
    ("neon", "fp16"): 0.70,
    ("neondot", "fp16"): 0.60,
    ("neoni8mm", "fp16"): 0.60,
    # Pairing the quads of weights does.
    ("neoni8mm", "q8, at most 12 rows"): 0.60,
    ("neoni8mm", "attention, int8"): 0.60,
}


def functions(library, target):
    """Yields (demangled name, [(address, instruction)]) for every function of the library."""
    objdump = "objdump" if target == os.uname().machine else f"{target}-linux-gnu-objdump"
    command = [objdump, "--disassemble", "--demangle", "--no-show-raw-insn", library]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for function in re.split(r"^(?=[0-9a-f]+ <.*>:$)", output, flags=re.MULTILINE)[1:]:
        header, *lines = function.splitlines()
        body = []
        for line in lines:
            found = re.match(r"^ +([0-9a-f]+):\t(.*)", line)
            if found:
                body.append((int(found.group(1), 16), found.group(2).strip().replace("\t", " ")))
        yield header[header.index("<") + 1 : -2], body


def name_in(function, name):
    """Of a function of the set `name`, what LOOPS has: TileInt8<6,1,true>."""
    found = re.search(rf"kernels::{name}::(\w+(?:<.*?>)?)\(", function)
    return re.sub(r"ul\b", "", found.group(1)).replace(", ", ",") if found else ""


def loops_of(body):
    """(first, last) instruction of every loop: from the target of a backward jump to the jump."""
    places = {address: i for i, (address, _) in enumerate(body)}
    for i, (address, text) in enumerate(body):
        jump = re.match(r"^(?:j[a-z]+|b\.[a-z]+|cbn?z +\w+,|b) +([0-9a-f]+) <", text)
        if jump and int(jump.group(1), 16) <= address and int(jump.group(1), 16) in places:
            yield places[int(jump.group(1), 16)], i


def innermost(loops):
    return [(b, e) for b, e in loops if not any(b <= c and f <= e for c, f in loops if (c, f) != (b, e))]


def product_turns(body, product):
    """The instructions of one turn of every innermost loop that has products."""
    texts = [text for _, text in body]
    for begin, end in innermost([(b, e) for b, e in loops_of(body) if any(map(product.match, texts[b : e + 1]))]):
        # Exponentials have fused multiply-adds too, and round.
        if not any(re.match(r"vroundps|frint", text) for text in texts[begin : end + 1]):
            yield texts[begin : end + 1]


def unpacking_turn(body):
    """The instructions of one turn of the only outer loop; a loop in it takes four turns."""
    texts = [text for _, text in body]
    loops = list(loops_of(body))
    begin, end = min(loops)
    for b, e in innermost(loops):
        if (b, e) != (begin, end):
            return texts[begin:b] + 4 * texts[b : e + 1] + texts[e + 1 : end + 1]
    return texts[begin : end + 1]


def assembly(turn):
    """What llvm-mca reads: no comments and symbols, jumps to a label."""
    return "\n".join(re.sub(r"\b[0-9a-f]+ <.*>$", "1f", re.sub(r" +(# |// ).*$", "", text)) for text in turn) + "\n1:\n"


@functools.cache
def simulate(target, features, processor, text, turns):
    """(cycles of so many turns, cycles of one on the ports that it needs most)."""
    command = [MCA, f"-mtriple={target}", f"-mcpu={processor}", f"-mattr={features}", f"-iterations={turns}",
               "-resource-pressure=false", "-instruction-info=false"]
    result = subprocess.run(command, input=text, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"product_loops: {MCA} cannot run a loop on its model of {processor}:\n{result.stderr[:2000]}")
    cycles = re.search(r"^Total Cycles: +(\d+)", result.stdout, re.MULTILINE)
    ports = re.search(r"^Block RThroughput: +([\d.]+)", result.stdout, re.MULTILINE)
    return int(cycles.group(1)), float(ports.group(1))


def cycles_of(model, turn):
    """Of one turn among many."""
    text = assembly(turn)
    return (simulate(*model, text, 150)[0] - simulate(*model, text, 50)[0]) / 100


def judge(model, turn, product):
    """(part of the limit, products, cycles, limit)."""
    products = [text for text in turn if product.match(text)]
    cycles, limit = cycles_of(model, turn), simulate(*model, assembly(products), 1)[1]
    return min(limit / cycles, 1.0), len(products), cycles, limit


def stack_stores(target, turn):
    return sum(bool(re.match(STACK_STORE[target], text)) for text in turn)


def product_rows(name, of_set):
    """Yields (loop, {processor: (part, products, cycles, limit)}, stack stores), of several alike the slowest."""
    target, features, processors, int8, height, loops = SETS[name]
    for loop, wanted in loops.items():
        product = re.compile(rf"({FLOAT_PRODUCTS[target] if loop in FLOAT_LOOPS else int8})\b")
        turns = [turn for function, body in of_set.items() if re.fullmatch(wanted.replace("H", str(height)), function)
                 for turn in product_turns(body, product)]
        if not turns:
            sys.exit(f"product_loops: {name}: found no loop of {loop}; is libthimble.a a release build?")
        judged = {processor: min(judge((target, features, processor), turn, product) for turn in turns)
                  for processor in processors}
        yield loop, judged, max(stack_stores(target, turn) for turn in turns)


def unpacking_rows(name, of_set):
    """Yields (format, {processor: cycles of a line})."""
    target, features, processors, *_ = SETS[name]
    for weights, (wanted, lines) in UNPACKING.items():
        for function, body in of_set.items():
            if re.fullmatch(wanted, function):
                turn = unpacking_turn(body)
                yield weights, {processor: cycles_of((target, features, processor), turn) / lines
                                for processor in processors}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="fail where a loop reaches less than it should")
    parser.add_argument("--set", action="append", choices=SETS, help="one set, instead of all")
    parser.add_argument("--x86", default="build", help="build folder of the preset release")
    parser.add_argument("--arm", default="build-aarch64", help="build folder of the preset aarch64")
    arguments = parser.parse_args()
    if not shutil.which(MCA):
        sys.exit(f"product_loops: {MCA}: not found; \"scripts/setup.sh with llvm-19\" installs it")

    sets = {name: {} for name in arguments.set or SETS}
    for target, folder in (("x86_64", arguments.x86), ("aarch64", arguments.arm)):
        of_target = [name for name in sets if SETS[name][0] == target]
        for function, body in functions(os.path.join(folder, "libthimble.a"), target) if of_target else ():
            for name in of_target:
                sets[name].setdefault(name_in(function, name), body)

    slow = []
    print("| set | products of | in a turn | limit / cycles |\n|---|---|---|---|")
    for name, of_set in sets.items():
        for loop, judged, stores in product_rows(name, of_set):
            cells = [f"{processor} {limit:.1f} / {cycles:.1f} = {part:.2f}"
                     for processor, (part, _, cycles, limit) in judged.items()]
            products = max(products for _, products, _, _ in judged.values())
            print(f"| {name} | {loop} | {products} | {', '.join(cells)} |", flush=True)
            least = LEAST_OF.get((name, loop), LEAST)
            slow += [f"{name}, {loop}, on {processor}: {part:.2f} of the limit, expected {least}"
                     for processor, (part, *_) in judged.items() if part < least]
            if stores:
                slow.append(f"{name}, {loop}: {stores} vectors are stored on the stack, expected none")
    print("\n| set | from | cycles |\n|---|---|---|")
    for name, of_set in sets.items():
        for weights, cycles in unpacking_rows(name, of_set):
            cells = [f"{processor} {count:.1f}" for processor, count in cycles.items()]
            print(f"| {name} | {weights} | {', '.join(cells)} |")
    if arguments.check and slow:
        sys.exit("product_loops: " + "\nproduct_loops: ".join(slow))


if __name__ == "__main__":
    main()
