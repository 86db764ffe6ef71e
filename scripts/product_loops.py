#!/usr/bin/env python3
"""Judges the product loops of the instruction sets that no machine of the project has, by models of processors.

scripts/product_loops.py [--check] [--set NAME] [--x86 BUILD] [--arm BUILD]

Reads libthimble.a of the presets release (by g++, for x86-64) and aarch64, lets llvm-mca-19 run each loop, and prints a
table of Markdown. The limit of a loop is what its products alone take on the ports of the model. --check fails where a
loop reaches less of it than the table below asks, or stores vectors on the stack.
"""

import argparse
import functools
import os
import re
import shutil
import subprocess
import sys

MCA = "llvm-mca-19"  # Version 14, of Debian 12, lacks most models.
LEAST = 0.85  # Of the limit.

# Of a set: the target, its features, the processors whose models judge it, the products of int8, and the rows of a tile.
SETS = {
    "avxvnni": ("x86_64", "", ("alderlake",), r"(\{vex\} )?vpdpbusd", 6),
    "neon": ("aarch64", "", ("cortex-a72", "neoverse-n1"), r"smull2?|addp|sadalp", 4),
    "neondot": ("aarch64", "+dotprod", ("neoverse-n1", "neoverse-v1", "apple-m1"), r"sdot", 5),
    "neoni8mm": ("aarch64", "+i8mm", ("neoverse-v1", "neoverse-n2", "apple-m1"), r"usmmla", 6),
}
FLOAT_PRODUCTS = {"x86_64": r"vfn?m\w+ps", "aarch64": r"fmla"}
STACK_STORES = {"x86_64": r"vmov\w+ +%[xyz]mm\d+,-?[0-9a-fx]*\(%r[sb]p", "aarch64": r"st[rp]\s+q\d+.*\[sp"}
# Of a row of the table: its name, the function template and what of its arguments counts, `H` for the rows of a tile.
KINDS = (
    ("q8, q6, q4", "TileInt8", "H,1,0,(true|false)"),
    ("q8, q6, q4 in pairs", "TilePairs", "H,0"),
    ("fp32", "TileFloat", "H,1,0,float"),
    ("fp16", "TileFloat", "H,1,0,unsigned short"),
    ("attention of q*", "AttendInt8", "H"),
    ("attention of fp*", "AttendFloat", "H"),
)


def functions(objdump, library):
    """Yields (demangled name, [(address, instruction)]) for every function of the library."""
    command = [objdump, "--disassemble", "--demangle", "--no-show-raw-insn", library]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    name, body = None, []
    for line in output.splitlines():
        header = re.match(r"^[0-9a-f]+ <(.*)>:$", line)
        if header:
            if name:
                yield name, body
            name, body = header.group(1), []
        elif line.startswith(" ") and ":\t" in line:
            address, text = line.split(":\t", 1)
            body.append((int(address, 16), text.strip().replace("\t", " ")))
    if name:
        yield name, body


def loops_of(body):
    """(first, last) instruction of every loop: from the target of a backward jump to the jump."""
    places = {address: i for i, (address, _) in enumerate(body)}
    found = []
    for i, (address, text) in enumerate(body):
        jump = re.match(r"^(?:j[a-z]+|b\.[a-z]+|cbn?z +\w+,|b) +([0-9a-f]+) <", text)
        if jump and int(jump.group(1), 16) in places and int(jump.group(1), 16) <= address:
            found.append((places[int(jump.group(1), 16)], i))
    return found


def product_loops(body, product, packed):
    """The instructions of one turn of every innermost loop that has products; of packed ones, of a whole group."""
    loops = [(b, e) for b, e in loops_of(body) if any(re.match(product, text) for _, text in body[b : e + 1])]
    texts = [text for _, text in body]
    for begin, end in loops:
        if any(begin <= b and e <= end for b, e in loops if (b, e) != (begin, end)):
            continue
        turn = texts[begin : end + 1]
        if packed:
            around = [(b, e) for b, e in loops if b <= begin and end <= e and (b, e) != (begin, end)]
            b, e = max(around, default=(begin, end))
            if around:
                turn = texts[b:begin] + GROUP_TURNS * turn + texts[end + 1 : e + 1]
        # Exponentials have fused multiply-adds too, and round.
        if not any(re.match(r"vroundps|frint", text) for text in turn):
            yield turn


def assembly(texts):
    """What llvm-mca reads: without comments and symbols, jumps to a label."""
    lines = [re.sub(r"\b[0-9a-f]+ <.*>$", "1f", re.sub(r"\s+(# |// ).*$", "", text)) for text in texts]
    return "\n".join(lines) + "\n1:\n"


@functools.cache
def mca(target, features, processor, text, iterations):
    """(cycles, cycles by the ports that are needed most)."""
    command = [MCA, f"-mtriple={target}", f"-mcpu={processor}", f"-mattr={features}", f"-iterations={iterations}",
               "-resource-pressure=false", "-instruction-info=false"]
    result = subprocess.run(command, input=text, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"product_loops: {MCA} for {processor} failed:\n{result.stderr[:2000]}")
    cycles = re.search(r"^Total Cycles:\s+(\d+)", result.stdout, re.MULTILINE)
    ports = re.search(r"^Block RThroughput:\s+([\d.]+)", result.stdout, re.MULTILINE)
    return int(cycles.group(1)), float(ports.group(1))


def judge(target, features, processor, turn, product):
    """(cycles of a turn, the limit)."""
    text = assembly(turn)
    cycles = (mca(target, features, processor, text, 300)[0] - mca(target, features, processor, text, 100)[0]) / 200
    products = assembly([line for line in turn if re.match(product, line)])
    return cycles, mca(target, features, processor, products, 1)[1]


def kind_of(name, namespace, height):
    found = re.search(rf"kernels::{namespace}::(\w+)<(.*?)>\(", name)
    if not found:
        return None
    arguments = re.sub(r"\(.*?\)|ul\b", "", found.group(2)).replace(", ", ",")
    for kind, function, wanted in KINDS:
        if function == found.group(1) and re.fullmatch(wanted.replace("H", str(height)), arguments):
            return kind
    return None


def rows(builds, names):
    """Yields (set, kind, processor, products, cycles, limit, vectors stored on the stack): of a kind the worst loop."""
    libraries = {}
    for name in names:
        target, features, processors, int8, height = SETS[name]
        if target not in libraries:
            objdump = "objdump" if target == os.uname().machine else f"{target}-linux-gnu-objdump"
            libraries[target] = list(functions(objdump, os.path.join(builds[target], "libthimble.a")))
        turns = {}
        for function, body in libraries[target]:
            kind = kind_of(function, name, height)
            if not kind:
                continue
            product = FLOAT_PRODUCTS[target] if "fp" in kind else int8
            for turn in product_loops(body, rf"({product})\b", kind[:2] in ("q6", "q4")):
                turns.setdefault(kind, []).append((turn, rf"({product})\b"))
        for kind, _, _ in KINDS:
            if kind not in turns:
                continue
                sys.exit(f"product_loops: {name}: no product loop of {kind} found in libthimble.a")
            stores = max(sum(bool(re.match(STACK_STORES[target], text)) for text in turn) for turn, _ in turns[kind])
            for processor in processors:
                judged = []
                for turn, product in turns[kind]:
                    cycles, limit = judge(target, features, processor, turn, product)
                    judged.append((limit / cycles, sum(bool(re.match(product, t)) for t in turn), cycles, limit))
                fraction, products, cycles, limit = min(judged)
                yield name, kind, processor, products, cycles, limit, fraction, stores


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--set", action="append", choices=SETS)
    parser.add_argument("--x86", default="build")
    parser.add_argument("--arm", default="build-aarch64")
    arguments = parser.parse_args()
    if not shutil.which(MCA):
        sys.exit(f"product_loops: {MCA}: not found; Debian's package llvm-19 has it")
    bad = []
    print("| set | product loop | model | products | cycles | limit | of the limit |")
    print("|---|---|---|---|---|---|---|")
    for row in rows({"x86_64": arguments.x86, "aarch64": arguments.arm}, arguments.set or SETS):
        name, kind, processor, products, cycles, limit, fraction, stores = row
        print(f"| {name} | {kind} | {processor} | {products} | {cycles:.1f} | {limit:.1f} | {fraction:.2f} |"
              + (f" {stores} STORES" if stores else ""), flush=True)
        if stores or fraction < LEAST:
            bad.append(row)
    if arguments.check and bad:
        sys.exit(1)


if __name__ == "__main__":
    main()
